"""Whatever the rules, a stream lets through what the whole text would come to, however it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from lockgate.detectors.catalog import CATALOG, Entry
from lockgate.detectors.protocol import Reach
from lockgate.engine import Engine
from lockgate.errors import GuardUnavailable, Refused
from lockgate.exchange import Exchange, Reading, Segment, Subject
from lockgate.passage import Passage
from lockgate.pieces import Pieces
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Action, Finding, Verdict
from lockgate.wire.values import edit_value, read_value


class Ask(BaseModel):
    reach: str = "sentence"


class Marks:
    """Finds each "mark"; falls over "boom"."""

    kind = "marks"
    labels = frozenset({"MARK"})
    languages: frozenset[str] = frozenset()
    gives_spans = True

    def __init__(self, config: Ask) -> None:
        self.reach = Reach("sentence" if config.reach == "sentence" else "whole")

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> list[Finding]:
        if any("boom" in segment.text for segment in segments):
            raise RuntimeError
        return [
            Finding("marks", "MARK", 0.7, segment.where, (at, at + 4))
            for segment in segments
            for at in range(len(segment.text))
            if segment.text.startswith("mark", at)
        ]


EXTENDED = {**CATALOG, "marks": Entry(Ask, Marks)}
USES: list[tuple[dict[str, Any], set[str]]] = [
    ({"words": {"words": ["secret", "se"]}}, {"WORDS"}),
    ({"words": {"words": ["rkse"], "whole_word": False, "label": "MIDDLE"}}, {"MIDDLE"}),
    ({"patterns": {"patterns": {"AB": "a+b", "RK": "ark ?s?"}}}, {"AB", "RK"}),
    ({"patterns": {"patterns": {"CUT": {"regex": "k+", "max_width": 3}}}}, {"CUT"}),
    ({"marks": {}}, {"MARK"}),
    ({"marks": {"reach": "whole"}}, {"MARK"}),
    ({"marks": {}, "words": {"words": ["mark"]}}, {"MARK", "WORDS"}),
    ({"invisible": {}}, {"ZERO_WIDTH"}),
    ({}, set()),
]
"""What a rule may use, with labels that come of it."""
OF_REQUEST = ('"t" in request.tags', 'request.tags[3] == "x"')
OF_FOUND = (
    ("words.count > 1", {"words"}),
    ("marks.count > 0 || words.count > 0", {"marks", "words"}),
    ("patterns.score > 0.5", {"patterns"}),
)
REWRITES: list[Any] = [{"rewrite": how} for how in ("mask", "redact", "remove", {"replace": "<>"})]
REWRITES.append({"rewrite": "mask", "flag": {"more": "y"}})
OTHERS: list[Any] = ["refuse", "record", {"flag": {"note": "x"}}]


@st.composite
def one_rule(draw: st.DrawFn) -> tuple[dict[str, Any], set[str]]:
    """A rule that a policy may hold, and the labels that it can give."""
    use, labels = draw(st.sampled_from(USES))
    rule: dict[str, Any] = {"use": use, "on_error": draw(st.sampled_from(["refuse", "flag", "allow"]))}
    whens = [*OF_REQUEST, *(when for when, needs in OF_FOUND if needs <= use.keys())]
    when = draw(st.sampled_from(whens if not use else [None, None, *whens]))
    if when is not None:
        rule["when"] = when
    rule["then"] = draw(st.sampled_from([*OTHERS, *REWRITES] if use else OTHERS))
    judges_whole = use.get("marks", {}).get("reach") == "whole" or (when is not None and when not in OF_REQUEST)
    streams = ["hold"] if rule["then"] in REWRITES else ["hold", "after"]
    if judges_whole or draw(st.booleans()):
        rule["stream"] = draw(st.sampled_from(streams))
    if draw(st.booleans()):
        rule["final"] = True
    if draw(st.booleans()):
        rule["principle"] = draw(st.sampled_from(["low", "high"]))
    return rule, labels


@st.composite
def rule_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rules that make a plan. Where a permit depends on the answer, it and what it may remove must wait for the end."""
    drawn = draw(st.lists(one_rule(), min_size=1, max_size=4))
    rules = [rule for rule, _ in drawn]
    for i, rule in enumerate(rules):
        if not draw(st.integers(0, 2)):
            known = {f"r{j}" for j in range(len(rules)) if j != i}.union(*(labels for _, labels in drawn))
            if known:
                rule["permit"] = draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=2, unique=True))
                if rule["then"] == "record" and draw(st.booleans()):
                    del rule["then"]
    for i, rule in enumerate(rules):
        if not rule.get("permit") or not rule["use"]:
            continue
        for j, (other, labels) in enumerate(drawn):
            if j != i and (f"r{j}" in rule["permit"] or labels & set(rule["permit"])):
                for waits in (rule, other):
                    waits.setdefault("stream", "hold")
    return rules


PIECES = st.sampled_from(
    [
        "secret", "se", "cret", "mark", "ma", "rk", "rkse", "a", "ab", "b", "k", "kkkk", "boom", "bo", "om", " ", "  ", "\n",
        ". ", "! ", "x", "\u200b", "s e c r e t", "ж", ".",
    ]
)  # fmt: skip


@st.composite
def chunked(draw: st.DrawFn) -> list[str]:
    text = "".join(draw(st.lists(PIECES, max_size=12)))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=5)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True) if a < b]


def plan_of(*rules: dict[str, Any]) -> Plan:
    policy = {
        "version": 1,
        "name": "t",
        "principles": [{"id": "low", "priority": 1, "text": "x"}, {"id": "high", "priority": 2, "text": "x"}],
        "rules": [{"id": f"r{i}", "side": "completion", **rule} for i, rule in enumerate(rules)],
    }
    return compile_policy(Policy.model_validate(policy), catalog=EXTENDED)


def passage(plan: Plan, tags: Sequence[str]) -> Passage:
    return Passage(plan, Exchange("x", "text", Subject(tags=tuple(tags))), Engine())


async def whole(plan: Plan, text: str, tags: Sequence[str]) -> tuple[Verdict, str]:
    reading = Reading()
    read_value(reading, "", text, "assistant", 0)
    verdict = await passage(plan, tags).answer(reading)
    return verdict, edit_value(text, verdict.edits)


async def streamed(plan: Plan, chunks: Sequence[str], tags: Sequence[str]) -> tuple[Verdict, str]:
    pieces = Pieces(passage(plan, tags).stream())
    out: list[str] = []
    try:
        for chunk in chunks:
            out += await pieces.add(chunk)
        rest, verdict = await pieces.end()
    except (Refused, GuardUnavailable) as stopped:
        return stopped.verdict, "".join(out)
    return verdict, "".join([*out, *rest])


def told(verdict: Verdict) -> dict[str, Any]:
    """What a verdict comes to. What a rule that did not apply has found is told by the whole only."""
    return {
        "action": verdict.action,
        "failed_open": verdict.failed_open,
        "rules": sorted((r.rule, r.outcome, r.by) for r in verdict.rules),
        "flags": sorted((f.name, f.rule) for f in verdict.flags),
        "findings": sorted((f.rule, f.label, f.span or ()) for f in verdict.findings if f.rule in verdict.applied),
    }


def stops(verdict: Verdict) -> bool:
    return verdict.unavailable or verdict.action is Action.REFUSE


@given(rule_lists(), chunked(), st.sampled_from([(), ("t",)]))
@settings(max_examples=200)
async def test_a_stream_is_the_whole(rules: list[dict[str, Any]], chunks: list[str], tags: Sequence[str]) -> None:
    plan = plan_of(*rules)
    text = "".join(chunks)
    verdict, edited = await whole(plan, text, tags)
    came, out = await streamed(plan, chunks, tags)
    acting = {rule.id for rule in plan.completion.rules if rule.acts}
    failures = [*verdict.failures, *came.failures]
    crashed = any(f.reason == "crash" for f in failures)
    if crashed and not any(f.rule in acting and f.on_error == "refuse" for f in failures):
        # A detector is asked about all windows of the whole at once, and about one after the other in a stream.
        # So it may have answered for some of them; what a rule that acts must not do is let the rest go.
        return
    if not stops(verdict):
        assert (told(came), came.unavailable, out) == (told(verdict), False, edited)
        return
    assert stops(came)
    if any(rule.rewrite for rule in plan.completion.rules):
        return
    assert text.startswith(out)
    first = [
        finding.span[0]
        for finding in verdict.findings
        for rule in plan.completion.rules
        if rule.id == finding.rule in verdict.applied and finding.span and rule.action is Action.REFUSE
        if rule.condition is None and rule.stream != "after"
    ]
    assert len(out) <= min(first, default=len(text))


@pytest.mark.parametrize(
    ("rule", "chunks"),
    [
        ({"use": {"marks": {}}, "when": '"t" in request.tags', "then": "refuse"}, ["boom"]),
        (
            {"use": {"marks": {}, "words": {"words": ["x"]}}, "when": '"t" in request.tags', "then": "refuse"},
            ["bo", "om"],
        ),
    ],
)
async def test_a_rule_that_takes_no_part_does_not_fail(rule: dict[str, Any], chunks: list[str]) -> None:
    came, out = await streamed(plan_of(rule), chunks, ())
    assert (came.failures, out) == ([], "boom")
    came, out = await streamed(plan_of(rule), chunks, ("t",))
    assert (came.unavailable, out) == (True, "")


async def test_what_holds_the_answer_is_decided_with_its_permits() -> None:
    wide = {"use": {"patterns": {"patterns": {"CUT": {"regex": "k+", "max_width": 3}}}}, "stream": "hold"}
    came, out = await streamed(
        plan_of({**wide, "then": "record", "permit": ["CUT"]}, {**wide, "then": "refuse"}), ["kkkk"], ()
    )
    assert (came.unavailable, out) == (False, "kkkk")
