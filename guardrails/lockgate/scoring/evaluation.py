"""Judged rows against what they are labelled with: figures for every label, in all and by source."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np

from lockgate.detectors.grounding import LABEL, SPAN
from lockgate.scoring.matching import ANY, Matched, matched
from lockgate.scoring.rows import Bad, Row
from lockgate.scoring.scorer import Judged, Judging
from lockgate.scoring.spans import Span
from lockgate.scoring.truth import Truth, truth_of
from lockgate_models.figures import Curves, Cut, Figures, Value, curves, cut, figures, macro_f1

ADVICE = ("none", "legal", "medical", "financial")


@dataclass(frozen=True, slots=True)
class Head:
    """One label. `threshold` None where the model has none; `sources` by name. `of_answers`: asked of answers with their
    prompts, of the pair model, whose scores and thresholds are others."""

    label: str
    threshold: float | None
    total: Figures
    sources: Mapping[str, Figures]
    curves: Curves | None
    cut: Cut | None
    of_answers: bool = False

    @property
    def title(self) -> str:
        return f"{self.label} of answers" if self.of_answers else self.label


@dataclass(frozen=True, slots=True)
class Report:
    """`skipped` rows say nothing that was asked; `bad` could not be judged; of `unverified` ones some family says that it
    does not know their language. `advice`: the mean F1 of its words. `spans`: source → label → counts."""

    model: str
    rows: int
    skipped: int
    bad: int
    unverified: int
    heads: Sequence[Head]
    advice: Value | None
    spans: Mapping[str, Mapping[str, Matched]]


@dataclass(slots=True)
class _Column:
    """A label's rows. `said`: 1, 0, or -1 where nothing was decided."""

    scores: array[float] = field(default_factory=lambda: array("d"))
    truth: array[int] = field(default_factory=lambda: array("b"))
    said: array[int] = field(default_factory=lambda: array("b"))
    sources: array[int] = field(default_factory=lambda: array("l"))
    groups: array[int] = field(default_factory=lambda: array("q"))


class Evaluation:
    """Takes judged rows one by one; keeps numbers of them, and no text."""

    def __init__(self, scorer: Judging, model: str) -> None:
        self._model = model
        self._thresholds = {False: scorer.thresholds, True: scorer.thresholds_of_answers}
        self._known = scorer.pii.labels if scorer.pii is not None else frozenset[str]()
        if LABEL in scorer.thresholds:
            self._known |= {SPAN}
        self._columns: dict[tuple[str, bool], _Column] = defaultdict(_Column)
        self._sources: dict[str, int] = {}
        self._advice: list[tuple[int, int, int]] = []
        self._spans: dict[str, list[tuple[Sequence[Span], Sequence[Span]]]] = defaultdict(list)
        self._rows = self._bad = self._unverified = 0
        self.skipped = 0

    def wants(self, row: Row | Bad) -> bool:
        """Whether a row is labelled with anything; it is counted as skipped if not."""
        if isinstance(row, Bad):
            return True
        truth = truth_of(row.said)
        wanted = bool(truth.labels) or truth.spans is not None
        self.skipped += not wanted
        return wanted

    def add(self, one: Judged | Bad, source: str) -> None:
        """`source`: where the row comes from, unless it says so itself."""
        if isinstance(one, Bad):
            self._bad += 1
            return
        self._rows += 1
        self._unverified += bool(one.unverified)
        truth = truth_of(one.row.said)
        named = one.row.said.get("source")
        source = named if isinstance(named, str) and named else source
        number = self._sources.setdefault(source, len(self._sources))
        group = group_of(source, one.row.said.get("group"), one.row.id)
        for label, right in truth.labels.items():
            if label not in one.scores:
                continue
            column = self._columns[label, label.partition(".")[0] in one.paired]
            column.scores.append(one.scores[label])
            column.truth.append(right)
            column.said.append(self._said(label, one))
            column.sources.append(number)
            column.groups.append(group)
        self._add_advice(truth, one.verdict.get("advice"), group)
        if truth.spans is not None and one.spans is not None:
            where, spans = truth.spans
            self._spans[source].append((spans, [span for name, span in one.spans if name == where]))

    @staticmethod
    def _said(label: str, one: Judged) -> int:
        """The family's own label stands for the family: for its verdict."""
        family, _, word = label.partition(".")
        verdict = one.verdict.get(family)
        if isinstance(verdict, str):
            return verdict == word
        decided = verdict if label == family else one.over.get(label)
        return -1 if decided is None else bool(decided)

    def _add_advice(self, truth: Truth, verdict: Any, group: int) -> None:
        right = [name for name in ADVICE if truth.labels.get(f"advice.{name}")]
        if len(right) == 1 and verdict in ADVICE:
            self._advice.append((ADVICE.index(verdict), ADVICE.index(right[0]), group))

    def report(self, *, rate: float | None = None) -> Report:
        """`rate`: of false positives, for which each head is to have a cut."""
        advice = np.array(self._advice, np.int64).reshape(-1, 3)
        return Report(
            self._model,
            self._rows,
            self.skipped,
            self._bad,
            self._unverified,
            [self._head(*key, self._columns[key], rate) for key in sorted(self._columns, key=_order)],
            macro_f1(advice[:, 0], advice[:, 1], advice[:, 2]),
            {
                source: found
                for source, pairs in sorted(self._spans.items())
                if (found := matched(pairs, self._known))[ANY].right or found[ANY].said
            },
        )

    def _head(self, label: str, of_answers: bool, column: _Column, rate: float | None) -> Head:
        scores = np.array(column.scores)
        truth = np.array(column.truth, np.bool_)
        said = np.array(column.said)
        sources = np.array(column.sources)
        groups = np.array(column.groups)
        decided = None if (said < 0).any() else said.astype(np.bool_)

        def part(rows: Any) -> Figures:
            return figures(scores[rows], truth[rows], None if decided is None else decided[rows], groups[rows])

        return Head(
            label,
            self._thresholds[of_answers].get(label),
            part(slice(None)),
            {name: part(sources == i) for name, i in sorted(self._sources.items()) if (sources == i).any()},
            curves(scores, truth),
            cut(scores, truth, rate) if rate is not None else None,
            of_answers,
        )


def _order(key: tuple[str, bool]) -> tuple[str, bool, bool, str]:
    label, of_answers = key
    family = label.partition(".")[0]
    return family, of_answers, label != family, label


def group_of(source: str, group: Any, key: str | int) -> int:
    """A number for rows that are drawn together: those of one group, or a row by itself."""
    name = f"{source}\0g{group}" if isinstance(group, str | int) else f"{source}\0i{key}"
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)
