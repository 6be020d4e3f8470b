from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from lockgate.detectors.crew import Crew, Given
from lockgate.detectors.protocol import OverloadError


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew("test-crew", threads=2, waiting=2)
    yield made
    made.close()


class Stone:
    """Work that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.saw_given_up = False

    def __call__(self, given_up: Given) -> str:
        self.begun.set()
        self.let_go.wait(30)
        self.saw_given_up = given_up()
        return threading.current_thread().name

    async def start(self, crew: Crew) -> asyncio.Task[str]:
        task = asyncio.create_task(crew.run(self))
        await asyncio.to_thread(self.begun.wait, 30)
        return task


async def abandon(task: asyncio.Task[str]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110 - a thread sets no event of the loop's
            await asyncio.sleep(0)


async def test_work_is_done_in_a_named_thread_that_is_used_again(crew: Crew) -> None:
    names = {await crew.run(lambda _: threading.current_thread().name) for _ in range(3)}
    assert names <= {"test-crew-0", "test-crew-1"}
    assert threading.current_thread().name not in names


async def test_what_work_raises_is_raised(crew: Crew) -> None:
    def fails(_: Given) -> None:
        raise LookupError("why")

    with pytest.raises(LookupError, match="why"):
        await crew.run(fails)


@pytest.mark.parametrize("kind", [StopIteration, KeyboardInterrupt, SystemExit])
async def test_what_no_future_can_hold_is_an_error_all_the_same(crew: Crew, kind: type[BaseException]) -> None:
    def fails(_: Given) -> None:
        raise kind

    with pytest.raises(RuntimeError, match=kind.__name__):
        await crew.run(fails)
    assert await crew.run(lambda _: 1) == 1


async def test_more_than_may_wait_is_turned_away_at_once(crew: Crew) -> None:
    stones = [Stone(), Stone()]
    tasks = [await stone.start(crew) for stone in stones]
    waiting = [asyncio.create_task(crew.run(lambda _: "later")) for _ in range(2)]
    await until(lambda: crew.queued == 2)
    with pytest.raises(OverloadError):
        await crew.run(lambda _: "one too many")
    for stone in stones:
        stone.let_go.set()
    assert {await task for task in tasks} == {"test-crew-0", "test-crew-1"}
    assert [await task for task in waiting] == ["later", "later"]


async def test_one_stuck_thread_leaves_the_other(crew: Crew) -> None:
    stone = Stone()
    await abandon(await stone.start(crew))
    assert crew.stuck == 1
    assert await crew.run(lambda _: "still here") == "still here"
    stone.let_go.set()
    await until(lambda: crew.stuck == 0)
    assert stone.saw_given_up


async def test_when_all_are_stuck_nothing_is_taken_until_one_is_done(crew: Crew) -> None:
    stones = [Stone(), Stone()]
    for stone in stones:
        await abandon(await stone.start(crew))
    for _ in range(3):
        with pytest.raises(OverloadError):
            await crew.run(lambda _: "never")
    assert crew.queued == 0
    stones[0].let_go.set()
    await until(lambda: crew.stuck == 1)
    assert await crew.run(lambda _: "again") == "again"
    stones[1].let_go.set()


async def test_who_gives_up_while_waiting_makes_room(crew: Crew) -> None:
    stones = [Stone(), Stone()]
    tasks = [await stone.start(crew) for stone in stones]
    done: list[str] = []
    waiting = asyncio.create_task(crew.run(lambda _: done.append("never")))
    await until(lambda: crew.queued == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert crew.queued == 0
    for stone in stones:
        stone.let_go.set()
    await asyncio.gather(*tasks)
    assert done == []


async def test_closed_it_takes_nothing_and_its_threads_end(crew: Crew) -> None:
    await crew.run(lambda _: None)
    crew.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("test-crew-")]
    with pytest.raises(OverloadError):
        await crew.run(lambda _: None)


async def test_closing_does_not_wait_for_a_stuck_thread(crew: Crew) -> None:
    stone = Stone()
    await abandon(await stone.start(crew))
    crew.close()
    assert crew.stuck == 1
    stone.let_go.set()
    await until(lambda: crew.stuck == 0)


def test_a_loop_that_is_gone_is_no_harm(crew: Crew) -> None:
    stone = Stone()

    async def leave() -> None:
        async with asyncio.timeout(0):
            await crew.run(stone)

    with pytest.raises(TimeoutError):
        asyncio.run(leave())
    stone.let_go.set()
    assert asyncio.run(crew.run(lambda _: 1)) == 1
