"""Policies that do not load: what is wrong, in which line, and what to do about it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compiling import EXTENDED, WORDS, plan_of
from lockgate.errors import PatternError, PolicyError
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.plan import Plan

HEAD = "version: 1\nname: t\nprinciples: [{id: high, priority: 9, text: High.}]\nrules:\n"

Compile = Callable[..., Plan]


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compile:
    """Compiles a policy file that has these rules; the first of them stands in line 5."""
    monkeypatch.chdir(tmp_path)

    def compiled(rules: str, head: str = HEAD) -> Plan:
        Path("p.yaml").write_text(head + textwrap.indent(textwrap.dedent(rules).strip("\n") + "\n", "  "))
        return compile_policy(load_policy("p.yaml"), catalog=EXTENDED)

    return compiled


def _error(compiled: Compile, rules: str) -> PolicyError:
    with pytest.raises(PolicyError) as raised:
        compiled(rules)
    return raised.value


@pytest.mark.parametrize(
    ("use", "line", "problem", "hint"),
    [
        ("patern: {}", 8, "there is no detector 'patern'", "did you mean `patterns`?"),
        ("zzz: {}", 8, "there is no detector 'zzz'", "known detectors: classifier, confidence, delimiters"),
        ("pii:\n  kind: [US_SSN]", 9, "pii: there is no key `kind` here", "did you mean `kinds`?"),
        ("pii:\n  kinds:\n    - US_SSN\n    - US_SNN", 11, "pii: `kinds` can't be `US_SNN`", "did you mean `US_SSN`?"),
        ("pii: all", 8, "pii: `pii` must be a mapping", ""),
        ("size:\n  max_characters: 0", 9, "size: `max_characters` must be at least 1", ""),
        ("size: {}", 8, "size: the key `max_characters` is missing", ""),
        ("words:\n  words: []", 9, "words: `words`: ", ""),
        ("words:\n  words: ['\u200b']", 9, "entry 1 of the words for WORDS has nothing to match", ""),
        ("secrets:\n  kinds: [OPENAI_KEY]", 9, "secrets: `kinds`: no such kind of secret; nearest is OPENAI_", ""),
        ("tone:\n  above: 2", 9, "tone: `above`: a score is 1 at most", ""),
        (
            "patterns:\n  patterns:\n    A: {regex: x, maxwidth: 9}",
            10,
            "patterns: there is no key `maxwidth` here",
            "did you mean `max_width`?",
        ),
        ("patterns:\n  patterns:\n    A: 5", 10, "patterns: `A` must be a mapping", ""),
        ("patterns:\n  patterns:\n    a b: x", 10, "patterns: `a b` can't be written so", ""),
    ],
)
def test_a_detector_that_can_not_be_made(compiled: Compile, use: str, line: int, problem: str, hint: str) -> None:
    error = _error(compiled, f"- id: r\n  side: completion\n  use:\n{textwrap.indent(use, '    ')}\n  then: refuse")
    assert error.where == f"p.yaml:{line}"
    assert error.problem.startswith(problem)
    assert hint in error.hint
    assert bool(hint) == bool(error.hint)


@pytest.mark.parametrize(
    ("row", "problem", "hint"),
    [
        ("'(unclosed'", "the pattern can't be read: missing ), unterminated subpattern", ""),
        ("'a(?=b)c'", "the pattern uses look-around, which can't be matched in linear time", "match the surroundings"),
        ("'a(?<!b)c'", "the pattern uses look-around", "match the surroundings"),
        (r"'(a)\1'", "the pattern uses a back-reference", "match the surroundings"),
        ("'(a)(b)'", "the pattern has 2 capturing groups", "keep one"),
        ("'a*'", "the pattern can match nothing at all", "make at least one part of it necessary"),
        ("'a{300}'", "the pattern can match 300 characters, more than its max_width of 256", "set max_width: 300"),
        ("{regex: a, max_width: 2049}", "max_width 2049 is more than stream.max_hold 2048", "raise stream.max_hold"),
    ],
)
def test_a_pattern_that_can_not_run(compiled: Compile, row: str, problem: str, hint: str) -> None:
    error = _error(
        compiled,
        f"""
        - id: r
          side: prompt
          use:
            patterns:
              patterns:
                GOOD: good
                BAD: {row}
          then: refuse
        """,
    )
    assert isinstance(error, PatternError)
    assert error.where == "p.yaml:11"
    assert error.problem.startswith(f"BAD: {problem}")
    assert hint in error.hint


def test_the_width_of_our_own_rows_is_held_against_a_small_max_hold(compiled: Compile) -> None:
    head = HEAD.replace("rules:", "stream: {max_hold: 64}\nrules:")
    with pytest.raises(PatternError, match=r"^p\.yaml:8: \w+: max_width \d+ is more than stream\.max_hold 64"):
        compiled("- id: r\n  side: completion\n  use: secrets\n  then: refuse", head)


@pytest.mark.parametrize(
    ("when", "problem", "hint"),
    [
        ("pii.cout > 3", "`pii` has no `cout`", "did you mean `count`?"),
        ("pi.count > 3", "there is no `pi`", "did you mean `pii`?"),
        ("pii.labels['US_SNN'] > 0.5", "`pii` has no label `US_SNN`", "did you mean `US_SSN`?"),
        ("request.tag == 'a'", "`request` has no `tag`", "did you mean `tags`?"),
        ("words.count > 1", "there is no `words`", "here `pii`"),
        ("pii.count", "the condition gives int, not a boolean", "compare it with something"),
        ("pii.count > 1.5", "`>` can't be applied to (int, double)", "a count an int"),
        ("pii.count >", "syntax error", ""),
    ],
)
def test_a_condition_that_can_not_be_judged(compiled: Compile, when: str, problem: str, hint: str) -> None:
    error = _error(compiled, f"- id: r\n  side: prompt\n  use: pii\n  then: refuse\n  when: |-\n    {when}\n")
    assert error.where == "p.yaml:9"
    assert error.problem.startswith("in `when`")
    assert problem in error.problem
    assert hint in error.hint


@pytest.mark.parametrize(
    ("rule", "line", "problem", "hint"),
    [
        ("use: {size: {max_characters: 9}}\n  then: refuse", 5, "rule 'r': 'size' judges a whole answer", "stream: after"),
        ("use: pii\n  when: pii.count > 1\n  then: record", 5, "rule 'r': its `when` judges a whole answer", "stream: hold"),
        ("use: pii\n  then: {rewrite: mask}\n  stream: after", 9, "rule 'r' rewrites, which is too late", "stream: hold"),
        ("use: {tone: {spans: false}}\n  then: {rewrite: mask}", 7, "rule 'r' rewrites, but 'tone' does not say where", "refuse"),
        (
            "use:\n    pii: {}\n    size: {max_characters: 9}\n  stream: hold\n  then: {rewrite: mask}",
            9,
            "rule 'r' rewrites, but 'size' does not say where",
            "refuse or flag instead",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_a_stream_can_not_keep(compiled: Compile, rule: str, line: int, problem: str, hint: str) -> None:
    error = _error(compiled, f"- id: r\n  side: [prompt, completion]\n  {rule}")
    assert error.where == f"p.yaml:{line}"
    assert error.problem.startswith(problem)
    assert hint in error.hint


@pytest.mark.parametrize("permits", ["ssn", "US_SSN"], ids=["by id", "by label"])
@pytest.mark.parametrize(
    ("target", "permit", "loads"),
    [
        ({}, {}, False),
        ({"stream": "hold"}, {}, False),
        ({}, {"stream": "hold"}, False),
        ({"stream": "hold"}, {"stream": "hold"}, True),
        ({"then": "record"}, {}, True),
        ({"then": {"flag": {"notice": "A number."}}}, {}, True),
        ({"side": "prompt"}, {}, True),
        ({}, {"side": "prompt"}, True),
        ({}, {"use": {}, "when": "request.model == 'x'"}, True),
    ],
    ids=["neither", "one", "other", "both", "record", "flag", "prompt", "prompts only", "by the request"],
)
def test_a_permit_that_the_answer_decides_needs_holding(
    target: dict[str, Any], permit: dict[str, Any], loads: bool, permits: str
) -> None:
    rules = [
        {"id": "ssn", "use": {"pii": {"kinds": ["US_SSN"]}}, **target},
        {"id": "p", "use": WORDS, "then": None, "permit": permits, **permit},
    ]
    if loads:
        plan_of(*rules)
        return
    with pytest.raises(PolicyError, match="rule 'p' may permit 'ssn' by what it finds in the answer") as raised:
        plan_of(*rules)
    assert "add `stream: hold` to both" in raised.value.hint
