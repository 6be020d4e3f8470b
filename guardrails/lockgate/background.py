"""One event loop in one daemon thread, for all callers that have none."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """The loop starts with the first that asks for it. A forked child has none of it, and starts its own."""

    def __init__(self) -> None:
        self._abandoned: list[object] = []  # a child's copy of the loop shares what the parent's waits on: never closed
        self._reset()
        if hasattr(os, "register_at_fork"):  # not where nothing forks
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        # The lock too: another thread may have held it at the fork, and is not here to let it go.
        self._abandoned.append(getattr(self, "_loop", None))
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop. Raises RuntimeError in its own thread, where waiting for it would never end."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="lockgate", daemon=True)
                self._thread.start()
            elif threading.current_thread() is self._thread:
                raise RuntimeError("a detector can't wait for a guard that is not async: it would wait for itself")
            return self._loop

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, and wait for what it gives."""
        try:
            loop = self.loop()
        except RuntimeError:
            coroutine.close()
            raise
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


BACKGROUND = Background()
