"""The servers that the documents' examples speak to."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from fakes import AsgiApp, AsgiUpstream, chat_answer, chat_events
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate_proxy.app import make_app
from lockgate_proxy.settings import Settings
from responding import events, message, output_text, response, wire
from serving import served

BASE = "http://127.0.0.1:8080"
"""Where the documents say that the proxy listens."""

MODEL = "http://127.0.0.1:8000"
"""Where the documents say that a model listens, which no proxy is in front of."""


async def model(scope: Any, receive: Any, send: Any) -> None:
    """An upstream that repeats what it was asked."""
    request = await Request(scope, receive).json()
    if scope["path"].endswith("/responses"):
        await _responses(request, scope, receive, send)
        return
    said = f"You wrote: {request['messages'][-1]['content']}"
    answer: Response
    if request.get("stream"):
        answer = StreamingResponse(iter(chat_events(*re.findall(r"\S+\s*", said))), media_type="text/event-stream")
    else:
        answer = JSONResponse(chat_answer(said))
    await answer(scope, receive, send)


async def _responses(request: Any, scope: Any, receive: Any, send: Any) -> None:
    said = request["input"]
    whole = response(message(output_text(f"You wrote: {said if isinstance(said, str) else said[-1]['content']}")))
    answer: Response = JSONResponse(whole)
    if request.get("stream"):
        answer = StreamingResponse(map(wire, events(whole)), media_type="text/event-stream")
    await answer(scope, receive, send)


def proxy() -> AsgiApp:
    """The proxy with default.yaml, in front of that."""
    plan = compile_policy(load_policy("default"))
    return make_app(Settings.read(policy="default", upstream=f"{BASE}/v1"), plan, upstream=AsgiUpstream(model))


@contextmanager
def running(app: AsgiApp) -> Iterator[str]:
    """The application on a port of its own, in a thread; gives its address."""
    started: list[str] = []
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        async with served(app) as address:
            started.append(address)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()
