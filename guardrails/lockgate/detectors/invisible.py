"""Hidden text: characters that a reader can't see and a model can.

Such characters have honest uses: joiners in emoji and in Persian or Indic words, direction marks beside Hebrew or
Arabic letters, soft hyphens, flags made of tags. A run is found unless its neighbours show such a use.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lockgate.detectors.protocol import PatternDetector, PatternSpec, Spans

KIND = "invisible"

InvisibleKind = Literal["ZERO_WIDTH", "BIDI_CONTROL", "TAG_CHARACTERS", "VARIATION_SELECTORS"]
KINDS: tuple[InvisibleKind, ...] = ("ZERO_WIDTH", "BIDI_CONTROL", "TAG_CHARACTERS", "VARIATION_SELECTORS")

_RUN = "{1,256}"

_ZERO_WIDTH = (
    "\\u00AD\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F\\u200B-\\u200D\\u2060-\\u2065\\u206A-\\u206F"
    "\\u3164\\uFEFF\\uFFA0\\uFFF0-\\uFFFB\\U0001BCA0-\\U0001BCA3\\U0001D173-\\U0001D17A"
)
_MARKS = "\\u061C\\u200E\\u200F"
_LETTERS = "\\u0590-\\u061B\\u061D-\\u08FF\\uFB1D-\\uFDFF\\uFE70-\\uFEFC"
_EMBEDDINGS = "\\u202A-\\u202E\\u2066-\\u2069"
_TAGS = "\\U000E0000-\\U000E007F"
_SELECTORS = "\\uFE00-\\uFE0F\\U000E0100-\\U000E01EF"

_SOFT_HYPHEN, _GRAPHEME_JOINER, _BYTE_ORDER_MARK = "\u00ad", "\u034f", "\ufeff"
_NON_JOINER, _JOINER, _SPACE = "\u200c", "\u200d", "\u200b"
_MARK_CHARS = "\u061c\u200e\u200f"
_MARK_RUN = re.compile(f"[{_MARK_CHARS}]+")
_BLACK_FLAG, _TEXT_STYLE = "\U0001f3f4", "\ufe0e"

_SHAPED = re.compile(
    "[\u0600-\u08ff\ufb50-\ufdff\ufe70-\ufefc\u0900-\u0dff\u1000-\u109f\u1780-\u18af\ua840-\uaaff\U00011000-\U00011fff]"
)
"""Scripts whose letters take shapes by their neighbours: Arabic, Indic, Burmese, Khmer, Mongolian and their kin."""

_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\u3040-\u30ff\u3400-\u9fff]")
_MONGOLIAN = re.compile("[\u1820-\u18aa]")
_JAMO = re.compile("[\u1100-\u11ff]")
_MATHS = re.compile("[^\\s\u200b-\u200f\u2060-\u206f]")
_LETTER = re.compile(r"[^\W\d_]")
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)

_PICTURE = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001fbff"
_EMOJI_LEFT = re.compile(f"[{_PICTURE}\ufe0f\u20e3\U000e007f]")
_EMOJI_RIGHT = re.compile(f"[{_PICTURE}]")
_STYLED = re.compile(f"[{_PICTURE}#*0-9]")
"""What may be shown as text or as an emoji, so that U+FE0E or U+FE0F follows it."""

_IDEOGRAPH = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_VARIED = re.compile(
    "[\u0030\u1000-\u109f\u2205-\u22ff\u2a00-\u2aff\u3001\u3002\ua840-\uaa7f\uff01-\uff1f\U00010ac0-\U00010aff]"
)
"""What has standardised variants of its own (StandardizedVariants.txt): zero, Burmese, operators, punctuation."""

_FLAG_TAGS = re.compile("[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,4}\U000e007f")


class InvisibleConfig(BaseModel):
    """`kinds`: the labels to look for, all if not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kinds: tuple[InvisibleKind, ...] | None = Field(default=None, min_length=1)


def build(config: InvisibleConfig) -> PatternDetector:
    kinds = frozenset(KINDS if config.kinds is None else config.kinds)
    return PatternDetector(KIND, tuple(spec for spec in _SPECS if spec.label in kinds), frozenset(kinds))


def _zero_width(text: str, start: int, end: int) -> Spans:
    before = text[start - 1] if start else ""
    after = text[end] if end < len(text) else ""
    return () if end - start == 1 and _honest(text[start], before, after) else ((start, end),)


def _honest(char: str, before: str, after: str) -> bool:
    """Whether a single invisible character does its work between these neighbours ("" at the text's ends)."""
    if char == _JOINER and _EMOJI_LEFT.match(before) and _EMOJI_RIGHT.match(after):
        return True
    if char in (_JOINER, _NON_JOINER):
        return _SHAPED.match(before) is not None or (char == _JOINER and _SHAPED.match(after) is not None)
    if char == _BYTE_ORDER_MARK:
        return not before
    if char == _SOFT_HYPHEN:
        return _LETTER.match(before) is not None and _LETTER.match(after) is not None
    if char == _SPACE:
        return _UNSPACED.match(before) is not None and _UNSPACED.match(after) is not None
    if char == _GRAPHEME_JOINER:
        return _RIGHT_TO_LEFT.match(before) is not None
    if "\u2061" <= char <= "\u2064":
        return _MATHS.match(before) is not None and _MATHS.match(after) is not None
    if "\u180b" <= char <= "\u180f":
        return _MONGOLIAN.match(before) is not None
    if char in "\u115f\u1160":
        return _JAMO.match(before) is not None or _JAMO.match(after) is not None
    return False


def _marks(text: str, start: int, end: int) -> Spans:
    """Direction marks that stand between right-to-left letters, or at most some plain text away from one."""
    last = end
    while last > start and text[last - 1] not in _MARK_CHARS:
        last -= 1
    led = _RIGHT_TO_LEFT.match(text, max(start - 1, 0), start + 1)
    followed = _RIGHT_TO_LEFT.match(text, end)
    most = 2 if led or followed else 0
    return [run.span() for run in _MARK_RUN.finditer(text, start, last) if run.end() - run.start() > most]


def _tags(text: str, start: int, end: int) -> Spans:
    flag = start > 0 and text[start - 1] == _BLACK_FLAG and _FLAG_TAGS.fullmatch(text, start, end)
    return () if flag else ((start, end),)


def _selectors(text: str, start: int, end: int) -> Spans:
    if end - start > 1 or not start:
        return ((start, end),)
    base, selector = text[start - 1], text[start]
    if _IDEOGRAPH.match(base):
        return ()
    if selector >= _TEXT_STYLE:
        return () if selector <= "\ufe0f" and _STYLED.match(base) else ((start, end),)
    return () if _VARIED.match(base) else ((start, end),)


_SPECS = (
    PatternSpec("ZERO_WIDTH", f"[{_ZERO_WIDTH}]{_RUN}", view="raw", validate=_zero_width),
    # A soft hyphen before each letter is no hyphenation: syllables have two letters and more.
    PatternSpec("ZERO_WIDTH", r"(?:\u00AD\w){2,64}\u00AD?", view="raw"),
    PatternSpec(
        "BIDI_CONTROL",
        # What may lead to marks: a right-to-left letter and a little plain text. Behind them, spaces and brackets.
        rf"(?:[{_LETTERS}][ -~]{{0,16}})?[{_MARKS}]{{1,8}}(?:[ -~]{{0,16}}[{_MARKS}]{{1,8}}){{0,7}}[ -/:-@]{{0,3}}",
        view="raw",
        validate=_marks,
    ),
    PatternSpec("BIDI_CONTROL", f"[{_EMBEDDINGS}]{_RUN}", view="raw"),
    PatternSpec("TAG_CHARACTERS", f"[{_TAGS}]{_RUN}", view="raw", validate=_tags),
    PatternSpec("VARIATION_SELECTORS", f"[{_SELECTORS}]{_RUN}", view="raw", validate=_selectors),
)
