from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lockgate.detectors.model import MODELS, Model
from lockgate.scoring.evaluation import Evaluation, Report
from lockgate.scoring.rows import Bad, Row, row_of
from lockgate.scoring.scorer import Scorer


async def evaluated(model: Model, *rows: Mapping[str, Any], rate: float | None = None) -> Report:
    scorer = Scorer(model)
    evaluation = Evaluation(scorer, "tiny@1")
    made = [
        Row(i, str(i), {k: v for k, v in row.items() if k in ("text", "response")}, row) for i, row in enumerate(rows)
    ]
    for one in await scorer.judged([row for row in made if evaluation.wants(row)]):
        evaluation.add(one, "file")
    return evaluation.report(rate=rate)


def jailbreak(text: str, label: int, source: str = "a") -> dict[str, Any]:
    return {"task": "jailbreak", "text": text, "label": label, "source": source}


async def test_figures_of_a_head_in_all_and_by_source(tiny: Model) -> None:
    rows = [
        *[jailbreak("attack", 1) for _ in range(8)],
        *[jailbreak("calm", 1) for _ in range(2)],
        *[jailbreak("calm", 0, "b") for _ in range(19)],
        jailbreak("attack", 0, "b"),
    ]
    report = await evaluated(tiny, *rows, rate=0.05)
    (head,) = report.heads
    assert (report.rows, report.skipped, report.bad) == (30, 0, 0)
    assert (head.label, head.threshold, head.total.n, head.total.positives) == ("injection", 0.5, 30, 10)
    total = head.total
    assert total.recall is not None
    assert total.precision is not None
    assert total.fpr is not None
    assert (total.recall.at, round(total.precision.at, 4), total.fpr.at) == (0.8, round(8 / 9, 4), 0.05)
    assert list(head.sources) == ["a", "b"]
    assert (head.sources["a"].fpr, head.sources["b"].recall) == (None, None)
    assert head.curves is not None
    assert head.cut is not None
    assert (head.cut.flagged, head.cut.negatives, head.cut.recall) == (1, 20, 0.8)


async def test_a_family_s_own_label_is_its_verdict(tiny: Model) -> None:
    rows = [{"labels": {"harm.weapons": int(text == "bomb")}, "text": text} for text in ("bomb", "calm", "calm")]
    report = await evaluated(tiny, *rows)
    assert [(head.label, head.total.n, head.total.positives) for head in report.heads] == [
        ("harm", 1, 1),
        ("harm.weapons", 3, 1),
    ]
    assert report.heads[1].total.f1 is not None
    assert report.heads[1].total.f1.at == 1.0


async def test_advice_is_a_word(tiny: Model) -> None:
    rows = [
        {"task": "regulated_advice", "text": text, "label": label}
        for text, label in (("law", ["legal"]), ("calm", []), ("law", []), ("calm", ["legal"]), ("law", ["legal"]))
    ]
    report = await evaluated(tiny, *rows)
    assert report.advice is not None
    assert report.advice.at == pytest.approx((2 / 3 + 0.5) / 2)
    legal = next(head for head in report.heads if head.label == "advice.legal")
    assert legal.total.recall is not None
    assert legal.total.recall.at == pytest.approx(2 / 3)


async def test_spans_by_source(tiny: Model) -> None:
    text = "I met Ada King in Paris"
    spans = [{"start": 6, "end": 14, "label": "PER"}, {"start": 18, "end": 23, "label": "LOC"}]
    report = await evaluated(
        tiny, {"task": "pii", "text": text, "spans": spans}, {"task": "pii", "text": "calm", "spans": []}
    )
    counts = report.spans["file"]
    assert {label: (c.right, c.found, c.said) for label, c in counts.items()} == {
        "any": (2, 2, 2),
        "right label": (2, 2, 2),
        "LOCATION": (1, 1, 1),
        "PERSON": (1, 1, 1),
    }
    assert report.heads == []


async def test_without_thresholds_there_are_figures_of_scores_only(tiny: Model) -> None:
    report = await evaluated(MODELS.named("bare"), jailbreak("attack", 1), jailbreak("calm", 0))
    (head,) = report.heads
    assert (head.threshold, head.total.f1, head.total.fpr) == (None, None, None)
    assert head.total.auprc is not None
    assert head.total.auprc.at == 1.0


async def test_what_is_not_labelled_is_counted(tiny: Model) -> None:
    report = await evaluated(tiny, {"task": "preference", "text": "a"}, jailbreak("endless", 1), jailbreak("calm", 0))
    assert (report.rows, report.skipped, report.bad) == (1, 1, 1)
    evaluation = Evaluation(Scorer(tiny), "tiny")
    assert evaluation.wants(Bad(1, None, "the line is empty"))
    empty = evaluation.report()
    assert (empty.heads, empty.advice, empty.spans) == ([], None, {})


async def test_rows_of_one_group_are_drawn_together(tiny: Model) -> None:
    rows = [jailbreak("attack" if i % 3 else "calm", int(i % 2)) for i in range(200)]
    alone = (await evaluated(tiny, *rows)).heads[0].total.recall
    together = (
        (await evaluated(tiny, *[{**row, "group": str(i // 50)} for i, row in enumerate(rows)])).heads[0].total.recall
    )
    assert alone is not None
    assert together is not None
    assert alone.at == together.at
    assert together.high - together.low < alone.high - alone.low  # four groups, all alike
    assert isinstance(row_of(1, b'{"id": 1, "text": "a", "group": 3}'), Row)
