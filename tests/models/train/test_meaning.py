from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lockgate_models.train.rows import Row

pytestmark = pytest.mark.train


def test_a_ridge_finds_a_linear_map() -> None:
    from lockgate_models.train.meaning import ridge, unit

    draw = np.random.default_rng(1)
    given = draw.normal(3, 2, (500, 8)).astype(np.float32)
    true = draw.normal(size=(4, 8)).astype(np.float32)
    weight, bias = ridge(given, given @ true.T + 1.5, 1e-6)
    np.testing.assert_allclose(weight, true, atol=1e-3)
    np.testing.assert_allclose(bias, 1.5, atol=1e-2)
    assert np.abs(ridge(given, given @ true.T, 1e6)[0]).max() < 0.01
    np.testing.assert_allclose(np.linalg.norm(unit(given), axis=1), 1, atol=1e-5)


def test_all_sources_are_in_the_sample() -> None:
    from lockgate_models.train.meaning import sample

    rows = [Row(f"a{i}", "a", "g", "x", {}) for i in range(100)] + [Row(f"b{i}", "b", "g", "x", {}) for i in range(5)]
    found = sample(rows, 30, 1)
    assert len(found) == len({row.id for row in found}) == 30
    assert sum(row.source == "b" for row in found) == 5
    assert [row.id for row in found] == [row.id for row in sample(rows, 30, 1)]
    assert len(sample(rows, 1000, 1)) == 105


def test_what_the_fit_has_spoiled_is_found_again(base: Path) -> None:
    import torch

    from lockgate_models.train.meaning import fit_meaning
    from lockgate_models.train.network import TextEncoder

    torch.manual_seed(4)
    fitted = TextEncoder(base).eval()
    with torch.no_grad():
        for values in fitted.encoder.encoder.layer[-1].parameters():
            values.add_(torch.randn_like(values) * 0.3)
    words = ["calm", "attack", "bomb", "law", "doctor", "ada", "king", "paris"]
    draw = np.random.default_rng(2)
    rows = [Row(str(i), "s", "g", " ".join(draw.choice(words, 6)), {}) for i in range(300)]
    found = fit_meaning(fitted, base, rows, held=50)
    assert found.weight.shape == (32, 64)
    assert found.cosine > 0.95 > found.plain
