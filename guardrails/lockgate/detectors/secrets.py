"""Keys, tokens, private keys and passwords."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lockgate.detectors import secrets_checks as check
from lockgate.detectors.checks import ESCAPE, opening
from lockgate.detectors.protocol import MAX_WIDTH, PatternDetector, PatternSpec, Spans
from lockgate.detectors.secrets_table import (
    ENCODED_KEY_BLOCK,
    JWT,
    KEY_BLOCK,
    KEYS,
    LABELS,
    NAMED,
    PRIVATE_KEY,
    WEB_TOKEN,
    Key,
    Named,
)
from lockgate.detectors.views import ENCODED, LONGEST, Decoded, seen_in

KIND = "secrets"
LONG = 2048
"""Widest secret whose form sets no most, in characters."""


def _known(kind: str) -> str:
    if kind not in LABELS:
        near = difflib.get_close_matches(kind.upper(), LABELS, 1)
        raise ValueError("no such kind of secret" + (f"; nearest is {near[0]}" if near else ""))
    return kind


SecretKind = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": sorted(LABELS)})]


class SecretsConfig(BaseModel):
    """`kinds`: the labels to look for, all if not given. `min_score`: rows below it are left out.

    A vendor's form scores 1.0 or a little less, a name before the value 0.9, a bare `password =` or `api_key =` 0.6.
    `views`: the disguises in which they are looked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kinds: tuple[SecretKind, ...] | None = Field(default=None, min_length=1)
    min_score: float = Field(default=0.5, ge=0, le=1)
    views: tuple[Decoded, ...] = ENCODED


def build(config: SecretsConfig) -> PatternDetector:
    kinds = frozenset(LABELS if config.kinds is None else config.kinds)
    specs = (spec for spec in _specs(kinds, config.views) if spec.score >= config.min_score)
    return PatternDetector(KIND, seen_in(specs, config.views), kinds)


def _specs(kinds: frozenset[str], views: Sequence[Decoded]) -> Iterable[PatternSpec]:
    for key in KEYS:
        if key.label in kinds:
            yield PatternSpec(
                key.label, f"{ESCAPE}(?:{key.regex})", key.score, max_width=_width(key), validate=partial(_key, key)
            )
    for named in NAMED:
        if named.label in kinds:
            validate = partial(_named, named, partial(_recognised, kinds))
            yield PatternSpec(
                named.label, named.regex, named.score, ignore_case=True, max_width=_width(named), validate=validate
            )
    if JWT in kinds:
        yield PatternSpec(JWT, ESCAPE + WEB_TOKEN, max_width=LONG, validate=partial(_key, _WEB_TOKEN))
    if PRIVATE_KEY in kinds:
        yield PatternSpec(PRIVATE_KEY, ESCAPE + KEY_BLOCK, max_width=LONG, validate=check.key_block)
        # A shorter one is found in the view that decodes it.
        validate = partial(_encoded, LONGEST if "base64" in views else 0)
        yield PatternSpec(PRIVATE_KEY, ESCAPE + ENCODED_KEY_BLOCK, max_width=LONG, validate=validate)


def _width(row: Key | Named) -> int:
    return LONG if ",}" in row.regex else MAX_WIDTH


_ADDRESS = frozenset("@:/&?")
_ENCODED_KEY_BLOCK = Key(PRIVATE_KEY, ENCODED_KEY_BLOCK, check.encoded_key_block)
_WEB_TOKEN = Key(JWT, WEB_TOKEN, check.web_token)


def _key(row: Key, text: str, start: int, end: int) -> Spans:
    first = opening(text, start, end)
    if first < 0 or (row.fixed and not check.fixed(text, end)):
        return ()
    return ((first, end),) if row.check(text[first:end]) else ()


def _encoded(longest: int, text: str, start: int, end: int) -> Spans:
    return [span for span in _key(_ENCODED_KEY_BLOCK, text, start, end) if span[1] - span[0] > longest]


def _named(row: Named, recognised: Callable[[str], bool], text: str, start: int, end: int) -> Spans:
    if row.fixed and not check.fixed(text, end):
        return ()
    if not row.fixed:
        end = check.trimmed(text, start, end)
    value = text[start:end]
    if value[:1] in _ADDRESS and text[start - 1 : start] == ">":
        return ()  # "<user>:<password>@host"
    # A key that its own form gives away is one finding, not two.
    return ((start, end),) if row.check(value) and not recognised(value) else ()


@cache
def _forms(kinds: frozenset[str]) -> re.Pattern[str]:
    forms = [f"(?:{key.regex})" for key in KEYS if key.label in kinds]
    if JWT in kinds:
        forms.append(WEB_TOKEN)
    return re.compile("|".join(forms) or "(?!)")


def _recognised(kinds: frozenset[str], value: str) -> bool:
    return _forms(kinds).match(value) is not None
