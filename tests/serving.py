"""A server for an application under test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from fakes import AsgiApp


@asynccontextmanager
async def served(app: AsgiApp, **config: Any) -> AsyncIterator[str]:
    """The application behind uvicorn on a free port; gives its base URL, without a path."""
    settings = {"lifespan": "auto", "log_config": None, "ws": "none", "server_header": False, "date_header": False}
    server = uvicorn.Server(uvicorn.Config(app, **{**settings, **config}))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        await server.startup(sockets=[sock])
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            for listener in server.servers:
                listener.close()
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            tasks = list(server.server_state.tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.lifespan.shutdown()
