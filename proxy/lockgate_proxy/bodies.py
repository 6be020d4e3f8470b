"""Content encodings: bodies that come compressed, read without letting a small body become a huge one.

gzip (also in several members) and deflate (with and without the zlib header) are read, singly or one upon another;
`identity` and no encoding pass through. Nothing is ever decompressed beyond the limit plus one byte.
"""

from __future__ import annotations

import zlib

from lockgate.errors import WireError
from lockgate_proxy.upstream import UpstreamError

_GZIP, _ZLIB, _RAW = 31, 15, -15
_WINDOW = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}
_MOST = 4  # encodings upon each other


class _Bad(Exception):  # noqa: N818 - never leaves this module
    """The bytes are not what the header says."""


class _Large(Exception):  # noqa: N818 - never leaves this module
    """The decoded bytes are more than allowed."""


class _Unknown(Exception):  # noqa: N818 - never leaves this module
    """No decoder for this encoding."""


def decode_request(body: bytes, encoding: bytes, limit: int) -> bytes:
    """A client's body as it was before `content-encoding`; `limit` in bytes.

    Raises WireError: 415 for an encoding that is not read here, 413 beyond the limit, 400 for broken bytes.
    """
    try:
        return _decode(body, encoding, limit)
    except _Unknown:
        raise WireError(
            "the body's content-encoding is not read here: use gzip, deflate or identity",
            status=415,
            code="unsupported_encoding",
        ) from None
    except _Large:
        raise WireError(f"the body is larger than {limit} bytes", status=413, code="request_too_large") from None
    except _Bad:
        raise WireError("the body is not what its content-encoding says", code="invalid_encoding") from None


def decode_answer(body: bytes, encoding: bytes, limit: int) -> bytes:
    """An upstream's body as it was before `content-encoding`. Raises UpstreamError."""
    try:
        return _decode(body, encoding, limit)
    except _Unknown:
        raise UpstreamError("protocol", "the upstream's answer has a content-encoding that is not read here") from None
    except _Large:
        raise UpstreamError("too_large", f"the upstream's answer is larger than {limit} bytes") from None
    except _Bad:
        raise UpstreamError("broken", "the upstream's answer is not what its content-encoding says") from None


class StreamDecoder:
    """Decodes an answer's body piece by piece, for a stream that comes compressed although it was not asked to.

    `limit` bounds what one piece may become, in bytes. Errors are UpstreamErrors.
    """

    def __init__(self, encoding: bytes, limit: int) -> None:
        self._limit = limit
        try:
            self._layers = [_Layer(name) for name in _layers(encoding)]
        except _Unknown:
            raise UpstreamError(
                "protocol", "the upstream's answer has a content-encoding that is not read here"
            ) from None

    def feed(self, piece: bytes) -> bytes:
        """What `piece` adds to the decoded bytes."""
        try:
            for layer in self._layers:
                piece = layer.feed(piece, self._limit)
        except _Large:
            raise UpstreamError("too_large", "a piece of the upstream's answer decodes to too much") from None
        except _Bad:
            raise UpstreamError("broken", "the upstream's answer is not what its content-encoding says") from None
        return piece

    def finish(self) -> None:
        """The body is over. Raises UpstreamError if the compressed stream is not."""
        if not all(layer.complete for layer in self._layers):
            raise UpstreamError("broken", "the upstream's answer was cut")


def is_identity(encoding: bytes) -> bool:
    """Whether a `content-encoding` leaves the body as it is."""
    return encoding.strip().lower() in {b"", b"identity"}


def _decode(body: bytes, encoding: bytes, limit: int) -> bytes:
    for name in _layers(encoding):
        if not body:
            break  # no body, rather than an empty stream: some clients label it all the same
        layer = _Layer(name)
        body = layer.feed(body, limit)
        if not layer.complete:
            raise _Bad
    if len(body) > limit:
        raise _Large
    return body


def _layers(encoding: bytes) -> list[str]:
    """The encodings to undo, outermost first."""
    names = [name.strip().lower() for name in encoding.decode("latin-1").split(",")]
    names = [name for name in names if name not in {"", "identity"}]
    if len(names) > _MOST or not all(name in _WINDOW for name in names):
        raise _Unknown
    return names[::-1]


class _Layer:
    """One encoding."""

    def __init__(self, name: str) -> None:
        self._window = _WINDOW[name]
        self._head = b""  # of a deflate stream, until its kind is known
        self._inner: zlib._Decompress | None = zlib.decompressobj(_GZIP) if self._window == _GZIP else None
        self._fed = False

    @property
    def complete(self) -> bool:
        """Whether the bytes so far are a whole stream; nothing at all counts as one."""
        return not self._fed or (self._inner is not None and self._inner.eof)

    def feed(self, data: bytes, limit: int) -> bytes:
        if not data:
            return b""
        self._fed = True
        if self._inner is None:
            self._head += data
            if len(self._head) < 2:
                return b""
            data, self._head = self._head, b""
            self._inner = zlib.decompressobj(_ZLIB if _has_zlib_header(data) else _RAW)
        parts: list[bytes] = []
        room = limit + 1
        while data:
            if self._inner.eof:
                if self._window != _GZIP:
                    raise _Bad  # something follows the end
                self._inner = zlib.decompressobj(_GZIP)
            try:
                part = self._inner.decompress(data, room)
            except zlib.error:
                raise _Bad from None
            parts.append(part)
            room -= len(part)
            if room <= 0:
                raise _Large
            # With room left, zlib has either taken all the input or reached the end of a stream.
            data = self._inner.unused_data
        return b"".join(parts)


def _has_zlib_header(data: bytes) -> bool:
    """RFC 1950: method 8, and the first two bytes as a number are a multiple of 31."""
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
