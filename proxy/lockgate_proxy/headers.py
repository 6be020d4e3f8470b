"""Which headers travel, in both directions.

Headers are lists of (name, value) in bytes, order and duplicates kept, as ASGI has them. Hop-by-hop headers end here
(RFC 9110, section 7.6.1), with everything that `Connection` names; so do `x-lockgate-*`, which only this proxy sets.
"""

from __future__ import annotations

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

OWN_PREFIX = b"x-lockgate-"

_DROPPED = (b"proxy-", OWN_PREFIX)
_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"})
_DISGUISES = frozenset(
    {b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url"}
)
"""With these, some servers take a request for another one than was looked at here."""
_NOT_ASKED = (
    _HOP_BY_HOP
    | _DISGUISES
    | {
        b"host",  # the upstream's own
        b"content-length",  # the body may be edited; whoever sends it counts it
        b"expect",  # our server has answered it
        b"http2-settings",
    }
)
_NOT_ANSWERED = _HOP_BY_HOP | {
    b"alt-svc",  # it speaks of the upstream's address, and a client would take it for ours
}
_IDENTITY = (b"accept-encoding", b"identity")

BODY_DEPENDENT = frozenset(
    {
        b"content-encoding",
        b"content-length",
        b"etag",
        b"content-md5",
        b"digest",
        b"content-digest",
        b"repr-digest",
    }
)
"""What speaks of a body's very bytes, and is wrong once they are edited."""


def request_headers(raw: Iterable[tuple[bytes, bytes]], *, identity: bool, keep_length: bool = False) -> Headers:
    """What of a client's headers the upstream gets.

    `identity` asks the upstream not to compress: for answers that are read here. `keep_length` lets `content-length`
    through: for a body that is passed on as it comes.
    """
    kept: Headers = []
    named: frozenset[bytes] = frozenset()
    for name, value in raw:
        key = name.lower()
        if key == b"connection":
            named = _named(value, named)
        elif key in _NOT_ASKED:
            if keep_length and key == b"content-length":
                kept.append((key, value))
        elif not ((identity and key == b"accept-encoding") or key.startswith(_DROPPED)):
            kept.append((key, value))
    if named:
        kept = without(kept, named)
    if identity:
        kept.append(_IDENTITY)
    return kept


def answer_headers(raw: Iterable[tuple[bytes, bytes]], *, length: bool = True) -> Headers:
    """What of an upstream's headers the client gets, names in lower case.

    `length=False` leaves out `content-length`: for a body that is edited, or sent as a stream.
    """
    kept: Headers = []
    named: frozenset[bytes] = frozenset()
    for name, value in raw:
        key = name.lower()
        if key == b"connection":
            named = _named(value, named)
        elif not (key in _NOT_ANSWERED or key.startswith(_DROPPED) or (key == b"content-length" and not length)):
            kept.append((key, value))
    return without(kept, named) if named else kept


def without(headers: Iterable[tuple[bytes, bytes]], names: frozenset[bytes]) -> Headers:
    """The headers whose (lower-case) names are not in `names`."""
    return [pair for pair in headers if pair[0] not in names]


def value_of(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    """The values of one header, joined by a comma as RFC 9110 allows; empty if it is not there. Any case."""
    found: bytes | None = None
    for key, value in headers:
        if key == name or (len(key) == len(name) and key.lower() == name):
            found = value if found is None else b"%b, %b" % (found, value)
    return found or b""


def _named(value: bytes, named: frozenset[bytes]) -> frozenset[bytes]:
    # The length is the server's framing, already checked: a peer can't take it away by naming it.
    return named | {word.strip().lower() for word in value.split(b",")} - {b"", b"content-length", b"close"}
