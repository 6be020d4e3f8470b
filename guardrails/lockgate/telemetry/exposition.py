"""Metrics in the text format that Prometheus scrapes, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lockgate.telemetry.metrics import Metrics, Point
from lockgate.telemetry.names import Instrument

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def exposition(metrics: Metrics) -> bytes:
    """All metrics as a scrape reads them."""
    lines: list[str] = []
    for instrument, points in metrics.collect():
        name = instrument.prometheus
        lines.append(f"# HELP {name} {instrument.help}")
        lines.append(f"# TYPE {name} {instrument.kind}")
        for point in points:
            lines.extend(_lines(name, instrument, point))
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _lines(name: str, instrument: Instrument, point: Point) -> Iterator[str]:
    pairs = _pairs(instrument.labels, point.labels)
    if instrument.kind != "histogram":
        yield f"{name}{_braced(pairs)} {_number(point.value)}"
        return
    count = 0
    for border, here in zip((*map(_number, instrument.bounds), "+Inf"), point.counts, strict=True):
        count += here
        bucket = _braced([*pairs, f'le="{border}"'])
        yield f"{name}_bucket{bucket} {count}"
    yield f"{name}_sum{_braced(pairs)} {_number(point.value)}"
    yield f"{name}_count{_braced(pairs)} {count}"


def _pairs(labels: Iterable[str], values: Iterable[str]) -> list[str]:
    named = zip(labels, values, strict=True)
    return ['{}="{}"'.format(label.replace(".", "_"), value.translate(_ESCAPES)) for label, value in named if value]


def _braced(pairs: Sequence[str]) -> str:
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
