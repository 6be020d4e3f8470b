"""Ids of exchanges: ULIDs, which sort by time."""

from __future__ import annotations

import os
import time

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(a + b for a in _DIGITS for b in _DIGITS)
_SHIFTS = tuple(range(120, -1, -10))


def new_id() -> str:
    """A new ULID (github.com/ulid/spec), 26 characters of Crockford's base 32: 48 bits of milliseconds since 1970, 80
    random bits. python-ulid makes the same ones, at ten times the price."""
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
