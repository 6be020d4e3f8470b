from __future__ import annotations

from typing import Any

import pytest

from lockgate.exchange import Exchange, Reading, Segment, Subject
from lockgate.marks import Marker
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Action, Verdict

WORDS = {"words": {"words": ["secret"]}}
TEXT = "/choices/0/message/content"
THOUGHT = "/choices/0/message/reasoning"


def plan_of(*rules: dict[str, Any], **top: Any) -> Plan:
    filled = [{"side": "completion", "use": WORDS, **rule} for rule in rules]
    return compile_policy(Policy.model_validate({"version": 1, "name": "t", "rules": filled, **top}))


def passage_of(plan: Plan, *, tags: tuple[str, ...] = (), marker: Marker | None = None) -> Passage:
    return Passage(plan, Exchange("id", "chat", Subject(tags=tags)), marker=marker)


def reading(*texts: tuple[int, str], skipped: dict[str, str] | None = None) -> Reading:
    segments = [Segment(f"/choices/{i}/message/content", "assistant", "text", text, i) for i, text in texts]
    return Reading(segments, skipped or {}, list(skipped or {}))


def outcomes(verdict: Verdict) -> list[tuple[str, str, int | None]]:
    return [(rule.rule, rule.outcome, rule.choice) for rule in verdict.rules]


async def test_choices_are_decided_one_by_one() -> None:
    passage = passage_of(plan_of({"id": "r", "then": {"refuse": {"message": "no"}}}))
    verdict = await passage.answer(reading((0, "fine"), (1, "a secret"), (2, "fine")))
    assert verdict.refused_choices == {1: "no"}
    assert outcomes(verdict) == [("r", "applied", 1)]
    assert passage.verdicts == {"completion": verdict}
    assert set(verdict.coverage.scanned) == {f"/choices/{i}/message/content" for i in range(3)}


async def test_what_was_not_read_is_on_record_and_judged() -> None:
    plan = plan_of({"id": "r", "then": "record"}, unknown="refuse")
    verdict = await passage_of(plan).answer(reading((0, "fine"), skipped={"/odd": "unread: unknown"}))
    assert (verdict.action, verdict.where) == (Action.REFUSE, "/odd")
    assert verdict.coverage.skipped == {"/odd": "unread: unknown"}


STAFF = 'request.tags.exists(t, t == "staff")'


@pytest.mark.parametrize("permit", ["r", "WORDS"])
async def test_a_permit_holds_in_a_stream_as_in_the_whole(permit: str) -> None:
    plan = plan_of({"id": "r", "then": "refuse"}, {"id": "p", "use": {}, "when": STAFF, "permit": [permit]})
    for tags, refused in ((("staff",), False), ((), True)):
        stream = passage_of(plan, tags=tags).stream()
        stream.feed(0, TEXT, "text", "a secret thing")
        assert (stream.tripped, stream.refused(0)) == (refused, refused)
        verdict = await stream.end(0)
        whole = await passage_of(plan, tags=tags).answer(reading((0, "a secret thing")))
        assert outcomes(verdict) == outcomes(whole)
        assert verdict.action is whole.action


async def test_channels_are_apart_and_a_choice_is_decided_over_all_of_them() -> None:
    plan = plan_of({"id": "r", "when": "words.count >= 2", "stream": "after", "then": {"flag": {"n": "twice"}}})
    stream = passage_of(plan).stream()
    # A word across two channels is no word.
    for channel, text in ((TEXT, "sec"), (THOUGHT, "ret "), (TEXT, "ret, "), (THOUGHT, "a secret")):
        stream.feed(0, channel, "text", text)
    verdict = await stream.end(0)
    assert [finding.where for finding in verdict.findings] == [TEXT, THOUGHT]
    assert [flag.text for flag in verdict.flags] == ["twice"]
    assert await stream.end(0) is verdict


async def test_a_rule_that_holds_lets_nothing_out_before_its_verdict() -> None:
    plan = plan_of({"id": "r", "when": "words.count >= 2", "stream": "hold", "then": {"rewrite": "mask"}})
    stream = passage_of(plan).stream()
    stream.feed(0, TEXT, "text", "secret and ")
    assert stream.gate(TEXT).cleared == 0
    stream.feed(0, TEXT, "text", "secret.")
    verdict = await stream.end(0)
    gate = stream.gate(TEXT)
    assert gate.cleared == gate.length == 18
    assert [edit.span for edit in gate.edits] == [edit.span for edit in verdict.edits] == [(0, 6), (11, 17)]
    assert stream.most_held == 18


@pytest.mark.parametrize("stream_class", ["hold", "after"])
async def test_a_detector_of_whole_texts_judges_at_the_end(stream_class: str) -> None:
    use = {"size": {"max_characters": 5}}
    plan = plan_of({"id": "r", "use": use, "stream": stream_class, "then": {"refuse": {"message": "long"}}})
    stream = passage_of(plan).stream()
    for piece in ("abc", "def"):
        stream.feed(0, TEXT, "text", piece)
    assert stream.gate(TEXT).cleared == (0 if stream_class == "hold" else 6)
    assert not stream.tripped
    assert (await stream.end(0)).refused_choices == {0: "long"}


async def test_a_hold_is_bounded() -> None:
    plan = plan_of(
        {"id": "r", "when": "words.count >= 2", "stream": "hold", "then": {"rewrite": "mask"}},
        stream={"max_hold": 64, "hold_limit": 100},
    )
    stream = passage_of(plan).stream()
    stream.feed(0, TEXT, "text", "x" * 101)
    assert stream.tripped
    assert stream.closed(0)
    verdict = await stream.end(0)
    assert verdict.unavailable
    assert [failure.reason for failure in verdict.failures] == ["overflow"]


@pytest.mark.parametrize(("text", "closed"), [("anything", False), ("a secret", True)])
async def test_a_condition_that_fails_on_the_request_matters_where_something_is_found(text: str, closed: bool) -> None:
    plan = plan_of({"id": "r", "when": 'request.tags[0] == "staff"', "then": "refuse"})
    stream = passage_of(plan).stream()
    stream.feed(0, TEXT, "text", f"{text} ")
    assert (stream.tripped, stream.closed(0)) == (closed, closed)
    verdict = await stream.end(0)
    whole = await passage_of(plan).answer(reading((0, text)))
    assert verdict.unavailable == whole.unavailable == closed
    assert outcomes(verdict) == outcomes(whole)


async def test_an_unread_part_of_a_stream_is_judged() -> None:
    stream = passage_of(plan_of({"id": "r", "then": "record"}, unknown="refuse")).stream()
    stream.feed(0, TEXT, "text", "fine")
    before = stream.tripped
    stream.skip({"/odd": "unread: unknown"}, ["/odd"])
    assert (before, stream.tripped, stream.refused(0)) == (False, True, True)
    assert (await stream.end(0)).action is Action.REFUSE
    assert stream.close().coverage.skipped["/odd"] == "unread: unknown"


async def test_streamed_texts_are_marked_as_whole_ones_are() -> None:
    marker = Marker(b"0123456789abcdef")
    stream = passage_of(plan_of({"id": "r", "then": "record"}), marker=marker).stream()
    for piece in ("one ", "tw\ud83d", "o"):
        stream.feed(0, TEXT, "text", piece)
    assert stream.marks() == {TEXT: marker.mark("one tw\ud83do")}
    assert passage_of(plan_of({"id": "r", "then": "record"})).stream().marks() == {}


async def test_many_channels_are_not_gone_through_for_each_piece() -> None:
    stream = passage_of(plan_of({"id": "r", "then": {"rewrite": "mask"}})).stream()
    channels = [f"/choices/0/message/tool_calls/{number}/function/arguments" for number in range(40)]
    for channel in channels:
        stream.feed(0, channel, "tool_call", "so sec")
        assert len(stream._silences._silent.get(0, ())) <= 4
    assert [stream.gate(channel).held for channel in channels] == [0] * 36 + [3] * 4
    assert not stream._waiting


async def test_what_a_search_brings_in_a_stream_is_known_to_what_judges_the_rest() -> None:
    exchange = Exchange("01", "responses", stream=True)
    stream = Passage(
        plan_of({"id": "w", "side": "completion", "use": {"words": {"words": ["x"]}}, "then": "record"}), exchange
    ).stream()
    stream.feed(0, "/output/0/results/0/text", "document", "The mill was built in 1780.", whole=True)
    stream.feed(0, "/output/1/content/0/text", "text", "In 1780.")
    assert [(one.where, one.kind, one.text) for one in exchange.completion] == [
        ("/output/0/results/0/text", "document", "The mill was built in 1780.")
    ]
