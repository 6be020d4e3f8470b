"""Changes to the file of client keys: one at a time, and whole or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from lockgate.errors import SettingsError
from lockgate.policy.nearest import suggest
from lockgate_proxy.keys import ClientKey, parse_keys
from lockgate_proxy.private import read_private


def add_key(path: Path, key: ClientKey) -> None:
    """Put a key's line at the end of the file, which is made (mode 0600) if it is not there. Raises SettingsError."""

    def changed(raw: bytes) -> bytes:
        if key.id in parse_keys(raw, str(path)):
            raise SettingsError(f"{path}: there is a key {key.id} already; try again")
        apart = b"\n" if raw and not raw.endswith(b"\n") else b""
        return raw + apart + _line(key)

    _change(path, changed, make=True)


def revoke_key(path: Path, key_id: str) -> ClientKey:
    """Mark a key as revoked, now; gives it. Raises SettingsError where there is none of that id, or it is revoked."""
    revoked: list[ClientKey] = []

    def changed(raw: bytes) -> bytes:
        known = parse_keys(raw, str(path))
        if key_id not in known:
            hint = suggest(key_id, known)
            raise SettingsError(f"{path}: there is no key of that id" + (f" ({hint})" if hint else ""))
        key, number = known[key_id]
        if key.revoked:
            raise SettingsError(f"{path}:{number}: the key was revoked at {key.revoked}")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        revoked.append(key.model_copy(update={"revoked": now}))
        lines = raw.splitlines(keepends=True)
        lines[number - 1] = _line(revoked[0])
        return b"".join(lines)

    _change(path, changed, make=False)
    return revoked[0]


def _line(key: ClientKey) -> bytes:
    return key.model_dump_json(exclude_defaults=True).encode() + b"\n"


def _change(path: Path, changed: Callable[[bytes], bytes], *, make: bool) -> None:
    path = path.resolve()  # a link stays one
    try:
        with _alone(path.parent):
            there = path.exists()
            if not there and not make:
                raise SettingsError(f"there is no file {path}")
            _replace(path, changed(read_private(path) if there else b""), path.stat() if there else None)
    except OSError as error:
        raise SettingsError(f"{path} can't be written ({error.strerror})") from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process changes files of the folder in this way at a time."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, raw: bytes, before: os.stat_result | None) -> None:
    """Put a new file in the place of the old one: whoever reads gets the one or the other, whole."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            if before is not None:
                # The server may run as another user than whoever edits the file, and must still be able to read it.
                mine = os.fstat(file.fileno())
                if (mine.st_uid, mine.st_gid) != (before.st_uid, before.st_gid):
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105 - a name that mkstemp gave
    except BaseException:
        os.unlink(name)  # noqa: PTH108 - likewise
        raise
