"""Rows of JSON Lines, one at a time. What is wrong with a row is a value: the rows behind it count no less."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar, cast

from lockgate.errors import SettingsError

FIELDS = ("text", "prompt", "response", "context")
"""The texts that a row may have."""

T = TypeVar("T")

LONGEST = 8 << 20
"""Bytes of a line, at most."""

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `texts`: field → text, of those that it has; `said` is the whole row."""

    line: int
    id: str | int
    texts: Mapping[str, str]
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that is no row. `error` says why, and nothing of what stands in it."""

    line: int
    id: str | int | None
    error: str


def read_rows(file: BinaryIO, name: str, *, longest: int = LONGEST) -> Iterator[Row | Bad]:
    """The rows of a file of texts. As `read_lines`."""
    return read_lines(file, name, row_of, longest=longest)


def read_lines(
    file: BinaryIO, name: str, read: Callable[[int, bytes], T | Bad], *, longest: int = LONGEST
) -> Iterator[T | Bad]:
    """What `read` makes of each line of a file, packed or not: of its number and bytes. No more than one line is held.
    Raises SettingsError with the file's `name` where it can't be read on."""
    number = 0
    try:
        stream = unpacked(file)
        while raw := stream.readline(longest + 1):
            number += 1
            if len(raw) > longest and not raw.endswith(b"\n"):
                while (rest := stream.readline(1 << 16)) and not rest.endswith(b"\n"):
                    pass
                yield Bad(number, None, f"the line has more than {longest} bytes")
            else:
                yield read(number, raw.removeprefix(_BOM) if number == 1 else raw)
    except (EOFError, OSError, zlib.error) as error:
        raise _unread(name, error) from None


def object_of(number: int, raw: bytes) -> dict[str, Any] | Bad:
    """A line's object, which has an `id`: a string or an integer."""
    try:
        said = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError:
        return Bad(number, None, "the line is not UTF-8")
    except _TwiceError:
        return Bad(number, None, "a key is there twice")
    except (ValueError, RecursionError):
        return Bad(number, None, "the line is not JSON" if raw.strip() else "the line is empty")
    if not isinstance(said, dict):
        return Bad(number, None, "the row is no object")
    key = said.get("id")
    if isinstance(key, bool) or not isinstance(key, str | int):
        return Bad(number, None, "id: must be a string or an integer" if "id" in said else "id: is missing")
    return said


def row_of(number: int, raw: bytes) -> Row | Bad:
    said = object_of(number, raw)
    if isinstance(said, Bad):
        return said
    key = said["id"]
    texts = {}
    for name in FIELDS:
        value = said.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            return Bad(number, key, f"{name}: must be a string")
        texts[name] = value
    if not texts:
        return Bad(number, key, f"the row has no text: none of {', '.join(FIELDS)}")
    return Row(number, key, texts, said)


class _TwiceError(ValueError):
    pass


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _TwiceError
    return made


def _no_number(word: str) -> None:
    raise ValueError(word)


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """A file. Raises SettingsError."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unread(str(path), error) from None
    with file:
        yield file


def unpacked(file: BinaryIO) -> IO[bytes]:
    """What a file holds, if it is gzip by its first bytes, or the file itself."""
    peek = getattr(file, "peek", None)
    packed = peek is not None and peek(2)[:2] == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if packed else file


def _unread(name: str, error: Exception) -> SettingsError:
    if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
        return SettingsError(f"{name}: the file can't be read ({error.strerror or type(error).__name__})")
    return SettingsError(f"{name}: the gzip file is damaged, or ends too early")


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A new file, packed if its name ends in .gz. Raises SettingsError."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "wb", compresslevel=6) as packed:
                yield cast("IO[bytes]", packed)
        else:
            with path.open("wb") as file:
                yield file
    except OSError as error:
        raise SettingsError(f"{path}: the file can't be written ({error.strerror or type(error).__name__})") from None
