"""What the `pii` detector finds in a text, rules and names together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lockgate.detectors import pii
from lockgate.detectors.classifier import Read
from lockgate.detectors.model import Model
from lockgate.detectors.names import ADDRESS, NamesDetector
from lockgate.detectors.scanner import Scanner
from lockgate.exchange import Segment


class Span(NamedTuple):
    """text[start:end], in code points. Labels are presidio's."""

    start: int
    end: int
    label: str
    score: float


class Pii:
    """All kinds, as a policy has them that names every one. `labels` are those that may be found; `names` says whether the
    model marks any."""

    def __init__(self, model: Model) -> None:
        config = pii.PiiConfig(kinds=(*pii.KINDS, *pii.NAMES))
        self._scanner = Scanner(pii.build(config).specs)
        self.labels = frozenset(spec.label for spec in self._scanner.specs)
        marked = {tag.partition("-")[2] for tag in model.manifest.tags} & {*pii.NAMES, ADDRESS}
        self.labels |= marked
        self._names = NamesDetector(pii.KIND, model, marked, config.min_score) if marked else None

    @property
    def names(self) -> bool:
        return self._names is not None

    def spans(self, segment: Segment, reads: Iterable[Read]) -> list[Span]:
        """`reads` are those of the segment's units. Raises ScanError."""
        specs = self._scanner.specs
        rules = [
            Span(match.start, match.end, specs[match.spec].label, specs[match.spec].score)
            for match in self._scanner.scan(segment.text).matches
        ]
        found = (
            [] if self._names is None else [f for read in reads for f in self._names.said(segment, segment.text, read)]
        )
        names = [Span(f.span[0], f.span[1], f.label, f.score) for f in found if f.span is not None]
        return merged(rules, names)


def merged(rules: Sequence[Span], names: Sequence[Span]) -> list[Span]:
    """Spans of one label that overlap, as one. A name within what a rule has found (a person in an e-mail address) says
    nothing new."""
    kept = [*rules, *(name for name in names if not any(r.start <= name.start and name.end <= r.end for r in rules))]
    out: list[Span] = []
    last: dict[str, int] = {}
    for span in sorted(kept):
        at = last.get(span.label)
        if at is not None and span.start < out[at].end:
            one = out[at]
            out[at] = Span(one.start, max(one.end, span.end), one.label, max(one.score, span.score))
        else:
            last[span.label] = len(out)
            out.append(span)
    return out
