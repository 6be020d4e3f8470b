"""TLS for our own port, from a certificate file and a key file."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NoReturn

from lockgate.errors import SettingsError
from lockgate_proxy.private import require_private

_TIME = {9: "is not valid yet", 10: "has expired"}
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


def server_tls(cert: Path, key: Path) -> ssl.SSLContext:
    """What the port speaks: TLS 1.2 and later, HTTP/1.1. Raises SettingsError for files that would fail with a client:
    a key that others can read or that belongs to another certificate, a certificate that is not valid today."""
    try:
        require_private(key)
    except SettingsError as error:
        raise SettingsError(f"tls_key: {error}") from None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        raise SettingsError(_said(error, cert, key)) from None
    except OSError as error:
        raise SettingsError(f"tls_cert: {cert} can't be read ({error.strerror})") from None
    _rehearse(context, cert)
    return context


def _no_password() -> NoReturn:
    raise SettingsError("tls_key: is encrypted; give a key without a passphrase")


def _said(error: ssl.SSLError, cert: Path, key: Path) -> str:
    match error.reason:
        case "KEY_VALUES_MISMATCH" | "KEY_TYPE_MISMATCH" | "NO_CERTIFICATE_ASSIGNED":
            return f"tls_key: {key} does not belong to the certificate in {cert}"
        case "EE_KEY_TOO_SMALL" | "CA_MD_TOO_WEAK" | "CA_KEY_TOO_SMALL":
            return f"tls_cert: {cert} is too weak for clients of today"
    return f"tls_cert: {cert} or {key} is not what it should be: a certificate and its private key, both PEM"


def _rehearse(context: ssl.SSLContext, cert: Path) -> None:
    """Shake hands with ourselves, in memory: what a client would find wrong with the certificate is said now."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.load_verify_locations(cert)
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # by itself, whoever signed it
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(back, there)
    server = context.wrap_bio(there, back, server_side=True)
    try:
        for side in (client, server, client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLCertVerificationError as error:
        why = _TIME.get(error.verify_code, f"would be refused by clients: {error.verify_message}")
        raise SettingsError(f"tls_cert: {cert} {why}") from None
    except ssl.SSLError as error:
        raise SettingsError(f"tls_cert: {cert} can't be served ({error.reason})") from None
