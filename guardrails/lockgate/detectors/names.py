"""Names of people, places, organisations and streets, as the model's token head marks them. Part of `pii`.

The model reads without capitals; where a text uses them, a name without one is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from lockgate.detectors.classifier import Read, read_units, units_of, unknown_language, whole_of
from lockgate.detectors.model import Model
from lockgate.detectors.protocol import SENTENCE, Doubt
from lockgate.exchange import Exchange, Segment
from lockgate.normalise import Folded
from lockgate.verdict import Finding

if TYPE_CHECKING:
    from lockgate_models.classifier import Name

ADDRESS = "STREET_ADDRESS"

_CAPITAL = re.compile(r"[^\W\d_a-z]")
_INNER = re.compile(r"(?<=[a-z,;:] )[A-Z][a-z]")  # a capital that no sentence's beginning explains
_PIECE = re.compile(r'[^:;"\u201c\u201d()\[\]{}<>|=/\\@]+')
"""What a name that is no address may be written in."""


class NamesDetector:
    """`labels` are those of the token head that are looked for; findings below `min_score` are left out."""

    reach = SENTENCE
    gives_spans = True
    cuts = True

    def __init__(self, kind: str, model: Model, labels: Iterable[str], min_score: float) -> None:
        self.kind = kind
        self.labels = frozenset(labels)
        self.models = (model.name,)
        self.languages = frozenset(model.manifest.languages)
        self._model = model
        self._min_score = min_score

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding | Doubt]:
        texts = [whole_of(segment) for segment in segments]
        units = [units_of(segment) for segment in segments]
        read = await read_units(self._model, list(zip(texts, units, strict=True)), exchange.id)
        found: list[Finding | Doubt] = []
        for segment, text, results in zip(segments, texts, read, strict=True):
            for result in results:
                found.extend(self.said(segment, text, result))
                # Whatever was found: a name says nothing of those beside it.
                unit = text[result.unit.start : result.unit.end]
                if unknown := unknown_language(unit, self.languages):
                    found.append(Doubt(segment.where, unknown))
        return found

    def said(self, segment: Segment, text: str, read: Read) -> Iterable[Finding]:
        """The names in a unit of `text`, which is the segment's with what stands before it."""
        unit = read.unit
        if not read.scores.names:
            return
        folded = Folded(text[unit.start : unit.end])
        seen = folded.text
        capitals = _INNER.search(seen) is not None
        shift = len(segment.before or "")
        for name in read.scores.names:
            if name.label not in self.labels or name.score < self._min_score:
                continue
            for first, last in _pieces(seen, name):
                if last - first < 2 or (capitals and _CAPITAL.search(seen, first, last) is None):
                    continue
                start = max(unit.start + folded.original(first), unit.own)
                end = min(unit.start + folded.original_end(last), unit.end)
                if end - start < 2:
                    continue  # the rest is another unit's own
                yield Finding(self.kind, name.label, name.score, segment.where, (start - shift, end - shift))


def _pieces(text: str, name: Name) -> Iterator[tuple[int, int]]:
    """A name's parts: what is written without spaces is marked as one, and `Ada:"I` is not. An address is one."""
    if name.label == ADDRESS:
        yield _trimmed(text, name.start, name.end)
        return
    for piece in _PIECE.finditer(text, name.start, name.end):
        yield _trimmed(text, *piece.span())


def _trimmed(text: str, first: int, last: int) -> tuple[int, int]:
    """From the first letter or digit to the last."""
    while first < last and not text[first].isalnum():
        first += 1
    while last > first and not text[last - 1].isalnum():
        last -= 1
    return first, last
