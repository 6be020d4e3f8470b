from __future__ import annotations

import threading
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.telemetry import names
from lockgate.telemetry.metrics import LIMIT, OTHER, Counter, Histogram, Labels, Metrics, Names, Usage
from lockgate.telemetry.names import Instrument
from lockgate.verdict import Action, Failure, Reason, RuleOutcome, Verdict

CALL: Labels = ("chat", "openai", "m", "u", "80")


def values(metrics: Metrics, instrument: Instrument) -> dict[Labels, float]:
    """Series → its value, or how many values a histogram got."""
    return {
        point.labels: sum(point.counts) if point.counts else point.value
        for found, points in metrics.collect()
        for point in points
        if found is instrument
    }


def test_nothing_happened() -> None:
    metrics = Metrics()
    assert [instrument for instrument, _ in metrics.collect()] == [names.IN_FLIGHT]
    metrics.in_flight += 2
    assert values(metrics, names.IN_FLIGHT) == {(): 2}


def test_an_exchange_ends() -> None:
    metrics = Metrics()
    metrics.ended("chat", "answered", 200, {"prompt": 0.001, "total": 0.2, "most_held": 31.0})
    metrics.ended("chat", "client_gone", 0, {"total": 700.0})
    metrics.ended("chat", "answered", 12345, {})
    assert values(metrics, names.EXCHANGES) == {
        ("chat", "answered", "200"): 1,
        ("chat", "client_gone", "0"): 1,
        ("chat", "answered", "0"): 1,
    }
    assert values(metrics, names.STATION) == {("prompt",): 1, ("total",): 2}
    assert values(metrics, names.STREAM_HELD) == {(): 1}


def test_a_value_falls_below_its_border() -> None:
    histogram = Histogram(names.STATION)
    for value in (0.0, 0.0001, 0.00011, 300.0, 301.0):
        histogram.add(("x",), value)
    counts = histogram.series["x",].counts
    assert (counts[0], counts[1], counts[-2], counts[-1]) == (2, 1, 1, 1)
    assert len(counts) == len(names.SECONDS) + 1
    assert histogram.series["x",].total == pytest.approx(601.00021)


def test_a_verdict_is_counted() -> None:
    verdict = Verdict("prompt", "p", "sha256:0", Action.REWRITE)
    verdict.rules = [
        RuleOutcome("a", Action.REWRITE, "applied"),
        RuleOutcome("b", Action.REFUSE, "permitted", by="a"),
        RuleOutcome("open", Action.REFUSE, "failed"),
    ]
    verdict.failures = [
        Failure("tone", "timeout", "/0", "open", None, "allow"),
        Failure("tone", "timeout", "/1", "open", None, "allow"),
        Failure("pii", "crash", "/1", "shut", None, "refuse"),
    ]
    verdict.coverage.skipped = {"/a": "media", "/b": "unread: unknown", "/c": "unread: unknown"}
    metrics = Metrics()
    metrics.judged({"prompt": verdict, "completion": Verdict("completion", "p", "sha256:0")})
    assert values(metrics, names.VERDICTS) == {("p", "prompt", "rewrite"): 1, ("p", "completion", "allow"): 1}
    assert values(metrics, names.RULE_VERDICTS) == {
        ("p", "a", "prompt", "rewrite", "applied"): 1,
        ("p", "b", "prompt", "refuse", "permitted"): 1,
        ("p", "open", "prompt", "refuse", "failed"): 1,
    }
    assert values(metrics, names.COVERAGE_SKIPPED) == {("prompt", "media"): 1, ("prompt", "unread: unknown"): 2}
    assert values(metrics, names.COVERAGE_UNREAD) == {("prompt",): 2}
    assert values(metrics, names.GUARD_FAILURES) == {("tone", "timeout", "allow"): 2, ("pii", "crash", "refuse"): 1}
    assert values(metrics, names.FAIL_OPEN) == {("p", "open"): 1}


def test_failures_are_there_before_the_first_one() -> None:
    metrics = Metrics()
    metrics.expect("p", "sha256:0", [("open", ["tone"], "allow"), ("shut", ["tone", "pii"], "refuse")])
    assert values(metrics, names.FAIL_OPEN) == {("p", "open"): 0}
    shown = values(metrics, names.GUARD_FAILURES)
    assert set(shown) == {
        (detector, reason, on_error)
        for detector, on_error in (("tone", "allow"), ("tone", "refuse"), ("pii", "refuse"))
        for reason in get_args(Reason)
    }
    assert set(shown.values()) == {0}
    assert values(metrics, names.POLICY_INFO) == {("p", "sha256:0"): 1}


def test_a_call_is_counted() -> None:
    metrics = Metrics()
    metrics.called(CALL, 0.3, first_chunk=0.1, usage=Usage(input=12, output=0))
    metrics.called(CALL, 0.3, error="upstream_timeout", usage=Usage())
    assert values(metrics, names.OPERATION_DURATION) == {(*CALL, ""): 1, (*CALL, "upstream_timeout"): 1}
    assert values(metrics, names.OPERATION_FIRST_CHUNK) == {CALL: 1}
    assert values(metrics, names.TOKEN_USAGE) == {(*CALL, "input"): 1, (*CALL, "output"): 1}
    metrics.upstream_error("chat", "upstream_timeout")
    assert values(metrics, names.UPSTREAM_ERRORS) == {("chat", "upstream_timeout"): 1}


def test_a_value_is_read_when_it_is_asked_for() -> None:
    metrics = Metrics()
    waiting = [3.0]
    metrics.watch(names.AUDIT_QUEUE, lambda: {(): waiting[0]})
    waiting[0] = 7
    assert values(metrics, names.AUDIT_QUEUE) == {(): 7}


class TestBounds:
    @given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3), st.integers(100, 599)), max_size=40))
    def test_nothing_is_lost(self, ends: list[tuple[str, str, int]]) -> None:
        metrics = Metrics()
        for route, outcome, status in ends:
            metrics.ended(route, outcome, status, {})
        assert sum(values(metrics, names.EXCHANGES).values()) == len(ends)

    def test_series_beyond_the_limit_are_one(self) -> None:
        counter, histogram = Counter(names.VERDICTS), Histogram(names.STATION)
        for i in range(LIMIT + 50):
            counter.add(("p", "prompt", str(i)))
            histogram.add((str(i),), 1)
        for series, other in ((counter.series, (OTHER,) * 3), (histogram.series, (OTHER,))):
            assert len(series) == LIMIT + 1
            assert list(series)[-1] == other
        assert counter.series[OTHER, OTHER, OTHER] == 50
        assert sum(histogram.series[OTHER,].counts) == 50

    @given(st.lists(st.text(max_size=80)))
    def test_names_of_models_are_few_and_sane(self, given_names: list[str]) -> None:
        known = Names(3)
        shown = {known.learn(name) for name in given_names}
        assert len(shown - {OTHER}) <= 3
        for name in shown:
            assert name.isascii()
            assert name.isprintable()
            assert not set(name) & set(' "\\{}')
            assert len(name) <= 64

    def test_a_name_is_known_once_it_was_learnt(self) -> None:
        known = Names(2)
        assert known.known("gpt-4.1-mini") == OTHER
        assert known.learn("gpt-4.1-mini") == known.known("gpt-4.1-mini") == "gpt-4.1-mini"
        assert known.learn("meta/llama-3:70b@x") == "meta/llama-3:70b@x"
        assert known.learn("third") == OTHER


def test_another_thread_may_look() -> None:
    metrics = Metrics()
    going, errors = threading.Event(), list[Exception]()

    def look() -> None:
        try:
            while not going.is_set():
                for _, points in metrics.collect():
                    assert points
        except Exception as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    for i in range(3000):
        metrics.ended("chat", str(i % 900), 200, {str(i): 0.1})
    going.set()
    thread.join()
    assert errors == []
