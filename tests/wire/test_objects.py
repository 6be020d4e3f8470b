from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, PrivateAttr

from lockgate.wire.document import MAX_DEPTH
from lockgate.wire.objects import Fields, copied, find, follow, plain, put


class Note(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, arbitrary_types_allowed=True)

    text: str
    title: str | None = None
    inner: Any = None
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)


class Person(BaseModel):
    name: str


class Said(BaseModel):
    content: str
    parsed: Any = None


def test_a_model_is_read_as_its_fields() -> None:
    note = Note.model_validate({"text": "a", "inner": [Note(text="b")], "more": {"c": 1}})
    document, skipped = plain({"x": (note, 1)}, "/q")
    assert document == {"x": ({"text": "a", "inner": [{"text": "b"}], "more": {"c": 1}}, 1)}
    assert skipped == {}
    fields = document["x"][0]
    assert isinstance(fields, Fields)
    assert fields.declared == {"text", "title", "inner"}


@pytest.mark.parametrize("value", ["x", 5, None, [1, {"a": ("b",)}], {"a": {"b"}}, Note])
def test_without_models_a_value_is_itself(value: Any) -> None:
    assert plain(value)[0] is value


def test_what_holds_itself_ends() -> None:
    value: list[Any] = ["a"]
    value += [value, Note(text="b", inner=value)]
    document, _ = plain(value)
    assert document[0] == "a"
    assert document[2]["text"] == "b"


def test_what_is_too_deep_is_left() -> None:
    value: Any = Note(text="x")
    for _ in range(MAX_DEPTH * 2):
        value = [value]
    assert plain(value)[0] is value


def test_what_was_parsed_from_a_text_is_left_out_with_a_reason() -> None:
    document, skipped = plain([Said(content="x", parsed=Person(name="Bob"))], "/q")
    assert document == [{"content": "x"}]
    assert skipped == {"/q/0/parsed": "parsed from content, which is read; follows it"}


def test_only_containers_and_models_are_copied() -> None:
    lock = threading.Lock()
    before: dict[str, Any] = {"note": Note(text="a", inner=[lock]), "lock": lock}
    after = copied(before)
    assert after["note"] is not before["note"]
    assert after["note"].inner is not before["note"].inner
    assert after["note"].inner[0] is after["lock"] is lock
    assert after["note"]._lock is before["note"]._lock


def test_what_stands_somewhere_is_found_and_set() -> None:
    note = Note.model_validate({"text": "a", "inner": ({"b": ["c"]},), "more": "d"})
    value = [{"note": note}]
    assert find(value, "/0/note/inner/0/b/0") == "c"
    assert find(value, "/0/note/more") == "d"
    mine = copied(value)
    put(mine, "/0/note/inner/0/b/0", "C")
    put(mine, "/0/note/more", "D")
    put(mine, "/0/note/text", "A")
    assert mine[0]["note"].model_dump() == {"text": "A", "title": None, "inner": ({"b": ["C"]},), "more": "D"}
    assert (note.text, note.inner[0]["b"]) == ("a", ["c"])


@pytest.mark.parametrize(
    ("parsed", "content", "after"),
    [
        (Person(name="Bob"), '{"name": "B."}', Person(name="B.")),
        (Person(name="Bob"), '{"name": ', None),
        (Person(name="Bob"), '{"other": 1}', None),
        ({"name": "Bob"}, '{"name": "B."}', {"name": "B."}),
        ({"name": "Bob"}, "{", None),
        (None, '{"name": "B."}', None),
    ],
)
def test_what_was_parsed_follows_the_text(parsed: Any, content: str, after: Any) -> None:
    said: list[Any] = [Said(content=content, parsed=parsed), {"arguments": content, "parsed_arguments": parsed}]
    follow(said, "/0/content")
    follow(said, "/1/arguments")
    follow(said, "/0")
    assert said[0].parsed == after
    assert said[1]["parsed_arguments"] == after
