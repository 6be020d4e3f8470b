"""The thirteen categories of the moderation API, answered by a text model's `harm` labels.

A category without a label, and one whose label has no threshold, is `missing`: nothing is said in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.detectors.units import covering
from lockgate.errors import PolicyError
from lockgate.scoring.rows import Row
from lockgate.scoring.scorer import Judged, Scorer

if TYPE_CHECKING:
    from lockgate.detectors.model import Model

CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
"""As the API names them."""

FAMILY = "harm"

_PIECE = 4096
"""Characters of a text that are scored at once: one that is longer goes in pieces, each of whole units."""
_BLOCK = 16_384
"""Characters that wait for the model at once: well below what may wait, in whatever script."""


@dataclass(frozen=True, slots=True)
class Moderated:
    """What is said of a text. `scores`: category → probability; `over`: category → whether it holds, of those that have
    a threshold; both without the missing ones. `labels`: every harm label of the model that holds → its score.
    `unverified`: a part of the text is in a language that the model does not know, and nothing was found in it."""

    scores: Mapping[str, float]
    over: Mapping[str, bool]
    labels: Mapping[str, float]
    unverified: bool


class Moderator:
    """Judges texts by a model that reads texts. Raises PolicyError for one that reads pairs."""

    def __init__(self, model: Model) -> None:
        manifest = model.manifest
        if manifest.form != "text":
            raise PolicyError(f"the model {manifest.name!r} reads pairs", hint="moderations need one that reads texts")
        self.model = model
        self.name = model.name
        labels = [label for label in manifest.labels if label.partition(".")[0] == FAMILY]
        self._scorer = Scorer(model, labels) if labels else None
        self.thresholds = {
            category: manifest.threshold(label)
            for category in CATEGORIES
            if (label := f"{FAMILY}.{category}") in manifest.thresholds
        }
        self.missing = {
            category: "no threshold" if f"{FAMILY}.{category}" in labels else "no model"
            for category in CATEGORIES
            if category not in self.thresholds
        }

    async def moderate(self, texts: Sequence[str]) -> list[Moderated]:
        """One for each text: of one that is long, what its pieces say together. Raises BackendError, OverloadError."""
        if self._scorer is None:
            return [Moderated({}, {}, {}, unverified=False) for _ in texts]
        found: list[list[Judged]] = [[] for _ in texts]
        for block in _blocks(texts):
            rows = [Row(index, index, {"text": piece}) for index, piece in block]
            for row, judged in zip(rows, await self._scorer.judge(rows), strict=True):
                found[row.line].append(judged)
        return [_together(pieces) for pieces in found]


def _together(pieces: Sequence[Judged]) -> Moderated:
    scores = {label: max(piece.scores[label] for piece in pieces) for label in pieces[0].scores}
    over = {label: any(piece.over[label] for piece in pieces) for label in pieces[0].over}
    named = {category: f"{FAMILY}.{category}" for category in CATEGORIES}
    return Moderated(
        {category: scores[label] for category, label in named.items() if label in scores},
        {category: over[label] for category, label in named.items() if label in over},
        {label: scores[label] for label, holds in over.items() if holds},
        unverified=any(piece.unverified for piece in pieces),
    )


def _blocks(texts: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """Pieces of texts, each with its text's index, in blocks that the model can take."""
    block: list[tuple[int, str]] = []
    size = 0
    for index, text in enumerate(texts):
        for piece in _pieces(text):
            if block and size + len(piece) > _BLOCK:
                yield block
                block, size = [], 0
            block.append((index, piece))
            size += len(piece)
    if block:
        yield block


def _pieces(text: str) -> list[str]:
    """A text in pieces that begin as one of its units does, so that each sentence keeps the company it is read in."""
    if len(text) <= _PIECE:
        return [text]
    pieces: list[str] = []
    units = covering(text)
    first = 0
    for i in range(1, len(units) + 1):
        if i == len(units) or units[i].end - units[first].start > _PIECE:
            pieces.append(text[units[first].start : units[i - 1].end])
            first = i
    return pieces
