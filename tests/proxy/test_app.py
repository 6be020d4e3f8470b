"""The door: which requests are guarded, however they are spelled; health; a client that leaves before its answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fakes import AsgiUpstream, Peer, chat_answer, hangs, http, json_answer, replying, until
from lockgate_proxy.app import make_app
from lockgate_proxy.connection import Connection
from lockgate_proxy.settings import Settings
from proxied import CHAT, HELLO, proxied, request
from saying import plan_of, rule, words

STOP = plan_of(rule("stop", words("plugh"), "refuse", side=["prompt", "completion"]))
SAYS = json.dumps({"messages": [{"role": "user", "content": "say plugh now"}]}).encode()
FINE = replying(json_answer(chat_answer("hi")))


class TestPaths:
    @pytest.mark.parametrize(
        "target",
        [
            CHAT,
            f"{CHAT}?",
            f"{CHAT}?stream=true",
            "/v1/openai/deployments/gpt-4/chat/completions",
            "/v1/engines/Gpt-4/chat/completions?api-version=1",
            f"http://elsewhere.example{CHAT}",
        ],
    )
    async def test_chat_is_guarded(self, target: str) -> None:
        async with proxied(STOP, FINE) as proxy:
            reply = await proxy.post(SAYS, target=target)
            assert proxy.upstream.connections == 0
        assert (reply.status, reply.error["code"]) == (400, "content_filter")

    @pytest.mark.parametrize(
        "target",
        [
            f"{CHAT}/",
            f"{CHAT}//",
            f"/{CHAT}",
            "/v1//chat/completions",
            "/v1/chat//completions",
            "/v1/chat%2Fcompletions",
            "/v1/chat%2fcompletions",
            "/v1/chat%252Fcompletions",
            "/v1%2Fchat%2Fcompletions",
            "/v1/%63hat/completions",
            "/v1/chat/completion%73",
            "/v1/Chat/Completions",
            "/V1/CHAT/COMPLETIONS",
            "/V1/chat/completions",
            f"{CHAT};a=b",
            f"{CHAT};",
            f"{CHAT}%3Ba",
            "/v1/chat;x/completions",
            f"{CHAT}%2F",
            f"{CHAT}/.",
            f"{CHAT}/%2e",
            f"{CHAT}/x/..",
            "/v1/./chat/completions",
            "/v1/chat/./completions",
            "/v1/x/../chat/completions",
            "/v1/chat/x/%2e%2e/completions",
            "/v1/..;/v1/chat/completions",
            "/v1\\chat\\completions",
            "/v1/chat%5Ccompletions",
            "/chat/completions",
            "/v2/chat/completions",
            "/../v1/chat/completions",
            f"{CHAT}%00",
            f"{CHAT}%3F",
            f"{CHAT}%3Fa=b",
            f"{CHAT}%23",
            f"{CHAT}%20",
            f"{CHAT}%09",
            f"{CHAT}%0A",
            f"{CHAT}#x",
        ],
    )
    async def test_no_other_spelling_of_it_passes_unseen(self, target: str) -> None:
        async with proxied(STOP, FINE) as proxy:
            reply = await proxy.post(SAYS, target=target)
            assert proxy.upstream.connections == 0
        assert 400 <= reply.status < 500

    @pytest.mark.parametrize("method", ["post", "Post"])
    async def test_nor_another_spelling_of_the_method(self, method: str) -> None:
        async with proxied(STOP, FINE) as proxy:
            reply = await proxy.raw(request(method, CHAT, f"Content-Length: {len(SAYS)}", body=SAYS, length=False))
            assert proxy.upstream.connections == 0
        assert reply.status == 400

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
    @pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
    async def test_nor_a_method_in_disguise(self, method: str, name: str) -> None:
        async with proxied(STOP, FINE) as proxy:
            await proxy.ask(method, CHAT, f"{name}: POST", body=SAYS)
            assert [sent.header(name.lower()) for sent in proxy.requests] == [None]

    @pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-URL"])
    async def test_nor_a_path_in_disguise(self, name: str) -> None:
        async with proxied(STOP, FINE) as proxy:
            await proxy.ask("POST", "/v1/files", f"{name}: {CHAT}", body=SAYS)
            assert [sent.header(name.lower()) for sent in proxy.requests] == [None]

    @pytest.mark.parametrize(
        "lines",
        [
            ("Content-Length: 3", "Transfer-Encoding: chunked"),
            ("Content-Length: 3", "Content-Length: 4"),
            ("Transfer-Encoding: xchunked",),
            ("Transfer-Encoding: gzip, chunked, identity",),
            ("Content-Length: +3",),
            ("Content-Length : 3",),
        ],
    )
    async def test_nor_two_requests_in_one(self, lines: tuple[str, ...]) -> None:
        async with proxied(STOP, FINE) as proxy:
            client = await proxy.client()
            await client.send(request("POST", "/v1/x", *lines, length=False), request("POST", CHAT, body=SAYS))
            reply = await client.reply()
            assert not any(b"plugh" in sent.body for sent in proxy.requests)
        assert reply.status == 400

    async def test_the_host_is_not_believed(self) -> None:
        async with proxied(STOP, FINE) as proxy:
            ask = request("POST", CHAT, body=json.dumps(HELLO).encode()).replace(b"proxy.example", b"evil.example")
            assert (await proxy.raw(ask)).status == 200
            assert proxy.requests[0].header("host") == f"127.0.0.1:{proxy.upstream.port}"


class TestWebSocket:
    @pytest.mark.parametrize("target", ["/v1/realtime", CHAT, "/v1/responses"])
    async def test_is_no_way_in(self, target: str) -> None:
        async with proxied(STOP, replying(http(b"", status=b"426 Upgrade Required"))) as proxy:
            reply = await proxy.ask(
                "GET", target, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            )  # fmt: skip
            assert proxy.requests == []
        assert (reply.status, reply.error["code"]) == (501, "not_supported")
        assert reply.header("x-should-retry") == "false"

    async def test_nor_where_the_server_speaks_it(self) -> None:
        app = make_app(Settings.read(policy="x", upstream="http://u/v1"), STOP, upstream=AsgiUpstream(_never))
        came: list[Any] = []

        async def send(message: Any) -> None:
            came.append(message)

        scope = {"type": "websocket", "path": "/v1/realtime", "raw_path": b"/v1/realtime", "headers": []}
        await app(scope, _receive, send)
        assert [message["type"] for message in came] == ["websocket.close"]
        came.clear()
        await app({**scope, "extensions": {"websocket.http.response": {}}}, _receive, send)
        assert [message["type"] for message in came] == [
            "websocket.http.response.start",
            "websocket.http.response.body",
        ]
        assert (came[0]["status"], json.loads(came[1]["body"])["error"]["code"]) == (501, "not_supported")


async def _never(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the upstream was asked")


async def _receive() -> dict[str, Any]:
    return {"type": "websocket.connect"}


class TestHealth:
    async def test_both(self) -> None:
        async with proxied(STOP, FINE) as proxy:
            alive, ready = await proxy.ask("GET", "/healthz"), await proxy.ask("GET", "/readyz")
            assert (await proxy.ask("HEAD", "/healthz")).status == 200
            assert (await proxy.ask("POST", "/healthz", body=SAYS)).status == 405
            assert proxy.upstream.connections == 0
        assert (alive.status, alive.json) == (200, {"status": "ok"})
        assert ready.status == 200
        assert ready.json["policy"] == "test"
        assert ready.json["policy_hash"] == STOP.hash


@pytest.mark.parametrize("server", [Connection, HttpToolsProtocol], ids=["ours", "uvicorn's"])
class TestAClientThatLeaves:
    async def test_before_the_first_byte(self, server: type) -> None:
        async with proxied(STOP, hangs(), server=server) as proxy:
            client = await proxy.client()
            await client.send(request("POST", CHAT, body=json.dumps(HELLO).encode()))
            await until(lambda: bool(proxy.requests))
            client.close()
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)
            await until(lambda: proxy.context.counts.get("client_gone") == 1)

    async def test_before_the_first_byte_after_a_large_request(self, server: type) -> None:
        body = json.dumps({**HELLO, "user": "x" * 1_000_000}).encode()
        async with proxied(STOP, hangs(), server=server) as proxy:
            client = await proxy.client()
            await client.send(request("POST", CHAT, body=body))
            await until(lambda: proxy.upstream.connections == 1)
            client.close()
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)
            await until(lambda: proxy.context.counts.get("client_gone") == 1)

    async def test_before_the_body_is_whole(self, server: type) -> None:
        async with proxied(STOP, FINE, server=server) as proxy:
            client = await proxy.client()
            await client.send(request("POST", CHAT, "Content-Length: 100", length=False), b'{"mess')
            client.close()
            await until(lambda: proxy.context.counts.get("client_gone") == 1)
            assert proxy.upstream.connections == 0

    async def test_while_a_plain_answer_comes(self, server: type) -> None:
        async with proxied(STOP, hangs(http(b"", b"Content-Length: 100", length=False) + b"{"), server=server) as proxy:
            client = await proxy.client()
            await client.send(request("POST", CHAT, body=json.dumps(HELLO).encode()))
            await until(lambda: bool(proxy.requests))
            client.close()
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)

    async def test_the_next_one_is_served(self, server: type) -> None:
        async def script(peer: Peer) -> None:
            sent = await peer.request()
            if b"wait" in sent.body:
                await peer.gone()
            else:
                await peer.send(json_answer(chat_answer("hi")))

        async with proxied(STOP, script, server=server) as proxy:
            for _ in range(3):
                client = await proxy.client()
                await client.send(request("POST", CHAT, body=json.dumps({**HELLO, "user": "wait"}).encode()))
                await until(lambda: bool(proxy.requests))
                client.close()
                assert (await proxy.chat("hello")).status == 200


class TestWhatNobodyExpected:
    async def test_is_told_without_words_and_not_tried_again(self) -> None:
        class Broken:
            async def open(self, *_: Any) -> Any:
                raise RuntimeError("say plugh now")

            async def close(self) -> None:
                """Nothing is open."""

        app = make_app(Settings.read(policy="x", upstream="http://u/v1"), STOP, upstream=Broken())
        came: list[MutableMapping[str, Any]] = []
        body = [{"type": "http.request", "body": json.dumps(HELLO).encode()}]

        async def receive() -> dict[str, Any]:
            return body.pop() if body else await asyncio.get_running_loop().create_future()

        async def send(message: MutableMapping[str, Any]) -> None:
            came.append(message)

        scope = {"type": "http", "method": "POST", "path": CHAT, "raw_path": CHAT.encode(), "query_string": b"",
                 "headers": []}  # fmt: skip
        await app(scope, receive, send)
        assert came[0]["status"] == 500
        assert (b"x-should-retry", b"false") in came[0]["headers"]
        assert json.loads(came[1]["body"])["error"]["code"] == "internal_error"
        assert b"plugh" not in came[1]["body"]
