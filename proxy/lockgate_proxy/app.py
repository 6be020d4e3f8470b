"""The proxy's one composition root: routes, and what they need, put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lockgate.audit import Audit
from lockgate.detectors.judging import JUDGES
from lockgate.masks import PROCESS, Masker
from lockgate.policy.plan import Plan
from lockgate_proxy import problems
from lockgate_proxy.admit import ClientGone, Receive, Scope, Send, server_of
from lockgate_proxy.callers import Callers, Keyring
from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.credentials import OwnCredentials
from lockgate_proxy.headers import Headers
from lockgate_proxy.instruments import Instruments, watch
from lockgate_proxy.lean import trim
from lockgate_proxy.observe import Peer
from lockgate_proxy.reload import InForce, Stamps
from lockgate_proxy.routes import Handler, handler_for
from lockgate_proxy.settings import Settings, is_loopback
from lockgate_proxy.upstream import Upstream
from lockgate_proxy.visit import Caller, Context

_log = logging.getLogger("lockgate.proxy")


def make_app(
    settings: Settings,
    plan: Plan,
    *,
    upstream: Upstream | None = None,
    audit: Audit | None = None,
    instruments: Instruments | None = None,
    ring: Keyring | None = None,
    own: Headers | None = None,
    masker: Masker = PROCESS,
    stamps: Stamps | None = None,
) -> Starlette:
    """The ASGI application. `upstream` replaces the one that `settings` names (tests put one in the same process);
    `ring` are the client keys, if one is needed; `own` are headers in place of the client's credentials; `masker` has the
    key of masks; with `stamps`, of the policy's files as they were read, a change of them reloads the policy."""
    if (settings.keys is None) is not (ring is None):
        raise ValueError("the settings name a file of keys, and `ring` is what is in it: both, or neither")
    instruments = instruments or Instruments()
    upstream = upstream or upstream_of(settings)
    context = Context(
        settings=settings,
        plan=plan,
        upstream=OwnCredentials(upstream, own) if own is not None else upstream,
        tracing=instruments.tracing,
        audit=audit,
        metrics=instruments.metrics,
        peer=Peer.of(settings.upstream, settings.provider),
        caller=Caller(tags=settings.tags),
        masker=masker,
    )
    watch(context)
    callers = Callers(context, ring) if ring is not None else None
    live = InForce(context, callers, stamps)
    # What strangers need not know is for those who have a key, or this machine.
    open_to_all = callers is None and is_loopback(settings.host)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as beside:
            for companion in instruments.beside:
                await beside.enter_async_context(companion(live))
            await beside.enter_async_context(live.watching(settings.reload_interval))
            # What only streams need is made beside the first requests, and not by the first stream.
            asyncio.get_running_loop().run_in_executor(None, _prepare, context.plan)
            yield
        await context.upstream.close()
        if JUDGES.current is not None:
            await JUDGES.current.close()
        if context.audit is not None:
            context.audit.close()

    async def healthz(_: object) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> JSONResponse:
        told = open_to_all or (callers is not None and await callers.context_of(request.scope["headers"]) is not None)
        return JSONResponse(live.readiness() if told else {"status": "ready"})

    app = _App(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
        ],
        lifespan=lifespan,
    )
    app.door = _Door(live, callers)
    app.state.context = context
    app.state.live = live
    return app


def _prepare(plan: Plan) -> None:
    plan.ready()
    trim()  # what compiling took and gave back


_OWN_PATHS = frozenset({"/healthz", "/readyz"})


class _App(Starlette):
    """Starlette for our own pages and the lifespan; everything else goes to the door, which routes by the raw path."""

    door: _Door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and scope["path"] in _OWN_PATHS):
            await super().__call__(scope, receive, send)
        else:
            await self.door(scope, receive, send)


def upstream_of(settings: Settings) -> Upstream:
    """The upstream that the settings name. Raises SettingsError for certificates that can't be read."""
    return AiohttpUpstream(
        settings.upstream,
        timeout=settings.upstream_timeout,
        idle_timeout=settings.stream_idle_timeout,
        ca=settings.upstream_ca,
    )


class _Door:
    """Everything but the health checks."""

    def __init__(self, live: InForce, callers: Callers | None = None) -> None:
        self._live = live
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await _deny(scope, send)
            return
        if scope["type"] != "http":
            return
        context: Context | None = self._live.context
        if self._callers is not None:
            context = await self._callers.context_of(scope["headers"])
            if context is None:
                await self._turn_away(send)
                return
        assert context is not None
        await _until_gone(handler_for(scope), context, scope, receive, send)

    async def _turn_away(self, send: Send) -> None:
        """No valid key: said before a byte of the body is read. It is counted, and leaves no audit line, with which a
        stranger could drive others out of the queue."""
        context = self._live.context
        counted = context.counts.get("unauthorized", 0) + 1
        context.count("unauthorized")
        if counted.bit_count() == 1:  # at 1, 2, 4, 8, …
            _log.warning("%d requests without a valid client key", counted)
        problem = problems.unauthorized()
        await send({"type": "http.response.start", "status": problem.status, "headers": problem.headers})
        await send({"type": "http.response.body", "body": problem.body})


async def _deny(scope: Scope, send: Send) -> None:
    """No WebSocket: with an HTTP answer, where the server can send one in its place."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1003, "reason": "not guarded here"})
        return
    problem = problems.not_here("a WebSocket")
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": problem.headers})
    await send({"type": "websocket.http.response.body", "body": problem.body})


async def _until_gone(handler: Handler, context: Context, scope: Scope, receive: Receive, send: Send) -> None:
    """Run a handler; a client that leaves cancels it, and with it the upstream's request."""
    task = asyncio.current_task()
    assert task is not None
    server = server_of(scope)
    client: _Told | _Listening
    if server is not None:
        client = server.gone = _Told(task)
    else:
        client = _Listening(receive, send, task)
        receive, send = client.receive, client.send
    try:
        await handler(context, scope, receive, send)
    except ClientGone:
        context.count("client_gone")
    except asyncio.CancelledError:
        if not client.gone:
            raise
        context.count("client_gone")
    finally:
        client.close()


class _Told:
    """Our own server calls it when the client has left."""

    __slots__ = ("_task", "gone")

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task: asyncio.Task[None] | None = task
        self.gone = False

    def __call__(self) -> None:
        if self._task is not None:
            self.gone = True
            self._task.cancel()

    def close(self) -> None:
        self._task = None


class _Listening:
    """Any other server is listened to for the client's leaving, once the body has been read."""

    def __init__(self, receive: Receive, send: Send, task: asyncio.Task[None]) -> None:
        self._receive = receive
        self._send = send
        self._complete = False
        self._task = task
        self._watch: asyncio.Task[None] | None = None
        self.gone = False

    async def receive(self) -> Scope:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False) and self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._listen())
        return message

    async def send(self, message: Scope) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._complete = True
        await self._send(message)

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        # A server also says "disconnect" once the answer is complete.
        if not self._complete:
            self.gone = True
            self._task.cancel()

    def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
