"""The figures of a confidence as tables for a terminal, with a diagram of its reliability in letters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from lockgate.scoring.confidences import Calibrated
from lockgate_models.calibration import LEAST, Points, Reliability
from lockgate_models.figures import Bin
from lockgate_proxy.eval_text import number, span, table

_COLUMNS = ("", "n", "right", "95 %", "mean", "error", "95 %", "Brier", "95 %", "AUROC", "95 %")
_WIDE = 40
NO_MAP = f"no calibration: it takes at least {LEAST} answers, some right and some wrong"


def text(report: Calibrated) -> str:
    parts = [f"confidence: {report.rows} answers{f'; {report.bad} bad rows' if report.bad else ''}"]
    if report.total is not None:
        parts.append(table(list(_figures(report))))
        parts.append(table(list(diagram(report.total.bins))))
        parts.append(NO_MAP if report.calibration is None else f"calibration: {pasted(report.calibration)}")
    return "\n\n".join(parts)


def _figures(report: Calibrated) -> Iterator[Sequence[str]]:
    yield _COLUMNS
    for name, figures in named(report):
        yield [name, *cells(figures)]


def named(report: Calibrated) -> Iterator[tuple[str, Reliability]]:
    """The rows of a table of figures, each with its name."""
    if report.total is not None:
        yield "as it came", report.total
    if len(report.sources) > 1:
        for source, figures in report.sources.items():
            yield f"  {source}", figures
    if report.after is not None:
        yield "calibrated", report.after


def cells(figures: Reliability) -> list[str]:
    """The figures of the columns behind the name."""
    said = [str(figures.n), number(figures.accuracy), span(figures.accuracy), number(figures.mean)]
    for value in (figures.error, figures.brier, figures.auroc):
        said += [number(value), span(value)]
    return said


def diagram(bins: Sequence[Bin]) -> Iterator[Sequence[str]]:
    """A line for each bin: the share of right answers as a bar, and where its end would stand if the confidence were that
    share."""
    yield "mean", "right", "n", "0" + "1".rjust(_WIDE)
    for one in bins:
        line = ["█" if place < round(one.share * _WIDE) else " " for place in range(_WIDE + 1)]
        line[round(one.score * _WIDE)] = "│"
        yield f"{one.score:.3f}", f"{one.share:.3f}", str(one.n), "".join(line)


def pasted(points: Points) -> str:
    """A table as a policy has it."""
    return json.dumps([list(point) for point in points])
