"""What runs a model: token batches in, logits out. One class a way of running (`onnx.py`, `kserve.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Device = Literal["cpu", "gpu"]

_WIDTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Few widths: what a runtime prepares for a shape is kept, and padding costs at most a third. A CPU prepares nothing,
and a sequence that is run alone there needs no padding."""

Batch = NDArray[np.int64]
"""(sequences, tokens), padded with 0 on the right."""

Outputs = Mapping[str, NDArray[np.float32]]
"""Output name → values, the first axis as in the batch."""


class Backend(Protocol):
    """`run` may be called from several threads at once, at most `parallel` of them. Raises BackendError, OverloadedError."""

    parallel: int

    def run(self, ids: Batch, mask: Batch) -> Outputs: ...

    def close(self) -> None: ...


def padded(sequences: Sequence[Sequence[int]], *, exact: bool = False) -> tuple[Batch, Batch]:
    """(ids, mask) of a batch, as wide as the next of the usual widths; `exact`, no wider than its longest."""
    longest = max(map(len, sequences))
    width = longest if exact else next((w for w in _WIDTHS if w >= longest), longest)
    ids = np.zeros((len(sequences), width), np.int64)
    mask = np.zeros_like(ids)
    for i, sequence in enumerate(sequences):
        ids[i, : len(sequence)] = sequence
        mask[i, : len(sequence)] = 1
    return ids, mask
