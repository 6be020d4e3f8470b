"""`lockgate serve` as a process of its own, as a user would start it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fakes import RawUpstream, Script
from proxied import Client

ROOT = Path(__file__).resolve().parents[1]
_PATH = os.pathsep.join(str(ROOT / root) for root in ("guardrails", "proxy", "models"))
_PATIENCE = 60.0  # seconds, on a machine that has other things to do


class Process:
    """A running `lockgate`; `log` is what it has written to its standard error, by lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.log: list[str] = []
        self._more = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())
        self.base = ""

    async def _read(self) -> None:
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self.log.append(line.decode())
            self._more.set()
        self._more.set()

    async def said(self, pattern: str, count: int = 1) -> re.Match[str]:
        """Wait for the `count`th line of the log in which `pattern` is found."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                self._more.clear()
                found = [match for line in self.log if (match := re.search(pattern, line))]
                if len(found) >= count:
                    return found[count - 1]
                assert not self._reading.done(), f"it ended without {pattern!r}:\n{''.join(self.log)}"
                await self._more.wait()

    def workers(self) -> dict[int, int]:
        """Number → process of each worker, as the log says last."""
        found = (re.search(r"worker (\d+) is process (\d+)", line) for line in self.log)
        return {int(match[1]): int(match[2]) for match in found if match}

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; gives the exit code."""
        code = await asyncio.wait_for(self._process.wait(), _PATIENCE)
        await self._reading
        return code

    async def client(self) -> Client:
        """A connection, once the server listens."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                try:
                    return await Client.to(self.base)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.01)

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            for process in self.workers().values():
                _kill(process)
        await self._process.wait()
        await self._reading


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


@asynccontextmanager
async def started(*argv: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """`lockgate` with these arguments, killed at the end if it still runs."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LOCKGATE_", "OTEL_"))}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockgate_proxy.cli", *argv, stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE, env={**own, "PYTHONPATH": _PATH, **(environment or {})},
    )  # fmt: skip
    process = Process(running)
    try:
        yield process
    finally:
        await process.kill()


@asynccontextmanager
async def serving(
    policy: str, script: Script, *more: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """`lockgate serve` on a free port, before an upstream that does as `script` says; `base` is its URL."""
    async with RawUpstream(script) as upstream:
        argv = ("serve", "--policy", policy, "--upstream", upstream.url, "--port", "0", *more)
        async with started(*argv, environment=environment) as process:
            process.base = (await process.said(r"guarding .* on (https?://[0-9.]+:\d+)/v1"))[1]
            yield process
