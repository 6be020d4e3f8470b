from __future__ import annotations

import asyncio
import os
import threading

import pytest

from lockgate.background import BACKGROUND, Background


async def where() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_what_runs_runs_in_a_thread_of_its_own() -> None:
    assert BACKGROUND.run(where()) == "lockgate"
    assert BACKGROUND.loop() is BACKGROUND.loop()


async def test_also_from_within_a_running_loop() -> None:
    assert BACKGROUND.run(where()) == "lockgate"


def test_errors_are_raised_where_it_is_waited_for() -> None:
    async def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        BACKGROUND.run(fails())


def test_nobody_waits_for_oneself() -> None:
    async def waits() -> None:
        BACKGROUND.run(where())

    with pytest.raises(RuntimeError, match="would wait for itself"):
        BACKGROUND.run(waits())


def in_a_child(right: object) -> bool:
    """Whether `right()` is true in a forked child."""
    child = os.fork()
    if not child:
        os._exit(0 if callable(right) and right() else 1)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_a_loop_of_its_own_also_where_the_lock_was_held() -> None:
    background = Background()
    before = background.loop()
    background._lock.acquire()
    try:
        assert in_a_child(lambda: background.run(where()) == "lockgate" and background.loop() is not before)
    finally:
        background._lock.release()
    assert background.loop() is before
    before.call_soon_threadsafe(before.stop)
    assert background._thread is not None
    background._thread.join()
    before.close()
