"""The shape of a text that must not be shown: enough to recognise what was found, and nothing to read."""

from __future__ import annotations

import unicodedata

MOST = 40


def shape(text: str, most: int = MOST) -> str:
    """Letters as x or X, digits as 9, other characters as they are; what can't be seen by its code point. At most
    `most` characters of the text are shown, then an ellipsis."""
    return "".join(map(_shape_of, text[:most])) + ("…" if len(text) > most else "")


def _shape_of(char: str) -> str:
    if char.isalpha():
        return "X" if char.isupper() else "x"
    if char.isnumeric():
        return "9"
    category = unicodedata.category(char)
    if category == "Cf" and 0xE0000 <= ord(char) <= 0xE007F:
        return "<tag>"  # each spells a character of its own
    if category.startswith("M"):
        return ""  # belongs to the letter before
    return char if char.isprintable() else f"<U+{ord(char):04X}>"
