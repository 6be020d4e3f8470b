from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import WireError
from lockgate.wire.document import MAX_DEPTH, dump_string, parse

LONE = r'"\ud800"'  # sends the whole document to the slow parser


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' \t\r\n{"a" : [1 , 2.5 , true , null]}\n', {"a": [1, 2.5, True, None]}),
        (b'{"a":"\\u0000"}', {"a": "\0"}),
        (b'{"":1}', {"": 1}),
        (b'{"a":1,"A":2}', {"a": 1, "A": 2}),
        (b'{"\xc3\xa9":1,"e\xcc\x81":2}', {"é": 1, "e\u0301": 2}),
        (b"[123456789012345678901234567890, -0, 1.0E+5, 1e-7]", [123456789012345678901234567890, 0, 1e5, 1e-7]),
        (b'"\\/ \\u002f"', "/ /"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\ud83d"', "\ud83d"),
        (b'"\\ude00\\ud83d x"', "\ude00\ud83d x"),
        (b'["\\ud800", 123456789012345678901234567890, 1e2]', ["\ud800", 123456789012345678901234567890, 100.0]),
        (b'{"\\udc00":1}', {"\udc00": 1}),
        (f'"{chr(0x2028)}{chr(0x7F)}"'.encode(), "\u2028\x7f"),
        (b"null", None),
    ],
)
def test_reads(body: bytes, value: object) -> None:
    assert parse(body) == value


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b'{"a":1,"a":1}', "duplicate_key", "same key twice"),
        (b'{"a":1,"\\u0061":2}', "duplicate_key", "same key twice"),
        (b'{"x":[{"a":1,"b":2,"\\u0061":3}]}', "duplicate_key", "same key twice"),
        (b'{"\\ud800":1,"\\uD800":2}', "duplicate_key", "same key twice"),
        (b'{"x":"\\ud800","a":1,"a":2}', "duplicate_key", "same key twice"),
        (b'{"a":1,"a":2,"x":"\\ud800"}', "duplicate_key", "same key twice"),
        (b'{"a":NaN}', "invalid_number", "NaN"),
        (b"[Infinity]", "invalid_number", "Infinity"),
        (b"[-Infinity]", "invalid_number", "-Infinity"),
        (b"1" * 5000, "invalid_number", "too many digits"),
        (b"[01]", "invalid_json", "not valid JSON"),
        (b"[+1]", "invalid_json", "not valid JSON"),
        (b"[.5]", "invalid_json", "not valid JSON"),
        (b"[1.]", "invalid_json", "not valid JSON"),
        (b"[1e]", "invalid_json", "not valid JSON"),
        (b"[0x1]", "invalid_json", "not valid JSON"),
        (b"[1,]", "invalid_json", "not valid JSON"),
        (b'{"a":1,}', "invalid_json", "not valid JSON"),
        (b"[1 2]", "invalid_json", "not valid JSON"),
        (b'{"a" 1}', "invalid_json", "not valid JSON"),
        (b"{1:2}", "invalid_json", "not valid JSON"),
        (b"{'a':1}", "invalid_json", "not valid JSON"),
        (b"// note\n{}", "invalid_json", "not valid JSON"),
        (b"[", "invalid_json", "not valid JSON"),
        (b'"', "invalid_json", "not valid JSON"),
        (b"nul", "invalid_json", "not valid JSON"),
        (b"{} {}", "invalid_json", "not valid JSON"),
        (b"{}\x00", "invalid_json", "not valid JSON"),
        (b"\x00", "invalid_json", "not valid JSON"),
        (b"\x0b{}", "invalid_json", "not valid JSON"),
        ("\u00a0{}".encode(), "invalid_json", "not valid JSON"),
        (b'["\\x"]', "invalid_json", "not valid JSON"),
        (b'["\\u12"]', "invalid_json", "not valid JSON"),
        (b'["\t"]', "invalid_json", "not valid JSON"),
        (b'["\x01"]', "invalid_json", "not valid JSON"),
        (b"", "invalid_json", "empty"),
        (b" \r\n", "invalid_json", "empty"),
        (b"\xef\xbb\xbf{}", "invalid_json", "byte order mark"),
        ('{"a":1}'.encode("utf-16"), "invalid_encoding", "not valid UTF-8"),
        ('{"a":1}'.encode("utf-16-le"), "invalid_json", "not valid JSON"),
        ('{"a":1}'.encode("utf-32"), "invalid_encoding", "not valid UTF-8"),
        (b'{"a":"\xff"}', "invalid_encoding", "not valid UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_encoding", "not valid UTF-8"),
        (b'{"a":"\xc0\xaf"}', "invalid_encoding", "not valid UTF-8"),
        (b'{"a":"\xf4\x90\x80\x80"}', "invalid_encoding", "not valid UTF-8"),
        (b'{"a":"\\ud800\xff"}', "invalid_encoding", "not valid UTF-8"),
        (b"[" * 100_000, "too_deep", "nested deeper than 200"),
    ],
)
def test_refuses(body: bytes, code: str, says: str) -> None:
    with pytest.raises(WireError) as raised:
        parse(body)
    assert (raised.value.code, raised.value.status) == (code, 400)
    assert says in str(raised.value)


def nested(levels: int, core: str, array: bool) -> bytes:
    opening, closing = ("[", "]") if array else ('{"a":', "}")
    return f"{opening * levels}{core}{closing * levels}".encode()


@pytest.mark.parametrize("core", ["1", LONE])
@pytest.mark.parametrize("array", [True, False])
def test_depth_has_one_limit_in_both_parsers(core: str, array: bool) -> None:
    parse(nested(MAX_DEPTH, core, array))
    with pytest.raises(WireError, match="deeper than 200"):
        parse(nested(MAX_DEPTH + 1, core, array))


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 500, 900, 5000])
def test_the_slow_parser_is_not_deeper(levels: int) -> None:
    body = f'{{"x":{LONE},"y":{"[" * levels}{"]" * levels}}}'.encode()
    with pytest.raises(WireError) as raised:
        parse(body)
    assert raised.value.code == "too_deep"


def test_errors_say_where_and_hold_no_text() -> None:
    with pytest.raises(WireError) as raised:
        parse(b'{"a": "my secret words",\n "a": "my other words"}')
    assert raised.value.where.startswith("line 2 column ")
    with pytest.raises(WireError) as raised:
        parse(b'{"a": my secret words}')
    assert "secret" not in str(raised.value)
    with pytest.raises(WireError) as raised:
        parse(b'{"a": "secret \xff"}')
    assert raised.value.where == "byte 14"
    assert "secret" not in str(raised.value)


FRAGMENTS = st.sampled_from(
    [
        "{", "}", "[", "]", ":", ",", '"a"', '"b"', '"\\u0061"', '"\\ud800"', '"é"', "1", "-0", "1e5", "1E400", "NaN", "01",
        "true", "null", " ", "\n", "\t", "\ufeff", '"\\"', '"\\x"', "\x00", "{}", '{"a":1}', '["\\udc00",2]', "\u00a0",
    ]
)  # fmt: skip


def strict(text: str) -> Any:
    """The standard library's reading, with the same rules added."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(found)) != len(found):
            raise ValueError("duplicate")
        return dict(found)

    def constant(name: str) -> Any:
        raise ValueError(name)

    return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)


@given(st.lists(FRAGMENTS, max_size=12).map("".join))
def test_accepts_what_the_standard_library_accepts(text: str) -> None:
    try:
        expected = strict(text)
    except ValueError:
        with pytest.raises(WireError):
            parse(text.encode())
        return
    assert parse(text.encode()) == expected


@given(st.text(st.characters(codec=None)))
def test_a_dumped_string_is_read_back(text: str) -> None:
    literal = dump_string(text)
    # Halves of a pair that stand together can't be told from the pair, in JSON as in UTF-16.
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert parse(literal) == whole
    assert literal[:1] == literal[-1:] == b'"'


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_numbers_are_read(number: float, integer: int) -> None:
    value, count = parse(f"[{json.dumps(number)},{integer}]".encode())
    assert math.isclose(value, number, rel_tol=1e-15)
    assert count == integer
