from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tiny_model import write_model

if TYPE_CHECKING:
    from lockgate_models.train.cascade import Part

pytestmark = pytest.mark.train

THRESHOLDS = {
    "injection": {"normal": {"at": 0.5}},
    "harm": {"normal": {"at": 0.5}},
    "harm.weapons": {"normal": {"at": 0.9}},
}
CLEAN = {"injection": 0, "harm": []}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", thresholds=THRESHOLDS)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Families in which one word decides."""
    folder = tmp_path / "own"
    folder.mkdir()
    for source, word, labels in (
        ("attacks", "attack", {**CLEAN, "injection": 1}),
        ("weapons", "bomb", {**CLEAN, "harm": ["weapons"]}),
        ("chat", "doctor", CLEAN),
    ):
        families = (
            {
                "family": f"{source}-{i}",
                "labels": labels,
                "texts": [f"calm {word} {'law ' * (i % 5)}", f"{'calm ' * (i % 7)}king {word}"],
            }
            for i in range(450)
        )
        (folder / f"{source}.jsonl").write_text("\n".join(map(json.dumps, families)))
    return folder


def row(text: str, **labels: float) -> Any:
    from lockgate_models.train.rows import Row

    return Row(text, "own/chat", text, text, labels)


def some(**changes: Any) -> Part:
    """Two hundred rows of two windows each: the encoder fires on the first window of the first hundred."""
    from lockgate_models.train.cascade import Part

    margins = np.full((400, 1), -3.0, np.float32)
    margins[:200:2] = 2.0
    right = np.zeros((200, 1), bool)
    right[:100] = True
    rows = [row(f"text {i}", injection=float(i < 100)) for i in range(200)]
    made = Part(rows, [[1]] * 400, np.arange(400) // 2, margins, right, np.ones((200, 1), bool))
    return replace(made, **changes)


@pytest.mark.parametrize(("rate", "most"), [(0.0, 0), (0.01, 1), (0.05, 5), (0.2, 20)])
def test_a_cut_misses_no_more_than_it_may(rate: float, most: int) -> None:
    from lockgate_models.train.cascade import cleared, cut, missed

    part = some()
    scores = np.random.default_rng(1).normal(size=(400, 1)).astype(np.float32)
    at = cut(part, scores, 0, rate)
    assert at is not None
    (found,) = missed(part, cleared(scores, [(0, at)]), ["injection"], [(0, at)])
    assert (found.known, found.found, found.missed, found.lost) == (100, 100, most, most / 100)


def test_no_cut_where_too_little_is_found() -> None:
    from lockgate_models.train.cascade import cut

    part = some(known=np.arange(200)[:, None] >= 60)
    assert cut(part, np.zeros((400, 1), np.float32), 0, 0.01) is None


def test_a_window_is_cleared_only_by_all_who_ask() -> None:
    from lockgate_models.train.cascade import cleared

    scores = np.array([[-2.0, -2.0], [-2.0, 2.0], [2.0, -2.0], [-1.0, -2.0]], np.float32)
    assert cleared(scores, [(0, -1.0), (1, 0.0)]).tolist() == [True, False, False, False]


def test_a_row_is_found_by_the_window_that_was_not_cleared() -> None:
    from lockgate_models.train.cascade import missed

    part = some()
    margins = part.margins.copy()
    margins[1] = 2.0  # both windows of the first row fire
    clear = np.zeros(400, bool)
    clear[[0, 2, 3]] = True  # one of the first row's, both of the second's
    (found,) = missed(replace(part, margins=margins), clear, ["injection"], [(0, 0.0)])
    assert (found.found, found.missed) == (100, 1)


def test_margins_are_over_the_label_that_is_most(model: Path, tmp_path: Path) -> None:
    from lockgate_models.train.cascade import Teacher

    teacher = Teacher(model)
    assert teacher.families == ("injection", "harm")
    rows = [row("calm " * 30 + "attack", injection=1.0), row("bomb", harm=1.0), row("calm", harm=0.0)]
    part = teacher.part(rows, tmp_path / "kept.npz")
    assert len(part.windows) > 3
    fired = part.rows_of(part.margins >= 0)
    assert fired.tolist() == [[True, False], [False, True], [False, False]]
    assert part.truth.tolist() == [[True, False], [False, True], [False, False]]
    assert part.known.tolist() == [[True, False], [False, True], [False, True]]
    np.testing.assert_allclose(part.margins[part.owner == 1], [[-4.0, 2.0]], atol=1e-3)
    assert teacher.seconds(part.windows[0]) >= 0


def test_the_encoder_is_asked_once_for_the_same_rows(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lockgate_models.train.cascade import Teacher

    teacher, kept = Teacher(model), tmp_path / "kept.npz"
    asked: list[int] = []
    margins = teacher._margins

    def counted(windows: list[list[int]]) -> Any:
        asked.append(len(windows))
        return margins(windows)

    monkeypatch.setattr(teacher, "_margins", counted)
    first = teacher.part([row("attack")], kept)
    again = teacher.part([row("attack")], kept)
    teacher.part([row("calm")], kept)
    assert asked == [1, 1]
    assert first.margins.tolist() == again.margins.tolist()


def test_a_model_without_thresholds_is_refused(tmp_path: Path) -> None:
    from lockgate_models.errors import ManifestError
    from lockgate_models.train.cascade import Teacher

    with pytest.raises(ManifestError, match="freeze them first"):
        Teacher(write_model(tmp_path / "bare", thresholds={}))


def test_rows_are_spelled_otherwise() -> None:
    from lockgate_models.train.cascade import spelled_otherwise

    rows = [row(f"calm attack {i}", injection=1.0) for i in range(20)]
    found = spelled_otherwise(rows, 1)
    assert all(a.text != b.text and a.labels == b.labels for a, b in zip(rows, found, strict=True))
    assert [a.text for a in spelled_otherwise(rows, 1)] == [a.text for a in found]


def test_the_report_says_what_is_cleared_and_what_is_lost(
    base: Path, model: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lockgate_models.train.cascade import main

    options = {
        "--own": own,
        "--base": base,
        "--model": model,
        "--work": tmp_path / "work",
        "--size": 12,
        "--epochs": 30,
        "--threads": 1,
    }
    main([str(part) for option in options.items() for part in option])
    shown = capsys.readouterr().out
    assert shown.count("### ") == 2  # the base's words, and fitted: both ask the same two families
    assert "### Words fitted too; asked: injection, harm" in shown
    tuned = shown.partition("### Words fitted too")[2]
    assert "| 0.2% | 100.0% | - | 0.00% (injection) |" in tuned
    assert "µs a window" in tuned
