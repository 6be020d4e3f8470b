"""Checksums, numbering rules and measures of randomness: what tells a number or a key from one that looks like it.

Pure functions over short strings. None of them knows a detector.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter

ESCAPE = r"(?:\\(?:[nrtbf]|u[0-9A-Fa-f]{4})|%[0-9A-Fa-f]{2})?"
"""Opens a row that must start at a word's beginning: in JSON text and in URLs an escape may stand right before the
word, and its last letter would hide that beginning. `opening` takes it off again."""

_ESCAPE = re.compile(r"\\(?:[nrtbf]|u[0-9A-Fa-f]{4})|%[0-9A-Fa-f]{2}")

_ALPHABET_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_CARDS: tuple[tuple[str, frozenset[int], tuple[tuple[str, str], ...]], ...] = (
    ("visa", frozenset({13, 16, 19}), (("4", "4"),)),
    ("mastercard", frozenset({16}), (("51", "55"), ("2221", "2720"))),
    ("amex", frozenset({15}), (("34", "34"), ("37", "37"))),
    ("discover", frozenset(range(16, 20)), (("6011", "6011"), ("644", "649"), ("65", "65"))),
    ("unionpay", frozenset(range(16, 20)), (("62", "62"), ("81", "81"))),
    ("jcb", frozenset(range(16, 20)), (("3528", "3589"),)),
    ("diners", frozenset(range(14, 20)), (("300", "305"), ("3095", "3095"), ("36", "36"), ("38", "39"))),
    (
        "maestro",
        frozenset(range(12, 20)),
        (("5018", "5018"), ("5020", "5020"), ("5038", "5038"), ("5893", "5893"), ("6304", "6304"), ("6759", "6759")),
    ),
    ("maestro", frozenset(range(16, 20)), (("6761", "6763"),)),
    ("mir", frozenset(range(16, 20)), (("2200", "2204"),)),
    ("rupay", frozenset({16}), (("508", "508"), ("60", "60"), ("82", "82"))),
    ("elo", frozenset({16}), (("5066", "5067"), ("509", "509"), ("6362", "6363"))),
    ("troy", frozenset({16}), (("9792", "9792"),)),
)
"""Network, lengths, ranges of first digits (both ends included). Source: the networks' published issuer ranges, as
collected in ISO/IEC 7812 tables."""


def word(char: str) -> bool:
    """Whether `char` can be part of an ASCII word. Letters of other scripts can't: between Chinese or Japanese text and
    a key there is no space."""
    return char.isascii() and (char.isalnum() or char == "_")


def opening(text: str, start: int, end: int) -> int:
    """Where the candidate text[start:end] begins behind its escape, or -1 if it is glued to a word on its left."""
    escape = _ESCAPE.match(text, start, end)
    if escape:
        return escape.end()
    return -1 if start and word(text[start - 1]) else start


def closed(text: str, end: int) -> bool:
    """Whether no word goes on at `end`."""
    return end >= len(text) or not word(text[end])


def luhn(digits: str) -> bool:
    """Luhn's checksum (ISO/IEC 7812-1) over ASCII digits."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return bool(digits) and total % 10 == 0


def card_network(digits: str) -> str:
    """The payment network whose prefixes and lengths `digits` fits; "" if none does."""
    for network, lengths, ranges in _CARDS:
        if len(digits) in lengths and any(low <= digits[: len(low)] <= high for low, high in ranges):
            return network
    return ""


def card_number(digits: str) -> bool:
    """A payment card's number: a known network, a right checksum, and more than one digit to it."""
    return len(set(digits)) > 1 and card_network(digits) != "" and luhn(digits)


def mod97(text: str) -> bool:
    """The checksum of an IBAN (ISO 7064, MOD 97-10) over upper-case letters and digits, without separators."""
    moved = text[4:] + text[:4]
    return len(text) > 4 and int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def social_security_number(digits: str) -> bool:
    """Nine digits that the US Social Security Administration can have given out: the area is not 000, 666 or 900 and
    above, the group not 00, the serial not 0000."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def entropy(text: str) -> float:
    """Shannon's entropy in bits a character; 0 for an empty text."""
    length = len(text)
    return -sum(n / length * math.log2(n / length) for n in Counter(text).values()) if length else 0.0


def crc_suffix(token: str) -> bool:
    """Whether the last six characters of `token` are the CRC-32 of what stands between them and the first underscore,
    in base 62. GitHub's and npm's keys are made so (https://github.blog, "Behind GitHub's new authentication token
    formats")."""
    body = token.partition("_")[2]
    return len(body) > 6 and crc_letters(body[:-6]) == body[-6:]


def crc_letters(text: str) -> str:
    """The CRC-32 of `text` as six characters in base 62."""
    value, letters = zlib.crc32(text.encode()), ""
    while value:
        value, digit = divmod(value, 62)
        letters = _ALPHABET_62[digit] + letters
    return letters.rjust(6, "0")
