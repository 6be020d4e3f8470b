"""Client keys: their form, and the file that knows them.

A key is ``lg-<id>-<secret>``. The id (8 characters) is public: it names the key in the file, in audit lines, in
`lockgate keys`. The secret is 40 characters from the system's random source, some 238 bits, and 6 of a CRC-32 over
everything before them, which tell a mistyped or made-up key from a real one without a look into the file, here and in
tools that search for leaked secrets.

The file is JSON Lines, a line a key, with the key's SHA-256 in place of the key. One fast hash is enough: what makes
passwords need a slow one is that they can be guessed, and nobody guesses 238 random bits.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lockgate.errors import SettingsError
from lockgate.policy.nearest import suggest
from lockgate_proxy.private import read_private

_ID_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(r"lg-([a-z2-9]{8})-([0-9A-Za-z]{40})([0-9A-Za-z]{6})", re.ASCII)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,63}$")]
"""A tenant or a tag: it stands in audit lines and conditions."""


class ClientKey(BaseModel):
    """One line of the file. `tags` are added to those of the settings; `policy` takes the place of theirs, if given.

    `created` and `revoked` are times in ISO 8601. A revoked key stays in the file, for old audit lines to be read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str = Field(pattern=r"^[a-z2-9]{8}$")
    hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    tenant: Name
    tags: tuple[Name, ...] = ()
    policy: str = ""
    created: str = ""
    revoked: str = ""

    def public(self) -> dict[str, Any]:
        """All but the hash."""
        return self.model_dump(exclude={"hash"})


class Placed(NamedTuple):
    """A key, and the number of its line."""

    key: ClientKey
    line: int


def new_key(tenant: str, tags: tuple[str, ...] = (), policy: str = "") -> tuple[str, ClientKey]:
    """A new key, and its line for the file. Raises SettingsError for a tenant or tag that can't be one."""
    head = f"lg-{_random(_ID_LETTERS, 8)}-{_random(_LETTERS, 40)}"
    text = head + _check_letters(head)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        made = ClientKey(id=head[3:11], hash=_hash(text), tenant=tenant, tags=tags, policy=policy, created=now)
    except ValidationError as error:
        raise SettingsError(_said(error)) from None
    return text, made


def id_of(text: str) -> str | None:
    """The id that a key names; None for what has not the form of a key or does not fit its checksum."""
    found = _FORM.fullmatch(text)
    if found is None or not hmac.compare_digest(_check_letters(text[:-6]), found[3]):
        return None
    return found[1]


def is_key(text: str, key: ClientKey) -> bool:
    """Whether `text` is this key and it has not been revoked."""
    return hmac.compare_digest(_hash(text), key.hash) and not key.revoked


def parse_keys(raw: bytes, file: str) -> dict[str, Placed]:
    """Id → key. Raises SettingsError with file and line. Empty lines and those that begin with # are passed over."""
    found: dict[str, Placed] = {}
    for number, line in enumerate(raw.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        where = f"{file}:{number}"
        key = _parse(line, where)
        if key.id in found:
            raise SettingsError(f"{where}: the key {key.id} stands here twice, first in line {found[key.id].line}")
        found[key.id] = Placed(key, number)
    return found


def read_keys(path: Path) -> dict[str, Placed]:
    """The keys in the file. Raises SettingsError also where others can read it."""
    return parse_keys(read_private(path), str(path))


def _parse(line: bytes, where: str) -> ClientKey:
    try:
        return ClientKey.model_validate(json.loads(line, object_pairs_hook=_once))
    except ValidationError as error:
        raise SettingsError(f"{where}: {_said(error)}") from None
    except ValueError:
        raise SettingsError(
            f"{where}: is not a line that `lockgate keys` writes (a JSON object, no key twice)"
        ) from None


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _said(error: ValidationError) -> str:
    """What is wrong, without the values."""
    said = []
    for each in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(each["loc"][0]) if each["loc"] else "the line"
        if each["type"] == "extra_forbidden":
            said.append(f"there is no `{name}` ({suggest(name, ClientKey.model_fields)})")
        elif each["type"] == "string_pattern_mismatch" and name in {"tenant", "tags"}:
            said.append(f"`{name}` must be 1 to 64 letters, digits and ._:@/-, and begin with a letter or digit")
        elif each["type"] == "missing":
            said.append(f"`{name}` is missing")
        else:
            said.append(f"`{name}` is not what it should be")
    return "; ".join(dict.fromkeys(said))


def _hash(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _random(letters: str, count: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(count))


def _check_letters(head: str) -> str:
    rest, shown = zlib.crc32(head.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, len(_LETTERS))
        shown = _LETTERS[digit] + shown
    return shown
