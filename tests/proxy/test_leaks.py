"""Odd streams through the shipped policies: a card's number never gets out, and what is read of a stream is its end."""

from __future__ import annotations

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.responses import JSONResponse, Response

from fakes import AsgiUpstream, chat_answer
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy
from lockgate.policy.plan import Plan
from lockgate_proxy.app import make_app
from lockgate_proxy.settings import Settings
from playbook import whole_through_app
from saying import DONE, choice, chunk, data, finish, said, text

CARD = "4111 1111 1111 1111"
FIRST, LAST = "4111 1111 ", "1111 1111"
PLANS = {name: compile_policy(load_policy(find_policy(name))) for name in ("strict", "default")}

both = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)


def call(index: object, fragment: str) -> bytes:
    return said(tool_calls=[{"index": index, "function": {"arguments": fragment}}])


def spelt(content: str, *tokens: str) -> bytes:
    return chunk(choice({"content": content}, logprobs={"content": [{"token": token} for token in tokens]}))


ODD = {
    "one event twice the same choice": [chunk(choice({"content": FIRST}), choice({"content": LAST})), finish(), DONE],
    "text with its finish": [chunk(choice({"content": CARD}, finish="stop")), DONE],
    "text behind a finish": [text("hi "), finish(), text(CARD), DONE],
    "text behind the end": [text("hi "), finish(), DONE, text(CARD)],
    "an index that is a text": [text("hi "), finish(), chunk({"index": "0", "delta": {"content": CARD}}), DONE],
    "an index below zero": [text("hi "), finish(), chunk({"index": -1, "delta": {"content": CARD}}), DONE],
    "a huge index": [chunk(choice({"content": CARD}, 10**30)), chunk(choice({}, 10**30, "stop")), DONE],
    "calls numbered by texts": [
        call("a", '{"x":"' + FIRST), call("b", '{"y":"zzz'), call("a", LAST + '"}'), call("b", '"}'), finish(), DONE
    ],
    "calls without numbers": [
        *(said(tool_calls=[{"function": {"arguments": part}}]) for part in (FIRST, LAST)), finish(), DONE
    ],
    "arguments as an object": [said(tool_calls=[{"index": 0, "function": {"arguments": {"x": CARD}}}]), finish(), DONE],
    "parts": [chunk(choice({"content": [{"type": "text", "text": CARD}]})), finish(), DONE],
    "choices as a text": [data({"choices": CARD}), DONE],
    "a choice as a text": [data({"choices": [CARD]}), finish(), DONE],
    "a delta as a text": [chunk({"index": 0, "delta": CARD}), finish(), DONE],
    "an error": [text("hi "), data({"error": {"message": CARD, "more": [CARD]}})],
    "tokens that spell less": [spelt(FIRST, FIRST), spelt(LAST, LAST[:-1]), finish(), DONE],
    "no blank line at the end": [text("hi "), text(CARD)[:-2]],
    "bare carriage returns": [part.replace(b"\n", b"\r") for part in (text(CARD), finish(), DONE)],
    "byte by byte": [bytes([byte]) for part in (text(f"ü {FIRST}"), text(LAST), finish(), DONE) for byte in part],
    "data over two lines": [
        f'data: {{"choices":[{{"index":0,\ndata: "delta":{{"content":"{CARD}"}}}}]}}\n\n'.encode(), finish(), DONE
    ],
    "hidden by zero width": [text("4111\u200b 1111"), text(" 11\u200b11 1111"), finish(), DONE],
}  # fmt: skip


@both
@pytest.mark.parametrize("pieces", ODD.values(), ids=ODD)
async def test_no_card_gets_out(plan: Plan, pieces: list[bytes]) -> None:
    came = await whole_through_app(plan, pieces)
    assert FIRST.strip().encode() not in came
    assert LAST[:-1].encode() not in came


async def test_what_is_refused_unread_does_not_leave_first() -> None:
    unread = chunk({"index": 0, "message": {"content": CARD}})
    came = await whole_through_app(PLANS["strict"], [unread, finish(), DONE])
    assert CARD.encode() not in came
    assert b'"content_filter"' in came


@both
async def test_a_choice_that_ends_twice_in_one_event_ends(plan: Plan) -> None:
    pieces = [text("hello"), chunk(choice({}, 0, "stop"), choice({}, 0, "stop")), DONE]
    assert await whole_through_app(plan, pieces) == b"".join(pieces)


@both
async def test_an_error_beside_a_refused_choice_says_nothing(plan: Plan) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n" * 4
    answer = {**chat_answer("hello"), "error": {"message": key}}
    upstream = AsgiUpstream(JSONResponse(answer))
    app = make_app(Settings.read(policy="test", upstream="http://upstream/v1"), plan, upstream=upstream)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://proxy") as client:
        came = await client.post("/v1/chat/completions", json={"model": "m", "messages": []})
    assert came.json()["choices"][0]["finish_reason"] == "content_filter"
    assert came.json()["error"] is None
    assert "MIIEvQ" not in came.text


@both
async def test_a_stream_in_an_encoding_that_is_not_read_is_a_clear_error(plan: Plan) -> None:
    upstream = AsgiUpstream(
        Response(text(CARD), headers={"content-type": "text/event-stream", "content-encoding": "br"})
    )
    app = make_app(Settings.read(policy="test", upstream="http://upstream/v1"), plan, upstream=upstream)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://proxy") as client:
        came = await client.post("/v1/chat/completions", json={"model": "m", "messages": [], "stream": True})
    assert (came.status_code, came.json()["error"]["code"]) == (502, "upstream_broken")
