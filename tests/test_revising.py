"""Answers that a model writes anew: plain and streamed, of every API; what it writes is looked at like any answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from judging import judged_by, revision, violations, wants
from lockgate import Guard
from lockgate.errors import GuardUnavailable, PolicyError, Refused
from lockgate.exchange import Exchange, Reading, Segment
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Action, Verdict
from lockgate.wire.chat import ChatLens
from lockgate.wire.edit import edit_document
from lockgate.wire.responses import ResponsesLens
from lockgate_proxy.release import Release
from lockgate_proxy.sse import Splitter
from responding import call, events, message, output_text, response, wire
from saying import DONE, choice, chunk, patterns, role, rule, text

WHERE = "/choices/0/message/content"
BAD = "You are a fool. The library closes at six."
GOOD = "The library closes at six."


def plan(*more: dict[str, Any], rounds: int = 2, **judge: Any) -> Plan:
    kind = {
        "id": "unkind", "principle": "kind", "side": "completion", "use": {"judge": judge}, "stream": "hold",
        "where": {"kind": "text"}, "then": {"revise": {"rounds": rounds}},
    }  # fmt: skip
    principles = [{"id": "kind", "text": "It is kind."}]
    return compile_policy(
        Policy.model_validate({"version": 1, "name": "t", "principles": principles, "rules": [kind, *more]})
    )


def says(*texts: str) -> Any:
    """A model to which a text with "fool" is unkind, and that writes these texts, one after the other."""
    left = list(texts)

    def answer(body: Mapping[str, Any]) -> Any:
        if wants(body) == "revision":
            return revision(left.pop(0))
        said = body["messages"][1]["content"].rpartition("The text to judge:")[2]
        return violations(("kind", 0.9, "fool")) if "fool" in said else violations()

    return answer


def exchange(dialect: str = "chat") -> Exchange:
    return Exchange("01", dialect, asked="When does it close?")


async def whole(of: Plan, said: str, kind: Any = "text") -> tuple[Verdict, str]:
    segment = Segment(WHERE, "assistant", kind, said, 0)
    passage = Passage(of, exchange())
    verdict = await passage.answer(Reading([segment]))
    for edit in reversed(passage.edits(verdict)):
        said = said[: edit.span[0]] + edit.replacement + said[edit.span[1] :]
    return verdict, said


async def chat(of: Plan, said: str) -> tuple[Verdict, str, str | None, bytes]:
    """Streamed: the verdict, what arrived, how it ended, and its bytes."""
    stream = Passage(of, exchange()).stream()
    release = Release(stream, ChatLens(), choices=1, note={}, prompt_flags=[])
    out: list[bytes] = []
    pieces = [text(said[i : i + 5]) for i in range(0, len(said), 5)]
    for event in Splitter().feed(b"".join([role(), *pieces, chunk(choice({}, 0, "stop")), DONE])):
        out.extend(await release.add(event))
    raw = b"".join([*out, *await release.end()])
    content, ended = "", None
    for event in Splitter().feed(raw):
        if event.data and not event.done:
            [one] = json.loads(event.data)["choices"]
            content += one["delta"].get("content") or ""
            ended = one["finish_reason"] or ended
    return stream.close(), content, ended, raw


async def test_what_violates_a_principle_is_written_anew() -> None:
    with judged_by(says(GOOD, GOOD)) as model:
        verdict, said = await whole(plan(), BAD)
        streamed, content, ended, raw = await chat(plan(), BAD)
    assert said == content == GOOD
    assert b"fool" not in raw
    assert ended == "stop"
    for one in (verdict, streamed):
        assert (one.action, one.applied, one.revised) == (Action.REWRITE, ["unkind"], (WHERE,))
        assert [f.label for f in one.findings] == ["kind"]
    asked = next(one for one in model.said if "Principles that it violates" in one)
    assert "It is kind." in asked
    assert "When does it close?" in asked
    assert BAD in asked


async def test_what_is_fine_is_left_alone() -> None:
    with judged_by(says()) as model:
        verdict, said = await whole(plan(), GOOD)
        assert (verdict.action, said, verdict.revised) == (Action.ALLOW, GOOD, ())
        assert (await chat(plan(), GOOD))[1] == GOOD
    assert len(model.asked) == 1, "the same text is judged once"


async def test_a_second_round_where_the_first_is_not_enough() -> None:
    with judged_by(says("Still a fool.", GOOD)):
        assert (await whole(plan(), BAD))[1] == GOOD


@pytest.mark.parametrize("rounds", [1, 3])
async def test_after_the_last_round_it_is_refused(rounds: int) -> None:
    with judged_by(says(*[f"Still a fool, {i}." for i in range(4)])) as model:
        verdict, _ = await whole(plan(rounds=rounds), BAD)
        assert sum(wants(body) == "revision" for body in model.asked) == rounds
        streamed, content, ended, raw = await chat(plan(rounds=rounds), BAD)
    for one in (verdict, streamed):
        assert (one.action, one.by or "unkind") == (Action.REFUSE, "unkind")
    assert (content, ended) == ("", "content_filter")
    assert b"fool" not in raw


KEYS = rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}, side="completion")
STOP = rule("stop", {"words": {"words": ["plugh"]}}, {"refuse": {"message": "Not that word."}}, side="completion")


async def test_what_is_written_is_looked_at_by_all_rules() -> None:
    with judged_by(says("The key is sk-abcd1234.", "The key is sk-abcd1234.")):
        assert (await whole(plan(KEYS), BAD))[1] == "The key is [KEY]."
        assert (await chat(plan(KEYS), BAD))[1] == "The key is [KEY]."
    with judged_by(says("plugh", "plugh")):
        verdict, _ = await whole(plan(STOP), BAD)
        assert (verdict.action, verdict.message) == (Action.REFUSE, "Not that word.")
        _, content, ended, _ = await chat(plan(STOP), BAD)
        assert (content, ended) == ("", "content_filter")


@pytest.mark.parametrize("kind", ["text", "reasoning"])
async def test_only_words_are_revised(kind: str) -> None:
    everywhere = compile_policy(
        Policy.model_validate(
            {
                "version": 1, "name": "t", "principles": [{"id": "kind", "text": "It is kind."}],
                "rules": [rule("unkind", {"judge": {}}, "revise", side="completion", stream="hold")],
            }
        )
    )  # fmt: skip
    with judged_by(says(GOOD)):
        verdict, _ = await whole(everywhere, BAD, kind)
    assert verdict.action is (Action.REWRITE if kind == "text" else Action.REFUSE)


async def test_json_is_refused_and_not_revised() -> None:
    declared = {"response_format": {"type": "json_object"}}
    passage = Passage(plan(), exchange(), request=declared)
    answer = Reading([Segment(WHERE, "assistant", "text", '{"a": "you fool"}', 0)])
    with judged_by(says(GOOD)) as model:
        verdict = await passage.answer(answer)
    assert verdict.action is Action.REFUSE
    assert [wants(body) for body in model.asked] == ["judgement"]


@pytest.mark.parametrize(("on_error", "unavailable"), [("refuse", True), ("allow", False)])
async def test_nobody_there_to_revise(on_error: str, unavailable: bool) -> None:
    def fails(body: Mapping[str, Any]) -> Any:
        return "no JSON" if wants(body) == "revision" else violations(("kind", 0.9, ""))

    given = compile_policy(
        Policy.model_validate(
            {
                "version": 1, "name": "t", "principles": [{"id": "kind", "text": "It is kind."}],
                "rules": [rule("r", {"judge": {}}, "revise", side="completion", stream="hold", on_error=on_error)],
            }
        )
    )  # fmt: skip
    with judged_by(fails):
        verdict, said = await whole(given, BAD)
    assert verdict.unavailable is unavailable
    assert [(f.detector, f.reason) for f in verdict.failures] == [("revise", "crash")]
    assert said == BAD


def read(sent: Sequence[bytes]) -> list[Any]:
    return [json.loads(event.data) for event in Splitter().feed(b"".join(sent)) if event.data]


async def test_a_response_of_several_texts_is_revised_where_it_is_wrong() -> None:
    answer = response(message(output_text("All is well. "), output_text(BAD)), call('{"a": 1}'))
    lens = ResponsesLens()
    passage = Passage(plan(), exchange("responses"))
    with judged_by(says(GOOD, GOOD)):
        verdict = await passage.answer(lens.read_answer(answer))
        edited = json.loads(edit_document(json.dumps(answer).encode(), answer, passage.edits(verdict), lens.dependants))
        stream = Passage(plan(), exchange("responses")).stream()
        release = Release(stream, lens, choices=1, note={}, prompt_flags=[])
        out: list[bytes] = []
        for one in events(answer):
            for event in Splitter().feed(wire(one)):
                out.extend(await release.add(event))
        got = read([*out, *await release.end()])
    assert [part["text"] for part in edited["output"][0]["content"]] == ["All is well. ", GOOD]
    assert got[-1]["response"] == edited
    deltas = [event["delta"] for event in got if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == f"All is well. {GOOD}"


async def test_a_rule_without_a_judge_may_want_a_revision() -> None:
    rude = rule("rude", {"words": {"words": ["fool"]}}, "revise", side="completion", stream="hold")
    given = compile_policy(Policy.model_validate({"version": 1, "name": "t", "rules": [rude]}))
    assert given.judged
    with judged_by(lambda _: revision(GOOD)) as model:
        assert (await whole(given, BAD))[1] == GOOD
    assert "fool" in model.said[0]


def test_the_decorator_revises() -> None:
    def ask(question: str) -> str:
        return BAD

    with judged_by(says(GOOD)):
        assert Guard(plan())(ask)("When?") == GOOD
    with judged_by(says("Still a fool.", "And a fool.")), pytest.raises(Refused):
        Guard(plan())(ask)("When?")
    with judged_by(lambda _: "no"), pytest.raises(GuardUnavailable):
        Guard(plan())(ask)("When?")


def test_a_guard_needs_a_judge_from_the_start() -> None:
    with pytest.raises(PolicyError, match="none is configured"):
        Guard(plan())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"stream": None}, "stream has to hold"),
        ({"stream": "after"}, "stream has to hold"),
    ],
)
def test_a_stream_is_held_for_it(change: dict[str, Any], problem: str) -> None:
    given = {**rule("r", {"words": {"words": ["x"]}}, "revise", side="completion", stream="hold"), **change}
    with pytest.raises(PolicyError, match=problem):
        compile_policy(Policy.model_validate({"version": 1, "name": "t", "rules": [given]}))


async def test_what_was_flagged_elsewhere_stays_flagged() -> None:
    thinks = rule(
        "thinks", {"words": {"words": ["hmm"]}}, {"flag": {"thought": "It thinks."}}, where={"kind": "reasoning"}
    )
    stream = Passage(plan(thinks), exchange()).stream()
    with judged_by(says(GOOD)):
        stream.feed(0, "/choices/0/message/reasoning_content", "reasoning", "hmm, well")
        stream.feed(0, WHERE, "text", BAD)
        verdict = await stream.end(0)
    assert [(flag.name, flag.rule) for flag in verdict.flags] == [("thought", "thinks")]
    assert verdict.revised == (WHERE,)


async def test_several_choices_are_revised_each_for_itself() -> None:
    segments = [Segment(f"/choices/{i}/message/content", "assistant", "text", (BAD, GOOD)[i], i) for i in (0, 1)]
    passage = Passage(plan(), exchange())
    with judged_by(says("All is well.")):
        verdict = await passage.answer(Reading(segments))
    assert [(e.where, e.replacement) for e in verdict.edits] == [("/choices/0/message/content", "All is well.")]
    assert verdict.revised == ("/choices/0/message/content",)


async def test_who_leaves_ends_the_question() -> None:
    started = asyncio.Event()

    async def never(_: Mapping[str, Any]) -> Mapping[str, Any]:
        started.set()
        await asyncio.sleep(60)
        raise AssertionError

    from lockgate.detectors.judging import Judge, run_judge

    run_judge(Judge(never, "m"))
    try:
        task = asyncio.create_task(whole(plan(), BAD))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        run_judge(None)
