from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from lockgate.detectors.catalog import CATALOG, Entry
from lockgate.detectors.protocol import SENTENCE, WHOLE, Reach
from lockgate.engine import NOT_ADMITTED, STOPPED_EARLY, Engine, Looked, Pin
from lockgate.exchange import Exchange, Segment
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Finding

Answer = Callable[[Sequence[Segment]], Sequence[Finding]]


class _Config(BaseModel):
    does: str = "find"


class Scripted:
    """A detector that is code: it finds, waits for ever, breaks, or answers nonsense, as its configuration says."""

    kind = "scripted"
    labels = frozenset({"SEEN"})
    languages: frozenset[str] = frozenset()
    gives_spans = True

    def __init__(self, does: str, reach: Reach = WHOLE) -> None:
        self.does = does
        self.reach = reach
        self.seen: list[str] = []

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding]:
        self.seen.extend(segment.text for segment in segments)
        if self.does == "wait":
            await asyncio.Event().wait()
        if self.does == "break":
            raise RuntimeError("a message that may quote the text")
        score = {"nan": float("nan"), "over": 1.5}.get(self.does, 0.9)
        where = "/nowhere" if self.does == "stray" else None
        return [Finding("scripted", "SEEN", score, where or s.where, (0, len(s.text))) for s in segments]


def plan_of(*rules: dict[str, Any], reach: Reach = WHOLE, deadline_ms: int = 1000) -> tuple[Plan, list[Scripted]]:
    made: list[Scripted] = []

    def build(config: _Config) -> Scripted:
        made.append(Scripted(config.does, reach))
        return made[-1]

    filled = [{"side": "prompt", **rule} for rule in rules]
    policy = Policy.model_validate({"version": 1, "name": "t", "deadline_ms": deadline_ms, "rules": filled})
    return compile_policy(policy, catalog={**CATALOG, "scripted": Entry(_Config, build)}), made


async def look(plan: Plan, *segments: Segment, engine: Engine | None = None) -> Looked:
    engine = engine or Engine()
    return await engine.look(plan.prompt, segments, Exchange("id", "chat"), deadline=plan.deadline)


def user(text: str, where: str = "/m", **more: Any) -> Segment:
    return Segment(where, "user", "text", text, **more)


def spans(looked: Looked, rule: str) -> list[tuple[str, str, tuple[int, int] | None]]:
    found = looked.results[rule].findings if rule in looked.results else []
    return [(f.where, f.label, f.span) for f in found]


def reasons(looked: Looked, rule: str = "r") -> list[str]:
    return [f.reason for f in looked.results[rule].failures] if rule in looked.results else []


WORDS = {"words": {"words": ["secret"]}}


async def test_pattern_rows_see_every_admitted_segment() -> None:
    plan, _ = plan_of(
        {"id": "users", "where": {"role": "user"}, "use": WORDS, "then": "record"},
        {"id": "tools", "where": {"kind": "tool_result"}, "use": WORDS, "then": "refuse"},
    )
    looked = await look(
        plan,
        user("a secret", "/0"),
        user("nothing", "/1"),
        Segment("/2", "tool", "tool_result", "secret secret"),
        Segment("/3", "system", "text", "secret"),
    )
    assert spans(looked, "users") == [("/0", "WORDS", (2, 8))]
    assert spans(looked, "tools") == [("/2", "WORDS", (0, 6)), ("/2", "WORDS", (7, 13))]
    assert looked.coverage.scanned == {"/0": ("words",), "/1": ("words",), "/2": ("words",)}
    assert looked.coverage.skipped == {"/3": NOT_ADMITTED}


@pytest.mark.parametrize(
    ("does", "reason"),
    [("wait", "timeout"), ("break", "crash"), ("nan", "crash"), ("over", "crash"), ("stray", "crash")],
)
async def test_a_detector_without_an_answer_is_a_failure(does: str, reason: str) -> None:
    plan, _ = plan_of(
        {"id": "r", "use": {"scripted": {"does": does}}, "then": "record"},
        {"id": "other", "use": WORDS, "then": "record"},
        deadline_ms=20,
    )
    looked = await look(plan, user("secret"))
    assert (spans(looked, "r"), reasons(looked)) == ([], [reason])
    assert spans(looked, "other") == [("/m", "WORDS", (0, 6))]


async def test_detectors_run_at_the_same_time_within_one_deadline() -> None:
    # Two that wait for ever cost one deadline, not two: both time out together.
    plan, _ = plan_of(
        {"id": "r", "use": {"scripted": {"does": "wait"}}, "then": "record"},
        {"id": "s", "use": {"scripted": {"does": "find"}}, "then": "record"},
        deadline_ms=20,
    )
    looked = await look(plan, user("text"))
    assert (reasons(looked), spans(looked, "s")) == (["timeout"], [("/m", "SEEN", (0, 4))])


async def test_one_detector_serves_all_rules_that_ask_for_it_alike() -> None:
    plan, made = plan_of(
        {"id": "r", "use": {"scripted": {}}, "then": "record"},
        {"id": "s", "where": {"role": "tool"}, "use": {"scripted": {}}, "then": "record"},
    )
    looked = await look(plan, user("one", "/0"), Segment("/1", "tool", "tool_result", "two"))
    assert [detector.seen for detector in made] == [["one", "two"]]
    assert [where for where, _, _ in spans(looked, "r")] == ["/0", "/1"]
    assert [where for where, _, _ in spans(looked, "s")] == ["/1"]


@pytest.mark.parametrize(
    ("then", "text", "skipped"),
    [("refuse", "secret", True), ("refuse", "harmless", False), ({"rewrite": "mask"}, "secret", False)],
)
async def test_dear_detectors_are_skipped_once_a_refusal_is_certain(then: object, text: str, skipped: bool) -> None:
    plan, made = plan_of(
        {"id": "cheap", "use": WORDS, "then": then},
        {"id": "dear", "use": {"scripted": {}}, "then": "record"},
    )
    looked = await look(plan, user(text))
    assert made[0].seen == ([] if skipped else [text])
    assert looked.coverage.scanned["/m"] == (("words",) if skipped else ("scripted", "words"))
    only, _ = plan_of({"id": "dear", "where": {"role": "tool"}, "use": {"scripted": {}}, "then": "record"},
                      {"id": "cheap", "where": {"role": "user"}, "use": WORDS, "then": then})  # fmt: skip
    looked = await look(only, user(text), Segment("/t", "tool", "tool_result", "x"))
    assert looked.coverage.skipped == ({"/t": STOPPED_EARLY} if skipped else {})


async def test_a_permit_keeps_every_detector_at_work() -> None:
    plan, made = plan_of(
        {"id": "cheap", "use": WORDS, "then": "refuse"},
        {"id": "permit", "use": {"scripted": {}}, "permit": ["cheap"]},
    )
    await look(plan, user("secret"))
    assert made[0].seen == ["secret"]


async def test_a_detector_of_sentences_gets_windows() -> None:
    plan, made = plan_of({"id": "r", "use": {"scripted": {}}, "then": {"rewrite": "mask"}}, reach=SENTENCE)
    looked = await look(plan, user("One here. Two there.\nThree"))
    assert made[0].seen == ["One here. ", "Two there.\n", "Three"]
    assert [span for _, _, span in spans(looked, "r")] == [(0, 10), (10, 21), (21, 26)]


async def test_what_can_not_be_edited_fails_a_rewrite_only() -> None:
    plan, _ = plan_of(
        {"id": "r", "use": WORDS, "then": {"rewrite": "mask"}},
        {"id": "s", "use": WORDS, "then": "refuse"},
    )
    looked = await look(plan, user("secret", fixed=True))
    assert (reasons(looked, "r"), reasons(looked, "s")) == (["uneditable"], [])


async def test_a_match_that_was_cut_at_its_width_is_a_failure_too() -> None:
    wide = {"patterns": {"patterns": {"LONG": {"regex": r"k-\w+", "max_width": 64}}}}
    plan, _ = plan_of({"id": "r", "use": wide, "then": {"rewrite": "mask"}})
    assert reasons(await look(plan, user("k-" + "a" * 62))) == []
    assert reasons(await look(plan, user("k-" + "a" * 63))) == ["too_wide"]


async def test_inactive_rules_take_no_part() -> None:
    plan, made = plan_of(
        {"id": "r", "use": WORDS, "then": "record"}, {"id": "s", "use": {"scripted": {}}, "then": "record"}
    )
    exchange = Exchange("id", "chat")
    looked = await Engine().look(plan.prompt, [user("secret")], exchange, deadline=1, active=frozenset())
    assert (looked.results, made[0].seen) == ({}, [])


async def test_pins_replace_answers() -> None:
    plan, made = plan_of(
        {"id": "r", "use": {"scripted": {}}, "then": "record"},
        {"id": "w", "use": WORDS, "then": "record"},
        {"id": "f", "use": {"invisible": {}}, "then": "record"},
    )
    pins = {
        "scripted": Pin(((None, Finding("scripted", "SEEN", 0.4, "", (1, 2))),)),
        "words": Pin((("completion", Finding("words", "WORDS", 1.0, "")),)),
        "invisible": Pin(fails="overload"),
    }
    looked = await look(plan, user("first", "/0"), user("secret", "/1"), engine=Engine(pins))
    assert made[0].seen == []
    assert spans(looked, "r") == [("/1", "SEEN", (1, 2))]
    assert spans(looked, "w") == []  # pinned, for the other side
    assert reasons(looked, "f") == ["overload"]
