"""The way to the upstream, as everything else sees it: one small interface, and its errors.

`client.AiohttpUpstream` is the implementation. Nothing is added, decoded, followed or repeated: headers go out and
come back as they are, an answer's body is the bytes on the wire, a redirect is an answer. An answer that stops before
its end is an error, never a short answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Literal, Protocol

from lockgate.errors import LockgateError
from lockgate_proxy.headers import Headers

Kind = Literal["unreachable", "timeout", "idle", "broken", "protocol", "too_large"]


class UpstreamError(LockgateError):
    """The upstream did not answer as it should.

    `kind`: ``unreachable`` (no connection), ``timeout`` (no answer in time), ``idle`` (silent within its answer),
    ``broken`` (cut), ``protocol`` (not HTTP as we read it), ``too_large``. `started` is True once an answer's headers
    had come. The message holds no URL, header or text of the exchange.
    """

    def __init__(self, kind: Kind, message: str, *, started: bool = False) -> None:
        self.kind: Kind = kind
        self.started = started
        super().__init__(message)


Take = Callable[[bytes], bytes | None]
"""Is given a piece, and gives what is left to be done with it: None for nothing, the piece itself where it was not taken.
Empty bytes: it was taken, and the task that waits has to go on with it."""


class Answer(Protocol):
    """An answer whose headers have come; its body is still to be read.

    `status` is final (200 to 599), `headers` are as received. Whoever does not read to the end must `close`.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    def chunks(self, take: Take | None = None) -> AsyncGenerator[bytes, None]:
        """The body's bytes as they come, once. Raises UpstreamError unless the body ends as announced.

        `take` may be given each piece first, the moment it comes; see there. It need not be asked.
        """

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises UpstreamError, `too_large` beyond `limit` bytes."""

    def close(self, abort: bool = True) -> None:
        """Give up what was not read, at once: the connection is closed. May be repeated.

        `abort=False` leaves an answer that was read to its end to the pool, and closes any other one politely.
        """


class Upstream(Protocol):
    """Where requests are sent. A task that is cancelled in `open`, or while it waits for a chunk, closes its
    connection."""

    async def open(
        self, method: str, path: str, headers: Headers, body: bytes | AsyncIterator[bytes] | None = None
    ) -> Answer:
        """Send a request, and wait for its answer's headers.

        `path` is our client's path with its query, as it was written. `headers` are sent as they are, with the
        upstream's `host` and the body's framing: a body that is an iterator is sent as it comes, chunked unless
        `headers` has its `content-length`. What the iterator raises is raised here.

        Raises UpstreamError, and WireError for a path or header that can't be sent.
        """

    async def close(self) -> None:
        """Close all connections."""
