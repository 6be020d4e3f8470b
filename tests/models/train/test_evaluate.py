from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from lockgate_models.train.evaluate import Scorer
from tiny_model import FAMILIES, network, tokenizer


@pytest.mark.parametrize("budget", [20, 300, 10_000])
def test_a_long_text_has_the_score_of_its_worst_window(tmp_path: Path, budget: int) -> None:
    onnx.save(network(), tmp_path / "m.onnx")
    tokenizer().save(str(tmp_path / "t.json"))
    scorer = Scorer(tmp_path / "m.onnx", tmp_path / "t.json", families=FAMILIES)
    scores = scorer.scores(["calm " * 400 + "attack " + "calm " * 200, "calm", ""], budget=budget)
    assert [row[0] > 0.9 for row in scores] == [True, False, False]
    assert [float(row[3] + row[4]) == pytest.approx(1) for row in scores[1:]] == [True, True]
