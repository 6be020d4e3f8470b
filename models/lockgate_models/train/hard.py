"""Rounds of hard rows: those of a sample that the encoder, as it stands, gets wrong or almost wrong.

Ordinary rows are soon known, and teach little; a harmless text with the words of an attack, or an attack that speaks
like a guest, is met too seldom among them. Between two rounds a share of the rows is drawn from these.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from lockgate_models.labels import ALL, EXCLUSIVE
from lockgate_models.train.batches import Batch, collate, encode
from lockgate_models.train.network import TextEncoder
from lockgate_models.train.rows import Row

_TRUSTED = re.compile(r"^(own|benign|indirect_injection|regulated_advice)/|^jailbreak/bastioncorpus")
"""Sources whose labels are not noisy: elsewhere the hardest rows are the wrongly labelled ones."""
_BATCH = 32


def worst(labels: Tensor, batch: Batch, families: Mapping[str, Sequence[str]]) -> list[float]:
    """For each row the largest loss of a family's question: its first label, or the whole of an exclusive one."""
    losses = torch.zeros(len(batch.ids))
    at = 0
    for family, members in families.items():
        logits = labels[:, at : at + len(members)].float()
        place = slice(ALL.index(members[0]), ALL.index(members[0]) + len(members))
        target, known = batch.target[:, place], batch.known[:, place]
        at += len(members)
        if family in EXCLUSIVE:
            lost = nn.functional.cross_entropy(logits, target.argmax(-1), reduction="none")
        else:
            lost = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], target[:, 0], reduction="none")
        losses = torch.maximum(losses, lost * (known[:, 0] > 0))
    return [float(loss) for loss in losses]


def hardest(
    model: TextEncoder,
    rows: Sequence[Row],
    tokenizer: Tokenizer,
    draw: random.Random,
    *,
    longest: int,
    lead: int = 0,
    sample: int = 4000,
    share: float = 0.15,
    above: float = 0.2,
) -> list[Row]:
    """Of a sample of trusted rows the hardest `share`, as long as their loss is `above` what known rows have."""
    trusted = [row for row in rows if _TRUSTED.search(row.source) and not row.marks]
    chosen = draw.sample(trusted, min(sample, len(trusted)))
    examples = sorted((encode(row, tokenizer, longest, draw, lead) for row in chosen), key=lambda e: len(e.ids))
    found: list[tuple[float, Row]] = []
    was = model.training
    model.eval()
    with torch.no_grad():
        for at in range(0, len(examples), _BATCH):
            part = examples[at : at + _BATCH]
            batch = collate(part)
            labels, _, _ = model(batch.ids, batch.mask)
            found += zip(worst(labels, batch, model.families), (example.row for example in part), strict=True)
    model.train(was)
    found.sort(key=lambda pair: -pair[0])
    return [row for lost, row in found[: int(len(chosen) * share)] if lost > above]
