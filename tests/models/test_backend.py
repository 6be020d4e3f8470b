from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models.backend import Backend, Batch, Outputs, padded
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


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=700), min_size=1, max_size=5))
def test_padding_keeps_the_sequences(sequences: list[list[int]]) -> None:
    ids, mask = padded(sequences)
    assert ids.shape == mask.shape
    assert [list(row[:n]) for row, n in zip(ids, map(len, sequences), strict=True)] == sequences
    assert [int(row.sum()) for row in mask] == list(map(len, sequences))
    assert not ids[mask == 0].any()


def test_widths_are_few() -> None:
    assert len({padded([[1] * n])[0].shape[1] for n in range(1, 513)}) <= 10
    assert padded([[1] * 600])[0].shape == (1, 600)
    assert padded([[1] * 17], exact=True)[0].shape == (1, 17)


def test_a_sequence_that_is_run_alone_has_no_padding() -> None:
    batcher = Batcher(Lengths(), budget=100, most=1)
    for future in batcher.submit([[1] * 17, [1] * 5]):
        future.result(10)
    assert (batcher.counts.tokens, batcher.counts.padded) == (22, 22)
    batcher.close()
