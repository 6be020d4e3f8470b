"""Ids of exchanges: ULIDs, which sort by time."""

from __future__ import annotations

from ulid import ULID


def new_id() -> str:
    """A new ULID, 26 characters."""
    return str(ULID())
