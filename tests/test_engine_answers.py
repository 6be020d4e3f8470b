"""What a detector of one's own may do wrong is a failure of the guard, in the whole as in a stream: never an exception, and
never nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from lockgate.detectors.catalog import CATALOG, Entry
from lockgate.detectors.protocol import Reach
from lockgate.engine import Engine
from lockgate.errors import GuardUnavailable, Refused
from lockgate.exchange import Exchange, Reading, Segment
from lockgate.passage import Passage
from lockgate.pieces import Pieces
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Action, Finding, Verdict
from lockgate.wire.values import edit_value, read_value


class Ask(BaseModel):
    does: str = "well"
    reach: str = "whole"


class Faulty:
    """Finds "mark"; otherwise it does what it was told to do."""

    kind = "faulty"
    labels = frozenset({"MARK"})
    languages: frozenset[str] = frozenset()
    gives_spans = True

    def __init__(self, config: Ask) -> None:
        self._does = config.does
        self.reach = Reach("sentence" if config.reach == "sentence" else "whole")

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Any:
        found = [
            Finding("faulty", "MARK", 1.0, s.where, (s.text.index("mark"), s.text.index("mark") + 4))
            for s in segments
            if "mark" in s.text
        ]
        wrong = Finding("faulty", "MARK", 1.0, segments[0].where)
        match self._does:
            case "raise":
                raise RuntimeError("about the text")
            case "wait":
                await asyncio.Event().wait()
            case "cancel":
                raise asyncio.CancelledError
            case "exit":
                raise StopIteration
            case "none":
                return None
            case "words":
                return ["mark"]
            case "iterate":
                return (finding for finding in found)
            case "nan":
                wrong.score = float("nan")
            case "high":
                wrong.score = 1.01
            case "low":
                wrong.score = -0.01
            case "no score":
                wrong.score = None  # type: ignore[assignment]
            case "elsewhere":
                wrong.where = "/nowhere"
            case "before":
                wrong.span = (-1, 2)
            case "behind":
                wrong.span = (0, len(segments[0].text) + 1)
            case "backwards":
                wrong.span = (2, 1)
            case "odd span":
                wrong.span = (1, 2, 3)  # type: ignore[assignment]
            case "no span":
                pass
            case _:
                return found
        return [*found, wrong]


WRONG = (
    "raise", "cancel", "exit", "none", "words", "nan", "high", "low", "no score", "elsewhere", "before", "behind",
    "backwards", "odd span",
)  # fmt: skip


def plan_of(does: str, *, then: Any, **rule: Any) -> Plan:
    reach = rule.pop("reach", "sentence")
    made = {"id": "r", "side": "completion", "use": {"faulty": {"does": does, "reach": reach}}, "then": then, **rule}
    policy = Policy.model_validate({"version": 1, "name": "t", "deadline_ms": 20, "rules": [made]})
    return compile_policy(policy, catalog={**CATALOG, "faulty": Entry(Ask, Faulty)})


async def whole(plan: Plan, text: str) -> Verdict:
    reading = Reading()
    read_value(reading, "", text, "assistant", 0)
    return await Passage(plan, Exchange("x", "text"), Engine()).answer(reading)


async def streamed(plan: Plan, *chunks: str) -> tuple[Verdict, str]:
    pieces = Pieces(Passage(plan, Exchange("x", "text"), Engine()).stream())
    out: list[str] = []
    try:
        for chunk in chunks:
            out += await pieces.add(chunk)
        rest, verdict = await pieces.end()
    except (Refused, GuardUnavailable) as stopped:
        return stopped.verdict, "".join(out)
    return verdict, "".join([*out, *rest])


@pytest.mark.parametrize("then", ["record", "refuse", {"rewrite": "mask"}], ids=["record", "refuse", "rewrite"])
@pytest.mark.parametrize("does", [*WRONG, "wait"])
async def test_a_wrong_answer_is_a_failure(does: str, then: Any) -> None:
    reason = "timeout" if does == "wait" else "crash"
    verdict = await whole(plan_of(does, then=then), "a mark here")
    assert [(f.reason, f.rule, f.detector) for f in verdict.failures] == [(reason, "r", "faulty")]
    assert (verdict.unavailable, verdict.findings) == (True, [])
    came, out = await streamed(plan_of(does, then=then), "a mark", " here")
    assert [(f.reason, f.rule, f.detector) for f in came.failures] == [(reason, "r", "faulty")]
    assert came.unavailable
    assert out == ("a mark here"[: len(out)] if then == "record" else "")


@pytest.mark.parametrize("reach", ["sentence", "whole"])
async def test_an_iterator_is_an_answer(reach: str) -> None:
    plan = plan_of("iterate", then={"rewrite": "mask"}, reach=reach, **({"stream": "hold"} if reach == "whole" else {}))
    verdict = await whole(plan, "a mark here")
    assert edit_value("a mark here", verdict.edits) == "a **** here"
    assert (await streamed(plan, "a mark", " here"))[1] == "a **** here"


@pytest.mark.parametrize(
    ("on_error", "action"), [("refuse", Action.REWRITE), ("flag", Action.REWRITE), ("allow", Action.REWRITE)]
)
@pytest.mark.parametrize("reach", ["sentence", "whole"])
async def test_a_finding_without_a_span_can_not_be_rewritten(on_error: str, action: Action, reach: str) -> None:
    """The detector said that it gives spans. What it does point at is edited, where the policy goes on at all."""
    more = {"stream": "hold"} if reach == "whole" else {}
    plan = plan_of("no span", then={"rewrite": "mask"}, on_error=on_error, reach=reach, **more)
    verdict = await whole(plan, "a mark here")
    assert [f.reason for f in verdict.failures] == ["crash"]
    assert (verdict.unavailable, verdict.action) == (on_error == "refuse", action)
    came, out = await streamed(plan, "a mark", " here")
    assert [f.reason for f in came.failures] == ["crash"]
    if on_error == "refuse":
        assert (came.unavailable, out) == (True, "")
    else:
        assert edit_value("a mark here", verdict.edits) == out == "a **** here"


@pytest.mark.parametrize("stream", ["hold", "after"])
async def test_a_finding_without_a_span_is_enough_to_refuse_or_to_flag(stream: str) -> None:
    for then in ("refuse", {"flag": {"note": "x"}}):
        verdict = await whole(plan_of("no span", then=then, stream=stream), "nothing")
        assert (verdict.action > Action.ALLOW, verdict.failures) == (True, [])


async def test_our_own_cancellation_goes_through() -> None:
    task = asyncio.ensure_future(whole(plan_of("wait", then="record"), "a mark"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
