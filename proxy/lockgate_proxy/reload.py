"""A policy that changed comes into force without a restart, and without an exchange lost.

The new one is read, compiled and readied in a thread, models and streams' scanners included, while the old one serves.
Then one assignment puts it in force for the exchanges that begin; those in flight keep the plan with which they began.
Whatever is wrong with it, the last good one stays in force, and says so: in the log, as a count, in `/readyz`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lockgate.detectors.judging import require_judge
from lockgate.detectors.model import MODELS
from lockgate.errors import LockgateError
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.plan import Plan
from lockgate.policy.revision import commit_of
from lockgate.telemetry.metrics import Metrics
from lockgate_proxy.callers import Callers, Keyring, load_keyring
from lockgate_proxy.observe import expect
from lockgate_proxy.settings import Settings
from lockgate_proxy.visit import Context

_log = logging.getLogger("lockgate.proxy")

RETRY = 10.0
"""Seconds after which a policy that could not be read is tried again, though none of the files known of changed: what it
misses may be there by then."""

Stamp = tuple[int, int, int] | None
Stamps = Mapping[str, Stamp]
"""File → what tells one state of it from another; None for one that can't be looked at."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy, compiled, and its files as they were when they were read."""

    plan: Plan
    stamps: Stamps


def load_plan(path: str) -> Loaded:
    """Read and compile the policy that the settings name. Raises PolicyError."""
    while True:
        stamps = stamps_of(load_policy(path).sources)
        policy = load_policy(path)
        if stamps == stamps_of(policy.sources):  # or it changed while it was read
            break
    plan = compile_policy(policy)
    require_judge(plan.judged, hint="set judge_url and judge_model")
    return Loaded(plan.at_commit(commit_of(plan.sources)), stamps)


def stamps_of(files: tuple[str, ...]) -> Stamps:
    return {file: _stamp(file) for file in files}


def _stamp(file: str) -> Stamp:
    try:
        found = os.stat(file)  # noqa: PTH116 - asked often, and half the time of Path.stat
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


class InForce:
    """The context of the exchanges that begin now, and how it is replaced. `stamps` are of the files of its policies;
    without any, files are not watched. `callers` are told of a new context, where keys are needed."""

    def __init__(self, context: Context, callers: Callers | None = None, stamps: Stamps | None = None) -> None:
        self.context = context
        self._callers = callers
        self._stamps: Stamps = stamps or {}
        self._watched = stamps is not None
        self._one = asyncio.Lock()
        self._error = ""
        self._at = ""
        self._retry = 0.0

    @property
    def metrics(self) -> Metrics | None:
        return self.context.metrics

    def readiness(self) -> dict[str, Any]:
        """What `/readyz` says: a proxy whose new policy is wrong is still ready, with the old one."""
        shown = self.context.readiness()
        if self._at:
            shown["reload"] = {"at": self._at, "error": self._error} if self._error else {"at": self._at}
        return shown

    async def reload(self) -> str:
        """Read the policies again, and put them in force. Gives what is wrong with them, "" if nothing is."""
        async with self._one:  # a second one reads what changed since the first began
            before = {file: _stamp(file) for file in self._stamps}
            try:
                ring = self._callers.ring.path if self._callers is not None else None
                loaded, keys = await asyncio.to_thread(_read, self.context.settings, ring)
            except LockgateError as error:
                self._fail(str(error), before)
            except Exception as error:  # noqa: BLE001 - no memory, no thread: the last good one serves
                self._fail(type(error).__name__, before)
            else:
                self._install(loaded, keys)
            self._at = datetime.now(UTC).isoformat(timespec="seconds")
            return self._error

    async def look(self) -> None:
        """Reload if a file changed since it was read, or if it is time to try again."""
        if self._callers is not None:  # a key that was added may have brought a policy
            added = (file for plan in self._callers.ring.plans.values() for file in plan.sources)
            self._stamps = {**{file: _stamp(file) for file in added if file not in self._stamps}, **self._stamps}
        changed = any(_stamp(file) != stamp for file, stamp in self._stamps.items())
        if changed or (self._error and time.monotonic() >= self._retry):
            await self.reload()

    @asynccontextmanager
    async def watching(self, every: float) -> AsyncIterator[None]:
        """Look at the files every so many seconds, for as long as the context lasts. 0: don't."""
        if not every or not self._watched:
            yield
            return
        task = asyncio.get_running_loop().create_task(self._watch(every))
        try:
            yield
        finally:
            task.cancel()

    async def _watch(self, every: float) -> None:
        while True:
            await self.look()  # at once: a worker that replaces another has the policy with which all of them began
            await asyncio.sleep(every)

    def _install(self, loaded: Loaded, ring: Keyring | None) -> None:
        old, context = self.context, replace(self.context, plan=loaded.plan)
        self.context = context
        if self._callers is not None and ring is not None:
            self._callers.install(context, ring)
        self._stamps, self._error = loaded.stamps, ""
        if context.metrics is not None and context.plan.hash != old.plan.hash:
            for plan in old.plan.every:
                context.metrics.policies.discard((plan.policy, plan.hash))
            expect(context.metrics, context.plan)
        context.count("policy_reloaded")
        _log.info("policy %s is in force: %s (before: %s)", context.plan.policy, context.plan.hash, old.plan.hash)

    def _fail(self, why: str, before: Stamps) -> None:
        if why != self._error:
            _log.error("the policy can't be read again, and the last good one stays in force: %s", why)
        self.context.count("policy_not_reloaded")
        self._error, self._stamps = why, before
        self._retry = time.monotonic() + RETRY


@asynccontextmanager
async def hung_up(live: InForce) -> AsyncIterator[None]:
    """Reload at each SIGHUP, for as long as the context lasts. Not where it is to end the process, as at a terminal."""
    main = threading.current_thread() is threading.main_thread()  # else signals are somebody else's
    if not main or signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        yield
        return
    loop, running = asyncio.get_running_loop(), set[asyncio.Task[str]]()

    def reload() -> None:
        task = loop.create_task(live.reload())
        running.add(task)
        task.add_done_callback(running.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for task in running:
            task.cancel()


def _read(settings: Settings, keys: Path | None) -> tuple[Loaded, Keyring | None]:
    """All that can go wrong, in a thread."""
    loaded = load_plan(settings.policy)
    stamps = dict(loaded.stamps)
    ring = load_keyring(keys) if keys is not None else None
    plans = list(ring.plans.values()) if ring is not None else []
    for plan in plans:
        stamps |= stamps_of(plan.sources)
    MODELS.ready()
    for plan in (loaded.plan, *plans):
        plan.ready()
    return Loaded(loaded.plan, stamps), ring
