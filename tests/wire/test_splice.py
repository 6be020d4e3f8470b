from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.document import dump_string, parse
from lockgate.wire.pointer import escape, get
from lockgate.wire.splice import locate, splice, with_member, without_items

TEXT = st.text(st.characters(codec=None), max_size=8) | st.sampled_from(
    ['"', "\\", '\\"', "}]", "{[", ",", "a~b/c", "0", ""]
)
NUMBERS = st.sampled_from(["0", "-0", "1e3", "-1.50", "123456789012345678901234567890", "2E-7"])
KINDS = ("string", "plain", "array", "object")
SPACE = st.text(" \t\r\n", max_size=3)
SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "/": "\\/"}


@st.composite
def literals(draw: st.DrawFn) -> str:
    """A JSON string, each character written in one of the ways that there are."""
    out = []
    for char in draw(TEXT):
        ways = [f"\\u{ord(char):04x}", f"\\u{ord(char):04X}"]
        if ord(char) > 0xFFFF:
            high, low = divmod(ord(char) - 0x10000, 0x400)
            ways = [f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"]
        if char in SHORT:
            ways.append(SHORT[char])
        if char not in '"\\' and ord(char) >= 0x20 and not 0xD800 <= ord(char) <= 0xDFFF:
            ways += [char, char, char]
        out.append(draw(st.sampled_from(ways)))
    return f'"{"".join(out)}"'


class Written:
    """A JSON document as bytes, with the place of each value."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.parts: list[bytes] = []
        self.length = 0
        self.places: dict[str, tuple[int, int]] = {}
        self._space()
        self._value("", 0)
        self._space()

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def _put(self, text: str) -> None:
        self.parts.append(text.encode())
        self.length += len(self.parts[-1])

    def _space(self) -> None:
        self._put(self._draw(SPACE))

    def _value(self, pointer: str, depth: int) -> None:
        start = self.length
        kind = self._draw(st.sampled_from(KINDS[: 2 if depth > 3 else 4]))
        if kind == "string":
            self._put(self._draw(literals()))
        elif kind == "plain":
            self._put(self._draw(NUMBERS | st.sampled_from(["true", "false", "null"])))
        elif kind == "array":
            self._put("[")
            for i in range(self._draw(st.integers(0, 3))):
                self._put("," if i else "")
                self._space()
                self._value(f"{pointer}/{i}", depth + 1)
                self._space()
            self._put("]" if self.parts[-1] != b"[" else " ]")
        else:
            self._object(pointer, depth)
        self.places[pointer] = (start, self.length)

    def _object(self, pointer: str, depth: int) -> None:
        self._put("{")
        seen: set[str] = set()
        for _ in range(self._draw(st.integers(0, 3))):
            literal = self._draw(literals())
            key = json.loads(literal)
            if key in seen:
                continue
            self._put("," if seen else "")
            seen.add(key)
            self._space()
            self._put(literal)
            self._space()
            self._put(":")
            self._space()
            self._value(f"{pointer}/{escape(key)}", depth + 1)
            self._space()
        self._put("}")


@st.composite
def documents(draw: st.DrawFn) -> Written:
    return Written(draw)


def strings(written: Written) -> list[str]:
    return [where for where, (start, _) in written.places.items() if written.body[start : start + 1] == b'"']


@given(documents())
def test_each_value_is_located(written: Written) -> None:
    document = parse(written.body)
    found = locate(written.body, written.places)
    assert found == written.places
    for where, (start, end) in found.items():
        assert parse(written.body[start:end]) == get(document, where)


@given(documents(), st.text(st.characters(codec=None), max_size=8), st.data())
def test_one_edit_changes_one_literal(written: Written, text: str, data: st.DataObject) -> None:
    body = written.body
    places = strings(written)
    if not places:
        return
    where = data.draw(st.sampled_from(places))
    start, end = written.places[where]
    edited = splice(body, {where: dump_string(text)})
    tail = len(body) - end
    assert edited[:start] == body[:start]
    assert edited[len(edited) - tail :] == body[end:]
    assert edited[start : len(edited) - tail] == dump_string(text)
    before, after = parse(body), parse(edited)
    assert get(after, where) == parse(dump_string(text))
    for other in written.places:
        if not where.startswith(f"{other}/") and other not in (where, ""):
            assert get(after, other) == get(before, other)


@given(documents(), st.data())
def test_many_edits_at_once_are_each_edit_in_turn(written: Written, data: st.DataObject) -> None:
    places = strings(written)
    values = {where: dump_string(data.draw(TEXT)) for where in places}
    one_by_one = written.body
    for where, value in values.items():
        one_by_one = splice(one_by_one, {where: value})
    assert splice(written.body, values) == one_by_one


@given(documents())
def test_no_edit_is_the_same_object(written: Written) -> None:
    body = written.body
    assert splice(body, {}) is body


@given(documents(), st.sampled_from(["lockgate", "a", "x y", "0"]))
def test_a_member_is_set(written: Written, name: str) -> None:
    body = written.body
    before = parse(body)
    if not isinstance(before, dict):
        return
    edited = with_member(body, name, b'{"id":1}')
    assert parse(edited) == {**before, name: {"id": 1}}
    if name not in before:
        at = body.rindex(b"}")
        assert edited.startswith(body[:at])
        assert edited.endswith(body[at:])


@pytest.mark.parametrize(
    ("body", "edited"),
    [
        (b"{}", b'{"lockgate":1}'),
        (b"{ }", b'{ "lockgate":1}'),
        (b" {\n}\r\n", b' {\n"lockgate":1}\r\n'),
        (b'{"a":"}"}', b'{"a":"}","lockgate":1}'),
        (b'{"a":{} }', b'{"a":{} ,"lockgate":1}'),
        (b'{"lockgate" : {"x":[1]}, "a":2}', b'{"lockgate" : 1, "a":2}'),
        (b'{"\\u006cockgate":0}', b'{"\\u006cockgate":1}'),
        (b'{"a":{"lockgate":0}}', b'{"a":{"lockgate":0},"lockgate":1}'),
    ],
)
def test_where_a_member_goes(body: bytes, edited: bytes) -> None:
    assert with_member(body, "lockgate", b"1") == edited


@pytest.mark.parametrize(
    ("body", "where", "place"),
    [
        (b'"a"', "", (0, 3)),
        (b' [ "a" , "b" ] ', "/1", (9, 12)),
        (b'{"a":"x","\\u0062":"y"}', "/b", (18, 21)),
        (b'{"k":"{\\"k\\":1}","l":2}', "/l", (21, 22)),
        (b'{"a/b":{"~":[[],{},null]}}', "/a~1b/~0/2", (19, 23)),
        (b'{"0":["x"],"a":1e5}', "/0/0", (6, 9)),
        (b'{"0":["x"],"a":1e5}', "/a", (15, 18)),
        (b'["\\\\","\\\\\\"",3]', "/2", (13, 14)),
        ('{"ключ":"é😀"}'.encode(), "/ключ", (12, 20)),
    ],
)
def test_places(body: bytes, where: str, place: tuple[int, int]) -> None:
    assert locate(body, [where]) == {where: place}


@pytest.mark.parametrize("where", ["/b", "/a/0", "/a/b", "/1", "/a/1/x"])
def test_a_pointer_that_leads_nowhere(where: str) -> None:
    with pytest.raises(KeyError, match=where):
        locate(b'{"a":"text"}', [where])


def test_edits_inside_one_another_are_an_error() -> None:
    with pytest.raises(ValueError, match="inside another"):
        splice(b'{"a":{"b":"c"}}', {"/a": b"null", "/a/b": b"1"})


def test_only_what_is_asked_for_is_read() -> None:
    body = b'{"big":' + b"[" * 150 + b"]" * 150 + b',"a":"x"}'
    assert splice(body, {"/a": b'"y"'}) == body[:-5] + b':"y"}'


def test_long_strings_and_many_members() -> None:
    text = '\\"' * 200_000
    body = json.dumps({"a": text, **{f"k{i}": i for i in range(20_000)}, "z": "x"}).encode()
    edited = splice(body, {"/z": b'"y"', "/k7": b'"seven"'})
    assert parse(edited) == {**parse(body), "z": "y", "k7": "seven"}


@pytest.mark.parametrize("positions", [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]])
def test_items_of_an_array_go(positions: list[int]) -> None:
    items = [b'"p,]"', b'{"x":[1,2]}', b"1e3"]
    body = b'{"a": [ %s , %s , %s ] , "b":1}' % tuple(items)
    done = without_items(body, "/a", [f"/a/{i}" for i in positions])
    kept = [item for i, item in enumerate(items) if i not in positions]
    assert parse(done) == {"a": [json.loads(item) for item in kept], "b": 1}
    assert all(item in done for item in kept)
    assert done.endswith(b'] , "b":1}')


def test_an_item_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        without_items(b'{"a":[1]}', "/a", ["/a/1"])
