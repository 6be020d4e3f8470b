from __future__ import annotations

import numpy as np

from lockgate_models.backend import Backend, Batch, Outputs
from lockgate_models.batcher import Batcher


class Lengths:
    """The least that is a backend: it says how long each sequence is."""

    parallel = 1

    def run(self, ids: Batch, mask: Batch) -> Outputs:
        assert ids.shape == mask.shape
        return {"length": mask.sum(1, keepdims=True).astype(np.float32)}

    def close(self) -> None:
        pass


def test_what_has_its_shape_is_a_backend() -> None:
    backend: Backend = Lengths()
    batcher = Batcher(backend, budget=100)
    futures = batcher.submit([[1], [1, 1, 1]])
    assert [future.result(10)["length"].tolist() for future in futures] == [[1.0], [3.0]]
    batcher.close()
