"""Streams of the Responses API through the gates: what is said in pieces and again whole leaves with the same edits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.exchange import Exchange, Reading, Segment
from lockgate.masks import Masker
from lockgate.passage import Passage
from lockgate.policy.plan import Plan
from lockgate.verdict import Verdict
from lockgate.wire.edit import edit_document
from lockgate.wire.responses import ResponsesLens
from lockgate.wire.responses_read import read_answer
from lockgate_proxy.release import WITHHELD, Release
from lockgate_proxy.sse import Splitter
from responding import call, cites, events, message, output_text, response, thought, wire
from saying import patterns, plan_of, rule, words

KEY = patterns(KEY=r"sk-[a-z0-9]{8}")
REDACT = plan_of(rule("keys", KEY, {"rewrite": "redact"}, side=["completion"]))
HOLD = plan_of(rule("keys", KEY, {"rewrite": "redact"}, side=["completion"], stream="hold"))
STOP = plan_of(rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}, side=["completion"]))
FLAG = plan_of(rule("keys", KEY, {"flag": {"notice": "There was a key."}}, side=["completion"]))
NOTE = {"id": "X", "policy": "test"}


async def through(plan: Plan, said: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], bytes, Verdict]:
    stream = Passage(plan, Exchange("X", "responses")).stream()
    release = Release(stream, ResponsesLens(), choices=1, note=NOTE, prompt_flags=[])
    out: list[bytes] = []
    for one in said:
        for event in Splitter().feed(wire(one)):
            out.extend(await release.add(event))
        if release.finished:
            break
    out.extend(await release.end())
    raw = b"".join(out)
    got = [json.loads(event.data) for event in Splitter().feed(raw) if event.data]
    assert [e.name.decode() for e in Splitter().feed(raw)] == [event["type"] for event in got]
    return got, raw, stream.close()


def texts(got: Sequence[dict[str, Any]]) -> dict[str, set[str]]:
    """Channel → every whole text that the stream says for it, its pieces joined among them."""
    lens, found, pieces = ResponsesLens(), dict[str, set[str]](), dict[str, str]()
    for event in got:
        for delta in lens.read_event(event).deltas:
            if delta.again:
                found.setdefault(delta.channel, set()).add(delta.text)
            else:
                pieces[delta.channel] = pieces.get(delta.channel, "") + delta.text
    for channel, text in pieces.items():
        found.setdefault(channel, set()).add(text)
    return found


def plainly(plan: Plan, whole: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    lens = ResponsesLens()
    got: dict[str, Any] = json.loads(edit_document(json.dumps(whole).encode(), whole, verdict.edits, lens.dependants))
    return got


async def test_what_no_rule_touches_leaves_as_it_came() -> None:
    whole = response(thought("hm"), message(output_text("all is well", [cites(0, 3)])), call('{"a": 1}'))
    _, raw, verdict = await through(REDACT, events(whole))
    assert raw == b"".join(map(wire, events(whole)))
    assert verdict.coverage.skipped.get("#lines") is None


SAID = st.lists(
    st.sampled_from(["sk-abcd1234", "sk-", "the key", " ", ", ", "abcd1234", "é"]), min_size=1, max_size=6
).map("".join)


@pytest.mark.parametrize("plan", [REDACT, HOLD], ids=["as it comes", "held"])
@settings(max_examples=40, deadline=None)
@given(
    said=st.tuples(SAID, SAID, SAID),
    size=st.integers(1, 12),
    spans=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), max_size=3),
)
async def test_the_stream_equals_the_whole(
    plan: Plan, said: tuple[str, str, str], size: int, spans: list[tuple[int, int]]
) -> None:
    notes = [cites(start, start + width) for start, width in spans if start + width <= len(said[1])]
    whole = response(thought(said[0]), message(output_text(said[1], notes)), call(json.dumps({"a": said[2]})))
    got, _, _ = await through(plan, events(whole, size))
    verdict = await Passage(plan, Exchange("X", "responses")).answer(read_answer(whole))
    assert got[-1]["response"] == plainly(plan, whole, verdict)
    assert all(len(forms) == 1 for forms in texts(got).values())
    assert texts(got).keys() == {segment.where for segment in read_answer(got[-1]["response"]).segments}
    numbers = [event["sequence_number"] for event in got]
    assert numbers == sorted(set(numbers))
    added = [event for event in got if event["type"].endswith("annotation.added")]
    assert [event["annotation"] for event in added] == got[-1]["response"]["output"][1]["content"][0]["annotations"]
    assert [event["annotation_index"] for event in added] == list(range(len(added)))


@pytest.mark.parametrize("size", [1, 4, 60])
async def test_a_value_that_a_border_between_texts_cuts(size: int) -> None:
    whole = response(message(output_text("a key: sk-abcd"), output_text("1234, you see", [cites(6, 9)])))
    got, raw, _ = await through(REDACT, events(whole, size))
    verdict = await Passage(REDACT, Exchange("X", "responses")).answer(read_answer(whole))
    assert got[-1]["response"] == plainly(REDACT, whole, verdict)
    [first, second] = got[-1]["response"]["output"][0]["content"]
    assert (first["text"], second["text"]) == ("a key: sk-abcd", "[KEY], you see")
    assert second["annotations"] == [cites(7, 10)]
    assert b"1234, you" not in raw
    assert all(len(forms) == 1 for forms in texts(got).values())


@pytest.mark.parametrize("size", [1, 3, 50])
async def test_a_refusal_in_mid_stream(size: int) -> None:
    whole = response(message(output_text("the word is plugh, I say")), call("{}"))
    got, raw, verdict = await through(STOP, events(whole, size))
    assert b"plugh" not in raw
    assert verdict.refused_choices == {0: "Not that word."}
    assert [event["sequence_number"] for event in got] == list(range(len(got)))
    last = got[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert last["response"]["output"][-1]["content"][-1] == {"type": "refusal", "refusal": "Not that word."}
    assert last["response"]["lockgate"] == {**NOTE, "action": "refuse", "rules": ["stop"], "found": ["content"]}
    assert all(len(forms) == 1 for forms in texts(got).values())


async def test_a_flag_stands_in_the_last_event() -> None:
    got, _, _ = await through(FLAG, events(response(message(output_text("sk-abcd1234")))))
    [flag] = got[-1]["response"]["lockgate"]["flags"]
    assert (flag["name"], flag["text"]) == ("notice", "There was a key.")


async def test_a_done_text_that_differs_is_another_text() -> None:
    said = events(response(message(output_text("harmless"))))
    for event in said:
        if event["type"] == "response.output_text.done":
            event["text"] = "harmless sk-abcd1234"
    got, raw, _ = await through(REDACT, said)
    assert b"sk-abcd1234" not in raw
    assert next(event["text"] for event in got if event["type"] == "response.output_text.done") == "harmless [KEY]"
    assert got[-1]["response"]["output"][0]["content"][0]["text"] == "harmless"


async def test_what_was_never_said_in_pieces_is_looked_at() -> None:
    said = [
        event for event in events(response(message(output_text("sk-abcd1234")))) if not event["type"].endswith("delta")
    ]
    got, raw, _ = await through(REDACT, said)
    assert b"sk-abcd1234" not in raw
    assert got[-1]["response"]["output"][0]["content"][0]["text"] == "[KEY]"


async def test_a_piece_that_comes_after_its_text_was_done_does_not_leave() -> None:
    said = events(response(message(output_text("a key: sk-abcd"))))
    done = next(i for i, event in enumerate(said) if event["type"] == "response.output_text.done")
    late = {**next(event for event in said if event["type"].endswith("text.delta")), "delta": "1234"}
    _, raw, verdict = await through(REDACT, [*said[: done + 1], late, *said[done + 1 :]])
    assert b"1234" not in raw.replace(b"1767225600", b"")
    assert WITHHELD in verdict.coverage.skipped.values()


async def test_log_probabilities_of_an_edited_text_are_emptied() -> None:
    spelled = [{"token": "sk-abcd1234", "logprob": 0.0, "top_logprobs": []}]
    said = events(response(message(output_text("sk-abcd1234", logprobs=spelled))), size=20)
    for event in said:
        if event["type"] in ("response.output_text.delta", "response.output_text.done"):
            event["logprobs"] = spelled
    got, raw, _ = await through(REDACT, said)
    assert b"sk-abcd1234" not in raw
    assert [event["logprobs"] for event in got if "logprobs" in event] == [[], []]


@pytest.mark.parametrize("size", [1, 7, 60])
async def test_what_was_masked_in_the_request_is_put_back_wherever_it_is_said(size: int) -> None:
    then = {"rewrite": "pseudonym", "restore": True}
    plan = plan_of(rule("keys", KEY, then, side=["prompt"]))
    passage = Passage(plan, Exchange("X", "responses"), masker=Masker(b"k" * 32))
    verdict = await passage.prompt(Reading([Segment("/input", "user", "text", "sk-abcd1234")]))
    mask = verdict.edits[0].replacement
    notes = [cites(0, 5), cites(len(mask) + 7, len(mask) + 10)]
    whole = response(message(output_text(f"it is {mask}, yes", notes)), call(json.dumps({"key": mask})))
    release = Release(passage.stream(), ResponsesLens(), choices=1, note=NOTE, prompt_flags=[])
    out: list[bytes] = []
    for one in events(whole, size):
        for event in Splitter().feed(wire(one)):
            out.extend(await release.add(event))
    raw = b"".join([*out, *await release.end()])
    got = [json.loads(event.data) for event in Splitter().feed(raw) if event.data]
    assert mask.encode() not in raw
    assert texts(got)["/output/0/content/0/text"] == {"it is sk-abcd1234, yes"}
    assert texts(got)["/output/1/arguments"] == {'{"key": "sk-abcd1234"}'}
    [_, after] = [event["annotation"] for event in got if event["type"].endswith("annotation.added")]
    assert (after["start_index"], after["end_index"]) == (18, 21)
