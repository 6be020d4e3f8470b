from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.train


def test_it_says_what_the_fitted_network_says(base: Path) -> None:
    import numpy as np
    import torch

    from lockgate_models.labels import LABELS, PAIR
    from lockgate_models.train.meaning import Meaning
    from lockgate_models.train.network import TextEncoder
    from lockgate_models.train.shipped import Shipped

    torch.manual_seed(3)
    fitted = TextEncoder(base).eval()
    ids = torch.tensor([[2, 4, 5, 7, 3, 0, 0], [2, 9, 8, 7, 6, 5, 3]])
    mask = (ids > 0).long()
    same = np.concatenate([np.eye(32), np.zeros((32, 32))], 1).astype(np.float32)
    model = Shipped(fitted, Meaning(same, np.zeros(32, np.float32), 1, 0.0, 0.0))
    with torch.no_grad():
        wanted, said = fitted(ids, mask), model(ids, mask)
    assert said[0].shape == (2, len(LABELS))
    torch.testing.assert_close(said[0], wanted[0])
    torch.testing.assert_close(said[1], wanted[1])
    torch.testing.assert_close(said[2], torch.nn.functional.normalize(wanted[2], dim=-1))
    pair = TextEncoder(base, families=PAIR, tags=()).eval()
    with torch.no_grad():
        (labels,) = Shipped(pair, None)(ids, mask)
        torch.testing.assert_close(labels, pair(ids, mask)[0])
    assert Shipped(pair, None).digest() == Shipped(pair, None).digest() != model.digest()
