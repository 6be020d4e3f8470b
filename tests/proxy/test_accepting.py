"""Workers that share a socket: each takes its part, and nobody waits for one that does not come."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Self

import pytest

from fakes import until
from lockgate_proxy.accepting import Accepting, Tally


class Worker:
    """Counts its connections, and keeps them. It has a descriptor of its own, as another process would."""

    def __init__(self, bound: socket.socket, tally: Tally, number: int) -> None:
        self.connections: list[asyncio.BaseTransport] = []
        self._bound = bound.dup()
        self._accepting = Accepting(
            self._bound, lambda: _Protocol(self), None, tally, number, lambda: len(self.connections)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._bound.close()

    def stop(self) -> None:
        self._accepting.stop()
        for each in self.connections:
            each.close()


class _Protocol(asyncio.Protocol):
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._worker.connections.append(transport)


class Clients:
    def __init__(self, bound: socket.socket) -> None:
        self._address = bound.getsockname()
        self._open: list[socket.socket] = []

    def come(self, count: int) -> None:
        self._open += [socket.create_connection(self._address) for _ in range(count)]

    def leave(self) -> None:
        for one in self._open:
            one.close()


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as made:
        yield made


@pytest.fixture
def clients(bound: socket.socket) -> Iterator[Clients]:
    made = Clients(bound)
    yield made
    made.leave()


def test_the_tally_knows_who_is_at_work() -> None:
    tally = Tally(3)
    assert tally.fewest() == 0
    tally.set(1, 5)
    assert tally.fewest() == 5
    tally.set(3, 2)
    assert tally.fewest() == 2
    tally.gone(3)
    assert tally.fewest() == 5


@pytest.mark.parametrize("count", [8, 31])
async def test_connections_that_come_at_once_are_shared(bound: socket.socket, clients: Clients, count: int) -> None:
    tally = Tally(2)
    with Worker(bound, tally, 1) as first, Worker(bound, tally, 2) as second:
        clients.come(count)
        await until(lambda: len(first.connections) + len(second.connections) == count)
        assert min(len(first.connections), len(second.connections)) >= count // 4


async def test_nobody_waits_for_one_that_does_not_come(bound: socket.socket, clients: Clients) -> None:
    tally = Tally(2)
    with Worker(bound, tally, 1) as worker:
        tally.set(2, 0)  # at work, it says, and takes nothing
        clients.come(100)
        await until(lambda: len(worker.connections) == 100)


async def test_one_that_is_gone_is_not_asked(bound: socket.socket, clients: Clients) -> None:
    tally = Tally(2)
    with Worker(bound, tally, 1) as worker:
        tally.set(2, 0)
        tally.gone(2)
        clients.come(3)
        await until(lambda: len(worker.connections) == 3)


async def test_what_comes_after_the_end_waits_for_the_others(bound: socket.socket, clients: Clients) -> None:
    tally = Tally(2)
    with Worker(bound, tally, 1) as first, Worker(bound, tally, 2) as second:
        first.stop()
        clients.come(4)
        await until(lambda: len(second.connections) == 4)
        assert first.connections == []
