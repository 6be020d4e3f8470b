"""The nearest word to a mistyped one, for the hints of load errors."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_FEW = 8
_PREFIX = 3


def nearest(word: str, words: Iterable[str]) -> str:
    """The word of `words` that is most like `word`, or the only one that begins with it, or ""."""
    known = {w.lower(): w for w in sorted(words)}
    found = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    if not found and len(word) >= _PREFIX:
        longer = [w for w in known if w.startswith(word.lower())]
        found = longer if len(longer) == 1 else []
    return known[found[0]] if found else ""


def suggest(word: str, words: Iterable[str]) -> str:
    """A hint for an unknown `word`: the nearest of `words`, or all of them where they are few, or ""."""
    known = sorted(set(words))
    best = nearest(word, known)
    if best:
        return f"did you mean `{best}`?"
    if 0 < len(known) <= _FEW:
        return "known: " + ", ".join(f"`{w}`" for w in known)
    return ""
