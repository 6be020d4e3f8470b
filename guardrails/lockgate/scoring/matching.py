"""Spans that were found, against spans that are right."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from lockgate.detectors.names import ADDRESS
from lockgate.scoring.spans import Span

ANY = "any"
"""Of all labels together, whichever was given: whether what is personal is found at all."""

SAME = "right label"
"""Of all labels together, where the label must be right."""

_PLACES = frozenset({ADDRESS, "LOCATION"})

_ALIKE = 0.5  # of the union, what two spans share at least to be the same


@dataclass(slots=True)
class Matched:
    """`right`: spans in truth; `found`: those of them that were found; `said`: spans given; `true`: those of them that are
    in truth. `characters` of all spans in truth, `given` of all that were given, `shared` of both."""

    right: int = 0
    found: int = 0
    said: int = 0
    true: int = 0
    characters: int = field(default=0, compare=False)
    given: int = field(default=0, compare=False)
    shared: int = field(default=0, compare=False)

    @property
    def precision(self) -> float | None:
        return self.true / self.said if self.said else None

    @property
    def recall(self) -> float | None:
        return self.found / self.right if self.right else None

    @property
    def f2(self) -> float | None:
        """Recall counts four times as much as precision. None without a span in truth."""
        precision, recall = self.precision or 0.0, self.recall
        if recall is None:
            return None
        return 5 * precision * recall / (4 * precision + recall) if precision and recall else 0.0

    @property
    def character_f1(self) -> float | None:
        """Of characters, whichever spans they are of. None without one in truth."""
        return 2 * self.shared / (self.characters + self.given) if self.characters else None


def matched(rows: Iterable[tuple[Sequence[Span], Sequence[Span]]], known: Collection[str]) -> dict[str, Matched]:
    """Label → counts, of rows of (truth, given). What `known` does not have is out of question: nobody has to find it,
    and what is given there is neither right nor wrong. So is what is given of a label that no truth of these rows has:
    they were labelled without it. Some mark an address whole, others its pieces (a number, a street, a place): what an
    address that is given covers of them is found, and it is right where they cover it."""
    pairs = list(rows)
    asked = {span.label for truth, _ in pairs for span in truth} & set(known)
    counts = {label: Matched() for label in (ANY, SAME, *sorted(asked))}
    for truth, given in pairs:
        _count(truth, given, asked, counts)
    for label in asked:
        for name in ("right", "found", "said", "true", "characters", "given", "shared"):
            setattr(counts[SAME], name, getattr(counts[SAME], name) + getattr(counts[label], name))
    return counts


def _count(truth: Sequence[Span], given: Sequence[Span], asked: Collection[str], counts: dict[str, Matched]) -> None:
    mine = [span for span in truth if span.label in asked]
    out = [span for span in truth if span.label not in asked]
    for label in asked:
        _count_characters(counts[label], _within(mine, label), _within(given, label, out))
    _count_characters(counts[ANY], _within(mine), _within([one for one in given if one.label in asked], out=out))
    for span in mine:
        own = counts[span.label]
        own.right += 1
        own.found += _there(span, given, frozenset({ADDRESS}) if span.label in _PLACES else frozenset())
        counts[ANY].right += 1
        counts[ANY].found += _covered(span, given) >= _ALIKE
    for one in given:
        if one.label not in asked or any(_shared(one, span) for span in out):
            continue
        own = counts[one.label]
        own.said += 1
        own.true += _there(one, mine, _PLACES if one.label == ADDRESS else frozenset())
        counts[ANY].said += 1
        counts[ANY].true += _covered(one, mine) >= _ALIKE


def _within(spans: Iterable[Span], label: str | None = None, out: Sequence[Span] = ()) -> set[int]:
    """The characters of spans of a label, of all without one; less spans that share some with one of `out`."""
    kept = (one for one in spans if label in (None, one.label) and not any(_shared(one, other) for other in out))
    return {at for one in kept for at in range(one.start, one.end)}


def _count_characters(counts: Matched, truth: set[int], given: set[int]) -> None:
    counts.characters += len(truth)
    counts.given += len(given)
    counts.shared += len(truth & given)


def _there(span: Span, among: Sequence[Span], holders: Collection[str]) -> bool:
    """Whether one of the same label is like it, or those of `holders` cover it."""
    if any(one.label == span.label and _alike(one, span) for one in among):
        return True
    return bool(holders) and _covered(span, [one for one in among if one.label in holders]) >= _ALIKE


def _shared(one: Span, other: Span) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def _alike(one: Span, other: Span) -> bool:
    shared = _shared(one, other)
    return shared >= _ALIKE * (one.end - one.start + other.end - other.start - shared)


def _covered(span: Span, by: Sequence[Span]) -> float:
    """The share of a span's characters that others cover."""
    covered = {at for one in by for at in range(max(one.start, span.start), min(one.end, span.end))}
    return len(covered) / (span.end - span.start)
