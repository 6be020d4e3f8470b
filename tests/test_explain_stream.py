from __future__ import annotations

from typing import Any

import pytest

from compiling import plan_of
from lockgate.exchange import Exchange, Subject
from lockgate.explain_stream import Told, streamed
from lockgate.passage import Passage
from lockgate.policy.plan import Plan
from lockgate.wire.chat import ChatLens

SECRET = {"use": {"words": {"words": ["secret"]}}}


def told(*texts: str, ends: bool = True) -> Told:
    """An answer that came as a stream of these texts."""
    lens = ChatLens()
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    if ends:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return Told.of_events([lens.read_event(chunk) for chunk in chunks])


async def run(plan: Plan, said: Told, *, text: bool = False) -> dict[str, Any]:
    return await streamed(Passage(plan, Exchange("x", "chat", Subject(), stream=True)), said, text=text)


async def test_what_is_held_leaves_at_the_end() -> None:
    report = await run(plan_of({**SECRET, "then": {"rewrite": "redact"}}), told("a sec", "ret, a se"), text=True)
    (text,) = report["texts"]
    assert text == {
        "where": "/choices/0/message/content", "choice": 0, "came": 14, "left": 14, "left_before_the_end": 12,
        "most_held": 3, "changed": True, "text": "a [WORDS], a se",
    }  # fmt: skip
    assert report["choices"] == [{"choice": 0, "ends": "as it came", "stopped_midway": False}]
    assert (report["action"], report["most_held"]) == ("rewrite", 3)


async def test_a_refusal_in_the_middle_lets_nothing_of_the_match_leave() -> None:
    report = await run(plan_of({**SECRET, "then": {"refuse": {"message": "No."}}}), told("it is ", "secret, ", "more"))
    (text,) = report["texts"]
    assert (text["came"], text["left"], text["changed"]) == (14, 6, False), "what came after the refusal is not read"
    assert report["choices"] == [
        {"choice": 0, "ends": "content_filter", "message": "No.", "stopped_midway": True},
    ]
    assert "text" not in text


async def test_a_rule_that_holds_the_answer_decides_at_its_end() -> None:
    rule = {**SECRET, "stream": "hold", "then": "refuse"}
    report = await run(plan_of(rule), told("nothing ", "here"))
    (text,) = report["texts"]
    assert (text["left_before_the_end"], text["most_held"], text["left"]) == (0, 12, 12)
    report = await run(plan_of(rule), told("a secret"))
    assert report["choices"][0]["stopped_midway"] is False
    assert report["texts"][0]["left"] == 0


async def test_a_detector_that_fails_closes_the_stream() -> None:
    report = await run(plan_of({"use": {"tone": {}}, "then": "refuse"}), told("Hello. This will crash. ", "More."))
    assert report["action"] == "unavailable"
    assert report["choices"][0]["ends"] == "error event, no [DONE]"
    assert report["texts"][0]["left"] == len("Hello. ")


@pytest.mark.parametrize("unknown", ["allow", "flag", "refuse"])
async def test_what_is_not_read_is_judged(unknown: str) -> None:
    lens = ChatLens()
    said = Told.of_events([lens.read_event({"choices": [{"index": 0, "delta": {"content": "a", "odd": 1}}]})])
    report = await run(plan_of(SECRET, unknown=unknown), said)
    assert report["action"] == {"allow": "allow", "flag": "flag", "refuse": "refuse"}[unknown]


async def test_a_plain_answer_is_cut_into_pieces() -> None:
    document = {"choices": [{"index": 0, "message": {"content": "one two  three", "refusal": None}}]}
    said = Told.of_answer(document, ChatLens().read_answer(document))
    assert ["".join(delta.text for delta in piece) for piece in said.pieces] == ["one ", "two  ", "three"]
    report = await run(plan_of(SECRET), said)
    assert report["texts"][0]["came"] == 14


async def test_an_answer_without_text_has_one_choice() -> None:
    report = await run(plan_of(SECRET), told())
    assert report["texts"] == []
    assert [choice["choice"] for choice in report["choices"]] == [0]


def test_events_add_up_to_the_plain_answer() -> None:
    said = told("one ", "two")
    assert [(s.where, s.role, s.kind, s.text, s.choice) for s in said.reading.segments] == [
        ("/choices/0/message/content", "assistant", "text", "one two", 0)
    ]
