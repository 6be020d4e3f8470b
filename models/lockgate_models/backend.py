"""What runs a model: token batches in, logits out. One class a way of running (`onnx.py`, `kserve.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Batch = NDArray[np.int64]
"""(sequences, tokens), padded with 0 on the right."""

Outputs = Mapping[str, NDArray[np.float32]]
"""Output name → values, the first axis as in the batch."""


class Backend(Protocol):
    """`run` may be called from several threads at once, at most `parallel` of them. Raises BackendError."""

    parallel: int

    def run(self, ids: Batch, mask: Batch) -> Outputs: ...

    def close(self) -> None: ...
