"""What both ways of speaking the protocol share: tensors, and what a connection to a model can be asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lockgate_models.backend import Batch, Outputs
from lockgate_models.errors import BackendError

MOST = 64 * 1024 * 1024
"""Bytes of an answer, at most: far beyond what any batch needs."""

FLOATS = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}
"""Data types that an output may have, and their layout in bytes."""

NOT_PROTOCOL = "the server's answer is not one of the Open Inference Protocol"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as a model's metadata describe it; -1 in `shape` is any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a model takes and gives, as its server describes it."""

    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]


class Wire(Protocol):
    """Connections to one model. Every call ends within `timeout` seconds. All raise BackendError and OverloadedError;
    messages name no server, and hold nothing that was sent or received."""

    def ready(self, timeout: float) -> None:
        """Raises BackendError if the model is not ready."""

    def metadata(self, timeout: float) -> Metadata: ...

    def infer(self, ids: Batch, mask: Batch, outputs: Sequence[str], timeout: float) -> Outputs:
        """What the server gave of `outputs`, and perhaps more."""

    def close(self) -> None:
        """Close what is open. The next call opens it again."""


def from_bytes(name: str, datatype: str, shape: Sequence[int], raw: bytes) -> NDArray[np.float32]:
    """A tensor of its raw little-endian values. Raises BackendError."""
    layout = _layout(name, datatype)
    if len(raw) % np.dtype(layout).itemsize:
        raise BackendError(f"the bytes of {name} end in the middle of a value")
    return _shaped(name, np.frombuffer(raw, layout), shape)


def from_values(name: str, datatype: str, shape: Sequence[int], values: Sequence[Any]) -> NDArray[np.float32]:
    """A tensor of numbers in a list, which may be nested. Raises BackendError."""
    _layout(name, datatype)
    try:
        numbers = np.array(values, np.float64)
    except (OverflowError, TypeError, ValueError):
        raise BackendError(f"the values of {name} are no numbers") from None
    return _shaped(name, numbers, shape)


def _layout(name: str, datatype: str) -> str:
    if datatype not in FLOATS:
        raise BackendError(f"{name} is of the type {datatype[:16]!r}, and not {', '.join(FLOATS)}")
    return FLOATS[datatype]


def _shaped(name: str, values: NDArray[Any], shape: Sequence[int]) -> NDArray[np.float32]:
    try:
        sizes = tuple(map(int, shape))
        if min(sizes, default=0) >= 0 and values.size == math.prod(sizes):
            with np.errstate(over="ignore"):  # beyond float32 it is infinite, which the reader refuses
                return np.asarray(values.reshape(sizes), np.float32)
    except (TypeError, ValueError, OverflowError):
        pass
    raise BackendError(f"{name} does not have the values that its shape says")
