"""An exchange over real sockets: what leaves as it came, and what of the headers travels."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from fakes import LAST_CHUNK, chat_answer, chunk, head, http, json_answer, replying
from proxied import CHAT, proxied, request
from saying import DONE, finish, patterns, plan_of, rule, text

RECORD = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), "record", side=["prompt", "completion"]))
REWRITE = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}, side=["prompt", "completion"]))
FLAG = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"flag": {"notice": "A key."}}, side="prompt"))

ODD = (
    b' {"messages" : [\t{"content":"sk-abcd1234 \\ud83d\\/\\u0041 \xf0\x9f\x98\x80", "role":"user"}]\r\n,"n":1,\n'
    b'"temperature":1e3, "top_p":-0.0,"seed":123456789012345678901234567890,"stream":false,"model":"m",'
    b'"logit_bias":{"5":1.0E+2}, "user":"\\u00e9\xc3\xa9" } \n'
)
ODD_ANSWER = (
    b'\n{"choices":[{"message":{"content":"sk-abcd1234 \\ud83d\\/","role":"assistant"},"index":0,'
    b'"finish_reason":"stop"}],\t"created":1e9,"id":"\\u0041","usage":{"total_tokens":98765432109876543210,"x":-0.0}}\n\n'
)


class TestUntouched:
    @pytest.mark.parametrize("plan", [plan_of(), RECORD], ids=["no rules", "record"])
    async def test_a_plain_exchange_byte_for_byte(self, plan: object) -> None:
        answer = http(ODD_ANSWER, b"Content-Type: application/json; charset=utf-8")
        async with proxied(plan, replying(answer)) as proxy:  # type: ignore[arg-type]
            reply = await proxy.post(ODD)
            assert proxy.requests[0].body == ODD
            assert proxy.requests[0].target == CHAT
        assert reply.status == 200
        assert reply.body == ODD_ANSWER
        assert reply.header("content-length") == str(len(ODD_ANSWER))
        assert reply.header("content-type") == "application/json; charset=utf-8"

    async def test_a_stream_byte_for_byte(self) -> None:
        said = (
            b": hi\r\n\r\n" + text("sk-abcd1234 ") + b'event:x\ndata: {"a" :1e3}\n\n' + finish() + DONE + b"data: rest"
        )
        pieces = [said[i : i + 31] for i in range(0, len(said), 31)]
        async with proxied(RECORD, replying([head(), *map(chunk, pieces), LAST_CHUNK])) as proxy:
            reply = await proxy.chat("hello", stream=True)
        assert reply.body == said
        assert reply.header("content-type") == "text/event-stream"
        assert reply.header("content-length") is None

    @pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
    async def test_a_compressed_request_stays_compressed(self, name: str, pack: object) -> None:
        packed = pack(ODD)  # type: ignore[operator]
        async with proxied(RECORD, replying(json_answer(chat_answer("hi")))) as proxy:
            reply = await proxy.post(packed, f"Content-Encoding: {name}")
            sent = proxy.requests[0]
        assert reply.status == 200
        assert sent.body == packed
        assert sent.header("content-encoding") == name

    async def test_a_compressed_request_that_is_edited_is_sent_plain(self) -> None:
        async with proxied(REWRITE, replying(json_answer(chat_answer("hi")))) as proxy:
            await proxy.post(gzip.compress(ODD), "Content-Encoding: gzip")
            sent = proxy.requests[0]
        assert sent.body == ODD.replace(
            b"sk-abcd1234 \\ud83d\\/\\u0041 \xf0\x9f\x98\x80", b"[KEY] \\ud83d/A \\ud83d\\ude00"
        )
        assert sent.header("content-encoding") is None
        assert sent.header("content-length") == str(len(sent.body))

    async def test_an_answer_that_comes_compressed_unasked(self) -> None:
        packed = gzip.compress(ODD_ANSWER)
        answer = http(packed, b"Content-Type: application/json", b"Content-Encoding: gzip")
        async with proxied(RECORD, replying(answer)) as proxy:
            reply = await proxy.post(ODD, "Accept-Encoding: gzip")
            assert proxy.requests[0].header("accept-encoding") == "identity"
        assert reply.body == packed
        assert reply.header("content-encoding") == "gzip"

    async def test_such_an_answer_that_is_edited(self) -> None:
        packed = gzip.compress(json.dumps(chat_answer("the key sk-abcd1234 ")).encode())
        answer = http(packed, b"Content-Type: application/json", b"Content-Encoding: gzip", b'ETag: "x"')
        async with proxied(REWRITE, replying(answer)) as proxy:
            reply = await proxy.post(ODD)
        assert reply.header("content-encoding") is None
        assert reply.header("etag") is None
        assert reply.json["choices"][0]["message"]["content"] == "the key [KEY] "

    async def test_a_chunked_request(self) -> None:
        pieces = [chunk(ODD[:100]), chunk(ODD[100:]), LAST_CHUNK]
        async with proxied(RECORD, replying(json_answer(chat_answer("hi")))) as proxy:
            reply = await proxy.raw(request("POST", CHAT, "Transfer-Encoding: chunked", length=False), *pieces)
            assert proxy.requests[0].body == ODD
        assert reply.status == 200

    async def test_a_client_that_waits_for_continue(self) -> None:
        async with proxied(RECORD, replying(json_answer(chat_answer("hi")))) as proxy:
            client = await proxy.client()
            ask = request("POST", CHAT, f"Content-Length: {len(ODD)}", "Expect: 100-continue", length=False)
            await client.send(ask)
            assert (await client.head()).status == 100
            await client.send(ODD)
            assert (await client.reply()).status == 200
            assert proxy.requests[0].body == ODD
            assert proxy.requests[0].header("expect") is None

    async def test_a_query_and_a_deployment_s_path(self) -> None:
        target = "/v1/openai/deployments/Gpt-4.1/chat/completions?api-version=2024-06-01&x=%2f"
        async with proxied(REWRITE, replying(json_answer(chat_answer("sk-abcd1234")))) as proxy:
            reply = await proxy.post(ODD, target=target)
            assert proxy.requests[0].target == target
        assert reply.json["choices"][0]["message"]["content"] == "[KEY]"

    async def test_one_connection_serves_many(self) -> None:
        async with proxied(RECORD, replying(json_answer(chat_answer("hi")))) as proxy:
            client = await proxy.client()
            for _ in range(3):
                await client.send(request("POST", CHAT, body=ODD))
                assert (await client.reply()).status == 200
            assert proxy.upstream.connections == 1


class TestHeaders:
    async def test_what_goes_to_the_upstream(self) -> None:
        async with proxied(RECORD, replying(json_answer(chat_answer("hi")))) as proxy:
            await proxy.post(
                ODD, "Authorization: Bearer sk-test", "OpenAI-Organization: org", "X-Stainless-Retry-Count: 1",
                "Idempotency-Key: i", "traceparent: 00-1-2-01", "Accept: application/json", "Keep-Alive: 5", "X-Hop: 1",
                "Connection: keep-alive, X-Hop", "TE: trailers", "Proxy-Authorization: x", "X-Lockgate-Id: forged",
                "Upgrade: h2c", "User-Agent: test/1",
            )  # fmt: skip
            sent = proxy.requests[0]
        assert {name: value for name, value in sent.headers if name not in {"host", "content-length"}} == {
            "content-type": "application/json", "authorization": "Bearer sk-test", "openai-organization": "org",
            "x-stainless-retry-count": "1", "idempotency-key": "i", "traceparent": "00-1-2-01",
            "accept": "application/json", "user-agent": "test/1", "accept-encoding": "identity",
        }  # fmt: skip
        assert sent.header("host") == f"127.0.0.1:{proxy.upstream.port}"

    @pytest.mark.parametrize("stream", [False, True])
    async def test_what_comes_back(self, stream: bool) -> None:
        kept = (b"x-request-id: req_1", b"openai-version: 2020-10-01", b"x-ratelimit-remaining-tokens: 5",
                b"retry-after: 7", b"x-should-retry: true", b"Set-Cookie: a=1", b"Set-Cookie: b=2")  # fmt: skip
        dropped = (b"Connection: X-Internal", b"X-Internal: 1", b"Keep-Alive: timeout=5", b"x-lockgate-id: forged",
                   b"Proxy-Authenticate: x", b'Alt-Svc: h3=":443"')  # fmt: skip
        if stream:
            answer = head(b"Content-Type: text/event-stream", *kept, *dropped) + chunk(DONE) + LAST_CHUNK
        else:
            answer = json_answer(chat_answer("hi"), *kept, *dropped)
        async with proxied(RECORD, replying(answer)) as proxy:
            reply = await proxy.chat("hello", stream=stream)
        for line in kept:
            name, _, value = line.decode().partition(": ")
            assert (name.lower(), value) in reply.headers
        names = [name for name, _ in reply.headers]
        assert not {"x-internal", "alt-svc", "proxy-authenticate", "connection", "keep-alive"} & set(names)
        assert names.count("x-lockgate-id") == 1
        assert reply.header("x-lockgate-id") != "forged"

    @pytest.mark.parametrize("stream", [False, True])
    async def test_our_own(self, stream: bool) -> None:
        answer = head() + chunk(text("hi ") + DONE) + LAST_CHUNK if stream else json_answer(chat_answer("hi"))
        async with proxied(FLAG, replying(answer)) as proxy:
            clean = await proxy.chat("hello", stream=stream)
            marked = await proxy.chat("sk-abcd1234", stream=stream)
        assert clean.header("x-lockgate-action") == "allow"
        assert clean.header("x-lockgate-rule") is None
        assert (clean.header("x-lockgate-policy") or "").startswith("test@sha256:")
        assert len(clean.header("x-lockgate-id") or "") == 26
        assert marked.header("x-lockgate-action") == "flag"
        assert marked.header("x-lockgate-rule") == "keys"
        assert marked.header("x-lockgate-id") != clean.header("x-lockgate-id")


class TestRewrittenPrompt:
    async def test_only_the_string_changes(self) -> None:
        async with proxied(REWRITE, replying(json_answer(chat_answer("hi")))) as proxy:
            reply = await proxy.post(ODD)
            sent = proxy.requests[0].body
        before, after = ODD.split(b'"sk-abcd1234 \\ud83d\\/\\u0041 \xf0\x9f\x98\x80"')
        assert sent.startswith(before)
        assert sent.endswith(after)
        assert json.loads(sent)["messages"][0]["content"] == "[KEY] \ud83d/A 😀"
        assert reply.header("x-lockgate-action") == "rewrite"

    async def test_the_same_prompt_is_rewritten_in_the_same_way(self) -> None:
        async with proxied(REWRITE, replying(json_answer(chat_answer("hi")))) as proxy:
            for _ in range(2):
                await proxy.post(ODD)
            first, second = proxy.requests
        assert first.body == second.body

    async def test_what_names_the_old_body_s_bytes_does_not_go_out(self) -> None:
        async with proxied(REWRITE, replying(json_answer(chat_answer("hi")))) as proxy:
            await proxy.post(ODD, "Content-MD5: abc", "Digest: sha-256=abc", "Content-Digest: sha-256=:abc:")
            names = {name for name, _ in proxy.requests[0].headers}
        assert not {"content-md5", "digest", "content-digest"} & names

    async def test_arguments_stay_json(self) -> None:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"key": "sk-abcd1234\\n"}'}}
        async with proxied(REWRITE, replying(json_answer(chat_answer("hi")))) as proxy:
            await proxy.chat("hello", {"role": "assistant", "content": None, "tool_calls": [call]})
            sent = json.loads(proxy.requests[0].body)
        assert json.loads(sent["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"key": "[KEY]\n"}

    async def test_flags_of_the_prompt_stand_in_the_answer(self) -> None:
        async with proxied(FLAG, replying(json_answer(chat_answer("hi")))) as proxy:
            reply = await proxy.chat("sk-abcd1234")
        assert reply.json["lockgate"]["flags"] == [{"name": "notice", "text": "A key.", "rule": "keys"}]
        assert {**reply.json, "lockgate": None} == {**chat_answer("hi"), "lockgate": None}


class TestSaidToTheGuard:
    async def test_its_context_does_not_go_on(self) -> None:
        body = (
            b'{"model":"m","lockgate":{"context":["sk-abcd1234"]},"messages":[{"role":"user","content":"sk-abcd1234"}]}'
        )
        async with proxied(REWRITE, replying(json_answer(chat_answer("hi")))) as proxy:
            reply = await proxy.post(body)
            sent = proxy.requests[0]
        assert reply.status == 200
        assert sent.body == b'{"model":"m","messages":[{"role":"user","content":"[KEY]"}]}'
        assert (
            reply.header("x-lockgate-coverage")
            == "prompt;scanned=1;skipped=1;unknown=0;given=1, completion;scanned=1;skipped=0;unknown=0"
        )

    async def test_what_it_can_not_read_is_refused(self) -> None:
        async with proxied(RECORD, replying()) as proxy:
            reply = await proxy.post(b'{"model":"m","lockgate":7,"messages":[{"role":"user","content":"x"}]}')
        assert reply.status == 400
        assert reply.error["code"] == "invalid_type"
        assert "at /lockgate" in reply.error["message"]
