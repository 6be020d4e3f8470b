"""Who may ask: from the key that came with a request to the context in which its exchange is judged.

The file of keys is looked at again once a second at most, and read again when it changed. The requests that come while
it is read wait for it, so that a key that was revoked is refused from then on. A file that has become wrong is said in
the log, and the last good one stays in force.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lockgate.detectors.judging import require_judge
from lockgate.errors import LockgateError, SettingsError
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.plan import Plan
from lockgate.policy.revision import commit_of
from lockgate_proxy.headers import value_of
from lockgate_proxy.keys import ClientKey, Placed, id_of, is_key, read_keys
from lockgate_proxy.visit import Caller, Context

_log = logging.getLogger("lockgate.proxy")

LOOK_EVERY = 1.0
"""Seconds between two looks at the file of keys."""

_BEARER = "bearer "

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Keyring:
    """What is in the file at `path`: the keys by id, and the plans of their policies, compiled. `stamp` tells this
    state of the file from later ones."""

    path: Path
    stamp: Stamp
    keys: Mapping[str, ClientKey]
    plans: Mapping[str, Plan]


def load_keyring(path: Path, plans: Mapping[str, Plan] | None = None) -> Keyring:
    """Read the file and compile what its keys name. `plans` are at hand already. Raises SettingsError, file and line."""
    stamp = _stamp(path)
    placed = read_keys(path)
    compiled = dict(plans or {})
    for key, line in placed.values():
        if key.policy and not key.revoked and key.policy not in compiled:
            compiled[key.policy] = _compiled(path, key, line)
    return Keyring(path, stamp, _keys(placed), compiled)


def _keys(placed: Mapping[str, Placed]) -> dict[str, ClientKey]:
    return {name: each.key for name, each in placed.items()}


def _compiled(path: Path, key: ClientKey, line: int) -> Plan:
    try:
        plan = compile_policy(load_policy(key.policy))
        require_judge(plan.judged, hint="set judge_url and judge_model")
    except LockgateError as error:
        raise SettingsError(f"{path}:{line}: policy: {error}") from None
    return plan.at_commit(commit_of(plan.sources))


def _stamp(path: Path) -> Stamp:
    try:
        found = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, and asked often
    except OSError as error:
        raise SettingsError(f"{path} can't be read ({error.strerror})") from None
    return found.st_mtime_ns, found.st_ino, found.st_size


class Callers:
    """The contexts of the keys in a file. `context` is that of the settings; the counts are its own."""

    def __init__(self, context: Context, ring: Keyring, *, look_every: float = LOOK_EVERY) -> None:
        self._context = context
        self._ring = ring
        self._seen = ring.stamp
        self._contexts: dict[str, Context] = {}
        self._look_every = look_every
        self._look_at = 0.0  # at once: a worker that replaces another has the file as it was when all of them began
        self._reading: asyncio.Task[None] | None = None
        self._lost = False

    @property
    def ring(self) -> Keyring:
        """The keys in force."""
        return self._ring

    def install(self, context: Context, ring: Keyring) -> None:
        """A new context and new plans come into force. The file is looked at again before the next key is."""
        self._context, self._ring, self._seen = context, ring, ring.stamp
        self._contexts.clear()
        self._look_at = 0.0

    async def context_of(self, headers: Iterable[tuple[bytes, bytes]]) -> Context | None:
        """The context of the exchange that a request with these headers begins; None without a valid key."""
        if self._reading is None and time.monotonic() >= self._look_at:
            self._look()
        if self._reading is not None:
            await asyncio.shield(self._reading)
        ring = self._ring
        for text in presented(headers):
            key = ring.keys.get(id_of(text) or "")
            if key is not None and is_key(text, key):
                return self._contexts.get(key.id) or self._made(key)
        return None

    def _made(self, key: ClientKey) -> Context:
        context, ring = self._context, self._ring
        plan = ring.plans[key.policy] if key.policy else context.plan
        tags = tuple(dict.fromkeys((*context.settings.tags, *key.tags)))
        made = self._contexts[key.id] = replace(context, plan=plan, caller=Caller(key.tenant, tags, key.id))
        return made

    def _look(self) -> None:
        self._look_at = time.monotonic() + self._look_every
        try:
            stamp = _stamp(self._ring.path)
        except SettingsError as error:
            if not self._lost:
                self._fail(error)
            self._lost = True
            return
        self._lost = False
        if stamp != self._seen:
            self._seen = stamp
            self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        try:
            while True:
                before = self._ring
                ring = await asyncio.to_thread(load_keyring, before.path, before.plans)
                if self._ring is before:  # else other plans have come into force in the meantime
                    break
            self._ring = ring
            self._seen = self._ring.stamp
            self._contexts.clear()
            _log.info("the client keys were read again: %d", len(self._ring.keys))
        except LockgateError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - no memory, no thread: nothing is wrong with the file
            self._seen = self._ring.stamp  # it is tried again at the next look
            self._fail(type(error).__name__)
        finally:
            self._reading = None

    def _fail(self, why: LockgateError | str) -> None:
        self._context.count("keys_not_read")
        _log.error("the client keys can't be read again, and the last ones stay in force: %s", why)


def presented(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
    """The keys that came with a request: as OpenAI's clients send one, and as Azure's do."""
    given = list(headers)
    bearer = value_of(given, b"authorization").decode("latin-1")
    if bearer[: len(_BEARER)].lower() == _BEARER:
        yield bearer[len(_BEARER) :].strip()
    if own := value_of(given, b"api-key"):
        yield own.decode("latin-1").strip()
