"""An evaluation as one page of HTML: tables and plots, nothing from elsewhere, no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from lockgate.scoring.evaluation import Head, Report
from lockgate.scoring.matching import ANY, SAME, Matched
from lockgate_models.figures import Figures, Point
from lockgate_proxy.eval_text import number, share, span
from lockgate_proxy.plots import precision_recall, reliability, roc, whiskers

_STYLE = """
:root{color-scheme:light dark;--paper:#fbfbf9;--card:#fff;--ink:#1d2126;--soft:#5d6670;--rule:#e3e5e1;--grid:#eceeea;
--blue:#1f6fb2;--warm:#c2410c;--wash:#1f6fb222}
@media (prefers-color-scheme:dark){:root{--paper:#14171a;--card:#1b1f23;--ink:#e6e8ea;--soft:#9aa4ae;--rule:#2c3238;
--grid:#262b30;--blue:#62b0f0;--warm:#fb923c;--wash:#62b0f026}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1080px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:26px;line-height:1.2;margin:0 0 6px;font-weight:650}
h2{font-size:18px;margin:0;font-weight:650}
h2 small{font-weight:400;color:var(--soft);font-size:14px;margin-left:8px}
p{color:var(--soft);margin:0 0 4px;max-width:75ch}
section{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:18px 20px 20px;margin-top:22px}
.wide{overflow-x:auto;margin-top:12px}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th{font-weight:600;color:var(--soft);font-size:12.5px}
th:first-child,td:first-child{text-align:left;padding-left:0}
tr:last-child td{border-bottom:0}
tr.all td{font-weight:600}
td small{color:var(--soft);font-size:12px;margin-left:6px}
td a{color:inherit;text-decoration-color:var(--rule);text-underline-offset:3px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(260px,1fr));gap:18px;margin-top:18px}
section>p{margin-top:12px}
figure{margin:0}
figcaption{font-size:12.5px;color:var(--soft);display:flex;justify-content:space-between;padding:2px 7% 0 15%}
.plot{width:100%;height:auto;display:block}
.mini{width:96px;height:14px;vertical-align:middle}
.grid{stroke:var(--grid)}.tick,.axis{fill:var(--soft);font-size:10.5px}
.curve{fill:none;stroke:var(--blue);stroke-width:2;stroke-linejoin:round}
.chance{fill:none;stroke:var(--soft);stroke-dasharray:3 4;opacity:.7}
.aim{fill:none;stroke:var(--warm);stroke-dasharray:2 3;opacity:.8}
.here{fill:var(--warm);stroke:var(--card);stroke-width:1.5}
.point{fill:var(--blue)}.whisker{stroke:var(--blue);opacity:.55}
.track{stroke:var(--rule);stroke-width:2}.span{stroke:var(--blue);stroke-width:3;opacity:.4}
@media print{section{break-inside:avoid}}
"""

_FIGURES = ("n", "positive", "precision", "recall", "F1", "flagged", "AUPRC", "recall at 1 %")

_WHOLE = {ANY: "any label", SAME: "all, with the right label"}


def page(report: Report) -> str:
    parts = [_opening(report), _overview(report)]
    parts += [_head(head) for head in report.heads]
    parts += [_cuts(report.heads)] if any(head.cut is not None for head in report.heads) else []
    parts += [_spans(report.spans)] if report.spans else []
    return whole(f"{report.model}: evaluation", parts)


def whole(title: str, parts: Sequence[str]) -> str:
    """A page of these parts."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _opening(report: Report) -> str:
    said = [f"{report.rows} rows judged"]
    said += [f"{report.skipped} not labelled with what is asked"] if report.skipped else []
    said += [f"{report.bad} could not be judged"] if report.bad else []
    said += [f"{report.unverified} in part in a language that the model does not know"] if report.unverified else []
    return (
        f"<h1>{escape(report.model)}</h1>\n<p>{'; '.join(said)}.</p>\n"
        "<p>Intervals are 95 %, of a bootstrap over groups of rows. Precision, recall, F1 and the share of negatives that"
        " are flagged are at the model's threshold; recall at 1 % is where so many negatives are.</p>"
    )


def _overview(report: Report) -> str:
    rows = []
    for head in report.heads:
        figures = head.total
        cells = [
            f'<a href="#{_anchor(head.title)}">{escape(head.title)}</a>',
            str(figures.n),
            str(figures.positives),
            number(figures.f1),
            number(figures.fpr),
            f"{number(figures.auprc)} {whiskers(figures.auprc)}",
            f"{number(figures.at_rate)} {whiskers(figures.at_rate)}",
        ]
        rows.append(row_of(cells))
    table = table_of(("head", "n", "positive", "F1", "flagged", "AUPRC", "recall at 1 %"), rows)
    mean = ""
    if report.advice is not None:
        mean = f"<p>Mean F1 of the words of advice: {number(report.advice)} ({span(report.advice)}).</p>"
    return f"<section><h2>All heads</h2>{table}{mean}</section>"


def _head(head: Head) -> str:
    at = "no threshold" if head.threshold is None else f"threshold {head.threshold:.4f}"
    rows = [
        row_of(["all" if len(head.sources) < 2 else f"all {len(head.sources)} sources", *_cells(head.total)], "all")
    ]
    if len(head.sources) > 1:
        rows += [row_of([escape(source), *_cells(figures)]) for source, figures in head.sources.items()]
    plots = ""
    if head.curves is not None:
        figures = head.total
        drawn = (
            roc(head.curves, _point(figures, "fpr", "recall")),
            precision_recall(
                head.curves, figures.positives / figures.n, figures.auprc, _point(figures, "recall", "precision")
            ),
            reliability(head.curves.bins, head.curves.error),
        )
        plots = f'<div class="plots">{"".join(drawn)}</div>'
    name = escape(head.title)
    table = table_of(("source", *_FIGURES), rows)
    return f'<section id="{_anchor(head.title)}"><h2>{name}<small>{at}</small></h2>{table}{plots}</section>'


def _cells(figures: Figures) -> list[str]:
    plain = (figures.precision, figures.recall, figures.f1, figures.fpr)
    ranged = (figures.auprc, figures.at_rate)
    return [
        str(figures.n),
        str(figures.positives),
        *map(number, plain),
        *(f"{number(value)}<small>{span(value)}</small>" for value in ranged),
    ]


def _point(figures: Figures, across: str, up: str) -> Point | None:
    x, y = getattr(figures, across), getattr(figures, up)
    return None if x is None or y is None else (x.at, y.at)


def _cuts(heads: Sequence[Head]) -> str:
    rows = []
    for head in heads:
        if (cut := head.cut) is not None:
            cells = [f"{cut.at:.6f}", f"{cut.flagged} of {cut.negatives}", f"{cut.fpr:.4f}", f"{cut.upper:.4f}"]
            rows.append(row_of([escape(head.title), f"{cut.rate:g}", *cells, share(cut.recall)]))
    table = table_of(("head", "rate", "threshold", "flagged", "measured", "at most (95 %)", "recall"), rows)
    return f"<section><h2>Thresholds for a rate of false positives</h2>{table}</section>"


def _spans(spans: Mapping[str, Mapping[str, Matched]]) -> str:
    parts = []
    for source, labels in spans.items():
        rows = []
        for label, counts in labels.items():
            shares = (counts.precision, counts.recall, counts.f2, counts.character_f1)
            name = _WHOLE.get(label, escape(label))
            cells = [name, str(counts.right), str(counts.said), *map(share, shares)]
            rows.append(row_of(cells, "all" if label in _WHOLE else ""))
        parts.append(
            table_of((escape(source), "in truth", "given", "precision", "recall", "F2", "characters F1"), rows)
        )
    return f"<section><h2>Spans<small>spans that share half of their union</small></h2>{''.join(parts)}</section>"


def row_of(cells: Iterable[str], kind: str = "") -> str:
    return f"<tr{f' class={kind!r}' if kind else ''}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def table_of(names: Sequence[str], rows: Iterable[str]) -> str:
    top = "".join(f"<th>{name}</th>" for name in names)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _anchor(label: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in label)
