from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from lockgate_proxy.demo.answers import Said, Script
from lockgate_proxy.demo.upstream import KEY, SCENE, Upstream

SCRIPTS = (
    Script("first", (Said("One."),)),
    Script("second", (Said("Two.", " And more."),)),
    Script("third", (Said("Three."),), cut=True),
)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream(SCRIPTS, patience=0.01)


@pytest.fixture
async def client(upstream: Upstream) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(upstream.app)
    headers = {"authorization": f"Bearer {KEY}", SCENE: "s"}
    async with httpx.AsyncClient(transport=transport, base_url="http://up", headers=headers) as made:
        yield made


def ask(*texts: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text} for text in texts], **more}


async def test_it_answers_the_last_question_and_writes_both_down(client: httpx.AsyncClient, upstream: Upstream) -> None:
    answer = await client.post("/v1/chat/completions", json=ask("the second", "My FIRST one"))
    assert answer.json()["choices"][0]["message"]["content"] == "One."
    assert upstream.records["s"].received == answer.request.content
    assert b"".join(upstream.records["s"].said) == answer.content
    assert not upstream.records["s"].let_go


async def test_it_reads_questions_in_parts(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/chat/completions", json=ask([{"type": "text", "text": "the first"}]))
    assert answer.json()["choices"][0]["message"]["content"] == "One."


async def test_it_knows_who_may_ask_and_what(client: httpx.AsyncClient, upstream: Upstream) -> None:
    answer = await client.post("/v1/chat/completions", json=ask("first"), headers={"authorization": "Bearer other"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    answer = await client.post("/v1/chat/completions", json=ask("something else"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "no_script")
    assert json.loads(b"".join(upstream.records["s"].said)) == answer.json()


async def test_it_has_models(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/models")
    assert [model["id"] for model in answer.json()["data"]] == ["lock-keeper-1", "lock-keeper-1:mini"]


async def stream(upstream: Upstream, question: str, *, leaves: bool) -> list[dict[str, Any]]:
    """What the application sends for a streamed question. `leaves`: the client is gone when anybody looks."""
    body = json.dumps(ask(question, stream=True)).encode()
    coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    coming.put_nowait({"type": "http.request", "body": body})
    if leaves:
        coming.put_nowait({"type": "http.disconnect"})
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {KEY}".encode()), (SCENE.encode(), b"s")],
    }
    await upstream.app(scope, coming.get, send)
    return sent


async def test_a_client_that_leaves_in_a_pause_does_not_hear_the_rest(upstream: Upstream) -> None:
    await stream(upstream, "second", leaves=True)
    assert upstream.records["s"].let_go
    said = b"".join(upstream.records["s"].said)
    assert b"Two." in said
    assert b"more" not in said


async def test_a_client_that_stays_hears_it(upstream: Upstream) -> None:
    sent = await stream(upstream, "second", leaves=False)
    assert not upstream.records["s"].let_go
    assert b"[DONE]" in sent[-2]["body"]
    assert sent[-1] == {"type": "http.response.body", "body": b""}


async def test_a_stream_that_breaks_off_is_not_ended(upstream: Upstream) -> None:
    sent = await stream(upstream, "third", leaves=False)
    assert all(message["more_body"] for message in sent[1:])
