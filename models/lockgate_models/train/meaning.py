"""The sentence embedding of a fitted encoder: a linear map from what it says to what its base said.

The fit bends the encoder to its heads, and its mean-pooled output means little afterwards; the detector `topic` needs
it. A ridge regression, in closed form, finds the way back from two means over the tokens: of the last layer's output,
and of a lower layer's, which the fit has hardly touched.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModel

from lockgate_models.train.batches import collate, encode
from lockgate_models.train.network import TextEncoder
from lockgate_models.train.rows import Row

Floats = NDArray[np.float32]

_LOW = (2, 3, 4)
"""Layers of which one is taken too, that which says most: they still hold the words, and some of their meaning."""
_RIDGES = (10.0, 30.0, 100.0, 300.0, 1000.0)
_HELD = 500


@dataclass(frozen=True, slots=True)
class Meaning:
    """embedding = `weight` (H, 2 H) · [mean of the last layer, mean of layer `low`] + `bias` (H), then unit length.
    `cosine`: the mean with the base's embedding, on texts that were held out; `plain`: of the mean alone, without map."""

    weight: Floats
    bias: Floats
    low: int
    cosine: float
    plain: float


def sample(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """So many rows, of each source as many, as long as it has any."""
    draw = random.Random(seed)  # noqa: S311 - which rows, no secret
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_source[row.source].append(row)
    lines = [draw.sample(found, len(found)) for _, found in sorted(by_source.items())]
    chosen: list[Row] = []
    while len(chosen) < count and any(lines):
        chosen += [line.pop() for line in lines if line]
    draw.shuffle(chosen)
    return chosen[:count]


def fit_meaning(
    fitted: TextEncoder, base: Path, rows: Sequence[Row], *, longest: int = 128, held: int = _HELD
) -> Meaning:
    """The map, fitted on all `rows` but the last `held`, on which it is measured, and its layer and ridge are chosen."""
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    original = AutoModel.from_pretrained(str(base), add_pooling_layer=False).eval()
    layers = len(fitted.encoder.encoder.layer)
    lows = [low for low in _LOW if low < layers] or [layers - 1]
    fitted.eval()
    size = original.config.hidden_size
    last = np.zeros((len(rows), size), np.float32)
    lower = np.zeros((len(lows), len(rows), size), np.float32)
    wanted = np.zeros((len(rows), size), np.float32)
    examples = [encode(row, tokenizer, longest) for row in rows]
    order = sorted(range(len(rows)), key=lambda i: len(examples[i].ids))
    with torch.no_grad():
        for at in range(0, len(order), 32):
            chosen = order[at : at + 32]
            batch = collate([examples[i] for i in chosen])
            said = fitted.encoder(input_ids=batch.ids, attention_mask=batch.mask, output_hidden_states=True)
            first = original(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
            last[chosen] = _mean(said.last_hidden_state, batch.mask)
            for means, low in zip(lower, lows, strict=True):
                means[chosen] = _mean(said.hidden_states[low], batch.mask)
            wanted[chosen] = _mean(first, batch.mask)
    wanted = unit(wanted)
    inner, outer = slice(len(rows) - held), slice(len(rows) - held, None)
    plain = float((unit(last[outer]) * wanted[outer]).sum(1).mean())
    best: Meaning | None = None
    for means, low in zip(lower, lows, strict=True):
        given = np.concatenate([last, means], axis=1)
        for strength in _RIDGES:
            weight, bias = ridge(given[inner], wanted[inner], strength)
            cosine = float((unit(given[outer] @ weight.T + bias) * wanted[outer]).sum(1).mean())
            if best is None or cosine > best.cosine:
                best = Meaning(weight, bias, low, cosine, plain)
    assert best is not None
    return best


def ridge(given: Floats, wanted: Floats, strength: float) -> tuple[Floats, Floats]:
    """(weight, bias) that best say `wanted` (n, k) by `given` (n, m), the weight held small."""
    x, y = given.astype(np.float64), wanted.astype(np.float64)
    middle, scale, level = x.mean(0), float(x.std()) or 1.0, y.mean(0)
    x = (x - middle) / scale
    weight = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (y - level)) / scale
    return weight.T.astype(np.float32), (level - middle @ weight).astype(np.float32)


def unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)


def _mean(hidden: Tensor, mask: Tensor) -> Floats:
    seen = mask.unsqueeze(-1).to(hidden.dtype)
    mean: Floats = ((hidden * seen).sum(1) / seen.sum(1)).numpy()
    return mean
