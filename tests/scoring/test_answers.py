from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lockgate.detectors.model import MODELS, Model
from lockgate.scoring.answers import read_answers
from lockgate.scoring.evaluation import Evaluation
from lockgate.scoring.rows import Row
from lockgate.scoring.scorer import Judged, Scorer
from lockgate_models.classifier import TextScores


class Pairs:
    """A classifier of pairs: what is asked for with an attack is harmful, whatever is answered."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def scores(self, pairs: Sequence[tuple[str, str]], lane: object = None) -> list[TextScores]:
        self.asked += pairs
        return [TextScores({"harm": float("attack" in prompt), "harm.weapons": 0.0}) for prompt, _ in pairs]


@pytest.fixture
def pair(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> tuple[Model, Pairs]:
    made, pairs = MODELS.named("pair"), Pairs()
    monkeypatch.setattr(made, "classifier", lambda: pairs)
    return made, pairs


async def test_an_answer_is_read_with_its_prompt(pair: tuple[Model, Pairs]) -> None:
    ((first, second),) = await read_answers(pair[0], [("attack", "Of course. I do.")])
    assert pair[1].asked == [("attack", "Of course. "), ("attack", "Of course. I do.")]
    assert (first.scores.labels["harm"], second.unit.end) == (1.0, 16)


async def test_figures_of_answers_stand_apart(tiny: Model, pair: tuple[Model, Pairs]) -> None:
    scorer = Scorer(tiny, ["harm"], pair=pair[0])
    evaluation = Evaluation(scorer, "tiny@1")
    rows = [
        {"labels": {"harm": harm}, "prompt": prompt, "response": "Of course."}
        for harm, prompt in ((1, "attack"), (0, "a"))
    ]
    rows += [{"labels": {"harm": harm}, "text": text} for harm, text in ((1, "bomb"), (0, "attack"), (0, "calm"))]
    fields = ("text", "prompt", "response")
    made = [Row(i, i, {k: str(row[k]) for k in fields if k in row}, row) for i, row in enumerate(rows)]
    for one in await scorer.judged(made):
        evaluation.add(one, "file")
    heads = evaluation.report().heads
    assert [(head.title, head.threshold, head.total.n, head.total.positives) for head in heads] == [
        ("harm", 0.5, 3, 1),
        ("harm of answers", 0.25, 2, 1),
    ]
    assert all(head.total.f1 is not None and head.total.f1.at == 1.0 for head in heads)


async def test_harm_of_an_answer_is_the_pair_models_affair(tiny: Model, pair: tuple[Model, Pairs]) -> None:
    async def verdict(scorer: Scorer, **texts: str) -> Any:
        (found,) = await scorer.judged([Row(1, "a", texts)])
        assert isinstance(found, Judged)
        return found.verdict.get("harm")

    scorer = Scorer(tiny, ["harm"], pair=pair[0])
    assert await verdict(scorer, prompt="attack", response="a bomb") is True
    assert await verdict(scorer, prompt="calm", response="a bomb") is False
    assert await verdict(scorer, response="a bomb") is True
    assert await verdict(scorer, prompt="a bomb") is True
    assert await verdict(Scorer(tiny, ["harm"]), prompt="attack", response="calm") is False
    assert len(pair[1].asked) == 2
