from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.train


def test_weights_are_shared_and_counts_are_the_later_ones() -> None:
    import torch

    from lockgate_models.train.average import averaged

    earlier = {"w": torch.tensor([0.0, 4.0]), "n": torch.tensor([1, 2])}
    later = {"w": torch.tensor([1.0, 0.0]), "n": torch.tensor([3, 4])}
    made = averaged(earlier, later, 0.75)
    assert made["w"].tolist() == [0.75, 1.0]
    assert made["n"].tolist() == [3, 4]
    for other in ({"w": later["w"]}, {"w": torch.zeros(3), "n": later["n"]}):
        with pytest.raises(ValueError, match="one network"):
            averaged(earlier, other, 0.5)


def test_a_checkpoint_as_a_fit_writes_one(tmp_path: Path) -> None:
    import torch

    from lockgate_models.train.average import main

    for name, step in (("a.pt", 10), ("b.pt", 20)):
        torch.save({"model": {"w": torch.full((2,), float(step))}, "optimiser": {}, "step": step}, tmp_path / name)
    main([str(tmp_path / "a.pt"), str(tmp_path / "b.pt"), "--share", "0.5", "--out", str(tmp_path / "out")])
    made = torch.load(tmp_path / "out/checkpoint.pt", weights_only=True)
    assert (made["step"], made["averaged"], made["model"]["w"].tolist()) == (20, [10, 20, 0.5], [15.0, 15.0])
