"""`lockgate serve`: settings, plan and app, handed to the server."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from typing import Any

import uvicorn

from lockgate import __version__
from lockgate.audit import Audit
from lockgate.errors import SettingsError
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.telemetry.export import configure
from lockgate_proxy.app import make_app
from lockgate_proxy.connection import Connection
from lockgate_proxy.instruments import Instruments
from lockgate_proxy.settings import Settings

_log = logging.getLogger("lockgate.proxy")

_GRACE = 30  # seconds that streams in flight have to end after SIGTERM
_BACKLOG = 2048


def server(settings: Settings) -> tuple[uvicorn.Server, socket.socket]:
    """A server that is bound and not yet running. Raises PolicyError and SettingsError."""
    plan = compile_policy(load_policy(settings.policy))
    exporters = configure(version=__version__)
    audit = _audit(settings)
    admin: socket.socket | None = None
    try:
        if settings.admin_port is not None:
            admin = bind(settings.admin_host, settings.admin_port, "admin_")
        app = make_app(settings, plan, audit=audit, instruments=Instruments.of(exporters, admin))
        bound = bind(settings.host, settings.port)
    except SettingsError:
        if audit is not None:
            audit.close()
        if admin is not None:
            admin.close()
        raise
    if admin is not None:
        _log.info("metrics on http://%s:%d/metrics", *admin.getsockname()[:2])
    config = uvicorn.Config(
        app,
        http=Connection,
        loop="auto",
        lifespan="on",
        ws="none",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        log_level="warning",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_GRACE,
    )
    return uvicorn.Server(config), bound


def _audit(settings: Settings) -> Audit | None:
    if settings.audit is None:
        return None
    key = settings.audit_key.get_secret_value().encode() if settings.audit_key is not None else None
    try:
        return Audit(settings.audit, key)
    except OSError as error:
        raise SettingsError(f"audit: {settings.audit} can't be written ({error.strerror})") from None


def bind(host: str, port: int, which: str = "") -> socket.socket:
    """A listening socket. Raises SettingsError for an address or port that can't be had.

    `which` is the beginning of the settings' names: "admin_" for the admin port.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind)
    except OSError as error:
        raise SettingsError(f"{which}host: {host!r} is not an address of this machine ({error.strerror})") from None
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise SettingsError(
            f"{which}port: {port} on {host} can't be had ({error.strerror}); "
            f"choose another with --{which.replace('_', '-')}port"
        ) from None
    return bound


def serve(given: Mapping[str, Any]) -> int:
    """Run until stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings.read(**given)
    running, bound = server(settings)
    host, port = bound.getsockname()[:2]
    _log.info("guarding %s with policy %s on http://%s:%d/v1", settings.upstream, settings.policy, host, port)
    running.run(sockets=[bound])
    return 0
