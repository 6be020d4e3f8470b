"""Paths that no lens reads: byte for byte, or refused."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from pathlib import Path

import pytest

from fakes import LAST_CHUNK, Peer, chat_answer, chunk, hangs, head, http, json_answer, replying, sends, until
from lockgate.audit import Audit
from proxied import proxied, request
from saying import plan_of, rule, words

ALLOW = plan_of(rule("stop", words("plugh"), "refuse", side=["prompt", "completion"]))
REFUSE = plan_of(unguarded="refuse")
BINARY = bytes(range(256)) * 300


class TestByteForByte:
    async def test_a_multipart_upload(self) -> None:
        body = (
            b"--xx\r\nContent-Disposition: form-data; name=purpose\r\n\r\nplugh\r\n--xx\r\n"
            b'Content-Disposition: form-data; name=file; filename="a.bin"\r\n\r\n' + BINARY + b"\r\n--xx--\r\n"
        )
        async with proxied(ALLOW, replying(json_answer({"id": "file-1"}))) as proxy:
            reply = await proxy.ask("POST", "/v1/files", "Content-Type: multipart/form-data; boundary=xx", body=body)
            sent = proxy.requests[0]
        assert (reply.status, reply.json) == (200, {"id": "file-1"})
        assert sent.body == body
        assert sent.header("content-type") == "multipart/form-data; boundary=xx"
        assert sent.header("content-length") == str(len(body))

    async def test_a_chunked_upload_passes_as_it_comes(self) -> None:
        async def script(peer: Peer) -> None:
            sent = await peer.request()
            await peer.send(http(sent.body))

        async with proxied(ALLOW, script) as proxy:
            client = await proxy.client()
            await client.send(request("POST", "/v1/audio/speech", "Transfer-Encoding: chunked", length=False))
            for i in range(0, len(BINARY), 9_999):
                await client.send(chunk(BINARY[i : i + 9_999]))
            await client.send(LAST_CHUNK)
            assert (await client.reply()).body == BINARY
            assert proxy.requests[0].header("transfer-encoding") == "chunked"

    async def test_a_binary_download(self) -> None:
        answer = http(BINARY, b"Content-Type: audio/mpeg", b"Content-Disposition: attachment", b'ETag: "e"')
        async with proxied(ALLOW, replying(answer)) as proxy:
            reply = await proxy.ask("GET", "/v1/files/file-1/content")
        assert reply.body == BINARY
        assert reply.header("content-length") == str(len(BINARY))
        assert reply.header("etag") == '"e"'

    async def test_a_compressed_download_stays_compressed(self) -> None:
        packed = gzip.compress(BINARY)
        async with proxied(ALLOW, replying(http(packed, b"Content-Encoding: gzip"))) as proxy:
            reply = await proxy.ask("GET", "/v1/models", "Accept-Encoding: gzip, br")
            assert proxy.requests[0].header("accept-encoding") == "gzip, br"
        assert reply.body == packed
        assert reply.header("content-encoding") == "gzip"

    async def test_a_stream_of_another_api(self) -> None:
        said = [b"event: response.created\r\n", b"data: {}\r\n\r\n", b": x\n", b"data: plugh"]
        async with proxied(ALLOW, replying([head(), *map(chunk, said), LAST_CHUNK])) as proxy:
            reply = await proxy.post(b'{"input": "plugh"}', target="/v1/images/generations")
        assert reply.body == b"".join(said)

    async def test_each_piece_of_a_stream_comes_at_once(self) -> None:
        async with proxied(ALLOW, hangs(head() + chunk(b"data: 1\n\n"))) as proxy:
            client = await proxy.client()
            await client.send(request("POST", "/v1/responses", body=b"{}"))
            await client.head()
            async with asyncio.timeout(5):
                assert await client.chunk() == b"data: 1\n\n"

    @pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "OPTIONS"])
    async def test_methods(self, method: str) -> None:
        async with proxied(ALLOW, replying(json_answer({"ok": True}))) as proxy:
            reply = await proxy.ask(method, "/v1/chat/completions/abc?x=1&y=%2F")
            sent = proxy.requests[0]
        assert (sent.method, sent.target, sent.body) == (method, "/v1/chat/completions/abc?x=1&y=%2F", b"")
        assert reply.json == {"ok": True}

    async def test_a_delete_with_a_body(self) -> None:
        async with proxied(ALLOW, replying(json_answer({}))) as proxy:
            await proxy.ask("DELETE", "/v1/x", body=b"{}")
            assert proxy.requests[0].body == b"{}"

    async def test_head(self) -> None:
        async with proxied(ALLOW, replying(http(b"", b"Content-Length: 512", b'ETag: "e"', length=False))) as proxy:
            client = await proxy.client()
            for _ in range(2):
                await client.send(request("HEAD", "/v1/files/file-1/content"))
                reply = await client.reply("HEAD")
                assert (reply.status, reply.header("content-length"), reply.body) == (200, "512", b"")

    @pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified", b"302 Found", b"404 Not Found"])
    async def test_statuses(self, status: bytes) -> None:
        length = status[:1] == b"4" or status[:3] == b"302"
        async with proxied(ALLOW, replying(http(b"", b"Location: /v1/y", status=status, length=length))) as proxy:
            client = await proxy.client()
            for _ in range(2):
                await client.send(request("GET", "/v1/x"))
                reply = await client.reply()
                assert (reply.status, reply.header("location"), reply.body) == (int(status[:3]), "/v1/y", b"")

    @pytest.mark.parametrize(
        "target",
        ["/v1/models/org%2Fname", "/v1/models/ft:gpt-4:org::id", "/v1/models/a%20b", "/v1/models/%E2%82%AC", "/v1"],
    )
    async def test_paths_as_they_were_written(self, target: str) -> None:
        async with proxied(ALLOW, replying(json_answer({}))) as proxy:
            await proxy.ask("GET", target)
            assert proxy.requests[0].target == target

    async def test_hop_by_hop_headers_stay_behind(self) -> None:
        answer = json_answer({}, b"Connection: X-B", b"X-B: 1", b"Keep-Alive: 5", b"X-C: 1")
        async with proxied(ALLOW, replying(answer)) as proxy:
            reply = await proxy.ask(
                "GET", "/v1/x", "Connection: X-A", "X-A: 1", "TE: trailers", "Authorization: Bearer k"
            )
            names = {name for name, _ in proxy.requests[0].headers}
        assert "authorization" in names
        assert not {"x-a", "te"} & names
        assert reply.header("x-c") == "1"
        assert reply.header("x-b") is None


class TestWhatIsOurs:
    async def test_each_has_an_id_and_is_counted(self) -> None:
        async with proxied(ALLOW, replying(json_answer({}))) as proxy:
            first, second = [await proxy.ask("GET", "/v1/models") for _ in range(2)]
            assert proxy.context.counts["unguarded"] == 2
        assert first.header("x-lockgate-action") == "none"
        assert first.header("x-lockgate-id") != second.header("x-lockgate-id")

    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    async def test_refused_where_the_policy_says_so(self, method: str) -> None:
        async with proxied(REFUSE, replying(json_answer({}))) as proxy:
            reply = await proxy.ask(method, "/v1/files", body=b"{}" if method == "POST" else b"")
            assert proxy.upstream.connections == 0
            assert proxy.context.counts["unguarded_refused"] == 1
        assert (reply.status, reply.error["code"]) == (403, "unguarded_path")

    @pytest.mark.parametrize("path", ["/v1/batches", "/v1/b%61tches/b_1", "/v1/x/Batches/", "/v1/files/batches"])
    async def test_a_surface_is_refused_that_the_policy_names(self, path: str) -> None:
        plan = plan_of(unguarded={"default": "allow", "batches": "refuse"})
        async with proxied(plan, replying(json_answer({}))) as proxy:
            assert (await proxy.ask("POST", path, body=b"{}")).error["code"] == "unguarded_path"
            assert proxy.upstream.connections == 0
            assert (await proxy.ask("POST", "/v1/files", body=b"{}")).status == 200

    async def test_the_surface_is_told_and_remembered(self, tmp_path: Path) -> None:
        audit = Audit(tmp_path / "lines", None)
        async with proxied(ALLOW, replying(json_answer({})), audit=audit) as proxy:
            reply = await proxy.ask("GET", "/v1/vector_stores/vs_1/files")
            assert (reply.header("x-lockgate-surface"), reply.header("x-lockgate-coverage")) == (
                "vector_stores",
                "unguarded",
            )
            await proxy.ask("GET", "/v1/whatever")
            await proxy.chat("hello")
        lines = [json.loads(line) for line in (tmp_path / "lines").read_bytes().splitlines()]
        assert [line.get("surface") for line in lines] == ["vector_stores", "other", None]

    async def test_chat_is_not_refused_then(self) -> None:
        async with proxied(REFUSE, replying(json_answer(chat_answer("hi")))) as proxy:
            assert (await proxy.chat("hello")).status == 200
            assert (await proxy.ask("GET", "/v1/models")).status == 403

    async def test_a_body_beyond_the_limit(self) -> None:
        async with proxied(ALLOW, replying(json_answer({})), max_body=1000) as proxy:
            reply = await proxy.ask("POST", "/v1/files", body=b"x" * 1001)
            assert (reply.status, reply.error["code"]) == (413, "request_too_large")
            assert proxy.requests == []
            assert (await proxy.ask("POST", "/v1/files", body=b"x" * 1000)).status == 200

    async def test_a_chunked_body_beyond_the_limit(self) -> None:
        async with proxied(ALLOW, replying(json_answer({})), max_body=1000) as proxy:
            ask = request("POST", "/v1/files", "Transfer-Encoding: chunked", length=False)
            reply = await proxy.raw(ask, *[chunk(b"x" * 300)] * 5, LAST_CHUNK)
            assert proxy.requests == []
        assert (reply.status, reply.error["code"]) == (413, "request_too_large")


class TestWhatGoesWrong:
    @pytest.mark.parametrize(
        "target", ["/v1/x/../y", "/v1/%2e%2e/y", "/v1/./x", "/v1/a\\b", "/v2/x", "/", "/v1x", "/v1/a%00"]
    )
    async def test_paths_that_lead_elsewhere(self, target: str) -> None:
        async with proxied(ALLOW, replying(json_answer({}))) as proxy:
            reply = await proxy.ask("GET", target)
            assert proxy.upstream.connections == 0
        assert reply.status in {400, 404}
        assert reply.error["code"] in {"invalid_path", "not_found"}

    async def test_an_upstream_that_closes(self) -> None:
        async with proxied(ALLOW, sends()) as proxy:
            reply = await proxy.ask("GET", "/v1/models")
        assert (reply.status, reply.error["code"]) == (502, "upstream_broken")

    async def test_an_upstream_that_is_silent(self) -> None:
        async with proxied(ALLOW, hangs(), upstream_timeout=0.05) as proxy:
            reply = await proxy.ask("GET", "/v1/models")
        assert (reply.status, reply.error["code"]) == (504, "upstream_timeout")

    @pytest.mark.parametrize("length", [True, False])
    async def test_a_cut_answer_is_cut_for_the_client(self, length: bool) -> None:
        begin = http(b"", b"Content-Length: 10", length=False) + b"12345" if length else head() + chunk(b"12345")
        async with proxied(ALLOW, sends(begin)) as proxy:
            reply = await proxy.ask("GET", "/v1/x")
        assert reply.broken
        assert reply.body == b"12345"

    async def test_a_client_that_leaves_before_the_first_byte(self) -> None:
        async with proxied(ALLOW, hangs()) as proxy:
            client = await proxy.client()
            await client.send(request("GET", "/v1/models"))
            await until(lambda: bool(proxy.requests))
            client.close()
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)

    async def test_a_client_that_leaves_in_mid_download(self) -> None:
        async with proxied(ALLOW, hangs(head() + chunk(b"12345"))) as proxy:
            client = await proxy.client()
            await client.send(request("GET", "/v1/x"))
            await client.head()
            await client.chunk()
            client.close()
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)

    async def test_a_client_that_leaves_in_mid_upload(self) -> None:
        begun = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request_head()
            begun.set()
            await peer.gone()

        async with proxied(ALLOW, script) as proxy:
            client = await proxy.client()
            await client.send(request("POST", "/v1/files", "Content-Length: 1000", length=False), os.urandom(500))
            await begun.wait()
            client.close()
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)
