"""Several processes on one port, and the one that looks after them.

The supervisor has read, compiled and bound all before it forks, and runs no thread and no event loop: a worker starts
in milliseconds, with the policy's pages shared. All accept from the same listening socket, which the supervisor holds
too. So the connections that a killed worker had not yet accepted wait in the kernel, and the others serve them.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from lockgate_proxy.command import OK, WRONG

_log = logging.getLogger("lockgate.proxy")

SHORTEST, LONGEST = 0.1, 30.0
"""Seconds until a worker that ended is replaced: the first time, and at most. Each time it is twice as long."""

STABLE = 30.0
"""Seconds after which a worker that ends is taken to be the first one again."""

_GRACE = 5.0  # seconds beyond the workers' own time to end
_SIGNALS = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""SIGHUP is passed on, unless it ends the process: at a terminal."""

Work = Callable[[int, int], int]
"""What a worker does, given its number (from 1) and a descriptor that can be read once the supervisor is gone."""


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int = 0  # 0: it does not run
    since: float = 0.0
    ended: int = 0  # times in a row
    due: float = 0.0  # when it is to be started


def pause_after(ended: int) -> float:
    """Seconds until a worker that has ended `ended` times in a row is started again."""
    return min(LONGEST, SHORTEST * 2.0 ** min(ended - 1, 30))


def supervise(
    count: int, work: Work, gone: Callable[[int], None], listening: Sequence[socket.socket], drain: float
) -> int:
    """Keep `count` workers at work until SIGTERM or SIGINT; gives the exit code.

    `gone` is told the number of each that ends. `listening` are the sockets that the supervisor closes when it is told to stop; `drain` is how many seconds the
    workers then take at most. In a worker this raises SystemExit with what `work` gives. Where a worker can't even
    start because something is wrong that a new one would meet as well (exit code WRONG), that is the exit code.
    """
    ends = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL else set()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS - ends)
    alive, ours = os.pipe()
    gc.collect()
    gc.freeze()  # a collection would write to every page, and unshare it
    workers = [_Worker(number) for number in range(1, count + 1)]
    code = _look_after(workers, partial(_be, work, alive, ours, before), gone, listening, drain)
    # Not in a `finally`: a worker leaves this function too, and has closed its copies.
    os.close(alive)
    os.close(ours)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return code


def _look_after(
    workers: Sequence[_Worker],
    be: Callable[[int], NoReturn],
    gone: Callable[[int], None],
    listening: Sequence[socket.socket],
    drain: float,
) -> int:
    while True:
        for worker in workers:
            if not worker.pid and worker.due <= time.monotonic():
                worker.since = time.monotonic()
                worker.pid = os.fork()
                if not worker.pid:
                    be(worker.number)
                _log.info("worker %d is process %d", worker.number, worker.pid)
        told = _wait(workers)
        if told == signal.SIGCHLD:
            if _reap(workers, gone):
                return _stop(workers, listening, drain, WRONG)
        elif told == signal.SIGHUP:
            _tell(workers, signal.SIGHUP)
        elif told is not None:
            return _stop(workers, listening, drain, OK)


def _be(work: Work, alive: int, ours: int, mask: set[int | signal.Signals], number: int) -> NoReturn:
    os.close(ours)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    raise SystemExit(work(number, alive))


def _wait(workers: Sequence[_Worker]) -> int | None:
    """The next signal, or None when a worker is due."""
    due = [worker.due for worker in workers if not worker.pid]
    if not due:
        return signal.sigwaitinfo(_SIGNALS).si_signo
    told = signal.sigtimedwait(_SIGNALS, max(0.0, min(due) - time.monotonic()))
    return told.si_signo if told is not None else None


def _reap(workers: Sequence[_Worker], gone: Callable[[int], None]) -> bool:
    """Note who has ended. True if a worker that was the first of its number could not start as asked."""
    hopeless = False
    for worker in workers:
        if not worker.pid:
            continue
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        if not pid:
            continue
        gone(worker.number)
        code = os.waitstatus_to_exitcode(status)
        stable = time.monotonic() - worker.since >= STABLE
        hopeless |= code == WRONG and not worker.ended and not stable
        worker.pid, worker.ended = 0, 1 if stable else worker.ended + 1
        pause = pause_after(worker.ended)
        worker.due = time.monotonic() + pause
        if not hopeless:
            why = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            _log.error("worker %d (process %d) ended: %s; a new one in %.1f s", worker.number, pid, why, pause)
    return hopeless


def _stop(workers: Sequence[_Worker], listening: Sequence[socket.socket], drain: float, code: int) -> int:
    for one in listening:
        one.close()  # with the workers' copies gone, connections are refused
    _tell(workers, signal.SIGTERM)
    until = time.monotonic() + drain + _GRACE
    while any(worker.pid for worker in workers):
        left = until - time.monotonic()
        told = signal.sigtimedwait(_SIGNALS, max(0.0, left))
        if told is not None and told.si_signo == signal.SIGINT:
            _tell(workers, signal.SIGINT)  # a second one means: at once
        if told is None and left <= 0:
            _log.error("workers that did not end in time are killed")
            _tell(workers, signal.SIGKILL)
            until = time.monotonic() + _GRACE
        for worker in workers:
            if worker.pid and os.waitpid(worker.pid, os.WNOHANG)[0]:
                worker.pid = 0
    return code


def _tell(workers: Sequence[_Worker], number: signal.Signals) -> None:
    for worker in workers:
        if worker.pid:
            os.kill(worker.pid, number)
