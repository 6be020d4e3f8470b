from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.errors import PolicyError
from lockgate.policy.load import load_suite
from lockgate.policy.suite import Case, Expect, Pinned, PinnedFinding, Suite, ToolCall

_CASE = {"name": "c", "prompt": "hi", "expect": "allow"}


def _case(**changes: Any) -> Case:
    return Case.model_validate({**_CASE, **changes})


def test_shorthands() -> None:
    case = _case()
    assert case.expect == Expect(action="allow")
    assert case.messages is None
    messages = [{"role": "user", "content": "hi"}, {"role": "tool", "content": [{"type": "text", "text": "x"}]}]
    assert _case(prompt=messages) == _case(prompt=None, messages=messages)
    assert _case(tags="public").tags == ("public",)
    expect = _case(expect={"action": "flag", "rules": "a", "flags": "notice", "failed": ["pii"]}).expect
    assert (expect.rules, expect.flags, expect.failed) == (("a",), ("notice",), ("pii",))


def test_chunks_are_the_completion() -> None:
    assert _case(chunks=["a", "", "b"]).completion == "ab"
    assert _case(chunks=["a", "b"], completion="ab").chunks == ("a", "b")
    assert _case(chunks=[]).completion == ""


@pytest.mark.parametrize(
    ("written", "means"),
    [
        (None, Pinned()),
        ([], Pinned()),
        ("timeout", Pinned(fails="timeout")),
        ([{"label": "A"}], Pinned(findings=(PinnedFinding(label="A"),))),
        (
            [{"label": "A", "score": 0.5, "span": [1, 3], "side": "prompt"}],
            Pinned(findings=(PinnedFinding(label="A", score=0.5, span=(1, 3), side="prompt"),)),
        ),
        ([{"label": "A", "score": 1}], Pinned(findings=(PinnedFinding(label="A", score=1.0),))),
    ],
)
def test_pinned_answers(written: object, means: Pinned) -> None:
    assert _case(pin={"pii": written}).pin == {"pii": means}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": ""}, "at least 1 character"),
        ({"prompt": None}, "the case has no text"),
        ({"messages": [{"role": "user"}]}, "both `prompt` and `messages`"),
        ({"prompt": [], "messages": None}, "`messages` is empty"),
        ({"completion": "a", "chunks": ["b"]}, "do not add up"),
        ({"chunks": [1]}, "valid string"),
        ({"prompt": None, "completion": "x", "expect": {"action": "rewrite", "prompt": "y"}}, "a prompt is expected"),
        ({"expect": {"action": "rewrite", "completion": "y"}}, "a completion is expected"),
        ({"expect": "deny"}, "'allow', 'flag', 'refuse' or 'rewrite'"),
        ({"expect": None}, "valid dictionary"),
        ({"pin": {"pii": "late"}}, "can't fail by `late`"),
        ({"pin": {"pii": [{"label": "A", "score": 1.5}]}}, "less than or equal to 1"),
        ({"pin": {"pii": [{"label": "A", "score": "1"}]}}, "valid number"),
        ({"pin": {"pii": [{"label": "A", "span": [3, 1]}]}}, "a span is"),
        ({"pin": {"pii": [{"label": "A", "span": [1]}]}}, "Field required"),
    ],
)
def test_what_a_case_may_not_say(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        _case(**changes)


def test_names_are_unique() -> None:
    with pytest.raises(ValidationError, match="the name `c` stands twice in `cases`"):
        Suite.model_validate({"version": 1, "cases": [_CASE, _CASE]})


def test_an_empty_suite_is_read_and_left_to_the_runner() -> None:
    suite = Suite.model_validate({"version": 1, "cases": []})
    assert suite.cases == ()
    assert (suite.source, suite.at("cases", 0)) == ("", "")


def test_cases_are_needed() -> None:
    with pytest.raises(ValidationError, match="Field required"):
        Suite.model_validate({"version": 1})


ROWS = """\
version: 1
cases:
  - name: rows
    tenant: acme
    expect: {action: refuse, rules: [a]}
    each:
      - {prompt: one}
      - {prompt: two, expect: {rules: [b]}}
      - {prompt: three, name: own, expect: allow}
"""


def test_rows_are_cases_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "x_test.yaml"
    file.write_text(ROWS, encoding="utf-8")
    suite = load_suite(file)
    assert [(case.name, case.prompt, case.tenant) for case in suite.cases] == [
        ("rows [1]", "one", "acme"),
        ("rows [2]", "two", "acme"),
        ("own", "three", "acme"),
    ]
    assert [(case.expect.action, case.expect.rules) for case in suite.cases] == [
        ("refuse", ("a",)),
        ("refuse", ("b",)),
        ("allow", None),
    ]
    assert [suite.at("cases", i) for i in range(3)] == [f"{file}:{line}" for line in (7, 8, 9)]


@pytest.mark.parametrize(
    ("rows", "line"), [("[{prompt: one, expectt: allow}]", 4), ("[{prompt: one}]", 4), ("[word]", 4), ("word", 4)]
)
def test_a_wrong_row_is_said_with_its_line(tmp_path: Path, rows: str, line: int) -> None:
    file = tmp_path / "x_test.yaml"
    file.write_text(f"version: 1\ncases:\n  - name: rows\n    each: {rows}\n", encoding="utf-8")
    with pytest.raises(PolicyError) as error:
        load_suite(file)
    assert error.value.where.endswith(f":{line}") or error.value.where.endswith(":3")


def test_a_call_as_it_is_written() -> None:
    assert ToolCall(name="f", arguments={"a": "ü"}).written == '{"a": "ü"}'
    assert ToolCall(name="f", arguments="{").written == "{"
    assert ToolCall(name="f").written == "{}"
