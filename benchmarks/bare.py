"""The proxy that the others are measured against: Starlette in front, an aiohttp session behind, nothing between.

    python benchmarks/bare.py --port 8081 --upstream http://127.0.0.1:9000/v1

It reads a request's body, sends it on and passes the answer back: plain answers whole, event streams as they come. It
looks at nothing, and its error handling is the libraries' own, so it is a lower bound for what a proxy of this build
costs.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

_REQUEST_HEADERS = ("authorization", "content-type", "accept")
_ANSWER_HEADERS = ("content-type", "cache-control", "x-request-id")


def make_app(upstream: str) -> Starlette:
    """The ASGI application; `upstream` is an OpenAI base URL."""
    sessions: list[aiohttp.ClientSession] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            sessions.append(session)
            yield

    async def passed(request: Request) -> Response:
        headers = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
        answer = await sessions[0].post(
            upstream + request.url.path.removeprefix("/v1"),
            data=await request.body(),
            headers=headers,
            allow_redirects=False,
        )
        kept = {name: answer.headers[name] for name in _ANSWER_HEADERS if name in answer.headers}
        if answer.content_type == "text/event-stream":
            return StreamingResponse(_chunks(answer), answer.status, kept)
        return Response(await answer.read(), answer.status, kept)

    async def readyz(_: Request) -> Response:
        return PlainTextResponse("ready")

    return Starlette(
        routes=[
            Route("/v1/chat/completions", passed, methods=["POST"]),
            Route("/v1/responses", passed, methods=["POST"]),
            Route("/readyz", readyz),
        ],
        lifespan=lifespan,
    )


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async with answer:
        async for piece in answer.content.iter_any():
            yield piece


def main() -> None:
    parser = argparse.ArgumentParser(description="a pass-through proxy to compare with")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    given = parser.parse_args()
    uvicorn.run(
        make_app(given.upstream),
        port=given.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        backlog=2048,
    )


if __name__ == "__main__":
    main()
