from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from lockgate_models.labels import FAMILIES, LABELS
from lockgate_models.train.evaluate import Scorer, probabilities
from tiny_model import network, tokenizer


def test_probabilities_are_independent_but_where_labels_exclude_each_other() -> None:
    logits = np.random.default_rng(1).normal(size=(4, len(LABELS)))
    found = probabilities(logits)
    assert ((found > 0) & (found < 1)).all()
    advice = [LABELS.index(label) for label in FAMILIES["advice"]]
    np.testing.assert_allclose(found[:, advice].sum(-1), 1)
    np.testing.assert_allclose(found[:, 0], 1 / (1 + np.exp(-logits[:, 0])))


def test_a_long_text_has_the_score_of_its_worst_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate_models.train.evaluate.LABELS", LABELS[:5])
    monkeypatch.setattr("lockgate_models.train.evaluate.FAMILIES", {})
    onnx.save(network(), tmp_path / "m.onnx")
    tokenizer().save(str(tmp_path / "t.json"))
    scorer = Scorer(tmp_path / "m.onnx", tmp_path / "t.json")
    scores = scorer.scores(["calm " * 400 + "attack " + "calm " * 200, "calm", ""], budget=300)
    assert scores[0, 0] > 0.9
    assert scores[1, 0] < 0.1
    assert scores[2, 0] < 0.1
