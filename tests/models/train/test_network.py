from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.train


def test_shapes_and_that_padding_counts_for_nothing(base: Path) -> None:
    import torch

    from lockgate_models.labels import LABELS, TAGS
    from lockgate_models.train.network import TextEncoder

    model = TextEncoder(base).eval()
    ids = torch.tensor([[2, 4, 5, 3]])
    padded = torch.tensor([[2, 4, 5, 3, 0, 0, 0]])
    with torch.no_grad():
        labels, names, embedding = model(ids, torch.ones_like(ids))
        others = model(padded, (padded > 0).long())
    assert labels.shape == (1, len(LABELS))
    assert names.shape == (1, 4, len(TAGS))
    torch.testing.assert_close(others[0], labels)
    torch.testing.assert_close(others[1][:, :4], names)
    torch.testing.assert_close(others[2], embedding)


def test_what_is_frozen_does_not_learn(base: Path) -> None:
    from lockgate_models.train.network import TextEncoder

    model = TextEncoder(base)
    model.freeze(1)
    assert not any(p.requires_grad for p in model.encoder.embeddings.parameters())
    assert not any(p.requires_grad for p in model.encoder.encoder.layer[0].parameters())
    assert all(p.requires_grad for layer in model.encoder.encoder.layer[1:] for p in layer.parameters())
    assert all(p.requires_grad for p in model.heads.parameters())


def test_a_pair_encoder_begins_where_the_text_encoder_is(base: Path) -> None:
    import torch

    from lockgate_models.labels import FAMILIES, PAIR
    from lockgate_models.train.network import TextEncoder

    text = TextEncoder(base)
    pair = TextEncoder(base, families=PAIR)
    pair.begin_from(text.state_dict(), FAMILIES)
    torch.testing.assert_close(pair.heads.say["refusal"].weight, text.heads.say["refusal"].weight)
    torch.testing.assert_close(pair.heads.look.weight[1], text.heads.look.weight[list(FAMILIES).index("refusal")])
    ids = torch.tensor([[2, 4, 5, 3]])
    labels, _, _ = pair(ids, torch.ones_like(ids))
    assert labels.shape == (1, sum(map(len, PAIR.values())))
