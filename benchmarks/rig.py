"""What the benchmarks share: their options, the two cores, servers as processes, and tables.

Everything that is measured runs on one core, everything that measures it (upstream, load) on another one.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
_TICK = os.sysconf("SC_CLK_TCK")
_PATIENCE = 90.0  # seconds that a server may take to start
_POLL = 0.01
_QUIET = 0.01  # seconds of CPU time in ten times as many seconds: it rests


def options(
    description: str,
    *,
    rounds: int,
    seconds: float,
    policies: Sequence[str] = ("permissive", "default"),
    more: Callable[[argparse.ArgumentParser], None] | None = None,
) -> argparse.Namespace:
    """The command line that all benchmarks have. `seconds` is how long one measurement lasts; `more` adds options."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"interleaved rounds ({rounds})")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"seconds of one measurement ({seconds})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also put all numbers into this file")
    parser.add_argument("--results", type=Path, metavar="FILE", help="also put the tables into this page (RESULTS.md)")
    parser.add_argument("--policies", nargs="+", default=list(policies), help="policies to guard with")
    parser.add_argument("--telemetry", action="store_true", help="also with metrics and traces on")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the peers, only these (bare is always there)")
    parser.add_argument("--litellm", metavar="FILE", help="the litellm command, where it is not on the path")
    parser.add_argument("--nemo", metavar="FILE", help="the nemoguardrails command, where it is not on the path")
    parser.add_argument("--portkey", metavar="DIR", help="a folder in which npm installed @portkey-ai/gateway")
    if more is not None:
        more(parser)
    return parser.parse_args()


# Cores


@cache
def cores() -> tuple[int, int]:
    """The core of what is measured, and the core of what measures it: the same one where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1 % len(allowed)]


@cache
def two_cores() -> tuple[str, str]:
    """Two cores for what is measured, and two for the load: the same ones where there are no others. As `taskset` has
    them."""
    allowed = sorted(os.sched_getaffinity(0))
    return ",".join(map(str, allowed[:2])), ",".join(map(str, allowed[2:4] or allowed[:2]))


def take_load_core() -> None:
    """Leave the first core to what is measured: this process, and what it starts, runs on the second."""
    take(cores()[1])


def take(core: int) -> None:
    """Run on `core` from here on, with everything that is started."""
    os.sched_setaffinity(0, {core})


def pinned(core: int | str, command: Sequence[str]) -> list[str]:
    taskset = shutil.which("taskset")
    return [taskset, "-c", str(core), *command] if taskset else list(command)


# Servers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """A server as a process. `core` may be a list, as `taskset` has it. `ready` is the path that answers once it serves;
    `headers` are what its clients send."""

    name: str
    command: Sequence[str]
    port: int
    core: int | str
    ready: str = "/readyz"
    headers: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    streams: bool = True
    started: float = 0.0
    """Seconds from its start until it answered."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/v1/chat/completions"

    def start(self) -> None:
        """Start, and wait until it answers. Raises RuntimeError if it ends, or does not answer in time."""
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            pinned(self.core, self.command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.env},
        )
        while not self._answers():
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_POLL)
                raise RuntimeError(f"{self.name} ended with {self.process.returncode} before it answered")
            if time.perf_counter() - begin > _PATIENCE:
                self.stop()
                raise RuntimeError(f"{self.name} did not answer in {_PATIENCE:.0f} s")
        self.started = time.perf_counter() - begin

    def _answers(self) -> bool:
        connection = HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", self.ready)
            return connection.getresponse().status < 500
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def rest(self, seconds: float) -> None:
        """Let it finish what it still has to do, for at most so many seconds."""
        assert self.process is not None
        end = time.perf_counter() + seconds
        used = -1.0
        while time.perf_counter() < end and self.cpu() - used > _QUIET:
            used = self.cpu()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_QUIET * 10)

    def cpu(self) -> float:
        """Seconds of CPU time that it and its children have used."""
        return sum(map(_cpu, self._tree()))

    def memory(self) -> float:
        """MiB of memory that it and its children hold."""
        return sum(map(_resident, self._tree()))

    def _tree(self) -> list[int]:
        assert self.process is not None
        found = [self.process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(OSError):
                    found.extend(map(int, children.read_text().split()))
        return found


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK


def _resident(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def start_all(servers: Iterable[Server]) -> list[Server]:
    """Start them one after another; one that does not start is named and left out."""
    running = []
    for server in servers:
        try:
            server.start()
        except (OSError, RuntimeError) as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        running.append(server)
    return running


# Numbers


def clocked(call: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Milliseconds of this process's CPU time, and of the clock, that a call takes: medians of as many as fit."""
    end = time.perf_counter() + seconds
    cpu, wall = list[float](), list[float]()
    while not wall or time.perf_counter() < end:
        begin, used = time.perf_counter(), time.process_time()
        call()
        cpu.append((time.process_time() - used) * 1000)
        wall.append((time.perf_counter() - begin) * 1000)
    return statistics.median(cpu), statistics.median(wall)


def median(values: Iterable[float]) -> float:
    """The median; NaN of nothing."""
    known = list(values)
    return statistics.median(known) if known else float("nan")


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which `share` of the values lie; NaN of nothing."""
    known = sorted(values)
    return known[min(int(len(known) * share), len(known) - 1)] if known else float("nan")


def shown(value: float | str | None, digits: int = 3) -> str:
    """A number with so many significant digits; - for none."""
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if abs(value) < 100 else f"{value:.0f}"


def table(head: Sequence[str], rows: Iterable[Sequence[float | str | None]]) -> str:
    """A Markdown table, its columns aligned."""
    cells = [list(head), *([shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


@dataclass(frozen=True)
class Goal:
    """What a number should be: at most, or at least, `bound`."""

    what: str
    value: float
    bound: float
    at_most: bool = True

    def row(self) -> tuple[str, float, str, str]:
        met = self.value <= self.bound if self.at_most else self.value >= self.bound
        verdict = "-" if math.isnan(self.value) else "met" if met else "MISSED"
        return self.what, self.value, f"{'≤' if self.at_most else '≥'} {shown(self.bound)}", verdict


def goals(wanted: Iterable[Goal]) -> str:
    return table(("goal", "measured", "wanted", ""), (goal.row() for goal in wanted))


def report(
    given: argparse.Namespace, name: str, parts: Iterable[str], numbers: Mapping[str, Any], command: str = ""
) -> None:
    """Print the tables, under the command that made them, `name`'s own if none is given. Put the numbers under `name` into the file that `--json` says, and the tables as the section of
    that name into the page that `--results` says, beside what others put there."""
    section = "\n\n".join(
        (
            f"## {name.capitalize()}",
            f"`{command or f'python benchmarks/{name}.py'}`, {given.rounds} rounds, {given.seconds:g} s a measurement; {_here()}.",
            *parts,
        )
    )
    print(f"\n{section}", flush=True)
    if given.json is not None:
        known = json.loads(given.json.read_text(encoding="utf-8")) if given.json.is_file() else {}
        given.json.write_text(json.dumps({**known, name: numbers}, indent=1) + "\n", encoding="utf-8")
    if given.results is not None:
        page = given.results.read_text(encoding="utf-8") if given.results.is_file() else "# Results\n"
        given.results.write_text(_with_section(page, section), encoding="utf-8")


def _here() -> str:
    """The day and the machine, in general terms."""
    day = dt.datetime.now(dt.UTC).date().isoformat()
    return f"{day}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def _with_section(page: str, section: str) -> str:
    """The page with the section in place of the one that has its heading, or at the end."""
    heading = section.partition("\n")[0]
    kept = [part for part in re.split(r"(?m)^(?=## )", page) if part.partition("\n")[0] != heading]
    return "\n\n".join(part.strip("\n") for part in [*kept, section]) + "\n"
