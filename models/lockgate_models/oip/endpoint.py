"""Where a model is served: the URL that a user writes, taken apart."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from lockgate_models.errors import DeviceError

_PORTS = {"http": 80, "https": 443}
_NAME = r"(?P<model>[A-Za-z0-9][A-Za-z0-9._-]*)(?:/versions/(?P<version>[A-Za-z0-9][A-Za-z0-9._-]*))?"
_REST = re.compile(rf"(?P<prefix>(?:/[A-Za-z0-9._~-]+)*?)/v2/models/{_NAME}/?")
_GRPC = re.compile(rf"/{_NAME}/?")
_FORMS = "http://HOST:PORT/v2/models/NAME or grpc://HOST:PORT/NAME, each with /versions/VERSION behind it if wanted"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`prefix` is what stands before `/v2` in a REST URL. `version` may be empty: the server then chooses."""

    scheme: str
    host: str
    port: int
    model: str
    version: str = ""
    prefix: str = ""

    @property
    def is_grpc(self) -> bool:
        return self.scheme in {"grpc", "grpcs"}

    @property
    def is_secure(self) -> bool:
        return self.scheme in {"https", "grpcs"}

    @property
    def is_near(self) -> bool:
        """Whether what is sent stays on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def path(self) -> str:
        """The model's own path, below the address."""
        model = f"{self.model}/versions/{self.version}" if self.version else self.model
        return f"/{model}" if self.is_grpc else f"{self.prefix}/v2/models/{model}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}{self.path}"


def read_endpoint(url: str) -> Endpoint:
    """Take a URL apart. Raises DeviceError, which does not repeat it: it may hold a password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise DeviceError(f"the endpoint is no URL; write {_FORMS}") from None
    if parts.username is not None or parts.password is not None:
        raise DeviceError("the endpoint holds a name or a password; give a key on its own")
    form = {"http": _REST, "https": _REST, "grpc": _GRPC, "grpcs": _GRPC}.get(parts.scheme)
    found = form.fullmatch(parts.path) if form is not None else None
    if found is None or not host or parts.query or parts.fragment:
        raise DeviceError(f"the endpoint is not of the right form; write {_FORMS} (https and grpcs for TLS)")
    port = port or _PORTS.get(parts.scheme)
    if not port:
        raise DeviceError("the endpoint has no port; Triton's and MLServer's for gRPC are 8001 and 8081")
    return Endpoint(
        parts.scheme, host, port, found["model"], found["version"] or "", found.groupdict().get("prefix") or ""
    )
