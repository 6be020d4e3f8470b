"""A first stage before the encoder: tokens without context, pooled, one linear head a family. Some tens of microseconds.

Its table is the base encoder's word embeddings, reduced to a few columns; a fit teaches the heads, and if wanted the table,
what the encoder said of the same windows. What ships is int8, and is read by NumPy alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float32]
Tokens = Sequence[int]
"""A window's token numbers, less the special ones at both ends."""

_DROPPED = 0.1
"""Of the tokens, so many are hidden at each step: no single word may decide."""
_FAR = -1e4


@dataclass(frozen=True, slots=True)
class Stage:
    """`table` (V, d) int8; `weight` (2 d, F) and `bias` (F) of the families, the columns' scales within `weight`. Of each
    column the mean over the tokens, then the highest value."""

    families: tuple[str, ...]
    table: NDArray[np.int8]
    weight: Floats
    bias: Floats

    def scores(self, tokens: Tokens) -> Floats:
        """(F): how likely the encoder is to fire, as logits. Of no tokens, the bias."""
        if not len(tokens):
            return self.bias
        found = self.table.take(tokens, 0)
        size = found.shape[1]
        pooled = np.empty(2 * size, np.float32)
        np.divide(np.add.reduce(found, 0, np.int32), len(found), out=pooled[:size], casting="same_kind")
        pooled[size:] = found.max(0)
        return np.asarray(pooled @ self.weight + self.bias)

    def all(self, windows: Sequence[Tokens]) -> Floats:
        """(windows, F)"""
        out = np.empty((len(windows), len(self.families)), np.float32)
        for i, tokens in enumerate(windows):
            out[i] = self.scores(tokens)
        return out


def reduced(table: Floats, windows: Sequence[Tokens], size: int) -> Floats:
    """(V, H) → (V, size): the directions in which the words that are used differ most, at a common scale."""
    counts = np.zeros(len(table))
    for tokens in windows:
        np.add.at(counts, tokens, 1)
    weights = np.log1p(counts)
    weights /= weights.sum()
    centred = table.astype(np.float64) - weights @ table
    values, directions = np.linalg.eigh((centred * weights[:, None]).T @ centred)
    chosen = directions[:, np.argsort(-values)[:size]]
    found = centred @ chosen
    return np.asarray(found / max(math.sqrt(float((weights @ found**2).mean())), 1e-9), np.float32)


class _Network(nn.Module):
    def __init__(self, table: Floats, families: int, *, tuned: bool) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(torch.from_numpy(table), freeze=not tuned)
        self.say = nn.Linear(2 * table.shape[1], families)

    def forward(self, ids: Tensor, seen: Tensor) -> Tensor:
        """(B, T) tokens, and which of them count, → (B, F)"""
        each, wide = self.words(ids), seen.unsqueeze(-1)
        mean = (each * wide).sum(1) / wide.sum(1).clamp(min=1)
        top = each.masked_fill(~wide, _FAR).amax(1)
        said: Tensor = self.say(torch.cat([mean, torch.where(wide.any(1), top, 0.0)], dim=-1))
        return said


def fit_stage(
    table: Floats,
    windows: Sequence[Tokens],
    target: Floats,
    families: Sequence[str],
    *,
    tuned: bool,
    epochs: int = 6,
    batch: int = 256,
    rate: float = 3e-3,
    seed: int = 1,
    threads: int = 1,
) -> Stage:
    """Fitted to `target` (windows, F), between 0 and 1. `table` (V, d) as `reduced` gives it; with `tuned` it learns too."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    network = _Network(table, len(families), tuned=tuned)
    chosen = [i for i, tokens in enumerate(windows) if len(tokens)]
    steps = epochs * -(-len(chosen) // batch)
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    wanted = torch.from_numpy(target)
    for _ in range(epochs):
        order = [chosen[i] for i in torch.randperm(len(chosen)).tolist()]
        for at in range(0, len(order), batch):
            mine = order[at : at + batch]
            ids, seen = padded([windows[i] for i in mine])
            lost = nn.functional.binary_cross_entropy_with_logits(
                network(ids, seen & (torch.rand(seen.shape) >= _DROPPED)), wanted[mine]
            )
            optimiser.zero_grad(set_to_none=True)
            lost.backward()
            optimiser.step()
            schedule.step()
    return quantised(
        network.words.weight.detach().numpy(),
        network.say.weight.detach().numpy(),
        network.say.bias.detach().numpy(),
        families,
    )


def quantised(table: Floats, weight: Floats, bias: Floats, families: Sequence[str]) -> Stage:
    """int8, a scale for each column; `weight` (F, 2 d) takes the scales up."""
    scales = np.maximum(np.abs(table).max(0), 1e-9) / 127
    scaled = weight.T * np.concatenate([scales, scales])[:, None]
    return Stage(
        tuple(families), np.rint(table / scales).astype(np.int8), scaled.astype(np.float32), bias.astype(np.float32)
    )


def padded(windows: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
    """(ids, which of them are there), (B, T)."""
    width = max(map(len, windows))
    ids = torch.zeros(len(windows), width, dtype=torch.long)
    seen = torch.zeros(len(windows), width, dtype=torch.bool)
    for i, tokens in enumerate(windows):
        ids[i, : len(tokens)] = torch.tensor(tokens)
        seen[i, : len(tokens)] = True
    return ids, seen
