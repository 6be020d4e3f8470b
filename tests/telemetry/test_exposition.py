from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from lockgate.telemetry import names
from lockgate.telemetry.exposition import exposition
from lockgate.telemetry.metrics import Metrics, Usage

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(raw: bytes) -> Samples:
    """As Prometheus's own parser reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(raw.decode())
        for sample in family.samples
    }


def test_the_format_itself() -> None:
    metrics = Metrics()
    metrics.ended("chat", "answered", 200, {})
    metrics.ended("chat", "answered", 200, {})
    assert exposition(metrics).decode().splitlines() == [
        f"# HELP lockgate_exchanges_total {names.EXCHANGES.help}",
        "# TYPE lockgate_exchanges_total counter",
        'lockgate_exchanges_total{route="chat",outcome="answered",status="200"} 2',
        f"# HELP lockgate_exchanges_in_flight {names.IN_FLIGHT.help}",
        "# TYPE lockgate_exchanges_in_flight gauge",
        "lockgate_exchanges_in_flight 0",
    ]


def test_a_histogram_adds_up() -> None:
    metrics = Metrics()
    for seconds in (0.0002, 0.003, 0.003, 400.0):
        metrics.ended("chat", "answered", 200, {"prompt": seconds})
    seen = read(exposition(metrics))
    name, station = names.STATION.prometheus, ("station", "prompt")

    def bucket(border: str) -> float:
        return seen[f"{name}_bucket", tuple(sorted([station, ("le", border)]))]

    assert [bucket(border) for border in ("0.0001", "0.00025", "0.005", "300", "+Inf")] == [0, 1, 3, 3, 4]
    assert seen[f"{name}_count", (station,)] == 4
    assert seen[f"{name}_sum", (station,)] == pytest.approx(400.0062)


def test_labels_of_the_conventions_have_underscores_and_empty_ones_are_left_out() -> None:
    metrics = Metrics()
    metrics.called(("chat", "openai", "m", "u", "80"), 0.5, usage=Usage(input=3))
    shown = exposition(metrics).decode()
    assert "error_type" not in shown
    assert (
        'gen_ai_client_token_usage_count{gen_ai_operation_name="chat",gen_ai_provider_name="openai",'
        'gen_ai_request_model="m",server_address="u",server_port="80",gen_ai_token_type="input"} 1'
    ) in shown


@given(st.text(min_size=1, max_size=8), st.floats(0, 1e12))
def test_any_label_and_number_comes_back(reason: str, by: float) -> None:
    reason = reason.encode("utf-8", "replace").decode()
    metrics = Metrics()
    metrics._skipped.add(("prompt", reason), by)
    if "\r" in reason or len(reason.splitlines()) > 1 or reason.splitlines() != [reason]:
        return  # the parser of the test splits at more line ends than the format has
    seen = read(exposition(metrics))
    assert seen[names.COVERAGE_SKIPPED.prometheus, (("reason", reason), ("side", "prompt"))] == pytest.approx(by)
