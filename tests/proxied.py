"""The whole proxy on a socket, between an upstream with a script and a client that shows raw bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from starlette.applications import Starlette

from fakes import RawUpstream, Request, Script
from lockgate.audit import Audit
from lockgate.policy.plan import Plan
from lockgate_proxy.app import make_app
from lockgate_proxy.connection import Connection
from lockgate_proxy.settings import Settings
from lockgate_proxy.visit import Context
from serving import served

CHAT = "/v1/chat/completions"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@dataclass
class Reply:
    """An answer as the client got it. `broken`: it stopped before its end."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    broken: bool = False

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["error"]
        return found


class Client:
    """One connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, base: str) -> Self:
        host, port = base.removeprefix("http://").split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self._writer.write(part)
            await self._writer.drain()

    async def head(self) -> Reply:
        """The answer's head; its body is still to be read."""
        raw = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines if line]
        return Reply(int(first.split(" ")[1]), [(name.lower(), value) for name, value in pairs])

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at its end."""
        size = int(await self._reader.readuntil(b"\r\n"), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def reply(self, method: str = "POST") -> Reply:
        async with asyncio.timeout(10):
            reply = await self.head()
            length = reply.header("content-length")
            try:
                if method == "HEAD" or reply.status in {204, 304}:
                    pass
                elif reply.header("transfer-encoding") == "chunked":
                    while piece := await self.chunk():
                        reply.body += piece
                elif length is not None:
                    reply.body = await self._reader.readexactly(int(length))
                else:
                    reply.body = await self._reader.read()
            except asyncio.IncompleteReadError as error:
                reply.body += error.partial
                reply.broken = True
        return reply

    def close(self) -> None:
        self._writer.close()


def request(method: str, target: str, *headers: str, body: bytes = b"", length: bool = True) -> bytes:
    """A request as it stands on the wire."""
    lines = [f"{method} {target} HTTP/1.1", "Host: proxy.example", *headers]
    if length and (body or method == "POST"):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


@dataclass
class Proxy:
    """A running proxy: `base` is its URL without a path."""

    base: str
    upstream: RawUpstream
    app: Starlette
    audit: Audit | None = None
    _clients: list[Client] = field(default_factory=list)

    @property
    def context(self) -> Context:
        found: Context = self.app.state.context
        return found

    @property
    def requests(self) -> list[Request]:
        """What the upstream was asked."""
        return self.upstream.requests

    async def client(self) -> Client:
        client = await Client.to(self.base)
        self._clients.append(client)
        return client

    async def raw(self, *parts: bytes, method: str = "POST") -> Reply:
        client = await self.client()
        await client.send(*parts)
        return await client.reply(method)

    async def ask(self, method: str, target: str, *headers: str, body: bytes = b"") -> Reply:
        return await self.raw(request(method, target, *headers, body=body), method=method)

    async def post(self, body: bytes, *headers: str, target: str = CHAT) -> Reply:
        return await self.ask("POST", target, "Content-Type: application/json", *headers, body=body)

    async def chat(self, *messages: Any, **more: Any) -> Reply:
        """A chat request; a message that is a text is the user's."""
        said = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
        return await self.post(json.dumps({"model": "m", "messages": said or HELLO["messages"], **more}).encode())

    def close(self) -> None:
        for client in self._clients:
            client.close()


@asynccontextmanager
async def proxied(
    plan: Plan, script: Script, *, audit: Audit | None = None, server: type = Connection, **settings: Any
) -> AsyncIterator[Proxy]:
    """The proxy with `plan` in front of an upstream that does as `script` says. `server` is what uvicorn serves by."""
    async with RawUpstream(script) as upstream:
        given: dict[str, Any] = {"policy": "test", "upstream": upstream.url, **settings}
        app = make_app(Settings.read(**given), plan, audit=audit)
        async with served(app, http=server) as base:
            proxy = Proxy(base, upstream, app, audit)
            try:
                yield proxy
            finally:
                proxy.close()


def events_of(body: bytes) -> Sequence[Any]:
    """The values of a stream's events, `[DONE]` as text; comments are left out."""
    found: list[Any] = []
    for event in body.split(b"\n\n"):
        lines = [line[6:] for line in event.split(b"\n") if line.startswith(b"data: ")]
        if lines:
            found.append("[DONE]" if lines == [b"[DONE]"] else json.loads(b"\n".join(lines)))
    return found
