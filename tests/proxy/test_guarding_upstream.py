"""A guarded client and what is not the guard's: other paths, the way to the upstream, leaving early, many at once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import httpx2
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from asking import HELLO, Guarding, saying
from fakes import (
    LAST_CHUNK,
    RawUpstream,
    chat_answer,
    chunk,
    hangs,
    head,
    http,
    json_answer,
    replying,
    sends,
    until,
)
from guarding_setup import ANSWER, PLAN, STOP, STREAM
from lockgate import Verdict
from lockgate_proxy import guarded
from saying import DONE, finish, plan_of, role, text

# --- What is not the guard's -----------------------------------------------------------------------------------------


async def test_other_paths_pass_as_they_are(ask_by: Guarding) -> None:
    async with ask_by(replying(json_answer({"object": "list", "data": []}))) as ask:
        assert (await ask.call(ask.client.models.list)).data == []
        made = await ask.call(ask.client.embeddings.create, model="m", input="plover", encoding_format="float")
        assert made.data == []
        await ask.call(ask.client.files.create, file=("a.txt", b"plugh sk-abcd1234"), purpose="batch")
    listed, embedded, uploaded = ask.upstream.requests
    assert (listed.method, listed.target, listed.header("content-length")) == ("GET", "/v1/models", None)
    assert json.loads(embedded.body)["input"] == "plover"
    assert b"plugh sk-abcd1234" in uploaded.body


async def test_or_are_refused_as_the_policy_says(ask_by: Guarding) -> None:
    async with ask_by(sends(), plan_of(STOP, unguarded="refuse")) as ask:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            await ask.call(ask.client.models.list)
        assert caught.value.code == "unguarded_path"
        assert ask.upstream.connections == 0


async def test_failures_of_the_upstream_are_tried_again(ask_by: Guarding) -> None:
    busy = json_answer({"error": {"message": "busy"}}, b"retry-after-ms: 1", status=b"503 Busy")
    async with ask_by(replying(busy, busy, ANSWER), max_retries=2) as ask:
        assert (await ask.create()).choices[0].message.content == "the key is [KEY]"
        counts = [request.header("x-stainless-retry-count") for request in ask.upstream.requests]
    assert counts == ["0", "1", "2"]


async def test_a_lost_connection_is_tried_again(ask_by: Guarding) -> None:
    async with ask_by(sends(), max_retries=1) as ask:
        with pytest.raises(openai.APIConnectionError) as caught:
            await ask.create()
        assert isinstance(caught.value.__cause__, httpx2.RemoteProtocolError)
        assert ask.upstream.connections == 2


@pytest.mark.parametrize("answer", [(), (head(), chunk(role() + text("so far ")))], ids=["before", "within"])
async def test_the_time_out_is_the_client_s(ask_by: Guarding, answer: tuple[bytes, ...]) -> None:
    async with ask_by(hangs(*answer), timeout=0.3) as ask:
        with pytest.raises(openai.APITimeoutError):
            await ask.iterate(await ask.create(stream=True))


async def test_a_redirect_is_followed_and_guarded(ask_by: Guarding) -> None:
    there = http(b"", b"Location: /v2/chat/completions", status=b"307 Elsewhere")
    async with ask_by(replying(there, ANSWER)) as ask:
        got = await ask.create(messages=saying("sk-12345678"))
    assert got.choices[0].message.content == "the key is [KEY]"
    assert [request.target for request in ask.upstream.requests] == ["/v1/chat/completions", "/v2/chat/completions"]
    assert json.loads(ask.upstream.requests[1].body)["messages"][0]["content"] == "[KEY]"


async def test_one_connection_serves_call_after_call(ask_by: Guarding) -> None:
    async with ask_by(replying(ANSWER)) as ask:
        for _ in range(3):
            await ask.create()
        assert ask.upstream.connections == 1


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
async def test_a_client_s_own_http_client_does_what_it_did(ask_by: Guarding, library: Any) -> None:
    seen: list[str] = []

    def note(request: Any) -> None:
        seen.append(json.loads(request.content)["messages"][0]["content"])

    async def note_later(request: Any) -> None:
        note(request)

    async with ask_by(replying(ANSWER)) as probe:
        sync = probe.sync
    named: dict[str, Any] = {"headers": {"x-team": "blue"}, "params": {"via": "us"}, "cookies": {"a": "b"}}
    if sync:
        own = library.Client(event_hooks={"request": [note]}, **named)
    else:
        own = library.AsyncClient(event_hooks={"request": [note_later]}, **named)
    async with ask_by(replying(ANSWER), http_client=own, default_query={"page": "1"}) as ask:
        assert (await ask.create(messages=saying("sk-12345678"))).choices[0].message.content == "the key is [KEY]"
        request = ask.upstream.requests[0]
        assert (request.header("x-team"), request.header("cookie")) == ("blue", "a=b")
        assert sorted(request.target.partition("?")[2].split("&")) == ["page=1", "via=us"]
        assert seen == ["[KEY]"]
    assert own.is_closed


async def test_a_lost_connection_of_the_older_library(ask_by: Guarding) -> None:
    async with ask_by(sends()) as probe:
        sync = probe.sync
    async with ask_by(sends(), http_client=httpx.Client() if sync else httpx.AsyncClient()) as ask:
        with pytest.raises(openai.APIConnectionError):
            await ask.create()


# --- Leaving early, and many at once ---------------------------------------------------------------------------------


async def test_a_stream_that_is_closed_early_closes_the_upstream_s(ask_by: Guarding) -> None:
    told: list[Verdict] = []
    async with ask_by(hangs(head(), chunk(role() + text("Fine. ") + text("More. "))), told=told.append) as ask:
        stream = await ask.create(stream=True)
        assert len(await ask.iterate(stream, most=2)) == 2
        await ask.call(stream.close)
        async with asyncio.timeout(5):
            await ask.upstream.gone.wait()
    assert [verdict.side for verdict in told] == ["prompt", "completion"]


async def test_a_refused_stream_closes_the_upstream_s(ask_by: Guarding) -> None:
    async with ask_by(hangs(head(), chunk(role() + text("say plugh. ")))) as ask:
        chunks = await ask.iterate(await ask.create(stream=True))
        async with asyncio.timeout(5):
            await ask.upstream.gone.wait()
    assert chunks[-1].choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize("answer", [(), (head(), chunk(role() + text("Fine. ")))], ids=["before", "within"])
async def test_a_cancelled_call_closes_the_upstream_s(answer: tuple[bytes, ...]) -> None:
    async with RawUpstream(hangs(*answer)) as upstream:
        client = guarded(AsyncOpenAI(base_url=upstream.url, api_key="k", max_retries=0), PLAN)
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in await client.chat.completions.create(model="m", messages=HELLO, stream=True):
                begun.set()

        task = asyncio.create_task(read())
        async with asyncio.timeout(5):
            if answer:
                await begun.wait()
            else:
                await until(lambda: bool(upstream.requests))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await upstream.gone.wait()
        await client.close()


async def test_a_stream_that_nobody_reads_to_its_end_holds_nothing_up(ask_by: Guarding) -> None:
    long = [head(), *[chunk(text(f"Piece {i}. ")) for i in range(200)], chunk(finish() + DONE), LAST_CHUNK]
    async with ask_by(replying(long)) as ask:
        first = await ask.create(stream=True)
        second = await ask.create(stream=True)
        assert len(await ask.iterate(second)) == 201
        assert len(await ask.iterate(first)) == 201


async def test_fifty_threads_share_a_client() -> None:
    async with RawUpstream(replying(ANSWER)) as upstream:
        client = guarded(OpenAI(base_url=upstream.url, api_key="k"), PLAN)

        def ask(number: int) -> str | None:
            messages: list[Any] = saying(f"{number} sk-12345678")
            if number % 2:
                raw = client.chat.completions.with_raw_response.create(model="m", messages=messages)
                return raw.parse().choices[0].message.content
            return client.chat.completions.create(model="m", messages=messages).choices[0].message.content

        with ThreadPoolExecutor(50) as pool:
            futures = [asyncio.wrap_future(pool.submit(ask, number)) for number in range(100)]
            assert await asyncio.gather(*futures) == ["the key is [KEY]"] * 100
        client.close()
    said = sorted(int(json.loads(r.body)["messages"][0]["content"].split(" ")[0]) for r in upstream.requests)
    assert said == list(range(100))


_STREAMING = """
import asyncio, sys
from openai import AsyncOpenAI
from lockgate_proxy import guarded

async def main():
    client = guarded(AsyncOpenAI(base_url=sys.argv[1], api_key="k"), "permissive")
    for _ in range(10):
        async for chunk in await client.chat.completions.create(model="m", messages=[], stream=True):
            pass

asyncio.run(main())
"""


async def test_nothing_is_left_open_when_a_program_ends() -> None:
    async with RawUpstream(replying(STREAM)) as upstream:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", _STREAMING, upstream.url],
            timeout=60, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


_FORKING = """
import os, sys
from openai import OpenAI
from lockgate_proxy import guarded

client = guarded(OpenAI(base_url=sys.argv[1], api_key="k"), "default")

def right():
    got = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "SSN 219-09-9998"}])
    return got.choices[0].message.content == "card [CREDIT_CARD]"

assert right()
child = os.fork()
if not child:
    os._exit(0 if right() else 1)
sys.exit(0 if os.waitpid(child, 0)[1] == 0 and right() else 1)
"""


async def test_a_forked_process_guards_as_its_parent_does() -> None:
    answer = json_answer(chat_answer("card 4111 1111 1111 1111"), b"Connection: close")
    async with RawUpstream(replying(answer)) as upstream:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", _FORKING, upstream.url],
            timeout=60, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(request.body)["messages"][0]["content"] for request in upstream.requests] == ["SSN [US_SSN]"] * 3


@pytest.mark.parametrize("thing", [None, httpx2.Client, openai])
def test_what_is_no_client(thing: Any) -> None:
    with pytest.raises(TypeError, match="guarded takes an OpenAI or AsyncOpenAI client"):
        guarded(thing, PLAN)
