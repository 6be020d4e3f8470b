"""Plots as inline SVG, drawn in the page's own colours: classes stand for what a line is, the page's style says how it
looks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from lockgate_models.figures import Bin, Curves, Point, Value

_WIDE, _HIGH = 300, 250
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 12, 22, 40
_LEAST = 0.001
"""Where the axis of false positive rates begins: guards work at its lower end, so it is logarithmic."""

Scale = Callable[[float], float]


def _across(share: float) -> float:
    return _LEFT + share * (_WIDE - _LEFT - _RIGHT)


def _up(share: float) -> float:
    return _HIGH - _BOTTOM - share * (_HIGH - _TOP - _BOTTOM)


def _log(share: float) -> float:
    return _across(math.log10(max(share, _LEAST) / _LEAST) / -math.log10(_LEAST))


_EVEN = [(0.0, "0"), (0.25, ".25"), (0.5, ".5"), (0.75, ".75"), (1.0, "1")]
_DECADES = [(0.001, "0.1 %"), (0.01, "1 %"), (0.1, "10 %"), (1.0, "100 %")]


def roc(curves: Curves, at: Point | None) -> str:
    """Recall by false positive rate. `at`: where the threshold is."""
    marks = [_line([(0.01, 0.0), (0.01, 1.0)], _log, "aim"), _line([(x, x) for x in _steps()], _log, "chance")]
    marks += [_stairs(curves.roc, _log), _dot(at, _log)]
    said = f"ROC curve, area {curves.auc:.3f}"
    return _plot(said, "false positive rate", "recall", _DECADES, _log, marks, f"area {curves.auc:.3f}")


def precision_recall(curves: Curves, base: float, auprc: Value | None, at: Point | None) -> str:
    """Precision by recall. `base`: the share of positives, which is a guess's precision."""
    area = "" if auprc is None else f"area {auprc.at:.3f}"
    marks = [
        _line([(0.0, base), (1.0, base)], _across, "chance"),
        _line(curves.pr, _across, "curve"),
        _dot(at, _across),
    ]
    return _plot(f"precision-recall curve, {area}", "recall", "precision", _EVEN, _across, marks, area)


def reliability(bins: Sequence[Bin], error: float) -> str:
    """The share of positives by score. Each dot stands for as many rows; its whisker is the share's 95 % interval."""
    marks = [_line([(0.0, 0.0), (1.0, 1.0)], _across, "chance")]
    for one in bins:
        low, high = _wilson(one.share, one.n)
        x = _across(one.score)
        marks.append(f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{_up(low):.1f}" y2="{_up(high):.1f}"/>')
        title = f"<title>score {one.score:.3f}: {one.share:.3f} of {one.n} rows</title>"
        marks.append(f'<circle class="point" cx="{x:.1f}" cy="{_up(one.share):.1f}" r="3.5">{title}</circle>')
    said = f"reliability, expected calibration error {error:.3f}"
    return _plot(said, "mean score", "share of positives", _EVEN, _across, marks, f"error {error:.3f}")


def whiskers(value: Value | None) -> str:
    """A figure between 0 and 1 with its interval, for a cell of a table."""
    if value is None:
        return ""
    low, at, high = (4 + 92 * min(max(share, 0.0), 1.0) for share in (value.low, value.at, value.high))
    return (
        '<svg class="mini" viewBox="0 0 100 14" role="presentation" aria-hidden="true">'
        '<line class="track" x1="4" x2="96" y1="7" y2="7"/>'
        f'<line class="span" x1="{low:.1f}" x2="{high:.1f}" y1="7" y2="7"/>'
        f'<circle class="point" cx="{at:.1f}" cy="7" r="3.4"/></svg>'
    )


def _plot(
    said: str,
    below: str,
    beside: str,
    ticks: Sequence[tuple[float, str]],
    scale: Scale,
    marks: Sequence[str],
    note: str,
) -> str:
    bottom, top = _up(0.0), _up(1.0)
    parts = []
    for share, word in ticks:
        x = scale(share)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 14:.1f}" text-anchor="middle">{word}</text>')
    for share, word in _EVEN:
        y = _up(share)
        parts.append(f'<line class="grid" x1="{_across(0):.1f}" x2="{_across(1):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{word}</text>')
    middle = (top + bottom) / 2
    parts += marks
    parts += [
        f'<text class="axis" x="{_across(0.5):.1f}" y="{_HIGH - 6}" text-anchor="middle">{below}</text>',
        f'<text class="axis" text-anchor="middle" transform="translate(12 {middle:.1f}) rotate(-90)">{beside}</text>',
    ]
    drawn = (
        f'<svg class="plot" viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{escape(said)}">{"".join(parts)}</svg>'
    )
    name = escape(said.partition(",")[0])
    return f"<figure>{drawn}<figcaption>{name[0].upper()}{name[1:]}<span>{escape(note)}</span></figcaption></figure>"


def _line(points: Sequence[Point], scale: Scale, kind: str) -> str:
    drawn = " ".join(f"{scale(x):.1f},{_up(y):.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{drawn}"/>'


def _stairs(points: Sequence[Point], scale: Scale) -> str:
    """On a logarithmic axis a straight line between two rates would be bent, so it goes level, then up."""
    drawn: list[Point] = []
    for x, y in points:
        if drawn:
            drawn.append((x, drawn[-1][1]))
        drawn.append((x, y))
    return _line(drawn, scale, "curve")


def _dot(at: Point | None, scale: Scale) -> str:
    if at is None:
        return ""
    where = f"<title>at the threshold: {at[0]:.3f}, {at[1]:.3f}</title>"
    return f'<circle class="here" cx="{scale(at[0]):.1f}" cy="{_up(at[1]):.1f}" r="4.5">{where}</circle>'


def _steps() -> list[float]:
    return [_LEAST * 10 ** (i / 10) for i in range(31)]


def _wilson(share: float, n: int) -> tuple[float, float]:
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
