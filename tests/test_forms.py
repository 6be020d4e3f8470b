from __future__ import annotations

from typing import Any

import pytest

from lockgate.forms import Form

MASK = "[PERSON_k3f9w2]"
EMAIL = "email-k3f9w2@example.com"


@pytest.mark.parametrize(
    ("schema", "text", "holds"),
    [
        ({"enum": ["a", "b"]}, MASK, False),
        ({"enum": ["a", MASK]}, MASK, True),
        ({"const": "a"}, MASK, False),
        ({"pattern": "^[A-Z]+$"}, MASK, False),
        ({"pattern": "PERSON"}, MASK, True),
        ({"pattern": "(?=x)y"}, MASK, False),  # can't be run in linear time
        ({"maxLength": 5}, MASK, False),
        ({"minLength": 50}, MASK, False),
        ({"format": "email"}, MASK, False),
        ({"format": "email"}, EMAIL, True),
        ({"format": "date"}, MASK, False),
        ({"format": "uuid"}, MASK, False),
        ({"format": "uuid"}, "123e4567-e89b-12d3-a456-426614174000", True),
        ({"format": "ipv4"}, "10.0.0.1", True),
        ({"format": "ipv6"}, "10.0.0.1", False),
        ({"anyOf": [{"type": "null"}, {"type": "string", "format": "email"}]}, MASK, False),
        ({"anyOf": [{"format": "email"}, {"const": MASK}]}, MASK, True),
        ({"allOf": [{"maxLength": 99}, {"pattern": "^P"}]}, MASK, False),
        ({"$ref": "#/$defs/code", "$defs": {"code": {"enum": ["x"]}}}, MASK, False),
        ({"$ref": "#/$defs/loop", "$defs": {"loop": {"$ref": "#/$defs/loop"}}}, MASK, False),
    ],
)
def test_what_confines_a_string(schema: dict[str, Any], text: str, holds: bool) -> None:
    form = Form(schema)
    assert form.confines
    assert form.holds(text) is holds


@pytest.mark.parametrize(
    "schema",
    [None, True, {}, {"type": "string"}, {"type": "string", "format": "password"}, {"description": "enum"}, []],
)
def test_what_does_not(schema: Any) -> None:
    assert not Form(schema).confines
    assert Form(schema).holds(MASK)


SCHEMA = {
    "properties": {"to": {"$ref": "#/$defs/mail"}, "free": {"type": "string"}},
    "patternProperties": {"^x-": {"const": "x"}},
    "additionalProperties": {"enum": ["other"]},
    "items": {"format": "date"},
    "$defs": {"mail": {"type": "string", "format": "email"}},
}


@pytest.mark.parametrize(
    ("key", "confines"), [("to", True), ("free", False), ("x-a", True), ("more", True), (0, True), (7, True)]
)
def test_what_is_said_of_parts(key: str | int, confines: bool) -> None:
    form = Form(SCHEMA)
    part = form.member(key) if isinstance(key, str) else form.item(key)
    assert part.confines is confines


def test_parts_of_alternatives() -> None:
    either = {"anyOf": [{"properties": {"a": {"enum": ["x"]}}}, {"properties": {"a": {"enum": ["y"]}}}]}
    part = Form(either).member("a")
    assert [part.holds(text) for text in ("x", "y", "z")] == [True, True, False]
    open_one = {"oneOf": [{"properties": {"a": {"enum": ["x"]}}}, {}]}
    assert Form(open_one).member("a").holds("z")
    assert Form({"prefixItems": [{"const": "x"}]}).item(0).confines
    assert not Form({"prefixItems": [{"const": "x"}]}).item(1).confines
