"""`lockgate serve`: what the settings name is read and made, and handed to the server.

What can go wrong goes wrong in `prepare` and `open_ports`, before anything runs. What has threads, the audit and the
exporters, is made by `make_server`, in the process that serves.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import ssl
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import SecretStr

from lockgate import __version__
from lockgate.audit import Audit
from lockgate.detectors.judging import run_judge
from lockgate.detectors.model import MODELS, run_models
from lockgate.errors import LockgateError, SettingsError
from lockgate.masks import Masker
from lockgate.policy.plan import Plan
from lockgate.telemetry.export import configure
from lockgate_proxy.accepting import Accepting, Tally
from lockgate_proxy.app import make_app, upstream_of
from lockgate_proxy.callers import Keyring, load_keyring
from lockgate_proxy.command import OK
from lockgate_proxy.connection import Connection
from lockgate_proxy.credentials import own_credentials
from lockgate_proxy.headers import Headers
from lockgate_proxy.instruments import Instruments
from lockgate_proxy.judge import judge_of
from lockgate_proxy.lean import settle
from lockgate_proxy.private import read_private
from lockgate_proxy.reload import Stamps, hung_up, load_plan, stamps_of
from lockgate_proxy.settings import Settings, is_loopback, require_long
from lockgate_proxy.tls import server_tls
from lockgate_proxy.upstream import Upstream
from lockgate_proxy.workers import supervise

_log = logging.getLogger("lockgate.proxy")

_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that the settings name, read and compiled, and nothing that runs. `own` are the upstream's credentials."""

    settings: Settings
    plan: Plan
    upstream: Upstream
    ring: Keyring | None
    own: Headers | None
    tls: ssl.SSLContext | None
    audit_key: bytes | None
    masker: Masker
    stamps: Stamps


@dataclass(frozen=True, slots=True)
class Ports:
    """Sockets that are bound: the port that clients reach, and each worker's admin port, if there are such."""

    main: socket.socket
    admin: tuple[socket.socket, ...] = ()

    def close(self) -> None:
        for one in (self.main, *self.admin):
            one.close()


def prepare(settings: Settings) -> Prepared:
    """Read and compile what the settings name. Raises PolicyError and SettingsError."""
    _models(settings)
    run_judge(judge_of(settings, _key_of(settings, "judge")))
    loaded = load_plan(settings.policy)
    plan = loaded.plan
    upstream = upstream_of(settings)
    ring = load_keyring(settings.keys) if settings.keys is not None else None
    keyed = ring.plans.values() if ring is not None else ()
    stamps = {**stamps_of(tuple(file for each in keyed for file in each.sources)), **loaded.stamps}
    own = own_credentials(settings, os.environ)
    tls = None
    if settings.tls_cert is not None and settings.tls_key is not None:
        tls = server_tls(settings.tls_cert, settings.tls_key)
    for number in range(1, settings.workers + 1):
        _touch(audit_file(settings, number))
    return Prepared(settings, plan, upstream, ring, own, tls, _audit_key(settings), _masker(settings, plan), stamps)


def _models(settings: Settings) -> None:
    """How this process, and its workers, run models. Needs none of what runs them: a policy may ask for none."""
    given = {
        "device": settings.device,
        "threads": settings.model_threads,
        "parallel": settings.model_parallel,
        "endpoint": settings.model_endpoint or "",
        "timeout": settings.model_timeout,
        "key": _key_of(settings, "model"),
        "ca": settings.model_ca,
    }
    run_models([settings.models] if settings.models is not None else [], given)


def open_ports(settings: Settings) -> Ports:
    """Bind all ports. Raises SettingsError for one that can't be had, and then has none."""
    ports = Ports(bind(settings.host, settings.port))
    try:
        _require_keys(settings, ports.main)
        for number in range(settings.workers if settings.admin_port is not None else 0):
            assert settings.admin_port is not None
            port = settings.admin_port + number if settings.admin_port else 0
            ports = Ports(ports.main, (*ports.admin, bind(settings.admin_host, port, "admin_")))
    except SettingsError:
        ports.close()
        raise
    return ports


def _require_keys(settings: Settings, bound: socket.socket) -> None:
    """Once more with the address itself: a name that looks local may not be."""
    if settings.upstream_key_env and settings.keys is None and not is_loopback(bound.getsockname()[0]):
        raise SettingsError(f"host: {settings.host} can be reached by others: give a file of client keys")


def make_server(ready: Prepared, ports: Ports, number: int = 1, shared: Shared | None = None) -> uvicorn.Server:
    """The server of the worker `number`, in its own process; `shared` is what it shares with the others, if any.

    Raises SettingsError for exporters that are not installed, PolicyError for a model that can't be run.
    """
    settings = ready.settings
    MODELS.ready()
    exporters = configure(version=__version__)
    for other in ports.admin[: number - 1] + ports.admin[number:]:
        other.close()
    admin = ports.admin[number - 1] if ports.admin else None
    if admin is not None:
        _log.info("metrics on http://%s:%d/metrics", *admin.getsockname()[:2])
    audit = _audit(audit_file(settings, number), ready.audit_key)
    instruments = Instruments.of(exporters, admin)
    app = make_app(
        settings, ready.plan, upstream=ready.upstream, audit=audit, ring=ready.ring, own=ready.own, masker=ready.masker,
        instruments=replace(instruments, beside=[*instruments.beside, hung_up]), stamps=ready.stamps,
    )  # fmt: skip
    more: dict[str, Any] = {}
    if ready.tls is not None:
        tls = ready.tls
        more["ssl_context_factory"] = lambda *_: tls
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
        timeout_graceful_shutdown=settings.drain_timeout,  # type: ignore[arg-type] # seconds, for asyncio.wait_for
        **more,
    )
    return uvicorn.Server(config) if shared is None else _Worker(config, number, shared)


@dataclass(frozen=True, slots=True)
class Shared:
    """What a worker has with others: a descriptor that can be read once their supervisor is gone, and a tally."""

    alive: int
    tally: Tally


class _Worker(uvicorn.Server):
    """uvicorn's server, which takes connections in turn with others, and ends when the supervisor is gone."""

    def __init__(self, config: uvicorn.Config, number: int, shared: Shared) -> None:
        super().__init__(config)
        self._number = number
        self._shared = shared
        self._accepting: list[Accepting] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        loop = asyncio.get_running_loop()
        loop.add_reader(self._shared.alive, self._orphaned)
        config, state = self.config, self.server_state

        def protocol() -> asyncio.Protocol:
            return Connection(config=config, server_state=state, app_state=self.lifespan.state, _loop=loop)

        self._accepting = [
            Accepting(one, protocol, config.ssl, self._shared.tally, self._number, lambda: len(state.connections))
            for one in sockets or ()
        ]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for one in self._accepting:
            one.stop()
        await super().shutdown(sockets)

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self._shared.alive)
        self.should_exit = True


def server(settings: Settings) -> tuple[uvicorn.Server, socket.socket]:
    """A server that is bound and not yet running. Raises PolicyError and SettingsError."""
    ready = prepare(settings)
    ports = open_ports(settings)
    try:
        return make_server(ready, ports), ports.main
    except SettingsError:
        ports.close()
        raise


def audit_file(settings: Settings, number: int) -> Path | str | None:
    """Where worker `number` writes: several have a file each, `audit.jsonl` becoming `audit.w1.jsonl` and so on."""
    if not isinstance(settings.audit, Path) or settings.workers == 1:
        return settings.audit
    return settings.audit.with_name(f"{settings.audit.stem}.w{number}{settings.audit.suffix}")


def _touch(target: Path | str | None) -> None:
    if isinstance(target, Path):
        try:
            target.open("ab").close()
        except OSError as error:
            raise _unwritable(target, error) from None


def _audit(target: Any, key: bytes | None) -> Audit | None:
    try:
        return Audit(target, key) if target is not None else None
    except OSError as error:
        raise _unwritable(target, error) from None


def _unwritable(target: object, error: OSError) -> SettingsError:
    return SettingsError(f"audit: {target} can't be written ({error.strerror})")


def _audit_key(settings: Settings) -> bytes | None:
    given = _long_key("audit_key_file", settings.audit_key, settings.audit_key_file)
    if given is not None:
        return given
    if settings.audit is not None and settings.workers > 1:
        _log.warning("no audit key is set: marks of texts are not joinable with those of other starts")
        return secrets.token_bytes(32)  # one for all workers
    return None


def _masker(settings: Settings, plan: Plan) -> Masker:
    key = _long_key("mask_key_file", settings.mask_key, settings.mask_key_file)
    if key is None and plan.masks:
        _log.warning("no mask key is set: after a restart, values have other masks, and prompt caches miss")
    return Masker(key)  # its own key, where none is given: one for all workers


def _long_key(name: str, given: SecretStr | None, file: Path | None) -> bytes | None:
    """A key that is given itself, or in a file."""
    if given is not None:
        return given.get_secret_value().encode()
    if file is None:
        return None
    key = _key_in(name, file)
    try:
        require_long(key)
    except ValueError as error:
        raise SettingsError(f"{name}: the key in it {error}") from None
    return key.encode()


def _key_of(settings: Settings, server: str) -> str:
    """The key of the `model` server, or the `judge`; "" where there is none."""
    given: SecretStr | None = getattr(settings, f"{server}_key")
    file: Path | None = getattr(settings, f"{server}_key_file")
    if given is not None:
        return given.get_secret_value()
    if file is None:
        return ""
    key = _key_in(f"{server}_key_file", file)
    if not key:
        raise SettingsError(f"{server}_key_file: is empty")  # the server would be asked without one
    return key


def _key_in(name: str, path: Path) -> str:
    """The key that a setting's file holds."""
    try:
        return read_private(path).decode().strip()
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: is not text") from None


def bind(host: str, port: int, which: str = "") -> socket.socket:
    """A socket that is bound and does not listen yet. Raises SettingsError for an address or port that can't be had.

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


def serve(settings: Settings) -> int:
    """Run until stopped; gives the exit code. Raises PolicyError and SettingsError."""
    several = settings.workers > 1
    process = "[%(process)d] " if several else ""
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s %(levelname)s {process}%(name)s: %(message)s")
    if not sys.stdin or not sys.stdin.isatty():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it reloads; at a terminal it means that it was closed
    ready = prepare(settings)
    ports = open_ports(settings)
    try:
        running = None if several else make_server(ready, ports)
    except LockgateError:
        ports.close()
        raise
    ports.main.listen(_BACKLOG)  # before it is said where: who comes at once waits
    _greet(ready, ports.main)
    if running is not None:
        return _run(running, ports.main)

    tally = Tally(settings.workers)

    def work(number: int, alive: int) -> int:
        return _run(make_server(ready, ports, number, Shared(alive, tally)), ports.main)

    settle()
    return supervise(settings.workers, work, tally.gone, (ports.main, *ports.admin), settings.drain_timeout)


def _run(running: uvicorn.Server, bound: socket.socket) -> int:
    settle()

    def leave(*_: object) -> None:
        # uvicorn raises the signal again once it has ended: then the rest of the process is to end in order. Before it
        # listens to signals there is nothing to wait for.
        if not running.should_exit:
            raise SystemExit(OK)

    signal.signal(signal.SIGTERM, leave)
    running.run(sockets=[bound])
    return OK


def _greet(ready: Prepared, bound: socket.socket) -> None:
    settings = ready.settings
    host, port = bound.getsockname()[:2]
    scheme = "https" if ready.tls is not None else "http"
    shown = f"[{host}]" if ":" in host else host
    _log.info("guarding %s with policy %s on %s://%s:%d/v1", settings.upstream, settings.policy, scheme, shown, port)
    if settings.upstream_key_env is not None and settings.keys is None:
        _log.warning("no client keys: whoever runs something on this machine can use the upstream's key")
    if ready.ring is not None and ready.tls is None and not is_loopback(host):
        _log.warning("no TLS: client keys come over the network as they are, unless something in front speaks TLS")
