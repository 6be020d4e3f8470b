from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.train

WINDOWS = [[1, 2, 3], [4, 5], [3, 3, 3, 3], [6], [2, 6, 1]]


def test_the_int8_form_says_what_the_network_says() -> None:
    import torch

    from lockgate_models.train.first_stage import _Network, padded, quantised

    torch.manual_seed(3)
    table = np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32)
    network = _Network(table, 2, tuned=False)
    with torch.no_grad():
        wanted = network(*padded([*WINDOWS, []])).numpy()
    say = network.say
    stage = quantised(table, say.weight.detach().numpy(), say.bias.detach().numpy(), ("injection", "harm"))
    assert stage.table.dtype == np.int8
    np.testing.assert_allclose(stage.all([*WINDOWS, []]), wanted, atol=0.05)


def test_the_columns_are_those_in_which_used_words_differ() -> None:
    from lockgate_models.train.first_stage import reduced

    table = np.zeros((8, 5), np.float32)
    table[1:4, 2] = [1.0, -1.0, 0.5]  # used
    table[7, 4] = 100.0  # never used
    found = reduced(table, [[1, 2, 3]] * 3, 1)
    assert found.shape == (8, 1)
    assert len({round(float(x), 3) for x in found[1:4, 0]}) == 3
    assert np.allclose(found[7], found[0])


@pytest.mark.parametrize("tuned", [False, True])
def test_it_learns_which_word_decides(tuned: bool) -> None:
    from lockgate_models.metrics import roc_auc
    from lockgate_models.train.first_stage import fit_stage, reduced

    draw = np.random.default_rng(5)
    windows = [list(draw.integers(1, 12, draw.integers(2, 9))) for _ in range(600)]
    target = np.array([[float(7 in tokens), float(tokens[0] > 20)] for tokens in windows], np.float32)
    table = draw.normal(size=(12, 12)).astype(np.float32)
    stage = fit_stage(
        reduced(table, windows, 12), windows, target, ("a", "b"), tuned=tuned, epochs=20, batch=16, rate=0.01
    )
    scores = stage.all(windows)
    assert roc_auc(scores[:, 0], target[:, 0] == 1) > (0.99 if tuned else 0.9)
    assert (scores[:, 1] < 0).all()
