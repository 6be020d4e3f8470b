"""Addresses of crypto-currencies, by their checksums.

Base58Check (Bitcoin, Litecoin, Dogecoin, Dash, Zcash, Tron), Bech32 and Bech32m (BIP 173, BIP 350; Bitcoin, Litecoin,
Cardano), Ethereum's mixed case (EIP-55).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import sha256

from lockgate.detectors.checks import ESCAPE, closed, opening
from lockgate.detectors.protocol import PatternSpec, Spans

LABEL = "CRYPTO"

_BASE_58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH_32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VERSIONS = frozenset(
    {b"\x00", b"\x05", b"\x30", b"\x32", b"\x1e", b"\x16", b"\x4c", b"\x10", b"\x41", b"\x1c\xb8", b"\x1c\xbd"}
)


def base58check(address: str) -> bool:
    """20 bytes behind a version that is known, and four of their double SHA-256."""
    number = 0
    for char in address:
        number = number * 58 + _BASE_58.index(char)
    zeros = len(address) - len(address.lstrip("1"))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    body, checksum = raw[:-4], raw[-4:]
    return body[:-20] in _VERSIONS and sha256(sha256(body).digest()).digest()[:4] == checksum


def bech32(address: str) -> bool:
    """One case, and a polynomial over the part before the last 1 and what follows it that comes to 1, or to a number of
    BIP 350's."""
    if address not in (address.lower(), address.upper()):
        return False
    human, _, data = address.lower().rpartition("1")
    values = [ord(char) >> 5 for char in human] + [0] + [ord(char) & 31 for char in human]
    try:
        values += [_BECH_32.index(char) for char in data]
    except ValueError:
        return False
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            state ^= generator if top >> i & 1 else 0
    return state in (1, 0x2BC830A3)


def eip55(address: str) -> bool:
    """Letters are capitals where Keccak-256 of the address in small letters has a digit of 8 and above."""
    plain = address[2:].lower()
    digest = keccak256(plain.encode()).hex()
    return address[2:] == "".join(
        char.upper() if int(at, 16) > 7 else char for char, at in zip(plain, digest, strict=False)
    )


def mixed(address: str) -> bool:
    return eip55(address) and address[2:] not in (address[2:].lower(), address[2:].upper())


def plain_hex(address: str) -> bool:
    """In one case there is no checksum to see; only not a number that counts."""
    body = address[2:]
    return body in (body.lower(), body.upper()) and len(set(body)) > 8 and any(map(str.isalpha, body))


_MASK = (1 << 64) - 1
_ROTATIONS = (
    (0, 36, 3, 41, 18), (1, 44, 10, 45, 2), (62, 6, 43, 15, 61), (28, 55, 25, 21, 56), (27, 20, 39, 8, 14),
)  # fmt: skip


def keccak256(data: bytes) -> bytes:
    """Keccak with Ethereum's padding, which is not that of SHA-3 (FIPS 202). One block: at most 135 bytes."""
    block = bytearray(200)
    block[: len(data)] = data
    block[len(data)] ^= 1
    block[135] ^= 0x80
    lanes = [[int.from_bytes(block[8 * (x + 5 * y) :][:8], "little") for y in range(5)] for x in range(5)]
    register = 1
    for _ in range(24):
        columns = [lane[0] ^ lane[1] ^ lane[2] ^ lane[3] ^ lane[4] for lane in lanes]
        for x in range(5):
            mix = columns[x - 1] ^ _rotated(columns[(x + 1) % 5], 1)
            lanes[x] = [lane ^ mix for lane in lanes[x]]
        moved = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                moved[y][(2 * x + 3 * y) % 5] = _rotated(lanes[x][y], _ROTATIONS[x][y])
        lanes = [
            [moved[x][y] ^ (~moved[(x + 1) % 5][y] & moved[(x + 2) % 5][y] & _MASK) for y in range(5)] for x in range(5)
        ]
        for i in range(7):
            if register & 1:
                lanes[0][0] ^= 1 << ((1 << i) - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
    return b"".join(lanes[x][0].to_bytes(8, "little") for x in range(4))


def _rotated(lane: int, count: int) -> int:
    return (lane << count | lane >> (64 - count)) & _MASK


def _whole(check: Callable[[str], bool], text: str, start: int, end: int) -> Spans:
    first = opening(text, start, end)
    return ((first, end),) if first >= 0 and closed(text, end) and check(text[first:end]) else ()


SPECS = (
    PatternSpec(
        LABEL, ESCAPE + "[13LMDXTt9A][1-9A-HJ-NP-Za-km-z]{25,34}", score=1.0, validate=partial(_whole, base58check)
    ),
    PatternSpec(
        LABEL,
        ESCAPE + "(?:bc1|tb1|ltc1|addr1|BC1|LTC1)[02-9ac-hj-np-zAC-HJ-NP-Z]{11,104}",
        score=1.0,
        validate=partial(_whole, bech32),
    ),
    PatternSpec(LABEL, ESCAPE + "0x[0-9a-fA-F]{40}", score=1.0, validate=partial(_whole, mixed)),
    PatternSpec(LABEL, ESCAPE + "0x[0-9a-fA-F]{40}", score=0.6, validate=partial(_whole, plain_hex)),
)
