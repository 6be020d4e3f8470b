from __future__ import annotations

import random
from pathlib import Path

import pytest

pytestmark = pytest.mark.train


def test_the_worst_question_counts_and_unknown_ones_do_not() -> None:
    import torch

    from lockgate_models.labels import FAMILIES, LABELS
    from lockgate_models.train.batches import Batch
    from lockgate_models.train.hard import worst

    said = torch.zeros(4, len(LABELS))
    target, known = torch.zeros(4, len(LABELS)), torch.zeros(4, len(LABELS))
    injection, harm, none = LABELS.index("injection"), LABELS.index("harm"), LABELS.index("advice.none")
    said[0, injection], known[0, injection] = 5.0, 1.0  # wrong
    said[1, injection], known[1, injection] = -5.0, 1.0  # right
    said[2, harm], said[2, injection], known[2, injection] = 9.0, -5.0, 1.0  # right in what is known
    target[3, none], known[3, none : none + 4] = 1.0, 1.0
    said[3, none] = -3.0
    ids = torch.zeros(4, 8, dtype=torch.long)
    losses = worst(said, Batch(ids, ids, target, known, ids), FAMILIES)
    assert losses[0] == pytest.approx(5.0067, abs=1e-3)
    assert losses[1] < 0.01
    assert losses[2] < 0.01
    assert losses[3] > 3


def test_the_hardest_of_the_trusted_rows_are_found(base: Path) -> None:
    import torch
    from tokenizers import Tokenizer

    from lockgate_models.labels import FAMILIES
    from lockgate_models.train.hard import hardest
    from lockgate_models.train.network import TextEncoder
    from lockgate_models.train.rows import Row

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    model = TextEncoder(base)
    with torch.no_grad():
        first = list(FAMILIES).index("injection")
        say = list(model.heads.say.values())[first]
        say.weight.zero_()
        say.bias.fill_(2.0)  # everything is an attack, it says
    rows = [
        *(Row(f"a{i}", "own/attacks", f"a{i}", "attack", {"injection": 1.0}) for i in range(20)),
        *(Row(f"c{i}", "own/chat", f"c{i}", "calm law", {"injection": 0.0}) for i in range(5)),
        *(Row(f"n{i}", "moderation/mlma", f"n{i}", "calm", {"injection": 0.0}) for i in range(50)),
    ]
    model.train()
    found = hardest(model, rows, tokenizer, random.Random(1), longest=16, share=0.2, above=0.3)
    assert {row.source for row in found} == {"own/chat"}
    assert len(found) == 5
    assert model.training
    assert hardest(model, rows, tokenizer, random.Random(1), longest=16, share=1.0, above=9.0) == []
