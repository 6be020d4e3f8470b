"""A few threads for work that would block the event loop, and a bound on what waits for them.

Python can't end a thread. Work that outlives its caller's deadline keeps its thread until it is done; no other is made
in its place, so nothing piles up: when every thread is kept that way, or too much waits already, new work is turned
away at once.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from lockgate.detectors.protocol import OverloadError

T = TypeVar("T")

Given = Callable[[], bool]
"""Whether the caller has given up: work made of several parts asks between them, and stops."""


class _Job(Generic[T]):
    """One piece of work. `given_up` once nobody waits for it any longer."""

    def __init__(self, work: Callable[[Given], T], loop: asyncio.AbstractEventLoop, done: asyncio.Future[T]) -> None:
        self.given_up = False
        self._work = work
        self._loop = loop
        self._done = done

    def run(self) -> None:
        try:
            result = self._work(lambda: self.given_up)
        except BaseException as error:  # noqa: BLE001 - it is the caller's, who waits in another thread
            self._tell(self._fail, error)
        else:
            self._tell(self._succeed, result)

    def _succeed(self, result: T) -> None:
        if not self._done.done():
            self._done.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if not self._done.done():
            # A StopIteration can't be put into a future, and a KeyboardInterrupt is not the loop's.
            plain = isinstance(error, Exception) and not isinstance(error, StopIteration)
            self._done.set_exception(error if plain else RuntimeError(type(error).__name__))

    def _tell(self, how: Callable[[Any], None], what: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(how, what)


class Crew:
    """At most `threads` threads, made when first needed, named ``<name>-<n>``; at most `waiting` jobs that none of
    them has begun. A forked process gets threads of its own."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        self.name = name
        self.threads = threads
        self.waiting = waiting
        self._begin()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._ready = threading.Condition()
        self._queue: deque[_Job[Any]] = deque()
        self._running: set[_Job[Any]] = set()
        self._made: list[threading.Thread] = []
        self._closed = False

    @property
    def stuck(self) -> int:
        """Threads at work that nobody waits for."""
        with self._ready:
            return self._stuck()

    @property
    def queued(self) -> int:
        """Jobs that no thread has begun."""
        with self._ready:
            return len(self._queue)

    def _stuck(self) -> int:
        return sum(job.given_up for job in self._running)

    async def run(self, work: Callable[[Given], T]) -> T:
        """The result of `work`, done in a thread; what it raises is raised here. Raises OverloadError at once where no
        thread can come to it. Cancelled, it returns at once, and the work is left to end as it may."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        job = _Job(work, loop, done)
        self._admit(job)
        try:
            return await done
        except asyncio.CancelledError:
            self._give_up(job)
            raise

    def _admit(self, job: _Job[Any]) -> None:
        with self._ready:
            if self._closed:
                raise OverloadError(f"the threads of {self.name} are closed")
            if self._stuck() >= self.threads or len(self._queue) >= self.waiting:
                raise OverloadError(f"all threads of {self.name} are busy")
            self._queue.append(job)
            if len(self._queue) + len(self._running) > len(self._made) and len(self._made) < self.threads:
                thread = threading.Thread(target=self._work, name=f"{self.name}-{len(self._made)}", daemon=True)
                self._made.append(thread)
                thread.start()
            self._ready.notify()

    def _give_up(self, job: _Job[Any]) -> None:
        with self._ready:
            job.given_up = True
            if job in self._queue:
                self._queue.remove(job)

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._queue:
                    if self._closed:
                        return
                    self._ready.wait()
                job = self._queue.popleft()
                self._running.add(job)
            try:
                job.run()
            finally:
                with self._ready:
                    self._running.discard(job)
            del job

    def close(self, timeout: float = 1.0) -> None:
        """Let the threads end. Waits `timeout` seconds at most for each, and not at all where one is stuck: that one is
        left behind, and holds nothing up when the process ends."""
        with self._ready:
            self._closed = True
            self._queue.clear()
            stuck = self._stuck() > 0
            self._ready.notify_all()
        for thread in self._made:
            thread.join(0 if stuck else timeout)
