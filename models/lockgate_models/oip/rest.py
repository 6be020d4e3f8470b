"""The protocol over HTTP/1.1, with tensors as JSON, or as bytes where the server says that it knows the extension
`binary_tensor_data`."""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpcore2
from pydantic_core import from_json

from lockgate_models.backend import Batch, Outputs
from lockgate_models.errors import BackendError, DeviceError, OverloadedError
from lockgate_models.oip.endpoint import Endpoint
from lockgate_models.oip.wire import MOST, NOT_PROTOCOL, Metadata, Tensor, from_bytes, from_values

_HEADER_LENGTH = "Inference-Header-Content-Length"
_PIECE = 1 << 16
_Timeout = TypeVar("_Timeout", bound=httpcore2.TimeoutException)


class RestWire:
    """At most `parallel` connections, which are kept. `key` goes as a bearer token; `ca` is a file of certificates to
    trust in place of the system's. Raises DeviceError for a file that can't be used."""

    def __init__(self, endpoint: Endpoint, *, parallel: int, key: str = "", ca: Path | None = None) -> None:
        base = f"{endpoint.scheme}://{endpoint.address}"
        self._model = base + endpoint.path
        self._server = f"{base}{endpoint.prefix}/v2"
        self._headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "lockgate"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._tls = _tls(ca) if endpoint.is_secure else None
        self._parallel = parallel
        self._clock = _Clock()
        self._lock = threading.Lock()
        self._process, self._pool = os.getpid(), self._new_pool()
        self._binary = False

    def ready(self, timeout: float) -> None:
        status, _, body = self._ask("GET", f"{self._model}/ready", timeout)
        said = _json(body) if body else None
        if status != 200 or (isinstance(said, dict) and said.get("ready") is False):
            raise BackendError("the server has no such model, or it is not ready")

    def metadata(self, timeout: float) -> Metadata:
        status, _, body = self._ask("GET", self._server, timeout)
        said = _json(body) if status == 200 else None
        extensions = said.get("extensions") if isinstance(said, dict) else None
        self._binary = isinstance(extensions, list) and "binary_tensor_data" in extensions
        status, _, body = self._ask("GET", self._model, timeout)
        _check(status)
        try:
            found = _json(body)
            return Metadata(*([_tensor(each) for each in found.get(side) or ()] for side in ("inputs", "outputs")))
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise BackendError(NOT_PROTOCOL) from None

    def infer(self, ids: Batch, mask: Batch, outputs: Sequence[str], timeout: float) -> Outputs:
        headers, body = _request(ids, mask, outputs, binary=self._binary)
        status, answered, body = self._ask("POST", f"{self._model}/infer", timeout, headers, body)
        _check(status)
        try:
            return _read(body, answered.get(_HEADER_LENGTH.lower()))
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise BackendError(NOT_PROTOCOL) from None

    def close(self) -> None:
        if self._process == os.getpid():
            self._pool.close()

    def _ask(
        self, method: str, url: str, timeout: float, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        """(status, headers in small letters, body). Asked again, once, if a connection broke before the answer: one that
        had waited may have been closed meanwhile, and to ask twice does no harm."""
        self._clock.start(timeout)
        sent = {**self._headers, **(headers or {})}
        try:
            try:
                return self._once(method, url, sent, body)
            except (httpcore2.NetworkError, httpcore2.RemoteProtocolError) as error:
                if isinstance(error, httpcore2.ConnectError):
                    raise
                return self._once(method, url, sent, body)
        except httpcore2.TimeoutException:
            raise BackendError(f"no answer within {timeout:g} s") from None
        except httpcore2.ConnectError as error:
            raise BackendError(f"can't be reached: {_reason(error)}") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise BackendError(f"the connection broke: {type(error).__name__}") from None

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        with self._own().stream(method, url, headers=list(headers.items()), content=body) as response:
            answered = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in response.headers}
            whole = bytearray()
            for piece in response.iter_stream():
                whole += piece
                if len(whole) > MOST:
                    raise BackendError(f"the server's answer has more than {MOST} bytes")
            return response.status, answered, bytes(whole)

    def _own(self) -> httpcore2.ConnectionPool:
        """This process's pool: a forked process shares no connection with its parent."""
        if self._process != os.getpid():
            with self._lock:
                if self._process != os.getpid():
                    self._pool, self._process = self._new_pool(), os.getpid()
        return self._pool

    def _new_pool(self) -> httpcore2.ConnectionPool:
        return httpcore2.ConnectionPool(
            self._tls,
            max_connections=self._parallel,
            max_keepalive_connections=self._parallel,
            keepalive_expiry=60.0,
            network_backend=_Network(self._clock),
        )


# --- Bodies ----------------------------------------------------------------------------------------------------------


def _request(ids: Batch, mask: Batch, outputs: Sequence[str], *, binary: bool) -> tuple[dict[str, str], bytes]:
    inputs, raw = [], b""
    for name, values in (("input_ids", ids), ("attention_mask", mask)):
        tensor: dict[str, Any] = {"name": name, "shape": list(values.shape), "datatype": "INT64"}
        if binary:
            mine = values.astype("<i8").tobytes()
            tensor["parameters"] = {"binary_data_size": len(mine)}
            raw += mine
        else:
            tensor["data"] = values.ravel().tolist()
        inputs.append(tensor)
    wanted: list[dict[str, Any]] = [{"name": name} for name in outputs]
    if binary:
        wanted = [{**each, "parameters": {"binary_data": True}} for each in wanted]
    head = json.dumps({"inputs": inputs, "outputs": wanted}, separators=(",", ":")).encode()
    if binary:
        return {"content-type": "application/octet-stream", _HEADER_LENGTH: str(len(head))}, head + raw
    return {"content-type": "application/json"}, head


def _read(body: bytes, head_length: str | None) -> Outputs:
    """The outputs of an answer. Raises BackendError, and what `_json` and shapes that are none raise."""
    at = int(head_length) if head_length is not None else len(body)
    if not 0 <= at <= len(body):
        raise BackendError(NOT_PROTOCOL)
    found: dict[str, Any] = {}
    for output in _json(body[:at])["outputs"]:
        name, datatype, shape = str(output["name"]), str(output["datatype"]), output["shape"]
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            found[name] = from_values(name, datatype, shape, output["data"])
            continue
        if not 0 <= int(size) <= len(body) - at:
            raise BackendError(NOT_PROTOCOL)
        found[name] = from_bytes(name, datatype, shape, body[at : at + int(size)])
        at += int(size)
    return found


def _json(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:  # it would show a part of what it can't read
        raise BackendError(NOT_PROTOCOL) from None


def _tensor(said: Mapping[str, Any]) -> Tensor:
    return Tensor(str(said["name"]), str(said["datatype"]), tuple(map(int, said["shape"])))


def _check(status: int) -> None:
    if status in {429, 503}:
        raise OverloadedError
    if status in {401, 403}:
        raise BackendError(f"the server refuses the key (it answered {status})")
    if status == 404:
        raise BackendError("the server has no such model")
    if status != 200:
        raise BackendError(f"the server answered {status}")


# --- Connections -----------------------------------------------------------------------------------------------------


def _tls(ca: Path | None) -> ssl.SSLContext:
    if ca is None:
        return httpcore2.default_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise DeviceError("has no certificates that can be read", where=str(ca)) from None


def _reason(error: Exception) -> str:
    cause: BaseException = error
    while (next_one := cause.__cause__ or cause.__context__) is not None:
        cause = next_one
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message})"
    return (cause.strerror if isinstance(cause, OSError) and cause.strerror else type(cause).__name__).lower()


class _Clock(threading.local):
    """When the call that this thread is at must be over. The client's own timeouts bound one read or write each: a
    server that answers a byte at a time would keep them all."""

    end = 0.0

    def start(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self, error: type[_Timeout]) -> float:
        left = self.end - time.monotonic()
        if left <= 0:
            raise error
        return left


class _Network(httpcore2.SyncBackend):
    def __init__(self, clock: _Clock) -> None:
        self._clock = clock

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the clock's is used
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._clock.left(httpcore2.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, left, local_address, socket_options), self._clock)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream, clock: _Clock) -> None:
        self._inner = inner
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - as above
        return self._inner.read(max_bytes, self._clock.left(httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        for start in range(0, len(buffer), _PIECE):
            self._inner.write(buffer[start : start + _PIECE], self._clock.left(httpcore2.WriteTimeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - as above
    ) -> httpcore2.NetworkStream:
        left = self._clock.left(httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        self._inner.close()
