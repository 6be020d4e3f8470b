"""Lists of words and phrases, matched in any case and in any look-alike spelling."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lockgate.detectors.patterns import Label
from lockgate.detectors.protocol import PatternDetector, PatternSpec
from lockgate.detectors.views import PLAIN, Views, seen_in
from lockgate.errors import PolicyError
from lockgate.normalise import fold

KIND = "words"
MOST_WORDS = 5000
_GAP = 3
"""Between the words of a phrase there may be so many white-space characters: a line may break there."""

_UNSPACED = re.compile(
    r"[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u2E80-\u2FDF\u3005-\u30FF\u3400-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF]"
)
"""Thai, Lao, Burmese, Khmer, Chinese and Japanese put no space between words, so no boundary can be asked for."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Words = Annotated[tuple[Word, ...], Field(min_length=1)]


class WordsConfig(BaseModel):
    """`words`: a list, found under `label`, or a mapping of labels to lists.

    `whole_word` asks for a boundary on each side of the word where the word has a letter or a digit there. `views`: the
    disguises in which they are looked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    words: Words | Annotated[dict[Label, Words], Field(min_length=1)]
    label: Label = "WORDS"
    whole_word: bool = True
    views: Views = PLAIN


def build(config: WordsConfig) -> PatternDetector:
    """Raises PolicyError for more than 5,000 words, and for one that has nothing visible in it."""
    lists = config.words if isinstance(config.words, dict) else {config.label: config.words}
    if sum(map(len, lists.values())) > MOST_WORDS:
        raise PolicyError(f"`words` has more than {MOST_WORDS:,} entries", hint="split the list, or use a pattern")
    specs = [spec for label, words in lists.items() for spec in _specs(label, words, config.whole_word)]
    return PatternDetector(KIND, seen_in(specs, config.views), frozenset(lists))


def _specs(label: str, words: Iterable[str], whole_word: bool) -> list[PatternSpec]:
    """One row for each way to look at a word's ends, since a boundary belongs to all words of a row."""
    groups: dict[tuple[bool, bool, bool, int], list[str]] = defaultdict(list)
    folded = sorted({_plain(label, number, word) for number, word in enumerate(words, 1)})
    for word in folded:
        left = whole_word and _bounded(word[0])
        right = whole_word and _bounded(word[-1])
        plain = word.isascii()
        # The engine itself knows ASCII boundaries only. Beside others it gives the longest word, boundary or not, so a
        # word must not stand in one row with a longer one that begins with it.
        layer = 0 if plain else sum(word.startswith(other) for other in folded if other != word)
        groups[left, right, plain, layer].append(word)
    specs = []
    for (left, right, _, _), members in groups.items():
        width = max(len(word) + (_GAP - 1) * word.count(" ") for word in members)
        body = _alternation(members) + (r"\b" if right else "")
        specs.append(PatternSpec(label, (r"\b" if left else "") + body, ignore_case=True, max_width=width))
        if left:
            # In JSON text an escape may stand right before the word; its letter hides the boundary.
            escaped = rf"\\[nrtbf]({_alternation(members)})" + (r"\b" if right else "")
            specs.append(PatternSpec(label, escaped, ignore_case=True, max_width=width + 2))
    return specs


def _plain(label: str, number: int, word: str) -> str:
    plain = " ".join(fold(word).lower().split())
    if not plain:
        raise PolicyError(f"entry {number} of the words for {label} has nothing to match")
    return plain


def _bounded(char: str) -> bool:
    return (char.isalnum() or char == "_") and not _UNSPACED.match(char)


def _alternation(words: Iterable[str]) -> str:
    """All words as one regex that shares their beginnings."""
    root: dict[str, Any] = {}
    for word in words:
        node = root
        for char in word:
            node = node.setdefault(char, {})
        node[""] = {}
    return _emit(root)


def _emit(node: dict[str, Any]) -> str:
    text = ""
    while len(node) == 1 and "" not in node:
        ((char, node),) = node.items()
        text += _literal(char)
    branches = [_literal(char) + _emit(child) for char, child in node.items() if char]
    if not branches:
        return text
    return f"{text}(?:{'|'.join(branches)})" + ("?" if "" in node else "")


def _literal(char: str) -> str:
    return rf"\s{{1,{_GAP}}}" if char == " " else re.escape(char)
