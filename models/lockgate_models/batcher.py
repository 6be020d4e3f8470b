"""Runs waiting sequences in batches, across requests, in threads of its own.

A thread takes a batch as soon as it is free, and never waits for more to come: batches grow by themselves while the
device is busy. A thread that runs keeps its session until the run is over, whoever has left meanwhile; what nobody
waits for any more is skipped before it begins.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockgate_models.backend import Backend, padded
from lockgate_models.errors import BackendError, OverloadedError
from lockgate_models.queue import Line, Ticket

Row = Mapping[str, NDArray[np.float32]]
"""Output name → one sequence's values; the first axis of a token output is as long as the sequence."""


@dataclass(slots=True)
class Counts:
    """Since the start: batches run, sequences in them, their tokens, and the tokens with padding."""

    batches: int = 0
    sequences: int = 0
    tokens: int = 0
    padded: int = 0


class Batcher:
    """`budget`, `most` and `room` as in `Line`. Its threads are started by the first work, in whichever process."""

    def __init__(self, backend: Backend, *, budget: int, most: int = 64, room: int = 1 << 18) -> None:
        self._backend = backend
        self._shape = (budget, most, room)
        self._alone = most == 1
        self._changed = threading.Condition()
        self._line = Line(budget, most, room)
        self._threads: list[threading.Thread] = []
        self._process = os.getpid()
        self._closed = False
        self.counts = Counts()

    def submit(self, sequences: Sequence[Sequence[int]], lane: Hashable = None) -> list[Future[Row]]:
        """A future for each sequence. Cancelling one takes it out of the line. Raises OverloadedError, BackendError."""
        if self._process != os.getpid():
            self._after_fork()
        futures: list[Future[Row]] = [Future() for _ in sequences]
        tickets = [
            Ticket(len(sequence), (sequence, future)) for sequence, future in zip(sequences, futures, strict=True)
        ]
        with self._changed:
            if self._closed:
                raise BackendError("the model has been closed")
            self._line.add(tickets, lane)
            if len(self._threads) < self._backend.parallel:
                self._start()
            self._changed.notify(len(tickets))
        return futures

    @property
    def waiting(self) -> int:
        """Tokens in line."""
        return self._line.waiting

    def close(self) -> None:
        """Let the running batches end, fail what still waits, and close the backend."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            left = []
            while batch := self._line.take():
                left += batch
            self._changed.notify_all()
        for ticket in left:
            _future(ticket).cancel()
        if self._process == os.getpid():
            for thread in self._threads:
                thread.join()
        self._backend.close()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name=f"lockgate-model-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _after_fork(self) -> None:
        """Threads, and what they held, stay behind in the parent."""
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._line = Line(*self._shape)
        self._threads = []

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (batch := self._next()):
                    if self._closed:
                        return
                    self._changed.wait()
            self._run(batch)

    def _next(self) -> list[Ticket]:
        """The next batch of those that somebody still waits for."""
        while batch := self._line.take():
            wanted = [ticket for ticket in batch if _future(ticket).set_running_or_notify_cancel()]
            if wanted:
                return wanted
        return []

    def _run(self, batch: list[Ticket]) -> None:
        sequences = [ticket.payload[0] for ticket in batch]  # type: ignore[index]
        try:
            ids, mask = padded(sequences, exact=self._alone)
            outputs = self._backend.run(ids, mask)
            rows = [
                {name: _own(values, i, len(sequence), ids.shape[1]) for name, values in outputs.items()}
                for i, sequence in enumerate(sequences)
            ]
        except Exception as error:  # noqa: BLE001 - whatever broke, those who wait must hear of it
            known = isinstance(error, BackendError | OverloadedError)
            failure = error if known else BackendError(type(error).__name__)
            for ticket in batch:
                _future(ticket).set_exception(failure)
            return
        self.counts.batches += 1
        self.counts.sequences += len(batch)
        self.counts.tokens += sum(map(len, sequences))
        self.counts.padded += ids.size
        for ticket, row in zip(batch, rows, strict=True):
            _future(ticket).set_result(row)


def _own(values: NDArray[np.float32], i: int, length: int, width: int) -> NDArray[np.float32]:
    """Sequence i's part, without its padding; a copy, so that a batch's arrays don't live as long as one result."""
    part = values[i]
    return np.array(part[:length] if part.ndim > 1 and part.shape[0] == width else part)


def _future(ticket: Ticket) -> Future[Row]:
    future: Future[Row] = ticket.payload[1]  # type: ignore[index]
    return future
