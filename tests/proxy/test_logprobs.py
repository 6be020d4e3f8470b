"""Log probabilities through the whole proxy: asked for where a rule reads them, and gone again before the client sees
the answer, on every API, plain and streamed."""

from __future__ import annotations

import gzip
import json
from random import Random
from typing import Any

import pytest

from fakes import chat_answer, http, json_answer, replying
from knowing import ASKS, PATHS, Said, asks, knowing, plain, streamed
from lockgate.policy.plan import Plan
from lockgate_proxy.logprobs import Unable
from proxied import Proxy, Reply, proxied
from saying import patterns, plan_of, rule

APIS = list(PATHS)
SURE: Said = [("It", -0.01), (" is", -0.02), (" so", -0.01), (".", 0.0)]
UNSURE: Said = [("It", -0.5), (" was", -1.5), (" Ada 👩", -3.0), (".", -0.1)]
RECORD = plan_of(rule("unsure", {"confidence": {}}, "record", stream="after"))
FLAGS = plan_of(rule("unsure", {"confidence": {}}, {"flag": {"uncertainty": "Unsure."}}, stream="after"))
REFUSES = plan_of(rule("unsure", {"confidence": {}}, {"refuse": {"message": "Unsure."}}, stream="hold"))
MARKS = plan_of(
    rule("unsure", {"confidence": {"of": "sentence"}}, {"flag": {"u": {"text": "?", "as": "inline"}}}, stream="hold")
)
STRICT = plan_of(
    rule("unsure", {"confidence": {}}, {"flag": {"u": "Unsure."}}, stream="after", on_unverified="flag"),
)
NOT_SUPPORTED = http(
    b'{"error":{"message":"Unsupported parameter","type":"invalid_request_error"}}',
    b"Content-Type: application/json",
    status=b"400 Bad Request",
)
REQUEST: dict[str, dict[str, Any]] = {
    "chat": {"model": "m", "messages": [{"role": "user", "content": "hello"}]},
    "completions": {"model": "m", "prompt": "hello"},
    "responses": {"model": "m", "input": "hello"},
}


async def ask(proxy: Proxy, api: str, *headers: str, **more: Any) -> Reply:
    return await proxy.post(json.dumps({**REQUEST[api], **more}).encode(), *headers, target=PATHS[api])


def sent(proxy: Proxy, at: int = -1) -> Any:
    return json.loads(proxy.requests[at].body)


def said(api: str, *choices: Said, stream: bool, tells: bool) -> bytes:
    """What the upstream itself says."""
    if stream:
        return b"".join(streamed(api, choices, tells=tells))
    return json.dumps(plain(api, choices, tells=tells)).encode()


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
class TestBytes:
    async def test_the_client_sees_an_answer_without_them(self, api: str, stream: bool) -> None:
        async with proxied(RECORD, knowing(api, UNSURE, SURE)) as proxy:
            reply = await ask(proxy, api, stream=stream)
            assert asks(api, sent(proxy))
        assert reply.body == said(api, UNSURE, SURE, stream=stream, tells=False)
        assert reply.header("x-lockgate-unverified") is None

    async def test_who_asks_gets_what_the_upstream_said(self, api: str, stream: bool) -> None:
        asked = {**REQUEST[api], **ASKS[api], "stream": stream}
        async with proxied(RECORD, knowing(api, UNSURE, SURE)) as proxy:
            reply = await proxy.post(json.dumps(asked).encode(), target=PATHS[api])
            assert proxy.requests[0].body == json.dumps(asked).encode()
        assert reply.body == said(api, UNSURE, SURE, stream=stream, tells=True)

    async def test_no_rule_reads_them_and_nobody_asks(self, api: str, stream: bool) -> None:
        other = plan_of(rule("keys", patterns(KEY="sk-[a-z]{8}"), "record"))
        idle = plan_of(rule("unsure", {"confidence": {}}, "record", stream="after", when='request.model == "other"'))
        for plan in (other, idle):
            async with proxied(plan, knowing(api, UNSURE)) as proxy:
                reply = await ask(proxy, api, stream=stream)
                assert sent(proxy) == {**REQUEST[api], "stream": stream}
            assert reply.body == said(api, UNSURE, stream=stream, tells=False)

    async def test_an_upstream_that_refuses_is_asked_once_more_without(self, api: str, stream: bool) -> None:
        async with proxied(STRICT, knowing(api, SURE, refuses=NOT_SUPPORTED)) as proxy:
            reply = await ask(proxy, api, stream=stream)
            assert [asks(api, sent(proxy, i)) for i in range(len(proxy.requests))] == [True, False]
            assert reply.status == 200
            assert b"The model's log probabilities are not known (confidence)." in reply.body
            again = await ask(proxy, api, stream=stream)
            assert len(proxy.requests) == 3  # the model is known by now
            assert not asks(api, sent(proxy))
            assert b"unverified" in again.body
            await ask(proxy, api, stream=stream, model="another")
            assert asks(api, sent(proxy, 3))


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("tells", [False, True], ids=["not asked", "asked"])
class TestVerdict:
    async def test_an_unsure_answer_is_flagged(self, api: str, stream: bool, tells: bool) -> None:
        more = ASKS[api] if tells else {}
        async with proxied(FLAGS, knowing(api, UNSURE)) as proxy:
            reply = await ask(proxy, api, stream=stream, **more)
        assert b'"text":"Unsure."' in reply.body
        assert (b"-1.5" in reply.body) is tells
        async with proxied(FLAGS, knowing(api, SURE)) as proxy:
            assert b"Unsure" not in (await ask(proxy, api, stream=stream, **more)).body

    async def test_or_refused_before_it_has_left(self, api: str, stream: bool, tells: bool) -> None:
        more = ASKS[api] if tells else {}
        async with proxied(REFUSES, knowing(api, UNSURE)) as proxy:
            reply = await ask(proxy, api, stream=stream, **more)
        assert b"Ada" not in reply.body
        assert b"Unsure." in reply.body
        async with proxied(REFUSES, knowing(api, SURE)) as proxy:
            reply = await ask(proxy, api, stream=stream, **more)
        assert reply.body == said(api, SURE, stream=stream, tells=tells)

    async def test_or_marked_where_it_is_unsure(self, api: str, stream: bool, tells: bool) -> None:
        more = ASKS[api] if tells else {}
        two: Said = [*SURE, (" It", -3.0), (" was", -3.0), (" Ada", -3.0), (".", -0.1)]
        async with proxied(MARKS, knowing(api, two)) as proxy:
            reply = await ask(proxy, api, stream=stream, **more)
        body = reply.body.decode()
        assert " [?]" in body
        assert "so [?]" not in body
        assert stream or "-3.0" not in body  # they spell the answer as it was; of a stream, those of what is edited go


async def test_whatever_the_chunks() -> None:
    chance = Random(7)

    def cut(whole: bytes) -> list[bytes]:
        at = sorted(chance.sample(range(1, len(whole)), 12))
        return [whole[a:b] for a, b in zip([0, *at], [*at, len(whole)], strict=True)]

    for api in APIS:
        async with proxied(RECORD, knowing(api, UNSURE, SURE, size=1, cut=cut)) as proxy:
            reply = await ask(proxy, api, stream=True)
        assert reply.body == b"".join(streamed(api, [UNSURE, SURE], tells=False, size=1))


async def test_a_last_event_without_its_blank_line() -> None:
    async with proxied(RECORD, knowing("completions", UNSURE, cut=lambda whole: [whole[:-16]])) as proxy:
        reply = await ask(proxy, "completions", stream=True)
    assert reply.body == said("completions", UNSURE, stream=True, tells=False)[:-16]


async def test_each_choice_is_judged_by_its_own() -> None:
    async with proxied(REFUSES, knowing("chat", SURE, UNSURE)) as proxy:
        first, second = (await ask(proxy, "chat", n=2)).json["choices"]
    assert (first["message"]["content"], first["logprobs"], first["finish_reason"]) == ("It is so.", None, "stop")
    assert (second["message"]["content"], second["finish_reason"]) == (None, "content_filter")


async def test_edits_of_other_rules_stay_what_they_were() -> None:
    both = plan_of(
        rule("unsure", {"confidence": {}}, {"flag": {"u": "Unsure."}}, stream="after"),
        rule("names", patterns(NAME="Ada"), {"rewrite": "redact"}, side=["prompt", "completion"]),
    )
    for stream in (False, True):
        async with proxied(both, knowing("chat", UNSURE)) as proxy:
            reply = await ask(proxy, "chat", stream=stream, messages=[{"role": "user", "content": "Was it Ada?"}])
            assert sent(proxy)["messages"][0]["content"] == "Was it [NAME]?"
            assert sent(proxy)["logprobs"] is True
        assert b"[NAME]" in reply.body
        assert b"Ada" not in reply.body
        assert b"Unsure." in reply.body


async def test_a_compressed_request_and_a_compressed_answer() -> None:
    packed = gzip.compress(json.dumps(plain("chat", [UNSURE], tells=True)).encode())
    answer = http(packed, b"Content-Type: application/json", b"Content-Encoding: gzip", b'ETag: "1"')
    async with proxied(RECORD, replying(answer)) as proxy:
        body = gzip.compress(json.dumps(REQUEST["chat"]).encode())
        reply = await proxy.post(body, "Content-Encoding: gzip")
        assert sent(proxy) == {**REQUEST["chat"], "logprobs": True}
        assert proxy.requests[0].header("content-encoding") is None
    assert reply.body == said("chat", UNSURE, stream=False, tells=False)
    assert (reply.header("content-encoding"), reply.header("etag")) == (None, None)


async def test_an_upstream_that_tells_nothing_is_unverified() -> None:
    async with proxied(STRICT, replying(json_answer(chat_answer("It is so.")))) as proxy:
        reply = await ask(proxy, "chat")
    assert reply.json["lockgate"]["flags"][0]["name"] == "unverified"
    async with proxied(FLAGS, replying(json_answer(chat_answer("It is so.")))) as proxy:
        assert (await ask(proxy, "chat")).header("x-lockgate-unverified") == "1"


@pytest.mark.parametrize(
    "message",
    [
        {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"refusal": "No."},
        {"reasoning_content": "Hm."},
    ],
)
async def test_calls_refusals_and_reasoning_need_none(message: dict[str, Any]) -> None:
    async with proxied(STRICT, replying(json_answer(chat_answer(None, **message)))) as proxy:
        reply = await ask(proxy, "chat")
    assert reply.header("x-lockgate-flags") is None


async def test_an_error_of_the_request_is_the_clients_to_see() -> None:
    wrong = http(b'{"error":{"message":"no such model"}}', b"Content-Type: application/json", status=b"400 Bad Request")
    async with proxied(RECORD, replying(wrong)) as proxy:
        for _ in range(2):
            reply = await ask(proxy, "chat")
            assert (reply.status, reply.error["message"]) == (400, "no such model")
        assert [asks("chat", sent(proxy, i)) for i in range(4)] == [True, False, True, False]


async def test_an_answer_that_can_not_be_read_is_no_sure_one() -> None:
    async with proxied(STRICT, replying(http(b"It is so.", b"Content-Type: text/plain"))) as proxy:
        reply = await ask(proxy, "chat")
    assert (reply.body, reply.header("x-lockgate-flags")) == (b"It is so.", "unverified")


async def test_what_is_counted_of_tokens_is_asked_for_nothing() -> None:
    async with proxied(RECORD, replying(json_answer({"object": "response.input_tokens", "input_tokens": 3}))) as proxy:
        await proxy.post(json.dumps(REQUEST["responses"]).encode(), target="/v1/responses/input_tokens")
        assert sent(proxy) == REQUEST["responses"]


def test_who_was_refused_is_asked_again_after_a_while() -> None:
    now = [0.0]
    unable = Unable(lambda: now[0])
    unable.add("/chat/completions", "m")
    assert unable.has("/chat/completions", "m")
    assert not unable.has("/completions", "m")
    now[0] = 599.0
    assert unable.has("/chat/completions", "m")
    now[0] = 600.0
    assert not unable.has("/chat/completions", "m")


def test_models_are_not_remembered_without_end() -> None:
    unable = Unable(lambda: 0.0)
    for i in range(5000):
        unable.add("/chat/completions", f"m{i}")
    assert sum(unable.has("/chat/completions", f"m{i}") for i in range(5000)) == 1024


def test_the_plan_knows_which_rules_read_them() -> None:
    def reading(plan: Plan) -> frozenset[str]:
        return plan.logprobs

    assert reading(RECORD) == {"unsure"}
    assert reading(plan_of(rule("x", {"confidence": {}}, "record", side="prompt"))) == frozenset()
