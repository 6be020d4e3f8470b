from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compiling import WORDS, plan_of
from lockgate.policy.cases import CaseResult, SuiteResult, run_suite
from lockgate.policy.load import load_suite
from lockgate.policy.plan import Plan
from lockgate.policy.suite import Suite

REDACTS = plan_of({"id": "words", "use": WORDS, "then": {"rewrite": "redact"}})
REFUSES = plan_of({"id": "words", "use": WORDS})
BY_SIDE = plan_of(
    {"id": "asked", "side": "prompt", "use": WORDS, "then": {"rewrite": "redact"}},
    {"id": "said", "side": "completion", "use": WORDS},
)
FLAGS = plan_of({"id": "words", "use": WORDS, "then": {"flag": {"notice": "Seen."}}})
WINDOW = plan_of({"id": "rude", "use": {"tone": {}}, "then": {"rewrite": "mask"}})


async def run(plan: Plan, *cases: dict[str, Any]) -> SuiteResult:
    named = [{"name": f"case {i}", **case} for i, case in enumerate(cases)]
    return await run_suite(plan, Suite.model_validate({"version": 1, "cases": named}))


async def run_one(plan: Plan, **case: Any) -> CaseResult:
    (result,) = (await run(plan, case)).cases
    return result


@pytest.mark.parametrize(
    ("plan", "case"),
    [
        (REDACTS, {"prompt": "a secret", "expect": {"action": "rewrite", "prompt": "a [WORDS]", "rules": ["words"]}}),
        (REDACTS, {"prompt": "nothing", "expect": {"action": "allow", "prompt": "nothing", "rules": [], "flags": []}}),
        (REDACTS, {"completion": "a secret", "expect": {"action": "rewrite", "completion": "a [WORDS]"}}),
        (REDACTS, {"prompt": "x", "completion": "secret", "expect": {"action": "rewrite", "prompt": "x"}}),
        (REFUSES, {"prompt": "secret", "expect": "refuse"}),
        (REFUSES, {"completion": "secret", "expect": "refuse"}),
        (FLAGS, {"completion": "secret", "expect": {"action": "flag", "flags": ["notice"], "completion": "secret"}}),
        (FLAGS, {"prompt": "secret", "completion": "secret", "expect": {"action": "flag", "flags": ["notice"]}}),
        (WINDOW, {"completion": "You fool.", "expect": {"action": "rewrite", "completion": "You ****."}}),
        (WINDOW, {"completion": "crash", "expect": {"action": "refuse", "failed": ["tone"], "rules": []}}),
    ],
)
async def test_a_case_that_passes(plan: Plan, case: dict[str, Any]) -> None:
    result = await run_one(plan, **case)
    assert (result.status, result.problems) == ("PASS", ())


@pytest.mark.parametrize(
    ("expect", "problems"),
    [
        ("allow", ["action: expected 'allow', came 'rewrite'"]),
        ({"action": "rewrite", "rules": []}, ["rules: expected [], came ['words']"]),
        ({"action": "rewrite", "rules": ["words", "x"]}, ["rules: expected ['words', 'x'], came ['words']"]),
        ({"action": "rewrite", "flags": ["notice"]}, ["flags: expected ['notice'], came []"]),
        ({"action": "rewrite", "failed": ["words"]}, ["failed: expected ['words'], came []"]),
        ({"action": "rewrite", "prompt": "a secret"}, ["prompt: expected 'a secret', came 'a [WORDS]'"]),
        (
            {"action": "flag", "completion": "secret"},
            ["action: expected 'flag', came 'rewrite'", "completion: expected 'secret', came '[WORDS]'"],
        ),
    ],
)
async def test_a_case_that_fails_says_what_came(expect: object, problems: list[str]) -> None:
    result = await run_one(REDACTS, prompt="a secret", completion="secret", expect=expect)
    assert (result.status, list(result.problems)) == ("FAIL", problems)


async def test_what_is_not_asked_for_is_not_looked_at() -> None:
    case = {"prompt": "secret", "completion": "secret", "expect": "rewrite"}
    assert (await run(REDACTS, case)).passed


async def test_a_case_that_can_not_be_run_is_no_failure_and_hides_no_other(tmp_path: Path) -> None:
    file = tmp_path / "t_test.yaml"
    file.write_text("""\
version: 1
cases:
  - {name: content, messages: [{role: user, content: 5}], expect: allow}
  - {name: pin, prompt: x, pin: {wrods: timeout}, expect: allow}
  - {name: label, prompt: x, pin: {words: [{label: WORD}]}, expect: allow}
  - {name: fine, prompt: x, expect: allow}
""")
    result = await run_suite(REDACTS, load_suite(file))
    assert [case.status for case in result.cases] == ["ERROR", "ERROR", "ERROR", "PASS"]
    assert [case.where for case in result.cases] == [f"{file}:{line}" for line in range(3, 7)]
    problems = [problem for case in result.cases for problem in case.problems]
    assert "/messages/0/content" in problems[0]
    assert problems[1] == "`pin` names 'wrods', which no rule uses (did you mean `words`?)"
    assert problems[2] == "`pin` gives 'words' the label 'WORD', which it never gives (did you mean `WORDS`?)"
    assert not result.passed


async def test_an_empty_suite_does_not_pass() -> None:
    result = await run(REDACTS)
    assert result == SuiteResult((), ("words",), 1)
    assert not result.passed


async def test_rules_that_applied_in_no_case_are_named() -> None:
    plan = plan_of(
        {"id": "a", "use": {"words": {"words": ["a"]}}, "then": "record"},
        {"id": "b", "use": {"words": {"words": ["b"]}}, "then": "record"},
        {"id": "c", "use": {"words": {"words": ["c"]}}, "then": "record", "side": "completion"},
        {"id": "d", "when": "'safe' in request.tags", "permit": "a", "then": None, "side": "prompt"},
    )
    assert (await run(plan, {"prompt": "b c", "expect": "allow"})).uncovered == ("a", "d", "c")
    reached = {
        "prompt": "a b",
        "completion": "c",
        "tags": "safe",
        "expect": {"action": "allow", "rules": ["b", "c", "d"]},
    }
    assert (await run(plan, reached)).uncovered == ("a",)
    assert (await run(plan, reached, {"prompt": "a", "expect": "allow"})).uncovered == ()


async def test_a_case_that_fails_covers_its_rules_and_one_that_errs_covers_none() -> None:
    assert (await run(REDACTS, {"prompt": "secret", "expect": "allow"})).uncovered == ()
    broken = {"prompt": "secret", "pin": {"pii": "crash"}, "expect": "allow"}
    assert (await run(REDACTS, broken)).uncovered == ("words",)


# --- A refused prompt ------------------------------------------------------------------------------------------------


async def test_after_a_refused_prompt_nothing_is_answered() -> None:
    case = {"prompt": "secret", "completion": "secret", "expect": {"action": "refuse", "completion": "secret"}}
    result = await run_one(REFUSES, **case)
    assert result.problems == ("completion: expected 'secret', came None",)
    plan = plan_of({"id": "p", "side": "prompt", "use": WORDS}, {"id": "c", "side": "completion", "use": WORDS})
    stopped = {"prompt": "secret", "chunks": ["secret"], "expect": {"action": "refuse", "rules": ["p"]}}
    outcome = await run(plan, stopped)
    assert (outcome.passed, outcome.uncovered) == (True, ("c",))


async def test_a_prompt_that_could_not_be_judged_stops_too() -> None:
    expect = {"action": "refuse", "failed": ["words"], "rules": []}
    result = await run_one(BY_SIDE, prompt="x", completion="secret", pin={"words": "timeout"}, expect=expect)
    assert result.problems == ()


# --- Messages --------------------------------------------------------------------------------------------------------

TOOLS: list[dict[str, Any]] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "Look it up."}]},
    {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"q": "secret"}'}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "It is secret."},
]


@pytest.mark.parametrize(
    ("where", "action", "last"),
    [
        ({}, "rewrite", "It is [WORDS]."),
        ({"role": "tool"}, "rewrite", "It is [WORDS]."),
        ({"kind": "tool_result"}, "rewrite", "It is [WORDS]."),
        ({"kind": "tool_call"}, "rewrite", "It is secret."),
        ({"role": "user"}, "allow", "It is secret."),
        ({"role": "system"}, "allow", "It is secret."),
    ],
)
async def test_messages_are_read_as_in_a_chat_request(where: dict[str, str], action: str, last: str) -> None:
    plan = plan_of({"use": WORDS, "then": {"rewrite": "redact"}, "where": where})
    result = await run_one(plan, messages=TOOLS, expect={"action": action, "prompt": last})
    assert result.problems == ()


async def test_the_text_of_parts_is_shown_as_one() -> None:
    parts = [{"type": "text", "text": "a "}, {"type": "text", "text": "secret"}]
    messages = [{"role": "user", "content": parts}]
    result = await run_one(REDACTS, messages=messages, expect={"action": "rewrite", "prompt": "a [WORDS]"})
    assert result.problems == ()


@pytest.mark.parametrize(
    ("when", "case"),
    [
        ("'public' in request.tags", {"tags": ["public"]}),
        ("request.model == 'm-1'", {"model": "m-1"}),
        ("request.user == 'u-1'", {"user": "u-1"}),
    ],
)
async def test_conditions_see_tags_model_and_user(when: str, case: dict[str, Any]) -> None:
    plan = plan_of({"use": WORDS, "when": when})
    result = await run(plan, {"prompt": "secret", "expect": "allow"}, {"prompt": "secret", "expect": "refuse", **case})
    assert result.passed


# --- Chunks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [["a secret."], ["a se", "cret."], list("a secret."), ["", "a secret", "", "."]])
@pytest.mark.parametrize(
    ("plan", "expect"),
    [
        (REDACTS, {"action": "rewrite", "completion": "a [WORDS]."}),
        (REFUSES, "refuse"),
        (FLAGS, {"action": "flag", "completion": "a secret."}),
        (WINDOW, {"action": "allow", "completion": "a secret."}),
    ],
    ids=["redacts", "refuses", "flags", "window"],
)
async def test_chunks_are_judged_whole_and_streamed(plan: Plan, expect: object, chunks: list[str]) -> None:
    assert (await run_one(plan, chunks=chunks, expect=expect)).problems == ()


async def test_what_only_the_stream_does_is_told_apart() -> None:
    plan = plan_of({"use": WORDS, "when": "!request.stream", "then": {"rewrite": "redact"}})
    result = await run_one(plan, chunks=["sec", "ret"], expect={"action": "rewrite", "completion": "[WORDS]"})
    assert result.problems == (
        "streamed: action: expected 'rewrite', came 'allow'",
        "streamed: completion: expected '[WORDS]', came 'secret'",
        "the streamed answer differs from the whole one",
    )


# --- Pins ------------------------------------------------------------------------------------------------------------

PINNED = {"words": [{"label": "WORDS", "span": [0, 5]}]}


@pytest.mark.parametrize(
    ("plan", "case"),
    [
        (REDACTS, {"prompt": "hello", "expect": {"action": "rewrite", "prompt": "[WORDS]"}}),
        (REDACTS, {"completion": "hello", "expect": {"action": "rewrite", "completion": "[WORDS]"}}),
        (REFUSES, {"completion": "hello", "expect": {"action": "refuse", "rules": ["words"]}}),
        (REDACTS, {"prompt": "a secret", "expect": {"action": "rewrite", "prompt": "[WORDS]ret"}}),
        (
            REDACTS,
            {
                "messages": [{"role": "user", "content": "secret"}, {"role": "user", "content": "hello"}],
                "expect": {"action": "rewrite", "prompt": "[WORDS]"},
            },
        ),
    ],
)  # fmt: skip
async def test_a_pinned_answer_takes_the_place_of_the_detectors(plan: Plan, case: dict[str, Any]) -> None:
    assert (await run_one(plan, pin=PINNED, **case)).problems == ()


async def test_a_detector_pinned_to_nothing_finds_nothing() -> None:
    assert (
        await run_one(REFUSES, prompt="secret", completion="secret", pin={"words": []}, expect="allow")
    ).problems == ()
    assert (await run_one(WINDOW, completion="You fool.", pin={"tone": []}, expect="allow")).problems == ()


@pytest.mark.parametrize(
    ("side", "expect"),
    [
        ("prompt", {"action": "rewrite", "prompt": "[WORDS]", "completion": "hello"}),
        ("completion", {"action": "rewrite", "prompt": "hello", "completion": "[WORDS]"}),
        (None, {"action": "rewrite", "prompt": "[WORDS]", "completion": "[WORDS]"}),
    ],
)
async def test_a_pinned_finding_of_one_side(side: str | None, expect: dict[str, str]) -> None:
    pin = {"words": [{"label": "WORDS", "span": [0, 5], "side": side}]}
    assert (await run_one(REDACTS, prompt="hello", completion="hello", pin=pin, expect=expect)).problems == ()


@pytest.mark.parametrize(
    ("on_error", "expect"),
    [
        ("refuse", {"action": "refuse", "rules": [], "failed": ["words"]}),
        ("flag", {"action": "flag", "flags": ["unverified"], "failed": ["words"], "completion": "secret"}),
        ("allow", {"action": "allow", "flags": [], "failed": ["words"], "completion": "secret"}),
    ],
)
@pytest.mark.parametrize("reason", ["timeout", "crash", "overload"])
async def test_a_pinned_failure(on_error: str, expect: dict[str, Any], reason: str) -> None:
    plan = plan_of({"use": WORDS, "then": {"rewrite": "redact"}, "on_error": on_error})
    for text in ({"completion": "secret"}, {"chunks": ["sec", "ret"]}):
        assert (await run_one(plan, **text, pin={"words": reason}, expect=expect)).problems == ()


@pytest.mark.parametrize(
    ("rule", "expect"),
    [
        ({"then": {"rewrite": "redact"}}, {"action": "rewrite", "completion": "[WORDS] secret", "rules": ["r0"]}),
        ({"then": "refuse"}, {"action": "refuse", "rules": ["r0"]}),
        ({"then": "record"}, {"action": "allow", "completion": "hello secret", "rules": ["r0"]}),
        (
            {"then": {"rewrite": "mask"}, "when": "words.count == 1", "stream": "hold"},
            {"action": "rewrite", "completion": "***** secret"},
        ),
        ({"then": "record", "when": "words.count == 1", "stream": "after"}, {"action": "allow", "rules": ["r0"]}),
    ],
)
async def test_a_pinned_answer_is_that_of_a_stream_too(rule: dict[str, Any], expect: dict[str, Any]) -> None:
    plan = plan_of({"use": WORDS, **rule})
    assert (await run_one(plan, chunks=["hel", "lo sec", "ret"], pin=PINNED, expect=expect)).problems == ()


async def test_detectors_that_are_not_pinned_go_on_looking() -> None:
    plan = plan_of(
        {"id": "rude", "use": {"tone": {}}, "then": {"rewrite": "mask"}},
        {"id": "words", "use": WORDS, "then": {"rewrite": "redact"}},
    )
    expect = {"action": "rewrite", "rules": ["rude", "words"], "completion": "[WORDS] ****"}
    assert (await run_one(plan, chunks=["hel", "lo fo", "ol"], pin=PINNED, expect=expect)).problems == ()
    pin = {"tone": [{"label": "RUDE", "span": [0, 2]}]}
    expect = {"action": "rewrite", "rules": ["rude", "words"], "completion": "** [WORDS] fool"}
    assert (await run_one(plan, chunks=["no sec", "ret fool"], pin=pin, expect=expect)).problems == ()


async def test_a_case_says_where_the_asker_is() -> None:
    plan = plan_of(
        {"use": {"words": {"words": ["bad"]}}, "then": {"rewrite": "redact"}, "principle": "here"},
        principles=[{"id": "here", "text": "…", "where": {"country": "DE", "language": "de"}}],
    )
    cases = [
        {"name": "here", "completion": "bad", "country": "DE", "language": "de-DE", "expect": {"action": "rewrite"}},
        {"name": "there", "completion": "bad", "country": "FR", "language": "de", "expect": {"action": "allow"}},
    ]
    result = await run_suite(plan, Suite.model_validate({"version": 1, "cases": cases}))
    assert [case.status for case in result.cases] == ["PASS", "PASS"]
