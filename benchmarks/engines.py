"""Which engine runs the pattern tables: RE2 (what `lockgate` uses) against Hyperscan and the standard library.

    python benchmarks/engines.py [--rounds N] [--seconds S] [--json FILE]

The rows are those of `secrets` and `pii`, the texts 2,000 characters of prose, clean and with six entities. Hyperscan
takes part where the package `hyperscan` is installed: row by row it is asked what it can compile, then it runs those
rows. It reports each end of a match as an event, so its events are more than the matches. Times are CPU time.
"""

from __future__ import annotations

import argparse
import gc
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import re2

import rig
import texts
from lockgate.detectors.pii import PiiConfig
from lockgate.detectors.pii import build as build_pii
from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.regex import Prepared, prepare
from lockgate.detectors.scanner import Scanner
from lockgate.detectors.secrets import SecretsConfig
from lockgate.detectors.secrets import build as build_secrets
from lockgate.errors import PatternError
from rig import median

Run = Callable[[str], int]
"""Text → how many matches (of a set: rows) it has."""

_LENGTH = 2000
_BATCH = 20
_MEMORY = 256 << 20


@dataclass(frozen=True)
class Engine:
    """An engine with its rows compiled: `build` in milliseconds, `rows` how many it took."""

    name: str
    rows: int
    build: float
    run: Run


@dataclass(frozen=True)
class Timed:
    """Medians: `clean` and `hits` in microseconds a text; `found` in the text with entities."""

    rows: int
    build: float
    clean: float
    hits: float
    found: int


def rows() -> list[tuple[PatternSpec, Prepared]]:
    specs = (*build_secrets(SecretsConfig()).specs, *build_pii(PiiConfig()).specs)
    return [
        (s, prepare(s.regex, max_width=s.max_width, ignore_case=s.ignore_case)) for s in specs if s.view == "folded"
    ]


def with_entities() -> str:
    """Prose of the same length with six entities in it."""
    sentences = texts.clean(_LENGTH, 5).split(". ")
    for i, entity in enumerate(texts.ENTITIES[:6]):
        sentences.insert(3 * i + 1, entity.removesuffix("."))
    return ". ".join(sentences)[:_LENGTH]


# RE2 and the standard library


def _options() -> re2.Options:
    options = re2.Options()
    options.longest_match = True
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


def scanner(table: Sequence[tuple[PatternSpec, Prepared]]) -> Run:
    made = Scanner([spec for spec, _ in table])
    return lambda text: len(made.scan(text).matches)


def re2_set(table: Sequence[tuple[PatternSpec, Prepared]]) -> Run:
    made = re2.Set.SearchSet(_options())
    for _, form in table:
        made.Add(form.loose)
    made.Compile()
    return lambda text: len(made.Match(text.encode()) or ())


def re2_each(table: Sequence[tuple[PatternSpec, Prepared]]) -> Run:
    made = [re2.compile(form.full, _options()) for _, form in table]
    return lambda text: _each(made, text.encode())


def stdlib_each(table: Sequence[tuple[PatternSpec, Prepared]]) -> Run:
    made = [re.compile(spec.regex, re.IGNORECASE if spec.ignore_case else 0) for spec, _ in table]
    return lambda text: _each(made, text)


def _each(made: Sequence[Any], text: str | bytes) -> int:
    return sum(1 for pattern in made for _ in pattern.finditer(text))


# Hyperscan


def hyperscan_modes() -> dict[str, int]:
    """Ways to compile a row; each must be told to take UTF-8, or it counts and matches bytes."""
    hs = import_module("hyperscan")
    return {
        "hyperscan with spans, Unicode": hs.HS_FLAG_UTF8 | hs.HS_FLAG_UCP | hs.HS_FLAG_SOM_LEFTMOST,
        "hyperscan with spans": hs.HS_FLAG_UTF8 | hs.HS_FLAG_SOM_LEFTMOST,
        "hyperscan, which rows": hs.HS_FLAG_UTF8 | hs.HS_FLAG_SINGLEMATCH,
    }


def _compiled(table: Sequence[tuple[PatternSpec, Prepared]], flags: int) -> Any:
    hs = import_module("hyperscan")
    database = hs.Database(mode=hs.HS_MODE_BLOCK)
    database.compile(
        expressions=[spec.regex.encode() for spec, _ in table],
        ids=list(range(len(table))),
        elements=len(table),
        flags=[flags | (hs.HS_FLAG_CASELESS if spec.ignore_case else 0) for spec, _ in table],
    )
    return database


def taken(table: Sequence[tuple[PatternSpec, Prepared]], flags: int) -> tuple[list[Any], Counter[str]]:
    """The rows that compile, each alone, and why the others do not."""
    hs = import_module("hyperscan")
    good, bad = [], Counter[str]()
    for row in table:
        try:
            _compiled([row], flags)
        except hs.error as error:
            said = error.args[-1]
            bad[re.sub(r"( at index \d+)?\W*$", "", said.decode() if isinstance(said, bytes) else str(said))] += 1
        else:
            good.append(row)
    return good, bad


def hyperscan(table: Sequence[tuple[PatternSpec, Prepared]], flags: int) -> Run:
    database = _compiled(table, flags)

    def run(text: str) -> int:
        events: list[tuple[int, int, int]] = []
        database.scan(text.encode(), lambda row, start, end, *_: events.append((row, start, end)))
        return len(events)

    return run


# The run


def engines() -> tuple[list[Engine], dict[str, Counter[str]]]:
    table = rows()
    makers: list[tuple[str, Callable[[], Run], int]] = [
        ("lockgate's scanner (RE2 set, spans, checks, folding)", partial(scanner, table), len(table)),
        ("RE2 set: which rows", partial(re2_set, table), len(table)),
        ("RE2 row by row", partial(re2_each, table), len(table)),
        ("re row by row", partial(stdlib_each, table), len(table)),
    ]
    refused: dict[str, Counter[str]] = {}
    if find_spec("hyperscan") is not None:
        for name, flags in hyperscan_modes().items():
            good, refused[name] = taken(table, flags)
            makers.append((name, partial(hyperscan, good, flags), len(good)))
    made = []
    for name, make, count in makers:
        begin = time.process_time()
        run = make()
        made.append(Engine(name, count, (time.process_time() - begin) * 1000, run))
    return made, refused


def measure(made: Sequence[Engine], rounds: int, seconds: float) -> dict[str, Timed]:
    clean, hits = texts.clean(_LENGTH, 5), with_entities()
    times: dict[tuple[str, str], list[float]] = {}
    found = {engine.name: (engine.run(clean), engine.run(hits))[1] for engine in made}
    gc.disable()
    for _ in range(rounds):
        for engine in made:
            for text in (clean, hits):
                count, begin = 0, time.process_time()
                while count < _BATCH and time.process_time() - begin < seconds:
                    engine.run(text)
                    count += 1
                each = (time.process_time() - begin) / count * 1e6
                times.setdefault((engine.name, text), []).append(each)
    gc.enable()
    return {
        e.name: Timed(e.rows, e.build, median(times[e.name, clean]), median(times[e.name, hits]), found[e.name])
        for e in made
    }


HEAD = ("engine", "rows it takes", "build, ms", "clean 2 kB, µs", "with six entities, µs", "found there")


def main() -> None:
    given: argparse.Namespace = rig.options("which engine runs the pattern tables", rounds=9, seconds=0.5)
    rig.take(rig.cores()[0])
    try:
        made, refused = engines()
    except PatternError as error:
        raise SystemExit(f"the tables do not compile: {error}") from None
    timed = measure(made, given.rounds, given.seconds)
    total = len(rows())
    parts = [
        rig.table(HEAD, ([n, f"{t.rows} of {total}", t.build, t.clean, t.hits, t.found] for n, t in timed.items())),
    ]
    if refused:
        reasons = [(name, count, why) for name, by in refused.items() for why, count in by.most_common()]
        parts.append(rig.table(("engine", "rows refused", "why"), reasons))
    else:
        parts.append("Left out: hyperscan is not installed.")
    numbers = {
        "engines": {name: asdict(found) for name, found in timed.items()},
        "refused": {name: dict(by) for name, by in refused.items()},
    }
    rig.report(given, "engines", parts, numbers)


if __name__ == "__main__":
    main()
