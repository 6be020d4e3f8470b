"""The proxy's telemetry, put together: what the environment exports, and what the admin port shows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from lockgate.telemetry import names
from lockgate.telemetry.export import Exporters, Periodic
from lockgate.telemetry.metrics import Metrics
from lockgate.telemetry.spans import Tracing
from lockgate_proxy.admin import listening, make_admin
from lockgate_proxy.observe import expect
from lockgate_proxy.reload import InForce
from lockgate_proxy.visit import Context

Companion = Callable[[InForce], AbstractAsyncContextManager[None]]
"""What runs for as long as the proxy does."""


@dataclass(frozen=True, slots=True)
class Instruments:
    """What a proxy is observed with. By default nothing: then it costs nothing."""

    tracing: Tracing = field(default_factory=Tracing)
    metrics: Metrics | None = None
    beside: Sequence[Companion] = ()

    @classmethod
    def of(cls, exporters: Exporters, admin: socket.socket | None = None) -> Instruments:
        """Instruments for what is asked for: `admin` is the admin port, bound, where there is one."""
        if exporters.metrics is None and admin is None:
            return cls(exporters.tracing)
        metrics = Metrics()
        beside: list[Companion] = []
        if exporters.metrics is not None:
            beside.append(_exporting(Periodic(metrics, exporters)))
        if admin is not None:
            beside.append(_administering(admin))
        return cls(exporters.tracing, metrics, beside)


def watch(context: Context) -> None:
    """Have metrics show what is known elsewhere: the policy, and the audit's queue."""
    metrics, audit = context.metrics, context.audit
    if metrics is None:
        return
    expect(metrics, context.plan)
    metrics.watch(names.RELOADS, lambda: {(how,): context.counts.get(name, 0) for how, name in _RELOADS.items()})
    if context.settings.keys is not None:
        metrics.watch(names.UNAUTHORIZED, lambda: {(): context.counts.get("unauthorized", 0)})
    if audit is not None:
        metrics.watch(names.AUDIT_QUEUE, lambda: {(): audit.waiting})
        metrics.watch(names.AUDIT_LOST, lambda: {(): audit.dropped})


_RELOADS = {"done": "policy_reloaded", "failed": "policy_not_reloaded"}


def _administering(bound: socket.socket) -> Companion:
    def companion(live: InForce) -> AbstractAsyncContextManager[None]:
        assert live.metrics is not None
        return listening(make_admin(live.metrics, live.readiness, live.reload), bound)

    return companion


def _exporting(periodic: Periodic) -> Companion:
    @asynccontextmanager
    async def companion(_: InForce) -> AsyncIterator[None]:
        periodic.start()
        try:
            yield
        finally:
            await asyncio.to_thread(periodic.close)

    return companion
