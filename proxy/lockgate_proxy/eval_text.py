"""An evaluation's figures as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockgate.scoring.evaluation import Head, Report
from lockgate_models.figures import Figures, Value

NOTHING = "–"

_COLUMNS = ("", "n", "pos", "precision", "recall", "F1", "flagged", "AUPRC", "95 %", "R@1%", "95 %")


def text(report: Report) -> str:
    parts = [f"{report.model}: {report.rows} rows judged{_left_out(report)}"]
    if report.heads:
        parts.append(table(list(_heads(report.heads))))
    if report.advice is not None:
        parts.append(f"advice: mean F1 of its words {number(report.advice)} ({span(report.advice)})")
    if any(head.cut is not None for head in report.heads):
        parts.append(table(list(_cuts(report.heads))))
    if report.spans:
        parts.append(table(list(_spans(report))))
    return "\n\n".join(parts)


def _left_out(report: Report) -> str:
    said = [
        f"{count} {what}"
        for count, what in (
            (report.skipped, "not labelled with what is asked"),
            (report.bad, "bad"),
            (report.unverified, "in part in a language that the model does not know"),
        )
        if count
    ]
    return f"; {', '.join(said)}" if said else ""


def _heads(heads: Sequence[Head]) -> Iterator[Sequence[str]]:
    yield _COLUMNS
    for head in heads:
        at = "" if head.threshold is None else f" ≥ {head.threshold:.3f}"
        yield [f"{head.title}{at}", *cells(head.total)]
        if len(head.sources) > 1:
            for source, figures in head.sources.items():
                yield [f"  {source}", *cells(figures)]


def cells(figures: Figures) -> list[str]:
    """The figures of `_COLUMNS` behind the name."""
    return [
        str(figures.n),
        str(figures.positives),
        *(number(value) for value in (figures.precision, figures.recall, figures.f1, figures.fpr, figures.auprc)),
        span(figures.auprc),
        number(figures.at_rate),
        span(figures.at_rate),
    ]


def _cuts(heads: Sequence[Head]) -> Iterator[Sequence[str]]:
    yield ("threshold for", "rate", "at", "flagged", "of", "measured", "upper 95 %", "recall")
    for head in heads:
        if (cut := head.cut) is not None:
            recall = NOTHING if cut.recall is None else f"{cut.recall:.3f}"
            counts = (str(cut.flagged), str(cut.negatives), f"{cut.fpr:.4f}", f"{cut.upper:.4f}")
            yield (head.title, f"{cut.rate:g}", f"{cut.at:.6f}", *counts, recall)


def _spans(report: Report) -> Iterator[Sequence[str]]:
    yield ("spans", "in truth", "given", "precision", "recall", "F2", "characters F1")
    for source, labels in report.spans.items():
        yield (source, "", "", "", "", "", "")
        for label, counts in labels.items():
            shares = map(share, (counts.precision, counts.recall, counts.f2, counts.character_f1))
            yield (f"  {label}", str(counts.right), str(counts.said), *shares)


def number(value: Value | None) -> str:
    return NOTHING if value is None else f"{value.at:.3f}"


def span(value: Value | None) -> str:
    return "" if value is None else f"{value.low:.2f}–{value.high:.2f}"


def share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, all others to the right."""
    wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [f"{row[0]:{wide[0]}}", *(f"{cell:>{width}}" for cell, width in zip(row[1:], wide[1:], strict=True))]
        ).rstrip()
        for row in rows
    )
