"""Pieces of an answer, taken the moment they come in.

aiohttp gives what it has read to a task that waits for it, which the event loop then wakes. For an event of a stream
that goes straight on to the client, the waking costs more than everything that is done with it. So whoever reads an
answer may name a function that is given each piece first, within the callback of the connection.

This leans on how aiohttp's reader keeps what it has read. Where that is different from what is known here, nothing is
taken, and all pieces go the long way.
"""

# ruff: noqa: SLF001 - that is what this module is for
from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import StreamReader

from lockgate_proxy.upstream import Take

_KNOWN = {"_buffer", "_buffer_offset", "_cursor", "_eof", "_exception", "_http_chunk_splits", "_size", "_waiter"}


def can_tap() -> bool:
    """Whether aiohttp's reader is as it is known here."""
    return _KNOWN.issubset(StreamReader.__slots__)


class Tap(asyncio.Future[None]):
    """Stands where aiohttp's reader keeps the future of the task that waits for more. Good for one wait.

    `since` is when the last piece was taken, in the loop's time.
    """

    def __init__(self, content: StreamReader, take: Take, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._content = content
        self._take = take
        self._clock = loop.time
        self._left: bytes | None = None
        self.since = loop.time()

    async def next(self) -> bytes | None:
        """The next piece that is not taken, or what is left of one that was; None at the end."""
        content = self._content
        if content._buffer or content._eof or content._exception is not None or not content._protocol.connected:
            return await content.readany() or None
        content._waiter = self
        try:
            await self
        finally:
            if content._waiter is self:
                content._waiter = None
        return self._left if self._left is not None else await content.readany() or None

    def set_result(self, result: None) -> None:
        """Called by aiohttp when there is something to read: a piece, the end of a chunk, or the end of all."""
        content = self._content
        buffer: deque[bytes] = content._buffer
        if buffer:
            if len(buffer) > 1 or content._buffer_offset:
                super().set_result(result)
                return
            piece = buffer[0]
            try:
                left = self._take(piece)
            except Exception as error:  # noqa: BLE001 - it belongs to the task, not to the parser that calls us
                self._read(piece)
                self.set_exception(error)
                return
            if left is piece:
                super().set_result(result)
                return
            self._read(piece)
            if left is not None:
                self._left = left
                super().set_result(result)
                return
            self.since = self._clock()
        elif content._eof:
            super().set_result(result)
            return
        content._waiter = self

    def _read(self, piece: bytes) -> None:
        """Count `piece` as read, as the reader does."""
        content = self._content
        content._buffer.clear()
        content._size -= len(piece)
        content._cursor += len(piece)
        if content._http_chunk_splits:
            content._http_chunk_splits.clear()
