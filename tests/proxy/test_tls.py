from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from lockgate.errors import SettingsError
from lockgate_proxy.connection import Connection
from lockgate_proxy.tls import server_tls
from serving import served

LONG_AGO = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC))
FAR_OFF = (datetime(2090, 1, 1, tzinfo=UTC), datetime(2091, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def files(
    authority: trustme.CA, folder: Path, name: str = "a", valid: tuple[datetime, datetime] | None = None
) -> tuple[Path, Path]:
    """The files of a certificate for localhost and of its key."""
    before, after = valid or (None, None)
    made = authority.issue_cert("localhost", "127.0.0.1", not_before=before, not_after=after)
    cert, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    return cert, key


async def test_a_client_that_trusts_the_authority_gets_through(authority: trustme.CA, tmp_path: Path) -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        assert callable(send)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    context = server_tls(*files(authority, tmp_path))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    async with served(app, http=Connection, ssl_context_factory=lambda *_: context) as base:
        port = int(base.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("localhost", port, ssl=trusting)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 204 No Content\r\n"
        spoken = writer.get_extra_info("ssl_object")
        assert (spoken.version(), spoken.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
        writer.close()
        old = ssl.create_default_context()
        authority.configure_trust(old)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        _, writer = await asyncio.open_connection("localhost", port, ssl=old)
        writer.close()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(("valid", "said"), [(LONG_AGO, "has expired"), (FAR_OFF, "is not valid yet")])
def test_one_that_is_not_valid_today(
    authority: trustme.CA, tmp_path: Path, valid: tuple[datetime, datetime], said: str
) -> None:
    cert, key = files(authority, tmp_path, valid=valid)
    with pytest.raises(SettingsError, match=f"^tls_cert: {cert} {said}"):
        server_tls(cert, key)


def test_the_key_of_another(authority: trustme.CA, tmp_path: Path) -> None:
    cert, _ = files(authority, tmp_path, "a")
    _, key = files(authority, tmp_path, "b")
    with pytest.raises(SettingsError, match=f"^tls_key: {key} does not belong to the certificate in {cert}"):
        server_tls(cert, key)


def test_a_key_that_others_can_read(authority: trustme.CA, tmp_path: Path) -> None:
    cert, key = files(authority, tmp_path)
    key.chmod(0o644)
    with pytest.raises(SettingsError, match=f"^tls_key: {key} can be read"):
        server_tls(cert, key)


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_no_pem(authority: trustme.CA, tmp_path: Path, which: int) -> None:
    pair = files(authority, tmp_path)
    pair[which].write_text("nonsense", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^tls_cert: .* both PEM"):
        server_tls(*pair)


def test_a_key_with_a_passphrase(authority: trustme.CA, tmp_path: Path) -> None:
    cert, key = files(authority, tmp_path)
    plain = serialization.load_pem_private_key(key.read_bytes(), None)
    hidden = plain.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hunter2"),
    )
    key.write_bytes(hidden)
    with pytest.raises(SettingsError, match=r"^tls_key: is encrypted"):
        server_tls(cert, key)
