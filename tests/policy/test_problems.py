from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.policy.document import parse_document
from lockgate.policy.problems import Placed, one_error, placed_problems
from lockgate.policy.schema import Policy
from lockgate.policy.suite import Suite

_HEAD = "version: 1\nname: p\n"
_RULE = "rules:\n  - id: r\n    side: prompt\n    use: pii\n    then: refuse\n"


def _problems(text: str, model: type[Policy | Suite] = Policy) -> list[Placed]:
    tree = parse_document(text.encode(), "p.yaml")
    with pytest.raises(ValidationError) as raised:
        model.model_validate(tree.plain())
    return placed_problems(raised.value, model, tree)


@pytest.mark.parametrize(
    ("text", "line", "problem", "hint"),
    [
        (_HEAD + "rulez: []\n", 3, "there is no key `rulez` here", "did you mean `rules`?"),
        (_HEAD + _RULE + "    wen: x\n", 8, "there is no key `wen` here", "did you mean `when`?"),
        (_HEAD + _RULE + "    where:\n      rol: user\n", 9, "there is no key `rol` here", "did you mean `role`?"),
        (_HEAD + _RULE + "    where: {kind: [text, tol_call]}\n", 8, "`kind` can't be `tol_call`", "`tool_call`?"),
        (_HEAD + _RULE + "    on_error: alow\n", 8, "`on_error` can't be `alow`", "did you mean `allow`?"),
        (_HEAD + _RULE + "    when: true\n", 8, "`when` must be text", "put it in quotes"),
        (_HEAD + _RULE + "    final: yes\n", 8, "`final` must be true or false", "YAML 1.2 reads it as text"),
        (_HEAD + _RULE + "    stream: [hold]\n", 8, "`stream` must be `hold` or `after`", ""),
        (_HEAD + _RULE + "    principle: x\n", 8, "there is no principle `x`", "`principles` has none"),
        (_HEAD + "unknown: refues\n", 3, "`unknown` can't be `refues`", "did you mean `refuse`?"),
        (_HEAD + "deadline_ms: 99999999\n", 3, "`deadline_ms` must be at most 60000", ""),
        (_HEAD + "deadline_ms: 1.5\n", 3, "`deadline_ms` must be a whole number", ""),
        (_HEAD + "stream:\n  max_hold: 1\n", 4, "`max_hold` must be at least 64", ""),
        (_HEAD + "stream: {max_hold: 9000, hold_limit: 64}\n", 3, "`hold_limit` is less than", "raise it"),
        (_HEAD + "rules:\n", 3, "`rules` must be a list", "it is empty"),
        (_HEAD + "rules: {a: b}\n", 3, "`rules` must be a list", "put a - before each entry"),
        (_HEAD + "rules: [a]\n", 3, "`rules` must be a mapping", ""),
        (_HEAD + "rules:\n  - id: r\n    side: prompt\n", 4, "neither `use` nor `when`", "name the detectors"),
        (_HEAD + "rules:\n  - id: R\n    side: prompt\n    use: pii\n    then: refuse\n", 4, "`id` can't", "use a-z"),
        (_HEAD + _RULE.replace("    side: prompt\n", ""), 4, "the key `side` is missing", ""),
        (_HEAD + _RULE.replace("refuse", "refues"), 7, "as one word, `then` is", "did you mean `refuse`?"),
        (_HEAD + _RULE.replace("refuse", "{refuse: {mesage: x}}"), 7, "no key `mesage`", "`message`?"),
        (_HEAD + _RULE.replace("refuse", "{refuse: {status: 403}}"), 7, "`status` must be 200 or 400", ""),
        (_HEAD + _RULE.replace("refuse", '{refuse: {message: ""}}'), 7, "`message` is empty", ""),
        (_HEAD + _RULE.replace("refuse", "{flag: {A: x}}"), 7, "`A` can't be written so", "use a-z"),
        (_HEAD + _RULE.replace("refuse", "{rewrite: redcat}"), 7, "`rewrite` is redact", "did you mean `redact`?"),
        ("name: p\n", 1, "the key `version` is missing", ""),
        ("version: 2\nname: p\n", 1, "this Lockgate reads version 1", "write `version: 1`"),
        ("version: 1\nname: 12\n", 2, "`name` must be text", "put it in quotes"),
    ],
)
def test_a_problem_has_its_line_and_what_to_do(text: str, line: int, problem: str, hint: str) -> None:
    (found,) = _problems(text)
    assert found.where == f"p.yaml:{line}"
    assert problem in found.problem
    assert hint in found.hint
    assert bool(hint) == bool(found.hint)


@pytest.mark.parametrize(
    ("case", "problem", "hint"),
    [
        ("pin: {pii: [{label: A}, {label: A, scor: 1}]}", "there is no key `scor` here", "did you mean `score`?"),
        ("pin: {pii: [{label: A, side: promt}]}", "`side` can't be `promt`", "did you mean `prompt`?"),
        ("pin: {pii: timeot}", "a detector can't fail by `timeot`", "did you mean `timeout`?"),
        ("expect: {action: refuse, ruls: [a]}", "there is no key `ruls` here", "did you mean `rules`?"),
    ],
)
def test_a_test_file_has_the_same(case: str, problem: str, hint: str) -> None:
    expect = "" if "expect" in case else "    expect: refuse\n"
    (found,) = _problems(f"version: 1\ncases:\n  - name: a\n    prompt: b\n{expect}    {case}\n", Suite)
    assert found.where == f"p.yaml:{6 if expect else 5}"
    assert (found.problem, found.hint) == (problem, hint)


def test_all_problems_are_told_at_once_in_the_order_of_their_lines() -> None:
    found = _problems(_HEAD + "unknown: x\n" + _RULE + "    final: 3\n    colour: red\ndeadline_ms: x\n")
    error = one_error(found, ["p.yaml"])
    assert error.where == "p.yaml:3"
    assert str(error).splitlines() == [
        "p.yaml:3: `unknown` can't be `x` (known: `allow`, `flag`, `refuse`)",
        "p.yaml:9: `final` must be true or false",
        "p.yaml:10: there is no key `colour` here",
        "p.yaml:11: `deadline_ms` must be a whole number",
    ]


def test_the_nearest_file_comes_first() -> None:
    found = [Placed("base.yaml:1", "b", ""), Placed("own.yaml:20", "c", ""), Placed("own.yaml:3", "a", "do x")]
    error = one_error([*found, found[0]], ["own.yaml", "base.yaml"])
    assert str(error) == "own.yaml:3: a (do x)\nown.yaml:20: c\nbase.yaml:1: b"


def test_what_was_written_is_shown_only_where_it_is_one_short_word() -> None:
    long: Any = "very-secret-" * 9
    (found,) = _problems(_HEAD + f"unknown: {long}\n")
    assert "very-secret" not in found.problem + found.hint
    assert found.problem == "`unknown` must be `allow`, `flag` or `refuse`"
