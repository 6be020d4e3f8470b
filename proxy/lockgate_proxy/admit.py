"""Reads a request: its body within the limit, decoded, and its headers for the upstream; or a 4xx."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from lockgate.errors import WireError
from lockgate_proxy.bodies import decode_request
from lockgate_proxy.headers import Headers, value_of

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Scope = MutableMapping[str, Any]

SERVER = "lockgate.server"
"""The name of the extension with which our server says that a client has left, and takes a whole answer at once
(`connection.Connection`). Another server does not have it, and is asked in ASGI's own ways."""


class Server(Protocol):
    """What that extension is."""

    gone: Callable[[], None] | None

    async def respond(self, status: int, headers: Headers, body: bytes) -> None: ...

    def ready(self) -> bool:
        """Whether a part of a streamed body can be written now."""

    def write(self, part: bytes) -> None:
        """Write one that is not empty, where the server is `ready`."""


def server_of(scope: Scope) -> Server | None:
    """The extension, where the server has it."""
    extensions = scope.get("extensions")
    server: Server | None = extensions.get(SERVER) if extensions else None
    return server


_DRAIN = 4 << 20  # bytes of a body that is too large which are read so that the client sees the answer
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([^\"';,\s]*)", re.IGNORECASE)
_UTF_8 = frozenset({b"utf-8", b"utf8", b"us-ascii"})


class ClientGone(Exception):  # noqa: N818 - it says what happened; nothing is wrong here
    """The client closed its connection: whatever is under way for it is cancelled."""


@dataclass(slots=True)
class Body:
    """`raw` as it came; `plain` after its content-encoding, which are the same object without one."""

    raw: bytes
    plain: bytes


async def read_body(receive: Receive, headers: Headers, limit: int) -> Body:
    """The whole body, UTF-8 by its headers. Raises WireError (413 over `limit`, 415 for another encoding, 400) and
    ClientGone."""
    length = value_of(headers, b"content-length")
    if length.isdigit() and int(length) > limit:
        await _drain(receive)
        raise WireError(f"the body is larger than {limit} bytes", status=413, code="request_too_large")
    raw = await _read(receive, limit)
    for charset in _CHARSET.findall(value_of(headers, b"content-type")):
        if charset.lower() not in _UTF_8:
            # An upstream that believes the header would read another text than the one that is looked at here.
            raise WireError("the body's charset is not read here: use UTF-8", status=415, code="unsupported_encoding")
    encoding = value_of(headers, b"content-encoding")
    if not encoding:
        return Body(raw, raw)
    return Body(raw, decode_request(raw, encoding, limit))


async def _read(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            if message.get("more_body", False):
                await _drain(receive)
            raise WireError(f"the body is larger than {limit} bytes", status=413, code="request_too_large")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _drain(receive: Receive) -> None:
    """Read on for a while: a client that is still sending would otherwise see a reset, not the answer."""
    size = 0
    while size < _DRAIN:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            return
