"""Derived views: texts that stand in another text in disguise, and are read as if they stood there plainly.

A view is a row like any other (`PatternSpec.expand`): what it matches is rewritten, all other rows are run over the
result, and their findings are mapped back.
"""

from __future__ import annotations

from lockgate.detectors.protocol import Derived, PatternSpec

_SPACED_WIDTH = 256
_TAGS_WIDTH = 2048


def _collapse(text: str) -> Derived:
    """Turn "s e c r e t  w o r d" into "secret word": single separators vanish, wider ones become a space."""
    out: list[str] = []
    at: list[int] = []
    gap = 0
    for i, char in enumerate(text):
        if char.isalnum():
            if gap > 1:
                out.append(" ")
                at.append(i - 1)
            out.append(char)
            at.append(i)
            gap = 0
        else:
            gap += 1
    return Derived("".join(out), at)


def _untag(text: str) -> Derived:
    """Tag characters → the ASCII text that they spell, unseen."""
    return Derived("".join(chr(ord(char) - 0xE0000) for char in text), range(len(text)))


VIEWS: tuple[PatternSpec, ...] = (
    PatternSpec(
        "view:spaced",
        r"\b[A-Za-z0-9](?:[ ._*|/\-]{1,3}[A-Za-z0-9]){3,62}\b",
        max_width=_SPACED_WIDTH,
        expand=_collapse,
        shipped=True,
    ),
    PatternSpec(
        "view:tags", "[\U000e0020-\U000e007e]{2,2048}", max_width=_TAGS_WIDTH, view="raw", expand=_untag, shipped=True
    ),
)
