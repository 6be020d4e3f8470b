from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models.backend import Batch, Outputs
from lockgate_models.batcher import Batcher
from lockgate_models.errors import BackendError, OverloadedError


class Sums:
    """Answers with each sequence's sum and its tokens, when it is let. 99 is a word that it fails at."""

    def __init__(self, *, parallel: int = 1, held: bool = False) -> None:
        self.parallel = parallel
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)
        self.batches: list[int] = []
        if not held:
            self.gate.set()

    def run(self, ids: Batch, mask: Batch) -> Outputs:
        self.batches.append(len(ids))
        self.begun.release()
        assert self.gate.wait(10)
        if (ids == 99).any():
            raise RuntimeError("a text that must not be shown")
        return {
            "sum": (ids * mask).sum(1, keepdims=True).astype(np.float32),
            "each": ids[:, :, None].astype(np.float32),
        }

    def close(self) -> None:
        pass


def test_each_gets_its_own_answer_without_padding() -> None:
    batcher = Batcher(Sums(), budget=1000)
    futures = batcher.submit([[1, 2], [3], [4, 5, 6]])
    rows = [future.result(10) for future in futures]
    assert [row["sum"].tolist() for row in rows] == [[3], [3], [15]]
    assert [row["each"].shape for row in rows] == [(2, 1), (1, 1), (3, 1)]
    assert (batcher.counts.batches, batcher.counts.sequences, batcher.counts.tokens) == (1, 3, 6)
    batcher.close()


def test_what_comes_while_it_runs_goes_together_next() -> None:
    backend = Sums(held=True)
    batcher = Batcher(backend, budget=1000)
    futures = batcher.submit([[1]])
    assert backend.begun.acquire(timeout=10)
    for number in range(5):
        futures += batcher.submit([[number]])
    backend.gate.set()
    assert [future.result(10)["sum"].item() for future in futures] == [1, 0, 1, 2, 3, 4]
    assert backend.batches == [1, 5]
    batcher.close()


def test_who_leaves_while_it_waits_is_skipped_and_who_leaves_while_it_runs_frees_nothing() -> None:
    backend = Sums(held=True)
    batcher = Batcher(backend, budget=1000)
    (running,) = batcher.submit([[1]])
    assert backend.begun.acquire(timeout=10)
    waiting = batcher.submit([[2], [3]])
    assert waiting[0].cancel()
    assert not running.cancel()  # its thread has the session, whoever has left
    assert len(backend.batches) == 1
    backend.gate.set()
    assert waiting[1].result(10)["sum"].item() == 3
    assert running.result(10)["sum"].item() == 1
    assert backend.batches == [1, 1]
    batcher.close()


def test_a_batch_of_which_all_have_left_is_not_run() -> None:
    backend = Sums(held=True)
    batcher = Batcher(backend, budget=1000)
    (first,) = batcher.submit([[1]])
    assert backend.begun.acquire(timeout=10)
    for future in batcher.submit([[2], [3]]):
        assert future.cancel()
    backend.gate.set()
    first.result(10)
    assert batcher.submit([[4]])[0].result(10)["sum"].item() == 4
    assert backend.batches == [1, 1]
    assert batcher.waiting == 0
    batcher.close()


def test_a_run_that_fails_fails_those_in_it_and_no_other() -> None:
    batcher = Batcher(Sums(), budget=1)
    bad, good = batcher.submit([[99], [1]])
    with pytest.raises(BackendError, match=r"^RuntimeError$"):
        bad.result(10)
    assert good.result(10)["sum"].item() == 1
    batcher.close()


def test_a_backend_that_has_too_much_to_do_is_overload() -> None:
    class Full(Sums):
        def run(self, ids: Batch, mask: Batch) -> Outputs:
            raise OverloadedError

    batcher = Batcher(Full(), budget=100)
    with pytest.raises(OverloadedError):
        batcher.submit([[1]])[0].result(10)
    batcher.close()


def test_closing_it_closes_the_backend_once() -> None:
    class Counting(Sums):
        closed = 0

        def close(self) -> None:
            assert not self.closed
            self.closed += 1

    backend = Counting()
    batcher = Batcher(backend, budget=100)
    batcher.submit([[1]])[0].result(10)
    batcher.close()
    batcher.close()
    assert backend.closed == 1


def test_more_than_may_wait_is_refused() -> None:
    backend = Sums(held=True)
    batcher = Batcher(backend, budget=1000, room=4)
    futures = batcher.submit([[1]])
    assert backend.begun.acquire(timeout=10)
    futures += batcher.submit([[1, 1]])
    with pytest.raises(OverloadedError):
        batcher.submit([[1, 1, 1]])
    backend.gate.set()
    for future in futures:
        future.result(10)
    batcher.close()


def test_a_closed_one_takes_nothing_and_leaves_nobody_waiting() -> None:
    backend = Sums(held=True)
    batcher = Batcher(backend, budget=1000)
    (running,) = batcher.submit([[1]])
    assert backend.begun.acquire(timeout=10)
    (waiting,) = batcher.submit([[2]])
    closing = threading.Thread(target=batcher.close)
    closing.start()
    while not waiting.cancelled():
        assert closing.is_alive()
    backend.gate.set()
    closing.join(10)
    assert running.result(10)["sum"].item() == 1
    with pytest.raises(BackendError, match="closed"):
        batcher.submit([[1]])


def test_several_threads_run_at_once() -> None:
    backend = Sums(parallel=2, held=True)
    batcher = Batcher(backend, budget=1)
    futures = batcher.submit([[1], [2]])
    futures += batcher.submit([[3]])
    assert backend.begun.acquire(timeout=10)
    assert backend.begun.acquire(timeout=10)
    assert not backend.begun.acquire(blocking=False)
    backend.gate.set()
    assert [future.result(10)["sum"].item() for future in futures] == [1, 2, 3]
    batcher.close()


def test_it_works_on_in_a_forked_process() -> None:
    batcher = Batcher(Sums(), budget=1000)
    batcher.submit([[1]])[0].result(10)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, b"%d" % batcher.submit([[20, 22]])[0].result(10)["sum"].item())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        assert answer.read() == b"42"
    assert os.waitpid(child, 0)[1] == 0
    assert batcher.submit([[7]])[0].result(10)["sum"].item() == 7
    batcher.close()


@given(st.lists(st.lists(st.integers(1, 90), min_size=1, max_size=20), max_size=30), st.integers(1, 200))
def test_answers_do_not_depend_on_the_batches(sequences: list[list[int]], budget: int) -> None:
    batcher = Batcher(Sums(parallel=2), budget=budget)
    futures = batcher.submit(sequences)
    assert [future.result(10)["sum"].item() for future in futures] == list(map(sum, sequences))
    batcher.close()
