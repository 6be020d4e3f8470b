"""Files that hold secrets: nobody but their owner, and a group that its owner chose, may read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lockgate.errors import SettingsError

_OTHERS = stat.S_IRWXO
_GROUP_WRITES = stat.S_IWGRP
_LARGEST = 16 << 20  # bytes


def read_private(path: Path) -> bytes:
    """What is in the file. Raises SettingsError if it can't be read, or if others can read or change it.

    The group may read it: that is how containers and services are handed a secret.
    """
    try:
        with path.open("rb") as file:
            _check(path, os.fstat(file.fileno()).st_mode)
            return file.read(_LARGEST)
    except OSError as error:
        raise SettingsError(f"{path} can't be read ({error.strerror})") from None


def require_private(path: Path) -> None:
    """Raise SettingsError unless the file can be read, and others can neither read nor change it."""
    read_private(path)


def _check(path: Path, mode: int) -> None:
    if mode & _OTHERS:
        raise SettingsError(
            f"{path} can be read or changed by others (mode {stat.S_IMODE(mode):04o}): chmod 600 {path}"
        )
    if mode & _GROUP_WRITES:
        raise SettingsError(f"{path} can be changed by its group (mode {stat.S_IMODE(mode):04o}): chmod 600 {path}")
