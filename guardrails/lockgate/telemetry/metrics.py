"""Counts and histograms in plain integers, for whoever asks: a scrape (`exposition`) or an export (`export`).

OpenTelemetry's own instruments cost 10 to 16 µs a record, these half a microsecond (docs/adr/0015-metrics.md), and an
exchange makes about ten. Every family is bounded: past `LIMIT` series, values go to one whose labels are all "other".
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, get_args

from lockgate.exchange import Side
from lockgate.telemetry import names
from lockgate.telemetry.names import Instrument
from lockgate.verdict import Reason, Verdict

LIMIT = 1000
"""Series of one instrument."""

OTHER = "other"

Labels = tuple[str, ...]
_Series = TypeVar("_Series")


class Counter:
    """A number for each combination of labels. It only grows."""

    __slots__ = ("_other", "series")

    def __init__(self, instrument: Instrument) -> None:
        self.series: dict[Labels, float] = {}
        self._other = (OTHER,) * len(instrument.labels)

    def add(self, labels: Labels, by: float = 1) -> None:
        series = self.series
        if labels in series:
            series[labels] += by
            return
        if len(series) >= LIMIT:
            labels = self._other
        series[labels] = series.get(labels, 0) + by


class Distribution:
    """One series of a histogram: `counts` by border, the last of them above all borders."""

    __slots__ = ("counts", "total")

    def __init__(self, borders: int) -> None:
        self.counts = [0] * (borders + 1)
        self.total = 0.0


class Histogram:
    """A distribution for each combination of labels."""

    __slots__ = ("_bounds", "_other", "series")

    def __init__(self, instrument: Instrument) -> None:
        self.series: dict[Labels, Distribution] = {}
        self._bounds = instrument.bounds
        self._other = (OTHER,) * len(instrument.labels)

    def add(self, labels: Labels, value: float) -> None:
        mine = self.series.get(labels)
        if mine is None:
            if len(self.series) >= LIMIT:
                labels = self._other
            mine = self.series.setdefault(labels, Distribution(len(self._bounds)))
        mine.counts[bisect_left(self._bounds, value)] += 1
        mine.total += value


class Names:
    """Which names of models may be labels: those that an upstream has answered for, `limit` of them, of sane shape.

    A client's word alone is never a label: it could be anything, and any number of things.
    """

    _SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,63}")

    def __init__(self, limit: int = 100) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def known(self, name: str) -> str:
        return name if name in self._known else OTHER

    def learn(self, name: str) -> str:
        """The upstream has answered for this model."""
        if name not in self._known:
            if len(self._known) >= self._limit or not self._SANE.fullmatch(name):
                return OTHER
            self._known.add(name)
        return name


class Usage(NamedTuple):
    """Tokens of a call, as the upstream's `usage` says; None where it does not."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_creation: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One series as it is now: `value` of a counter or gauge, or `counts` and `total` of a histogram."""

    labels: Labels
    value: float = 0.0
    counts: tuple[int, ...] = ()


class Metrics:
    """All that is counted in one process. Written from one thread; `collect` may be called from any."""

    def __init__(self) -> None:
        self.began = time.time_ns()
        self.in_flight = 0
        self.models = Names()
        self.policies: set[Labels] = set()
        """Name and hash of those in force."""
        self._gauges: dict[Instrument, Callable[[], Mapping[Labels, float]]] = {
            names.IN_FLIGHT: lambda: {(): self.in_flight},
            names.POLICY_INFO: lambda: dict.fromkeys(tuple(self.policies), 1.0),
        }
        self._counters: dict[Instrument, Counter] = {}
        self._histograms: dict[Instrument, Histogram] = {}
        self._exchanges = self._counter(names.EXCHANGES)
        self._verdicts = self._counter(names.VERDICTS)
        self._rules = self._counter(names.RULE_VERDICTS)
        self._skipped = self._counter(names.COVERAGE_SKIPPED)
        self._unread = self._counter(names.COVERAGE_UNREAD)
        self._fail_open = self._counter(names.FAIL_OPEN)
        self._failures = self._counter(names.GUARD_FAILURES)
        self._upstream_errors = self._counter(names.UPSTREAM_ERRORS)
        self._station = self._histogram(names.STATION)
        self._held = self._histogram(names.STREAM_HELD)
        self._operation = self._histogram(names.OPERATION_DURATION)
        self._first_chunk = self._histogram(names.OPERATION_FIRST_CHUNK)
        self._tokens = self._histogram(names.TOKEN_USAGE)

    def expect(self, policy: str, policy_hash: str, rules: Iterable[tuple[str, Iterable[str], str]]) -> None:
        """A policy comes into force. Its failures are shown from now on, at zero: or the first of them would be no
        increase that an alert can see. `rules` are an id, the detectors, and the rule's `on_error`.
        """
        self.policies.add((policy, policy_hash))
        self._exchanges.add(("chat", "internal_error", "500"), 0)
        for rule, detectors, on_error in rules:
            for detector in detectors:
                for reason in get_args(Reason):
                    self._failures.add((detector, reason, on_error), 0)
            if on_error == "allow":
                self._fail_open.add((policy, rule), 0)

    def watch(self, instrument: Instrument, read: Callable[[], Mapping[Labels, float]]) -> None:
        """Have a value read whenever somebody asks: labels → value."""
        self._gauges[instrument] = read

    # What an exchange leaves. `route`, `outcome`, `reason` and stations are words of ours, never a client's.

    def ended(self, route: str, outcome: str, status: int, timings: Mapping[str, float]) -> None:
        """An exchange has ended. `timings` are seconds by station, and `most_held` in characters."""
        self._exchanges.add((route, outcome, str(status) if 100 <= status <= 599 else "0"))
        for station, seconds in timings.items():
            if station == "most_held":
                self._held.add((), seconds)
            else:
                self._station.add((station,), seconds)

    def upstream_error(self, route: str, reason: str) -> None:
        self._upstream_errors.add((route, reason))

    def judged(self, verdicts: Mapping[Side, Verdict]) -> None:
        """What was decided on the sides of an exchange."""
        for side, verdict in verdicts.items():
            policy = verdict.policy
            self._verdicts.add((policy, side, verdict.action.word))
            for rule in verdict.rules:
                self._rules.add((policy, rule.rule, side, rule.action.word, rule.outcome))
            skipped = verdict.coverage.skipped
            if skipped:
                for reason in skipped.values():
                    self._skipped.add((side, reason))
                unread = verdict.coverage.unread
                if unread:
                    self._unread.add((side,), unread)
            if verdict.failures:
                for failure in verdict.failures:
                    self._failures.add((failure.detector, failure.reason, failure.on_error))
                open_ = [f for f in verdict.failures if f.on_error == "allow" and f.reason != "unverified"]
                for rule_id, _ in {(f.rule, f.choice) for f in open_}:
                    self._fail_open.add((policy, rule_id))

    def called(
        self, call: Labels, seconds: float, *, error: str = "", first_chunk: float | None = None, usage: Usage
    ) -> None:
        """The model was called. `call` are operation, provider, model, address and port."""
        self._operation.add((*call, error), seconds)
        if first_chunk is not None:
            self._first_chunk.add(call, first_chunk)
        if usage.input is not None:
            self._tokens.add((*call, "input"), usage.input)
        if usage.output is not None:
            self._tokens.add((*call, "output"), usage.output)

    # For whoever asks.

    def collect(self) -> Iterator[tuple[Instrument, list[Point]]]:
        """Every instrument that has a value, in the order of `INSTRUMENTS`."""
        for instrument in names.INSTRUMENTS:
            points = self._points(instrument)
            if points:
                yield instrument, points

    def _points(self, instrument: Instrument) -> list[Point]:
        if instrument in self._gauges:
            return [Point(labels, value) for labels, value in self._gauges[instrument]().items()]
        if instrument in self._counters:
            return [Point(labels, value) for labels, value in _copy(self._counters[instrument].series)]
        if instrument in self._histograms:
            series = _copy(self._histograms[instrument].series)
            return [Point(labels, mine.total, tuple(mine.counts)) for labels, mine in series]
        return []

    def _counter(self, instrument: Instrument) -> Counter:
        return self._counters.setdefault(instrument, Counter(instrument))

    def _histogram(self, instrument: Instrument) -> Histogram:
        return self._histograms.setdefault(instrument, Histogram(instrument))


def _copy(series: dict[Labels, _Series]) -> Iterable[tuple[Labels, _Series]]:
    # One call in C: another thread can't add a series in between.
    return tuple(series.items())
