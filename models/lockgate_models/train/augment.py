"""Other spellings of a row, for training only: what the normaliser does not undo, and company for short texts.

The normaliser folds look-alike letters, invisible characters and compatibility forms before the encoder sees a text,
so these are the disguises that are left: letters spaced out or joined, digits for letters, noise, a harmless text
around.
"""

from __future__ import annotations

import random
from dataclasses import replace

from lockgate_models.train.rows import Row

_LEET = str.maketrans({"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"})
_DISGUISABLE = ("injection", "indirect", "harm", "toxicity")
_JOINTS = ("\n\n", "\n", " ", "\n---\n", "\n\n###\n\n", " ... ")


def disguised(row: Row, draw: random.Random) -> Row:
    """The row, spelled differently; its labels hold."""
    if row.spans is not None:
        return row if draw.random() < 0.7 else replace(row, text=row.text.lower())
    way = draw.random()
    text = row.text
    if way < 0.04 and len(text) < 300:
        text = " ".join("".join(word) if len(word) < 3 else " ".join(word) for word in text.split())
    elif way < 0.08:
        text = _leet(text, draw)
    elif way < 0.12:
        text = _typos(text, draw)
    elif way < 0.15:
        text = text.replace(" ", draw.choice(("_", "-", ".", "  ", "\n")))
    elif way < 0.18:
        text = draw.choice(("> ", "* ", "# ", '"', "```\n", "<!-- ", "// ")) + text
    elif way < 0.22:
        text = text.rstrip(".!?") if draw.random() < 0.5 else text.upper()
    return replace(row, text=text)


def in_company(row: Row, other: Row, draw: random.Random) -> Row:
    """Two texts as one. A label holds of the whole if it holds of either, and is denied only where both deny it."""
    labels = {}
    for label in row.labels.keys() | other.labels.keys():
        if label.startswith("advice."):
            continue
        mine, theirs = row.labels.get(label), other.labels.get(label)
        if mine == 1.0 or theirs == 1.0:
            labels[label] = 1.0
        elif mine == 0.0 and theirs == 0.0:
            labels[label] = 0.0
    parts = [row.text, other.text]
    draw.shuffle(parts)
    return replace(row, text=draw.choice(_JOINTS).join(parts), labels=labels, spans=None)


def _leet(text: str, draw: random.Random) -> str:
    words = text.split(" ")
    return " ".join(word.lower().translate(_LEET) if draw.random() < 0.5 else word for word in words)


def _typos(text: str, draw: random.Random) -> str:
    letters = list(text)
    if len(letters) < 2:
        return text
    for _ in range(max(1, len(letters) // 30)):
        at = draw.randrange(len(letters) - 1)
        if letters[at].isalpha():
            letters[at : at + 2] = reversed(letters[at : at + 2]) if draw.random() < 0.5 else letters[at : at + 1]
    return "".join(letters)
