"""The admin port: metrics for Prometheus, and the health checks, apart from the port that clients reach.

It is a second, small server in the same process and event loop, so a scrape shows this process's own numbers.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockgate.telemetry.exposition import CONTENT_TYPE, exposition
from lockgate.telemetry.metrics import Metrics
from lockgate_proxy.connection import Connection

_GRACE = 1  # seconds that a scrape in flight has to end


def make_admin(
    metrics: Metrics, readiness: Callable[[], Mapping[str, Any]], reload: Callable[[], Awaitable[str]] | None = None
) -> Starlette:
    """The admin port's application: `/metrics`, `/healthz`, `/readyz`, and `/reload`, to which one posts. `reload` gives
    what is wrong with the policy, "" if nothing is."""

    async def scraped(_: Request) -> Response:
        return Response(exposition(metrics), headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        return JSONResponse(readiness())

    async def reloaded(_: Request) -> Response:
        assert reload is not None
        if error := await reload():
            return JSONResponse({"reloaded": False, "error": error}, status_code=422)
        shown = readiness()
        return JSONResponse({"reloaded": True} | {name: shown[name] for name in shown if name.startswith("policy")})

    pages = {"/metrics": scraped, "/healthz": healthz, "/readyz": readyz}
    routes = [Route(path, page, methods=["GET"]) for path, page in pages.items()]
    if reload is not None:
        routes.append(Route("/reload", reloaded, methods=["POST"]))
    return Starlette(routes=routes)


@asynccontextmanager
async def listening(app: Starlette, bound: socket.socket) -> AsyncIterator[None]:
    """Serve `app` on a bound socket for as long as the context lasts. Signals are left to the proxy's own server."""
    config = uvicorn.Config(
        app,
        http=Connection,
        lifespan="off",
        ws="none",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=_GRACE,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[bound])
    try:
        yield
    finally:
        await server.shutdown(sockets=[bound])
