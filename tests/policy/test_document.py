from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import PolicyError
from lockgate.policy.document import MAX_BYTES, MAX_DEPTH, Node, parse_document, read_document


def _parse(text: str) -> Node:
    return parse_document(text.encode(), "p.yaml")


def _value(text: str) -> Any:
    return _parse(f"x: {text}").plain()["x"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("FALSE", False),
        ("on", "on"),
        ("yes", "yes"),
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("012", 12),
        ("0o17", 15),
        ("0xff", 255),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.", 1.0),
        ("1_000", "1_000"),
        ("2026-11-23", "2026-11-23"),
        ("12:30:45", "12:30:45"),
        ("'12'", "12"),
        ('"true"', "true"),
        ('"\\u00e9"', "é"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
        ("|\n  one\n  two\n", "one\ntwo\n"),
        (">-\n  one\n  two\n", "one two"),
        ("<", "<"),
        ("=", "="),
    ],
)
def test_values_by_the_core_schema(text: str, value: object) -> None:
    found = _value(text)
    assert found == value
    assert type(found) is type(value)


def test_nodes_know_the_line_of_their_key() -> None:
    root = _parse("# comment\nversion: 1\nrules:\n  - id: a\n    use: {pii: {},\n          words: []}\n  - id: b\n")
    assert root.at("version").where == "p.yaml:2"
    assert root.at("rules").line == 3
    assert root.at("rules", 0).line == 4
    assert root.at("rules", 0, "use", "pii").line == 5
    assert root.at("rules", 0, "use", "words").line == 6
    assert root.at("rules", 1, "id").line == 7


def test_the_nearest_part_around_what_is_not_there() -> None:
    root = _parse("version: 1\nrules:\n  - id: a\n    side: prompt\n")
    assert root.at("rules", 0, "side", 0).line == 4
    assert root.at("rules", 0, "then", "refuse").line == 3
    assert root.at("rules", 7).line == 2
    assert root.at("rules", "left-out", 0, "id").line == 3
    assert root.at("nowhere").line == 1


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 0, "the file is empty"),
        ("# only a comment\n", 0, "the file is empty"),
        ("- a\n", 1, "must be a mapping"),
        ("word", 1, "must be a mapping"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key `a` stands here twice"),
        ("a: {b: 1, b: 2}", 1, "the key `b` stands here twice"),
        ("a: &x 1\n", 1, "an anchor"),
        ("a: 1\nb: *x\n", 2, "an alias"),
        ("*x : 1\n", 1, "a key must be a word"),
        ("a: 1\nb: !!str 2\n", 2, "a tag"),
        ("!x a: 1", 1, "a tag"),
        ("a: 1\n<<: {b: 2}\n", 2, "a merge key"),
        ("1: a", 1, "a key must be text"),
        ("true: a", 1, "a key must be text"),
        ("? [a]\n: b\n", 1, "a key must be a word"),
        ("a:\n\t- b\n", 2, "a tab where YAML wants spaces"),
        ("a: b: c", 1, "mapping values are not allowed here"),
        ('a: 1\nb: "x\n', 2, "unexpected end of stream"),
        ("a: 1\nb: [1, 2\n", 3, "not YAML"),
        ("a: 1\n  b: 2\n", 2, "mapping values are not allowed"),
        ("a:\n  b: 1\n c: 2\n", 3, "not YAML"),
        ("a: @x", 1, "cannot start any token"),
        ("a: 1\nb: \x07\n", 2, "a control character"),
        ("a: \0", 1, "a control character"),
        ("%YAML 1.1\n---\na: 1\n", 2, "policies are YAML 1.2"),
        ("%TAG ! x\n---\na: 1\n", 2, "a %TAG line"),
        ("a: 1\n---\nb: 2\n", 2, "more than one document"),
        ("a: .inf", 1, "a number that a policy can't use"),
        ("a: .nan", 1, "a number that a policy can't use"),
        ("a: 1e999", 1, "a number that a policy can't use"),
        ("a: 99999999999999999999999", 1, "a number that a policy can't use"),
        ('a: "\\ud800"', 1, "half of a surrogate pair"),
        ('a: 1\nb: "\\UFFFFFFFF"', 2, "not YAML"),
    ],
)
def test_what_a_policy_may_not_have(text: str, line: int, problem: str) -> None:
    with pytest.raises(PolicyError) as raised:
        _parse(text)
    assert problem in raised.value.problem
    assert raised.value.where == (f"p.yaml:{line}" if line else "p.yaml")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a: b: c", "look at the indentation"),
        ("a:\n  b: 1\n c: 2\n", "the indentation does not fit"),
        ("a: 'it's'", "behind a value in quotes"),
        ("a: @x", "put the value in quotes"),
        ("a: 1\nb: [1,\n2\n", "it opens in line 2"),
        ("a:\n\t- b\n", "indent with spaces"),
    ],
)
def test_syntax_errors_say_what_to_do(text: str, hint: str) -> None:
    with pytest.raises(PolicyError) as raised:
        _parse(text)
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("raw", "where", "problem"),
    [
        (b"\xef\xbb\xbfa: 1", "p.yaml:1", "byte-order mark"),
        ("a: 1".encode("utf-16"), "p.yaml:1", "byte-order mark"),
        (b"a: 1\nb: \xff\n", "p.yaml:2", "not UTF-8"),
        (b"a: \xed\xa0\x80", "p.yaml:1", "not UTF-8"),
        (b"#" * (MAX_BYTES + 1), "p.yaml", "larger than 1 MiB"),
        (b"a: " + b"[" * (MAX_DEPTH + 1), "p.yaml:1", "nested more than"),
    ],
)
def test_bytes_that_are_no_policy(raw: bytes, where: str, problem: str) -> None:
    with pytest.raises(PolicyError) as raised:
        parse_document(raw, "p.yaml")
    assert problem in raised.value.problem
    assert raised.value.where == where


def test_a_file_that_fails_in_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "p.yaml"
    path.write_text("version: 1\n")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PolicyError) as raised:
        read_document(path)
    assert str(raised.value) == f"{path}: the file can't be read: Permission denied"


_YAML = "a b : - [ ] { } , \" ' | > &x *x !!str ! # ? << \\ 1 0x ~ \\u12 \\UFFFFFFFF @ ` |2 >-"
_TOKENS = st.sampled_from(
    [
        *_YAML.split(),
        *(" ", "\n", "\n  ", ": ", "- ", "\t", "\r", "\u2028", "\x85"),
        *("%YAML 1.2\n", "%YAML 1.x\n", "%TAG ! x\n", "---\n", "...\n"),
    ]
)


def _refusal(raw: bytes) -> PolicyError | None:
    """The error that `raw` is refused with, None if it is read."""
    try:
        parse_document(raw, "p.yaml").plain()
    except PolicyError as error:
        return error
    return None


@given(st.one_of(st.lists(_TOKENS, max_size=30).map("".join), st.text(max_size=80)))
def test_no_text_raises_anything_but_a_policy_error(text: str) -> None:
    error = _refusal(text.encode())
    assert error is None or error.where.startswith("p.yaml")


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_but_a_policy_error(raw: bytes) -> None:
    error = _refusal(raw)
    assert error is None or error.where.startswith("p.yaml")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(st.characters(codec="utf-8"), max_size=10)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), _JSON, max_size=5))
def test_json_reads_as_itself(value: dict[str, object]) -> None:
    assert _parse(json.dumps(value)).plain() == value
