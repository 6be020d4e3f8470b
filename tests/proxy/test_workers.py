"""Several workers, as processes: what a killed one takes with it, and what it does not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from functools import partial
from pathlib import Path

import pytest

from fakes import LAST_CHUNK, Peer, chat_answer, chunk, head, json_answer, replying, until
from lockgate_proxy.workers import LONGEST, SHORTEST, pause_after
from processes import Process, serving, started
from proxied import CHAT, Client, Reply, request
from saying import DONE, text

BODY = b'{"messages": [{"role": "user", "content": "hello"}]}'
STREAM = b'{"stream": true, "messages": [{"role": "user", "content": "hello"}]}'
ANSWER = json_answer(chat_answer("hello"), b"Connection: close")


def test_pauses_grow_and_have_an_end() -> None:
    assert [pause_after(ended) for ended in (1, 2, 3, 4)] == [SHORTEST, 2 * SHORTEST, 4 * SHORTEST, 8 * SHORTEST]
    assert pause_after(20) == pause_after(2000) == LONGEST


def gone(process: int) -> bool:
    """Whether a process has ended. One that nobody waits for is a zombie, which has ended too."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def stopped(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"


async def asked(client: Client, body: bytes = BODY) -> None:
    await client.send(request("POST", CHAT, body=body))


async def answered(client: Client) -> Reply | None:
    """The answer, or None where the connection broke before it began."""
    try:
        return await client.reply()
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
    finally:
        client.close()


async def both(process: Process) -> tuple[int, int]:
    """The processes of the two workers, each of which accepts connections by now."""
    await process.said("worker 2 is process")
    first, second = process.workers().values()
    for one, other in ((first, second), (second, first)):
        os.kill(other, signal.SIGSTOP)
        await until(partial(stopped, other))
        client = await process.client()
        await client.send(request("GET", "/healthz"))
        assert (await client.reply()).status == 200, one
        client.close()
        os.kill(other, signal.SIGCONT)
    return first, second


def lines_in(folder: Path, *names: str) -> list[dict[str, object]]:
    assert {path.name for path in folder.iterdir()} == set(names)
    return [json.loads(line) for name in names for line in (folder / name).read_text(encoding="utf-8").splitlines()]


class TestAKilledWorker:
    async def test_takes_nothing_with_it_that_had_not_reached_it(self, tmp_path: Path) -> None:
        go_on, lost, held = asyncio.Event(), 0, 0

        async def script(peer: Peer) -> None:
            nonlocal lost, held
            await peer.request()
            held += 1
            waits = {asyncio.ensure_future(peer.gone()), asyncio.ensure_future(go_on.wait())}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in waits:
                each.cancel()
            if go_on.is_set():
                await peer.send(ANSWER)
            else:
                lost += 1

        audit = tmp_path / "audit.jsonl"
        async with serving("permissive", script, "--workers", "2", "--audit", str(audit)) as process:
            first, second = await both(process)
            early = [await process.client() for _ in range(8)]
            for client in early:
                await asked(client)
            await until(lambda: held == 8, seconds=20)
            # With both at a standstill, what comes now waits in the kernel.
            for worker in (first, second):
                os.kill(worker, signal.SIGSTOP)
                await until(partial(stopped, worker))
            late = [await process.client() for _ in range(24)]
            for client in late:
                await asked(client)
            os.kill(first, signal.SIGKILL)
            await process.said(r"worker 1 \(process \d+\) ended: SIGKILL; a new one in 0\.1 s")
            os.kill(second, signal.SIGCONT)
            await process.said("worker 1 is process", 2)
            await until(lambda: held == 8 + 24, seconds=20)
            go_on.set()
            replies = await asyncio.gather(*map(answered, late))
            assert [reply.status if reply else None for reply in replies] == [200] * 24
            # Of those before, exactly the ones that the killed worker was at are lost.
            replies = await asyncio.gather(*map(answered, early))
            assert [reply.status for reply in replies if reply] == [200] * (8 - lost)

            # Lines are written behind the answers' backs, and what is not written yet dies with its process.
            audits = [tmp_path / "audit.w1.jsonl", tmp_path / "audit.w2.jsonl"]
            await until(lambda: sum(path.read_bytes().count(b"\n") for path in audits) == 32 - lost, seconds=20)

            # A worker that goes on ending is replaced later and later.
            os.kill(process.workers()[1], signal.SIGKILL)
            await process.said(r"ended: SIGKILL; a new one in 0\.2 s")
            await process.said("worker 1 is process", 3)
            process.tell(signal.SIGTERM)
            assert await process.ended() == 0
            assert all(gone(worker) for worker in process.workers().values())
        assert [line["status"] for line in lines_in(tmp_path, "audit.w1.jsonl", "audit.w2.jsonl")] == [200] * (
            32 - lost
        )

    async def test_under_load_each_client_loses_one_answer_at_most(self) -> None:
        async with serving("permissive", replying(ANSWER), "--workers", "2") as process:
            first, _ = await both(process)
            statuses: list[int | None] = []

            async def load() -> None:
                for _ in range(25):
                    client = await process.client()
                    try:
                        await asked(client)
                    except ConnectionError:
                        statuses.append(None)
                        continue
                    reply = await answered(client)
                    statuses.append(reply.status if reply else None)
                    if len(statuses) == 40:
                        os.kill(first, signal.SIGKILL)

            await asyncio.gather(*(load() for _ in range(8)))
            assert len(statuses) == 200
            assert set(statuses) <= {200, None}
            assert statuses.count(None) <= 8
            await process.said("worker 1 is process", 2)


class TestTheEnd:
    async def test_a_stream_in_flight_ends_before_they_stop(self) -> None:
        go_on = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(head() + chunk(text("hello ")))
            await go_on.wait()
            await peer.send(chunk(text("again ")), chunk(DONE), LAST_CHUNK)

        async with serving("permissive", script, "--workers", "2") as process:
            client = await process.client()
            await asked(client, STREAM)
            await client.head()
            assert await client.chunk() == text("hello ")
            process.tell(signal.SIGTERM)
            host, port = process.base.removeprefix("http://").split(":")

            def refused() -> bool:
                with socket.socket() as probe:
                    return probe.connect_ex((host, int(port))) != 0

            await until(refused)
            go_on.set()
            rest = b""
            while piece := await asyncio.wait_for(client.chunk(), 10):
                rest += piece
            assert rest == text("again ") + DONE
            client.close()
            assert await process.ended() == 0

    async def test_one_that_does_not_end_in_time_breaks(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(head() + chunk(text("hello ")))
            await peer.gone()

        async with serving("permissive", script, "--workers", "2", "--drain-timeout", "0.2") as process:
            client = await process.client()
            await asked(client, STREAM)
            await client.head()
            await client.chunk()
            process.tell(signal.SIGINT)
            assert await process.ended() == 0
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError, ValueError)):
                while await client.chunk():
                    pass
            client.close()

    async def test_workers_do_not_outlive_their_supervisor(self) -> None:
        async with serving("permissive", replying(ANSWER), "--workers", "2") as process:
            workers = await both(process)
            process.tell(signal.SIGKILL)
            await until(lambda: all(map(gone, workers)), seconds=20)

    async def test_a_hang_up_is_nothing(self) -> None:
        async with serving("permissive", replying(ANSWER), "--workers", "2") as process:
            workers = await both(process)
            process.tell(signal.SIGHUP)
            os.kill(workers[0], signal.SIGHUP)
            client = await process.client()
            await asked(client)
            reply = await answered(client)
            assert reply is not None
            assert reply.status == 200
            assert not any("ended" in line for line in process.log)


async def test_what_no_worker_can_start_with_is_said_and_ends_all() -> None:
    argv = ("serve", "--policy", "permissive", "--upstream", "http://127.0.0.1:9/v1", "--port", "0", "--workers", "2")
    async with started(*argv, environment={"OTEL_TRACES_EXPORTER": "nonsense"}) as process:
        assert await process.ended() == 2
        assert "OTEL_TRACES_EXPORTER is 'nonsense'" in "".join(process.log)
        assert "Traceback" not in "".join(process.log)
