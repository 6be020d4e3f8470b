"""What a proxy costs a plain request: requests per second, added time, CPU time.

    python benchmarks/overhead.py [--rounds N] [--seconds S] [--json FILE] [--telemetry] [--litellm FILE] [--portkey DIR]

Each round measures every proxy at 1, 16 and 64 connections before the next round begins. Ratios are to `bare` in the
same round; what is printed is the median of the rounds.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import load
import peers
import rig
from rig import Goal, Server, median

CONNECTIONS = (1, 16, 64)
_WARM = 1.0  # seconds
_REST = 3.0  # seconds at most, so that none works on while the next is measured


@dataclass(frozen=True)
class Sample:
    """One measurement: see `load.Plain`; `cpu` in microseconds a request."""

    rate: float
    p50: float
    p99: float
    errors: int
    cpu: float


Samples = dict[str, dict[int, list[Sample]]]
"""Server → connections → one sample a round."""


def measure(server: Server, connections: int, seconds: float, work: Path) -> Sample:
    before = server.cpu()
    seen = load.plain(server.url, server.headers, connections, seconds, work)
    cpu = (server.cpu() - before) / max(seen.requests, 1) * 1e6
    server.rest(_REST)
    return Sample(seen.rate, seen.p50, seen.p99, seen.errors, cpu)


@dataclass(frozen=True)
class Process:
    """Seconds until it answered, once; MiB that it holds after the whole run."""

    started: float
    memory: float


def run(given: argparse.Namespace, work: Path) -> tuple[Samples, dict[str, Process]]:
    model = peers.upstream()
    proxies = peers.compared(given, model, work)
    try:
        running = [model, *rig.start_all(proxies)] if rig.start_all([model]) else []
        for server in running:
            measure(server, 16, min(_WARM, given.seconds), work)
        samples: Samples = {server.name: {count: [] for count in CONNECTIONS} for server in running}
        for _ in range(given.rounds):
            for count in CONNECTIONS:
                for server in running:
                    samples[server.name][count].append(measure(server, count, given.seconds, work))
        return samples, {server.name: Process(server.started, server.memory()) for server in running}
    finally:
        for server in [*proxies, model]:
            server.stop()


def ratios(samples: Samples, name: str, other: str, connections: int, what: str = "rate") -> list[float]:
    """Round by round, what `name` measured over what `other` did."""
    mine, theirs = samples.get(name, {}).get(connections, []), samples.get(other, {}).get(connections, [])
    pairs = [(getattr(a, what), getattr(b, what)) for a, b in zip(mine, theirs, strict=False)]
    return [a / b for a, b in pairs if b]


def added(samples: Samples, name: str) -> float:
    """How many times what bare adds to the p50 at one connection `name` adds: the median of the rounds."""
    one = [samples.get(n, {}).get(1, []) for n in (name, "bare", "no proxy")]
    return median((a.p50 - n.p50) / (b.p50 - n.p50) for a, b, n in zip(*one, strict=False) if b.p50 > n.p50)


def row(samples: Samples, processes: dict[str, Process], name: str) -> list[float | str]:
    mine = samples[name]

    def middle(connections: int, what: str) -> float:
        return median(getattr(sample, what) for sample in mine[connections])

    own = name != "no proxy"
    return [
        name,
        middle(16, "rate"),
        median(ratios(samples, name, "bare", 16)),
        middle(64, "rate"),
        median(ratios(samples, name, "bare", 64)),
        middle(1, "p50"),
        added(samples, name) if own else float("nan"),
        middle(16, "cpu"),
        middle(64, "p99"),
        sum(sample.errors for found in mine.values() for sample in found),
        processes[name].memory,
        processes[name].started,
    ]


def wanted(samples: Samples, processes: dict[str, Process]) -> list[Goal]:
    names = [name for name in samples if name.startswith("lockgate ")]
    bound = {"lockgate permissive": 0.45, "lockgate default": 0.3}
    bound |= {f"{name}{peers.TELEMETRY}": least for name, least in bound.items()}
    found = [
        Goal(f"{name}, requests/s at {count}, × bare", median(ratios(samples, name, "bare", count)), bound[name], False)
        for name in names
        if name in bound
        for count in (16, 64)
    ]
    first = "lockgate permissive"
    if first in samples:
        found.append(Goal(f"{first}, added p50, × bare's", added(samples, first), 2.5))
        for peer, times in (("litellm", 18), ("portkey", 5)):
            for count in (16, 64):
                value = median(ratios(samples, first, peer, count))
                found.append(Goal(f"{first}, requests/s at {count}, × {peer}", value, times, False))
    # OpenTelemetry's SDK and exporter hold some 25 MiB of their own.
    found.extend(
        Goal(f"{name}, MiB after the run", processes[name].memory, 110 if name.endswith(peers.TELEMETRY) else 80)
        for name in names
    )
    return found


HEAD = (
    "proxy", "req/s at 16", "× bare", "req/s at 64", "× bare", "p50 at 1, ms", "added, × bare's", "CPU µs/req at 16",
    "p99 at 64, ms", "errors", "MiB after", "started, s",
)  # fmt: skip


def main() -> None:
    given = rig.options("what a proxy costs a plain request", rounds=5, seconds=2.0)
    rig.take_load_core()
    with tempfile.TemporaryDirectory() as folder:
        samples, processes = run(given, Path(folder))
    numbers: dict[str, Any] = {
        name: {
            **asdict(processes[name]),
            **{str(count): [asdict(sample) for sample in found] for count, found in by.items()},
        }
        for name, by in samples.items()
    }
    parts = (
        rig.table(HEAD, (row(samples, processes, name) for name in samples)),
        rig.goals(wanted(samples, processes)),
    )
    rig.report(given, "overhead", parts, numbers)


if __name__ == "__main__":
    main()
