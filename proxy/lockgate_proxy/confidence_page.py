"""The figures of a confidence as one page of HTML: tables and reliability diagrams, nothing from elsewhere, no script."""

from __future__ import annotations

from html import escape

from lockgate.scoring.confidences import Calibrated
from lockgate_models.calibration import Reliability
from lockgate_proxy.confidence_text import NO_MAP, named, pasted
from lockgate_proxy.eval_page import row_of, table_of, whole
from lockgate_proxy.eval_text import number, span
from lockgate_proxy.plots import reliability

_NAMES = ("", "n", "right", "mean confidence", "calibration error", "Brier", "AUROC")


def page(report: Calibrated) -> str:
    bad = f"; {report.bad} rows could not be read" if report.bad else ""
    opening = (
        f"<h1>Confidence</h1>\n<p>{report.rows} answers{bad}.</p>\n"
        "<p>Intervals are 95 %, of a bootstrap over groups of rows. A calibrated row's confidence is that of a map which"
        " was made without it.</p>"
    )
    rows = [
        row_of([escape(name), *_cells(figures)], "" if name[:1] == " " else "all") for name, figures in named(report)
    ]
    parts = [opening, f"<section><h2>Figures</h2>{table_of(_NAMES, rows)}</section>"]
    drawn = [
        f"<div><h2>{name}</h2>{reliability(figures.bins, figures.error.at)}</div>"
        for name, figures in (("As it came", report.total), ("Calibrated", report.after))
        if figures is not None
    ]
    parts.append(f'<section><div class="plots">{"".join(drawn)}</div></section>')
    said = NO_MAP if report.calibration is None else f"calibration: {pasted(report.calibration)}"
    parts.append(f"<section><h2>Calibration</h2><p>{escape(said)}</p></section>")
    return whole("confidence: evaluation", parts)


def _cells(figures: Reliability) -> list[str]:
    ranged = (figures.accuracy, figures.mean, figures.error, figures.brier, figures.auroc)
    return [str(figures.n), *(f"{number(value)}<small>{span(value)}</small>" for value in ranged)]
