"""The upstream with credentials of ours: the client's end here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from lockgate.errors import SettingsError
from lockgate_proxy.headers import Headers, without
from lockgate_proxy.settings import Settings
from lockgate_proxy.upstream import Answer, Upstream

CREDENTIALS = frozenset({b"authorization", b"api-key", b"x-api-key", b"openai-organization", b"openai-project"})
"""Headers that say who asks, and on whose account."""


def own_credentials(settings: Settings, environment: Mapping[str, str]) -> Headers | None:
    """The headers to send in place of the client's credentials: empty where there is no key of ours, and None where
    the client's are passed on. Raises SettingsError for a variable that is not set, or holds no key."""
    name = settings.upstream_key_env
    if name is None:
        return [] if settings.keys is not None else None
    key = environment.get(name, "").strip()
    if not key:
        raise SettingsError(f"upstream_key_env: the variable {name} is not set")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SettingsError(f"upstream_key_env: what the variable {name} holds is not a key")
    header = settings.upstream_key_header
    return [(header.encode(), f"Bearer {key}".encode() if header == "authorization" else key.encode())]


class OwnCredentials:
    """An `Upstream` that gets `own` in place of the client's credentials."""

    def __init__(self, upstream: Upstream, own: Headers) -> None:
        self._upstream = upstream
        self._own = own

    async def open(
        self, method: str, path: str, headers: Headers, body: bytes | AsyncIterator[bytes] | None = None
    ) -> Answer:
        return await self._upstream.open(method, path, [*without(headers, CREDENTIALS), *self._own], body)

    async def close(self) -> None:
        await self._upstream.close()
