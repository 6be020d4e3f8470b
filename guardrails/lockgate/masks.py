"""Masks that stand for values: the same value has the same mask, in every message and every turn, under one key.

A hash is the label and 16 hex digits: ``[IBAN_CODE_3f9a1c0b7d2e4f60]``. A pseudonym is short, so that a model can use
it: ``[PERSON_k3f9w2]``; of an e-mail address an address, ``email-k3f9w2@example.com``. Both are an HMAC of the value
under the tenant's key: without the key nobody can tell the value, or try values out. Two spellings of a value are two
values.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Literal

Mode = Literal["hash", "pseudonym"]

_LETTERS = "23456789bcdfghjkmnpqrstvwxyz"  # no vowels, which would make words, and nothing that is read as another
_LENGTH = 6
_NOT_PLAIN = re.compile(r"[^A-Z0-9]+")
_LONGEST_LABEL = 40
_EMAIL = "EMAIL_ADDRESS"


class Masker:
    """Keys for masks, from one key: a tenant's masks tell nothing about another's. Without a key it makes one, and masks
    last as long as the process."""

    def __init__(self, key: bytes | None = None) -> None:
        self.lasting = key is not None
        self._key = key or secrets.token_bytes(32)

    def masks(self, tenant: str = "") -> Masks:
        """The masks of one request."""
        return Masks(hmac.digest(self._key, b"masks\0" + tenant.encode("utf-8", "surrogatepass"), "sha256"))


PROCESS = Masker()
"""For whoever has no key of their own."""


class Masks:
    """The masks of one request and its answer. It holds the values that it has hidden, and is never shared."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._values: dict[str, tuple[str, str]] = {}  # what a mask says, in small letters → label and value
        self._sent: set[str] = set()
        self.originals: dict[str, str] = {}
        """Mask → the value that it is put back to."""

    def mask(self, mode: Mode, label: str, value: str) -> str:
        """The mask of `value`. Two values of a request never have the same one: the later takes another."""
        turn = 0
        while True:
            said = _spelled(self._key, mode, label, value, turn)
            if self._values.setdefault(said.lower(), (label, value)) == (label, value):
                return said
            turn += 1

    def sent(self, masks: Iterable[tuple[str, bool]]) -> None:
        """What the upstream gets to see: masks, each with whether it is put back in the answer. Others are left out."""
        for mask, restore in masks:
            known = self._values.get(mask.lower())
            if known is not None:
                self._sent.add(_core(mask))
                if restore:
                    self.originals[mask] = known[1]

    @property
    def any_sent(self) -> bool:
        return bool(self._sent)

    def is_sent(self, text: str) -> bool:
        """Whether `text` is a mask that the upstream was sent: found in the answer, it is nobody's data."""
        return bool(self._sent) and _core(text) in self._sent


def _core(mask: str) -> str:
    return mask.lower().removeprefix("[").removesuffix("]")


def _spelled(key: bytes, mode: Mode, label: str, value: str, turn: int) -> str:
    said = f"{mode}\0{label}\0{turn}\0{value}".encode("utf-8", "surrogatepass")
    digest = hmac.digest(key, said, "sha256")
    name = _NOT_PLAIN.sub("_", label.upper())[:_LONGEST_LABEL].strip("_") or "VALUE"
    if mode == "hash":
        return f"[{name}_{digest.hex()[:16]}]"
    number = int.from_bytes(digest[:8], "big")
    letters = []
    for _ in range(_LENGTH):
        number, at = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[at])
    token = "".join(letters)
    return f"email-{token}@example.com" if label == _EMAIL else f"[{name}_{token}]"
