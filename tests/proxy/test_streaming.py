"""A streamed answer over real sockets: comments, cuts, clients that leave or read slowly, encodings, headers."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from fakes import LAST_CHUNK, Peer, Script, chunk, hangs, head, replying, sends, until
from playbook import failed, refused
from proxied import CHAT, Client, events_of, proxied, request
from saying import DONE, data, finish, patterns, plan_of, role, rule, text, words

RECORD = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), "record"))
REDACT = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}))
STOP = plan_of(rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}))
HOLD = plan_of(rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="hold"))
ASK = request(
    "POST", CHAT, body=json.dumps({"stream": True, "messages": [{"role": "user", "content": "hello"}]}).encode()
)


def streamed(*pieces: bytes) -> bytes:
    return head() + b"".join(chunk(piece) for piece in pieces)


class TestKeepAlive:
    async def test_comments_while_text_is_held(self) -> None:
        go_on = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(streamed(text("the key is sk-ab")))
            await go_on.wait()
            await peer.send(chunk(text("cd1234.") + DONE), LAST_CHUNK)

        async with proxied(REDACT, script, keepalive_comment=0.02) as proxy:
            client = await proxy.client()
            await client.send(ASK)
            await client.head()
            first = [await client.chunk() for _ in range(3)]
            go_on.set()
            rest = b""
            while piece := await client.chunk():
                rest += piece
        assert first == [b": keep-alive\n\n"] * 3
        assert rest.replace(b": keep-alive\n\n", b"") == text("the key is [KEY]") + text(".") + DONE

    async def test_none_while_nothing_is_held(self) -> None:
        go_on = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(streamed(text("hello. ")))
            await go_on.wait()
            await peer.send(chunk(DONE), LAST_CHUNK)

        async with proxied(REDACT, script, keepalive_comment=0.01) as proxy:
            client = await proxy.client()
            await client.send(ASK)
            await client.head()
            assert await client.chunk() == text("hello. ")
            waiting = asyncio.ensure_future(client.chunk())
            await asyncio.sleep(0.05)
            assert not waiting.done()
            go_on.set()
            assert await waiting == DONE


class TestACutUpstream:
    @pytest.mark.parametrize(
        "script",
        [
            sends(streamed(text("so far "))),
            sends(streamed(text("so far "), text("cut")[:20])),
            sends(streamed(text("so far ")), reset=True),
            sends(streamed(text("so far ")), b"zz\r\n"),
            sends(head() + b"ff\r\n" + text("so far ")),
        ],
        ids=["between events", "within an event", "reset", "no chunk", "short chunk"],
    )
    async def test_is_told_and_nothing_is_made_up(self, script: Script) -> None:
        async with proxied(RECORD, script) as proxy:
            reply = await proxy.raw(ASK)
        assert not reply.broken
        before, error = reply.body[: len(text("so far "))], reply.body[len(text("so far ")) :]
        assert before == text("so far ")
        assert not failed("upstream_broken").miss(error)
        assert b"[DONE]" not in reply.body
        assert b'"finish_reason": "' not in reply.body

    async def test_a_silent_one(self) -> None:
        async with proxied(RECORD, hangs(streamed(text("so far "))), stream_idle_timeout=0.05) as proxy:
            reply = await proxy.raw(ASK)
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)
        assert not failed("upstream_timeout").miss(reply.body[len(text("so far ")) :])

    async def test_one_whose_event_has_no_end(self) -> None:
        huge = b"data: " + b"x" * (9 << 20)

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(streamed(text("so far ")))
            await peer.send(chunk(huge))
            await peer.gone()

        async with proxied(RECORD, script) as proxy:
            reply = await proxy.raw(ASK)
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)
        assert not failed("upstream_broken").miss(reply.body[len(text("so far ")) :])
        assert len(reply.body) < 1000

    async def test_one_that_ends_without_done_is_passed_as_it_is(self) -> None:
        async with proxied(RECORD, replying(streamed(text("so far "), finish()) + LAST_CHUNK)) as proxy:
            reply = await proxy.raw(ASK)
        assert reply.body == text("so far ") + finish()


class TestARefusal:
    async def test_ends_the_stream_and_lets_the_upstream_go(self) -> None:
        async with proxied(STOP, hangs(streamed(role(), text("say "), text("plugh.")))) as proxy:
            reply = await proxy.raw(ASK)
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)
        rest = reply.body.removeprefix(role() + text("say "))
        assert not refused(0, "Not that word.").miss(rest.removesuffix(DONE))
        assert not reply.broken
        assert b"plugh" not in reply.body

    async def test_a_failing_guard_ends_it_without_done(self) -> None:
        plan = plan_of(
            rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="hold"),
            stream={"max_hold": 64, "hold_limit": 64},
        )
        async with proxied(plan, hangs(streamed(text("a" * 100)))) as proxy:
            reply = await proxy.raw(ASK)
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)
            assert proxy.context.counts["guardrail_unavailable"] == 1
        assert reply.status == 200
        assert not failed().miss(reply.body)
        assert b"aaa" not in reply.body


class TestAClientThatLeaves:
    async def test_in_mid_stream(self) -> None:
        async with proxied(RECORD, hangs(streamed(text("hello ")))) as proxy:
            client = await proxy.client()
            await client.send(ASK)
            await client.head()
            await client.chunk()
            client.close()
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)
            await until(lambda: proxy.context.counts.get("client_gone") == 1)

    async def test_while_text_is_held(self) -> None:
        async with proxied(HOLD, hangs(streamed(text("hello "))), keepalive_comment=0.01) as proxy:
            client = await proxy.client()
            await client.send(ASK)
            await client.head()
            await client.chunk()
            client.close()
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)

    async def test_after_done(self) -> None:
        async with proxied(RECORD, hangs(streamed(text("hello "), DONE))) as proxy:
            client = await proxy.client()
            await client.send(ASK)
            await client.head()
            assert await client.chunk() == text("hello ") + DONE
            client.close()
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)

    async def test_that_reads_slowly_slows_the_upstream(self) -> None:
        sent = 0
        big = chunk(text("x" * 65_000))

        async def script(peer: Peer) -> None:
            nonlocal sent
            await peer.request()
            await peer.send(head())
            for _ in range(2000):
                await peer.send(big)
                sent += 1
            await peer.send(LAST_CHUNK)

        async with proxied(RECORD, script) as proxy:
            client = await proxy.client()
            await client.send(ASK)
            await client.head()
            await until(lambda: sent > 3)
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.05)
            assert sent < 1000
            client.close()


class TestForm:
    async def test_a_compressed_stream_is_read_and_sent_plain(self) -> None:
        packed = gzip.compress(text("the key is sk-abcd1234.") + finish() + DONE)
        answer = [head(b"Content-Type: text/event-stream", b"Content-Encoding: gzip")]
        answer += [chunk(packed[i : i + 40]) for i in range(0, len(packed), 40)]
        async with proxied(REDACT, replying([*answer, LAST_CHUNK])) as proxy:
            reply = await proxy.raw(ASK)
        assert reply.header("content-encoding") is None
        assert reply.body == text("the key is [KEY].") + finish() + DONE

    async def test_a_compressed_stream_that_is_cut(self) -> None:
        packed = gzip.compress(text("hello ") + DONE)[:-4]
        answer = head(b"Content-Type: text/event-stream", b"Content-Encoding: gzip") + chunk(packed) + LAST_CHUNK
        async with proxied(RECORD, replying(answer)) as proxy:
            reply = await proxy.raw(ASK)
        assert not failed("upstream_broken").miss(reply.body.removeprefix(text("hello ") + DONE))

    @pytest.mark.parametrize("kind", [b"text/event-stream; charset=utf-8", b"Text/Event-Stream"])
    async def test_other_spellings_of_its_type(self, kind: bytes) -> None:
        answer = head(b"Content-Type: " + kind) + chunk(text("sk-abcd1234 ") + DONE) + LAST_CHUNK
        async with proxied(REDACT, replying(answer)) as proxy:
            reply = await proxy.raw(ASK)
        assert reply.body == text("[KEY] ") + DONE
        assert reply.header("content-type") == kind.decode()

    @pytest.mark.parametrize("line", [b"204 No Content", b"304 Not Modified"])
    async def test_a_stream_without_a_body(self, line: bytes) -> None:
        answer = b"HTTP/1.1 " + line + b"\r\nContent-Type: text/event-stream\r\n\r\n"
        async with proxied(REDACT, replying(answer)) as proxy:
            reply = await proxy.raw(ASK)
            assert "internal_error" not in proxy.context.counts
        assert (reply.status, reply.body) == (int(line[:3]), b"")

    async def test_what_stands_behind_done_is_a_text_like_any_other(self) -> None:
        answer = head() + chunk(text("on ") + b"data: [DONE] sk-abcd1234\n\n") + LAST_CHUNK
        async with proxied(REDACT, replying(answer)) as proxy:
            reply = await proxy.raw(ASK)
        assert b"sk-abcd1234" not in reply.body

    @pytest.mark.parametrize("headers", [(b"Content-Type: text/plain",), (b"X-A: b",)])
    async def test_a_stream_that_is_not_called_one(self, headers: tuple[bytes, ...]) -> None:
        answer = [head(*headers), chunk(text("the sk-ab")), chunk(text("cd1234 ") + DONE), LAST_CHUNK]
        async with proxied(REDACT, replying(answer)) as proxy:
            reply = await proxy.raw(ASK)
        assert reply.body == text("the [KEY]") + text(" ") + DONE

    async def test_events_cut_anywhere_even_in_a_letter(self) -> None:
        said = text("é😀 sk-abcd1234 é😀") + data({"choices": []}) + DONE
        answer = [head(), *(chunk(said[i : i + 1]) for i in range(len(said))), LAST_CHUNK]
        async with proxied(REDACT, replying(b"".join(answer))) as proxy:
            reply = await proxy.raw(ASK)
        assert reply.body == text("é😀 [KEY] é😀") + data({"choices": []}) + DONE

    async def test_a_stream_nobody_asked_for(self) -> None:
        async with proxied(REDACT, replying(streamed(text("sk-abcd1234 "), DONE) + LAST_CHUNK)) as proxy:
            reply = await proxy.chat("hello")
        assert events_of(reply.body)[-1] == "[DONE]"
        assert b"sk-abcd" not in reply.body

    async def test_many_at_once(self) -> None:
        said = [text(f"part {i} ") for i in range(5)]
        async with proxied(REDACT, replying([streamed(), *map(chunk, said), chunk(DONE), LAST_CHUNK])) as proxy:
            clients = [await proxy.client() for _ in range(40)]

            async def one(client: Client) -> bytes:
                await client.send(ASK)
                return (await client.reply()).body

            bodies = await asyncio.gather(*map(one, clients))
        assert set(bodies) == {b"".join(said) + DONE}
