from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lockgate.detectors.model import MODELS, Model
from lockgate.scoring.answers import read_answers
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
