"""The record says who looked: not who should have."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from compiling import WORDS, plan_of
from lockgate.coverage import Coverage
from lockgate.exchange import Exchange, Reading, Segment, Subject
from lockgate.passage import Passage
from lockgate.policy.plan import Plan

TEXT = "/choices/0/message/content"
TONE: dict[str, Any] = {"tone": {}}
FAILED = "failed: the detectors gave no answer"
STAFF = 'request.tags.exists(t, t == "staff")'


async def whole(plan: Plan, text: str) -> Coverage:
    segment = Segment(TEXT, "assistant", "text", text, 0)
    return (await Passage(plan, Exchange("id", "chat")).answer(Reading([segment]))).coverage


async def streamed(plan: Plan, text: str, **subject: Any) -> Coverage:
    stream = Passage(plan, Exchange("id", "chat", Subject(**subject), stream=True)).stream()
    for piece in text.split("|"):
        stream.feed(0, TEXT, "text", piece)
        await stream.settle()
    await stream.end(0)
    return stream.close().coverage


@pytest.mark.parametrize("way", [whole, streamed])
@pytest.mark.parametrize(
    ("rules", "text", "scanned", "skipped"),
    [
        ([{"use": WORDS}, {"use": TONE}], "all is well. ", ("tone", "words"), {}),
        ([{"use": WORDS}, {"use": TONE, "on_error": "allow"}], "crash. ", ("words",), {}),
        ([{"use": TONE, "on_error": "allow"}], "crash. ", None, {TEXT: FAILED}),
        ([{"use": TONE, "side": "prompt"}], "well. ", None, {TEXT: "unwatched: no rule looks at this kind of text"}),
    ],
)
async def test_a_detector_that_gave_no_answer_has_not_looked(
    way: Any, rules: list[dict[str, Any]], text: str, scanned: tuple[str, ...] | None, skipped: dict[str, str]
) -> None:
    coverage = await way(plan_of(*rules), text)
    assert coverage.scanned == ({TEXT: scanned} if scanned else {})
    assert coverage.skipped == skipped


@pytest.mark.parametrize(("tags", "names"), [((), ("words",)), (("staff",), ("tone", "words"))])
async def test_in_a_stream_a_rule_that_is_out_has_not_looked(tags: tuple[str, ...], names: tuple[str, ...]) -> None:
    plan = plan_of({"use": WORDS}, {"use": TONE, "when": STAFF})
    assert (await streamed(plan, "all is well. ", tags=tags)).scanned == {TEXT: names}


@pytest.mark.parametrize("where", ["stream", "end"])
async def test_what_judges_the_whole_is_not_asked_once_it_is_refused(where: Literal["stream", "end"]) -> None:
    judged = {"use": TONE, "stream": "hold" if where == "end" else "after", "then": "record"}
    coverage = await streamed(plan_of({"use": WORDS}, judged), "a secret| and more")
    assert coverage.scanned == {TEXT: ("words",)}
