from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.forms import Form
from lockgate.outline import Fit, Outline, Wait, decoded, encoded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def outline(text: str, schema: Any = None, *, limit: int = 100) -> Outline:
    made = Outline(Form(schema), limit=limit)
    made.feed(text)
    return made


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value)


@given(JSON, st.booleans(), st.integers(0, 80), st.integers(1, 12), st.lists(st.integers(0, 90), max_size=6))
def test_an_edit_that_fits_leaves_json_of_the_same_keys_and_types(
    value: Any, escaped: bool, start: int, width: int, cuts: list[int]
) -> None:
    text = json.dumps(value, ensure_ascii=escaped)
    end = min(start + width, len(text))
    if start >= end:
        return
    whole = outline(text)
    fit = whole.fit(start, end, final=True)
    if isinstance(fit, Fit) and isinstance(value, (dict, list, str)):
        assert fit.value is not None
        edited = text[: fit.start] + encoded('"[X]\\') + text[fit.end :]
        assert shape(json.loads(edited)) == shape(value)
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = Outline(Form(), limit=100)
    for low, high in itertools.pairwise(places):
        pieces.feed(text[low:high])
    again = pieces.fit(start, end, final=True)
    assert (again and again[:2]) == (fit and fit[:2])  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ('{"a": "x Anna y"}', "Anna", "Anna"),
        ('{"a": "Anna"}', '"Anna"', "Anna"),  # its quotes stay
        ('{"a": "Anna"}', '"Anna"}', "Anna"),
        ('["Anna", 1]', "Anna", "Anna"),
        ('"Anna"', "Anna", "Anna"),
        ('{"a": 4111}', "4111", None),  # a number stays one
        ('{"Anna": 1}', "Anna", None),  # and a key
        ('{"a": true}', "true", None),
        ('{"a": "An", "b": "na"}', 'An", "b": "na', None),
        ('{"a": "Anna', "Anna", "Anna"),  # cut off
        ("not JSON: Anna", "Anna", "Anna"),
        ("4111", "4111", "4111"),
        ('{"a": 1} Anna', "Anna", "Anna"),
        (r'{"a": "\u0041nna\n"}', "0041nna", r"\u0041nna"),  # never half an escape
    ],
)
def test_where_an_edit_may_be_made(text: str, found: str, expected: str | None) -> None:
    at = text.index(found)
    fit = outline(text).fit(at, at + len(found), final=True)
    assert (text[fit.start : fit.end] if isinstance(fit, Fit) else fit) == expected


def test_a_confined_string_waits_for_its_end_within_bounds() -> None:
    schema = {"properties": {"a": {"format": "email"}, "b": {}}}
    text = '{"a": "anna@example.org", "b": "x'
    begun = outline(text[:12], schema)
    assert begun.fit(7, 11) is Wait.MORE
    assert begun.safe(11) == 7
    ended = outline(text, schema)
    fit = ended.fit(7, 23)
    assert isinstance(fit, Fit)
    assert fit.value is not None
    assert ended.holds(fit.value, 7, 23, "k3@example.com")
    assert not ended.holds(fit.value, 7, 23, "[EMAIL]")
    assert ended.safe(30) == 30
    long = outline('{"a": "' + "x" * 101, schema)
    assert long.fit(7, 11) is None
    assert long.safe(50) == 50


def test_half_an_escape_does_not_leave() -> None:
    begun = outline('["a\\u00')
    assert begun.safe(7) == 3
    begun.feed('e9b"]')
    assert begun.safe(5) == 3
    assert begun.safe(9) == 9


def test_what_is_forgotten_is_not_needed() -> None:
    made = outline('{"first": "one", "second')
    made.forget(20)
    made.feed('": "two"}')
    at = '{"first": "one", "second": "two"}'.index("two")
    fit = made.fit(at, at + 3)
    assert isinstance(fit, Fit)
    assert made.raw(fit.start, fit.end) == "two"


@given(st.text())
def test_the_inside_of_a_string(text: str) -> None:
    assert decoded(encoded(text)) == text
