"""What looking costs, without a network: patterns over prose, personal data, start and memory of the process.

    python benchmarks/detectors.py [--rounds N] [--seconds S] [--json FILE]

The scanners of the policies' plans run over text, in turn with the baseline: the same patterns, one by one, in the
standard library's `re`, without their checks and without folding. Times are CPU
time of the whole call, on one core.
"""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import peers
import rig
import texts
from lockgate.detectors.pii import PiiConfig
from lockgate.detectors.pii import build as build_pii
from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.scanner import Scanner
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy
from lockgate.policy.plan import Look
from rig import Goal, median, quantile

Scan = Callable[[str], object]

_CLEAN = 2000  # characters
_SHORT = 500
_TEXTS = 100
_PERSONAL = 30  # of them, with personal data
_BASELINE = ": re one by one"
_BATCH = 10  # times a text is scanned in one measurement


@dataclass(frozen=True)
class Case:
    """`rows` patterns over `corpus`, by `scan`; the results are in microseconds a text."""

    name: str
    rows: int
    corpus: Sequence[str]
    scan: Scan


@dataclass(frozen=True)
class Timed:
    """Microseconds a text, of the medians of each text's rounds. `clean` and `personal` are the medians of the texts
    without and with personal data; NaN where there are none."""

    rows: int
    median: float
    p95: float
    clean: float
    personal: float


def stdlib(specs: Sequence[PatternSpec]) -> Scan:
    """The same patterns one by one."""
    compiled = [re.compile(spec.regex, re.IGNORECASE if spec.ignore_case else 0) for spec in specs]

    def scan(text: str) -> object:
        return [match.span() for pattern in compiled for match in pattern.finditer(text)]

    return scan


def sweeps(look: Look) -> tuple[list[Scanner], Scan]:
    """What a plan runs over one text."""
    scanners = [look.patterns.scanner] if look.patterns is not None else []

    def scan(text: str) -> object:
        return [scanner.scan(text) for scanner in scanners]

    return scanners, scan


def cases(policies: Sequence[str]) -> list[Case]:
    clean = [texts.clean(_CLEAN, seed) for seed in range(_TEXTS // 5)]
    mixed = [(texts.personal if i < _PERSONAL else texts.clean)(_SHORT, i) for i in range(_TEXTS)]
    found = []
    for policy in policies:
        plan = compile_policy(load_policy(find_policy(policy)))
        for what, look in (
            ("prompts", plan.prompt.look("user", "text")),
            ("answers", plan.completion.look("assistant", "text")),
        ):
            if look is None:
                continue
            scanners, scan = sweeps(look)
            specs = list(dict.fromkeys(spec for scanner in scanners for spec in scanner.specs))
            name = f"{Path(policy).stem}, {what}, clean {_CLEAN} characters"
            found.append(Case(name, len(specs), clean, scan))
            if what == "prompts":
                found.append(Case(name + _BASELINE, len(specs), clean, stdlib(specs)))
    pii = build_pii(PiiConfig()).specs
    name = f"pii, {_SHORT} characters, {_PERSONAL} % with entities"
    found.append(Case(name, len(pii), mixed, Scanner(pii).scan))
    found.append(Case(name + _BASELINE, len(pii), mixed, stdlib(pii)))
    return found


def run(wanted: Sequence[Case], rounds: int, seconds: float) -> dict[str, Timed]:
    """Case by case in turn, so many rounds; a round of a case takes no longer than `seconds`."""
    times: dict[str, list[list[float]]] = {case.name: [[] for _ in case.corpus] for case in wanted}
    for case in wanted:
        for text in case.corpus:
            case.scan(text)  # automata are built as they meet text
    gc.disable()
    for _ in range(rounds):
        for case in wanted:
            end = time.perf_counter() + seconds
            for i, text in enumerate(case.corpus):
                begin = time.process_time_ns()
                for _ in range(_BATCH):
                    case.scan(text)
                times[case.name][i].append((time.process_time_ns() - begin) / _BATCH / 1000)
                if time.perf_counter() > end:
                    break
    gc.enable()
    return {case.name: _timed(case, times[case.name]) for case in wanted}


def _timed(case: Case, times: list[list[float]]) -> Timed:
    each = [median(found) for found in times if found]
    personal = each[:_PERSONAL] if "entities" in case.name else []
    return Timed(case.rows, median(each), quantile(each, 0.95), median(each[len(personal) :]), median(personal))


@dataclass(frozen=True)
class Started:
    """Seconds until the process answered, and MiB that it holds then: medians of the rounds."""

    seconds: float
    memory: float


def starts(policies: Sequence[str], rounds: int) -> dict[str, Started]:
    model = peers.upstream()
    servers = [peers.bare(model), *(peers.lockgate(model, policy) for policy in policies)]
    found: dict[str, list[tuple[float, float]]] = {server.name: [] for server in servers}
    for _, server in peers.interleaved(servers, rounds):
        server.start()
        found[server.name].append((server.started, server.memory()))
        server.stop()
    return {name: Started(median(s for s, _ in got), median(m for _, m in got)) for name, got in found.items()}


def goals(timed: dict[str, Timed], started: dict[str, Started]) -> list[Goal]:
    wanted = []
    for name, found in timed.items():
        bound = {"default": 150, "pii": 300}.get(name.partition(",")[0])
        if bound is not None and not name.endswith(_BASELINE):
            wanted.append(Goal(f"{name}, median µs", found.median, bound))
    for name, got in started.items():
        if name != "bare":
            wanted.append(Goal(f"{name}: starts, s", got.seconds, 1))
            wanted.append(Goal(f"{name}: memory, MiB", got.memory, 80))
    return wanted


HEAD = ("patterns over text", "patterns", "median µs", "p95 µs", "clean µs", "with entities µs")


def main() -> None:
    given = rig.options("what looking costs, without a network", rounds=7, seconds=2.0)
    own = rig.cores()[0]
    rig.take_load_core()
    started = starts(given.policies, given.rounds)
    rig.take(own)
    timed = run(cases(given.policies), given.rounds, given.seconds)
    numbers: dict[str, Any] = {
        "patterns": {name: asdict(found) for name, found in timed.items()},
        "processes": {name: asdict(found) for name, found in started.items()},
    }
    parts = (
        rig.table(HEAD, ([n, t.rows, t.median, t.p95, t.clean, t.personal] for n, t in timed.items())),
        rig.table(("process", "starts, s", "memory, MiB"), ([n, s.seconds, s.memory] for n, s in started.items())),
        rig.goals(goals(timed, started)),
    )
    rig.report(given, "detectors", parts, numbers)


if __name__ == "__main__":
    main()
