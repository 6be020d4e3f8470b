"""Takes connections from a socket that several workers share, so that each gets its part.

An event loop left to itself takes all that wait as soon as it wakes: of eight connections that come at once, one worker
may get eight, and clients keep them. Here a worker takes one at a time, and where another has fewer it steps aside for
a moment. Nobody waits for one that does not come: then it takes what is there.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import socket
import ssl
from collections.abc import Callable

_log = logging.getLogger("lockgate.proxy")

ASIDE = 0.005
"""Seconds that a worker leaves a connection to the others."""

_MOST_ALONE = 256  # connections taken without stepping aside, when nobody came again and again
_PAUSE = 1.0  # seconds until the next try when the process has no descriptor left
_NOBODY = -1


class Tally:
    """How many connections each worker has, for all of them to see. Made before they are forked."""

    def __init__(self, workers: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * workers)).cast("i")
        for number in range(1, workers + 1):
            self.gone(number)

    def set(self, number: int, count: int) -> None:
        self._counts[number - 1] = count

    def gone(self, number: int) -> None:
        self._counts[number - 1] = _NOBODY

    def fewest(self) -> int:
        """The smallest count of a worker that is at work; 0 if none is."""
        return min((count for count in self._counts if count != _NOBODY), default=0)


class Accepting:
    """Takes connections for worker `number` from `bound`. `connections` says how many it has."""

    def __init__(
        self,
        bound: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        tally: Tally,
        number: int,
        connections: Callable[[], int],
    ) -> None:
        self._bound = bound
        self._protocol = protocol
        self._tls = tls
        self._tally = tally
        self._number = number
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._stood_aside = False
        self._in_vain = 0  # times in a row that nobody came
        self._alone = 0  # connections to take before it steps aside again
        bound.setblocking(False)
        tally.set(number, 0)
        self._listen()

    def stop(self) -> None:
        """Take no more. The socket stays open."""
        self._tally.gone(self._number)
        self._loop.remove_reader(self._bound.fileno())
        if self._timer is not None:
            self._timer.cancel()

    def _listen(self) -> None:
        self._timer = None
        self._loop.add_reader(self._bound.fileno(), self._come)
        if self._stood_aside:
            self._come()

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._bound.fileno())
        self._timer = self._loop.call_later(seconds, self._listen)

    def _come(self) -> None:
        """A connection waits, for this worker or another one."""
        mine = self._connections() + len(self._opening)
        self._tally.set(self._number, mine)
        stood_aside, self._stood_aside = self._stood_aside, False
        if mine > self._tally.fewest() and not self._alone and not stood_aside:
            self._stood_aside = True
            self._pause(ASIDE)
            return
        try:
            connection, _ = self._bound.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            self._in_vain = self._alone = 0
            return  # another one took it, or it has gone
        except OSError as error:
            _log.error("no connection can be taken: %s", error.strerror)
            self._pause(_PAUSE)
            return
        if stood_aside:
            self._in_vain += 1
            self._alone = min(2**self._in_vain, _MOST_ALONE)
        self._alone = max(0, self._alone - 1)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._open(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        self._tally.set(self._number, mine + 1)

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection, ssl=self._tls)
        except OSError:  # with it ssl.SSLError: a client that speaks no TLS, or has gone
            connection.close()
