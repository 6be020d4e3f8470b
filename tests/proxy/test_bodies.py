from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import WireError
from lockgate_proxy.bodies import StreamDecoder, decode_answer, decode_request, is_identity
from lockgate_proxy.upstream import UpstreamError


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def members(body: bytes) -> bytes:
    middle = len(body) // 2
    return gzip.compress(body[:middle]) + gzip.compress(body[middle:])


PACKERS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "identity": (b"identity", bytes),
    "none": (b"", bytes),
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b" X-GZip ", gzip.compress),
    "members": (b"gzip", members),
    "deflate": (b"deflate", zlib.compress),
    "raw deflate": (b"Deflate", raw_deflate),
    "both": (b"deflate, gzip", lambda body: gzip.compress(zlib.compress(body))),
}


@pytest.mark.parametrize("kind", PACKERS)
@given(body=st.binary(max_size=2000), cuts=st.lists(st.integers(0, 4000), max_size=8))
def test_what_was_packed_comes_out(kind: str, body: bytes, cuts: list[int]) -> None:
    encoding, pack = PACKERS[kind]
    packed = pack(body)
    assert decode_request(packed, encoding, 2000) == body
    assert decode_answer(packed, encoding, 2000) == body
    decoder = StreamDecoder(encoding, 2000)
    borders = sorted({0, len(packed), *(cut % (len(packed) + 1) for cut in cuts)})
    assert b"".join(decoder.feed(packed[a:b]) for a, b in pairwise(borders)) == body
    decoder.finish()


@pytest.mark.parametrize("kind", PACKERS)
def test_the_limit_is_exact(kind: str) -> None:
    encoding, pack = PACKERS[kind]
    body = b"x" * 1000
    assert decode_request(pack(body), encoding, 1000) == body
    with pytest.raises(WireError) as caught:
        decode_request(pack(body), encoding, 999)
    assert (caught.value.status, caught.value.code) == (413, "request_too_large")
    with pytest.raises(UpstreamError) as failed:
        decode_answer(pack(body), encoding, 999)
    assert failed.value.kind == "too_large"


def test_a_bomb_is_stopped_before_it_grows() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    twice = gzip.compress(bomb)
    tracemalloc.start()
    try:
        for encoding, body in ((b"gzip", bomb), (b"gzip, gzip", twice)):
            with pytest.raises(WireError):
                decode_request(body, encoding, 1_000_000)
            with pytest.raises(UpstreamError) as failed:
                StreamDecoder(encoding, 1_000_000).feed(body)
            assert failed.value.kind == "too_large"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, br", b"\xff", b"gzip;q=1", b"gzip," * 5 + b"gzip"])
def test_an_unknown_encoding_is_not_guessed_at(encoding: bytes) -> None:
    with pytest.raises(WireError) as caught:
        decode_request(b"{}", encoding, 100)
    assert (caught.value.status, caught.value.code) == (415, "unsupported_encoding")
    for fails in (lambda: decode_answer(b"{}", encoding, 100), lambda: StreamDecoder(encoding, 100)):
        with pytest.raises(UpstreamError) as failed:
            fails()
        assert failed.value.kind == "protocol"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", b"{}"),
        (b"gzip", gzip.compress(b"{}")[:-3]),
        (b"gzip", gzip.compress(b"{}") + b"and more"),
        (b"gzip", gzip.compress(b"{}")[:-6] + b"\0\0\0\0\0\0"),
        (b"deflate", zlib.compress(b"{}")[:-2]),
        (b"deflate", zlib.compress(b"{}") + b"more"),
        (b"deflate", raw_deflate(b"{}")[:-1]),
        (b"deflate", b"\x78"),
        (b"deflate", b"\xff\xff\xff"),
    ],
)
def test_broken_bytes_are_an_error(encoding: bytes, body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        decode_request(body, encoding, 100)
    assert (caught.value.status, caught.value.code) == (400, "invalid_encoding")
    with pytest.raises(UpstreamError) as failed:
        decode_answer(body, encoding, 100)
    assert failed.value.kind == "broken"


def both(encoding: bytes, body: bytes) -> None:
    decoder = StreamDecoder(encoding, 100)
    decoder.feed(body)
    decoder.finish()


@pytest.mark.parametrize("body", [gzip.compress(b"{}")[:-3], b"not gzip", gzip.compress(b"{}") + b"x"])
def test_a_cut_stream_is_an_error(body: bytes) -> None:
    with pytest.raises(UpstreamError) as failed:
        both(b"gzip", body)
    assert failed.value.kind == "broken"


def test_no_body_may_have_any_known_encoding() -> None:
    assert decode_request(b"", b"gzip", 10) == b""
    both(b"gzip", b"")


def test_each_flushed_piece_comes_out_at_once() -> None:
    packer = zlib.compressobj(wbits=31)
    decoder = StreamDecoder(b"gzip", 100)
    for event in (b"data: a\n\n", b"data: b\n\n"):
        assert decoder.feed(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)) == event
    assert decoder.feed(packer.flush()) == b""
    decoder.finish()


def test_identity() -> None:
    assert is_identity(b"")
    assert is_identity(b" Identity ")
    assert not is_identity(b"gzip")
