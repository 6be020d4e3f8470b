"""Notes in answers of every API, through the release and the whole proxy: plain and streamed answers are the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import LAST_CHUNK, chat_answer, chat_chunk, chunk, head, json_answer, replying
from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.policy.plan import Plan
from lockgate.wire.chat import ChatLens
from lockgate.wire.completions import CompletionsLens
from lockgate.wire.edit import edit_document
from lockgate.wire.lens import Dialect
from lockgate.wire.responses import ResponsesLens
from lockgate_proxy.release import Release
from lockgate_proxy.sse import Splitter
from proxied import events_of, proxied
from responding import call, cites, events, message, output_text, response, thought, wire
from saying import DONE, data, finish, plan_of, role, rule, said, text, words

LEGAL = "This is general information, not legal advice; please ask a lawyer about your own case."
NOTES = plan_of(
    rule("law", words("lawsuit"), {"flag": {"caveat": {"message": "legal"}}}),
    rule("moon", words("cheese"), {"flag": {"u": {"message": "unsupported", "as": "inline"}}}),
    rule("tax", words("tax"), {"flag": {"money": {"text": "Ask.", "at": "sentence"}}}),
)
ASKED = plan_of(rule("law", words("lawsuit"), {"flag": {"caveat": {"message": "legal"}}}, side="prompt"))
WORDS = ["cheese", "law", "suit", "tax", " ", ". ", "\n", "`", "[", "](", ")", "word", "```\n"]
SAID = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)


def pieces(whole: str, size: int) -> list[str]:
    return [whole[i : i + size] for i in range(0, len(whole), size)]


async def through(plan: Plan, dialect: Dialect, said: Sequence[bytes], choices: int = 1) -> list[Any]:
    stream = Passage(plan, Exchange("X", dialect.dialect)).stream()
    release = Release(stream, dialect, choices=choices, note={"id": "X"}, prompt_flags=[])
    out: list[bytes] = []
    for one in said:
        for event in Splitter().feed(one):
            out.extend(await release.add(event))
    out.extend(await release.end())
    return [json.loads(event.data) for event in Splitter().feed(b"".join(out)) if event.data and not event.done]


async def plainly(plan: Plan, dialect: Dialect, whole: dict[str, Any]) -> dict[str, Any]:
    passage = Passage(plan, Exchange("X", dialect.dialect))
    verdict = await passage.answer(dialect.read_answer(whole))
    body = json.dumps(whole).encode()
    came: dict[str, Any] = json.loads(edit_document(body, whole, passage.edits(verdict), dialect.dependants))
    return {"answer": came, "flags": [flag.public() for flag in verdict.flags]}


def flags_of(came: Sequence[Any]) -> list[Any]:
    return [flag for one in came for flag in one.get("lockgate", {}).get("flags", ())]


@settings(max_examples=60, deadline=None)
@given(texts=st.tuples(SAID, SAID), size=st.integers(1, 9), inner=st.booleans())
async def test_chat(texts: tuple[str, str], size: int, inner: bool) -> None:
    sent = [role(0), role(1)]
    cut = [pieces(whole, size) for whole in texts]
    sent.extend(text(part, i) for i in (0, 1) for part in cut[i][: -1 if inner else None])
    for i in (0, 1):
        last = chat_chunk({"content": cut[i][-1]} if inner and cut[i] else {}, index=i, finish="stop")
        sent.append(data(last))
    came = await through(NOTES, ChatLens(), [*sent, DONE], choices=2)
    plain = await plainly(NOTES, ChatLens(), chat_answer(*texts))
    for i in (0, 1):
        mine = [c for one in came for c in one["choices"] if c["index"] == i]
        assert "".join(c["delta"].get("content") or "" for c in mine) == (
            plain["answer"]["choices"][i]["message"]["content"] or ""
        )
        # Nothing of the choice comes after its end.
        assert [bool(c["finish_reason"]) for c in mine] == [False] * (len(mine) - 1) + [True]
    assert flags_of(came) == plain["flags"]


@settings(max_examples=40, deadline=None)
@given(whole=SAID, size=st.integers(1, 9))
async def test_completions(whole: str, size: int) -> None:
    top = {"id": "cmpl-7", "object": "text_completion", "created": 17, "model": "m"}
    sent = [
        data({**top, "choices": [{"text": part, "index": 0, "logprobs": None, "finish_reason": None}]})
        for part in pieces(whole, size)
    ]
    end = {"text": "", "index": 0, "logprobs": None, "finish_reason": "stop"}
    came = await through(NOTES, CompletionsLens(), [*sent, data({**top, "choices": [end]}), DONE])
    plain = await plainly(NOTES, CompletionsLens(), {**top, "choices": [{**end, "text": whole}]})
    assert "".join(one["choices"][0]["text"] for one in came) == plain["answer"]["choices"][0]["text"]
    assert flags_of(came) == plain["flags"]


@settings(max_examples=60, deadline=None)
@given(texts=st.tuples(SAID, SAID), size=st.integers(1, 9))
async def test_responses(texts: tuple[str, str], size: int) -> None:
    first = output_text(texts[0], [cites(0, min(3, len(texts[0])))])
    whole = response(thought("lawsuit"), message(first), call("{}"), message(output_text(texts[1]), id="msg_2"))
    came = await through(NOTES, ResponsesLens(), [wire(event) for event in events(whole, size)])
    plain = await plainly(NOTES, ResponsesLens(), whole)
    last = came[-1]["response"]
    told = last.pop("lockgate", {}).get("flags", [])
    assert last == plain["answer"]
    assert told == plain["flags"]
    for at, item in ((1, 0), (3, 0)):
        deltas = [e["delta"] for e in came if e["type"] == "response.output_text.delta" and e["output_index"] == at]
        assert "".join(deltas) == plain["answer"]["output"][at]["content"][item]["text"]
    assert [event["sequence_number"] for event in came] == list(range(len(came)))


async def test_a_call_of_a_tool_is_as_it_was_and_the_text_before_it_has_the_note() -> None:
    sent = [role(), text("A law"), text("suit."), said(tool_calls=[{"index": 0, "id": "c", "type": "function",
            "function": {"name": "f", "arguments": '{"a": "lawsuit"}'}}]), finish("tool_calls"), DONE]  # fmt: skip
    came = await through(NOTES, ChatLens(), sent)
    deltas = [one["choices"][0]["delta"] for one in came]
    assert "".join(delta.get("content") or "" for delta in deltas) == f"A lawsuit.\n\n{LEGAL}"
    assert [d["tool_calls"][0]["function"]["arguments"] for d in deltas if "tool_calls" in d] == ['{"a": "lawsuit"}']


@pytest.mark.parametrize("form", [{"type": "json_object"}, {"type": "json_schema", "json_schema": {"schema": {}}}])
async def test_what_is_declared_to_be_json_gets_none(form: dict[str, Any]) -> None:
    for body in ('{"a": "lawsuit cheese"}', "lawsuit of cheese"):
        async with proxied(NOTES, replying(json_answer(chat_answer(body)))) as proxy:
            reply = await proxy.chat("hello", response_format=form)
        assert reply.json["choices"][0]["message"]["content"] == body
        assert [flag["name"] for flag in reply.json["lockgate"]["flags"]] == ["caveat", "u"]
        assert reply.header("x-lockgate-flags") == "caveat, u"
        sent = [head(), *(chunk(text(part)) for part in pieces(body, 5)), chunk(finish() + DONE), LAST_CHUNK]
        async with proxied(NOTES, replying(sent)) as proxy:
            came = events_of((await proxy.chat("hello", response_format=form, stream=True)).body)[:-1]
        assert "".join(one["choices"][0]["delta"].get("content", "") for one in came) == body
        assert [flag["name"] for flag in flags_of(came)] == ["caveat", "u"]


async def test_a_question_may_bring_the_caveat() -> None:
    async with proxied(ASKED, replying(json_answer(chat_answer("It takes years.", "Two.")))) as proxy:
        reply = await proxy.chat("How long is a lawsuit?", n=2)
    assert [c["message"]["content"] for c in reply.json["choices"]] == [
        f"It takes years.\n\n{LEGAL}", f"Two.\n\n{LEGAL}"
    ]  # fmt: skip
    assert reply.json["lockgate"]["flags"] == [{"name": "caveat", "text": LEGAL, "rule": "law"}]
    sent = [head(), chunk(text("It takes") + text(" years.") + finish() + DONE), LAST_CHUNK]
    async with proxied(ASKED, replying(sent)) as proxy:
        reply = await proxy.chat("How long is a lawsuit?", stream=True)
    came = events_of(reply.body)[:-1]
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in came) == f"It takes years.\n\n{LEGAL}"
    assert reply.header("x-lockgate-flags") == "caveat"


async def test_embeddings_have_it_beside_them() -> None:
    vectors = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "m"}
    async with proxied(ASKED, replying(json_answer(vectors))) as proxy:
        reply = await proxy.post(b'{"model": "m", "input": "a lawsuit"}', target="/v1/embeddings")
    assert {key: value for key, value in reply.json.items() if key != "lockgate"} == vectors
    assert [flag["name"] for flag in reply.json["lockgate"]["flags"]] == ["caveat"]
    assert reply.header("x-lockgate-flags") == "caveat"
