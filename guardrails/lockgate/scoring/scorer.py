"""Rows → scores, verdicts and spans, by the same units, sentences and thresholds as the detectors'."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lockgate.detectors.classifier import (
    ALONE,
    Read,
    Sensitivity,
    heights,
    labels_of,
    read_units,
    rests_of,
    units_of,
    unknown_language,
)
from lockgate.detectors.language import need_languages
from lockgate.detectors.model import Model
from lockgate.detectors.protocol import OverloadError
from lockgate.detectors.scanner import ScanError
from lockgate.detectors.units import Unit
from lockgate.exchange import Segment
from lockgate.scoring.answers import read_answers
from lockgate.scoring.fields import field_of
from lockgate.scoring.honest import Honest, Said
from lockgate.scoring.rows import FIELDS, Bad, Row
from lockgate.scoring.spans import Pii, Span
from lockgate_models.errors import BackendError, OverloadedError

if TYPE_CHECKING:
    from lockgate_models.manifest import Manifest

SPANS = ("pii", "names")
"""What asks for spans, among the heads."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is said of a row. `over`: label → whether it holds, of those that have a threshold. `verdict`: the same by
    family; of labels that exclude each other, the word. `spans` by field, None where none were asked for. `paired`: the
    families that the pair model was asked about."""

    row: Row
    scores: Mapping[str, float]
    over: Mapping[str, bool]
    verdict: Mapping[str, bool | str]
    spans: Sequence[tuple[str, Span]] | None
    unverified: Sequence[str]
    paired: Collection[str] = ()

    def public(self) -> dict[str, Any]:
        said: dict[str, Any] = {"id": self.row.id, "scores": self.scores, "verdict": self.verdict}
        if self.spans is not None:
            said["spans"] = [{"field": name, **span._asdict()} for name, span in self.spans]
        return {**said, "unverified": self.unverified}


@dataclass(slots=True)
class _Family:
    """`rests`: of labels that exclude each other, label → the one that stands for none of them."""

    labels: list[str]
    thresholds: dict[str, float]
    rests: Mapping[str, str]


@dataclass(slots=True)
class _Text:
    """One text of a row, and what the model says of it."""

    segment: Segment
    reads: Sequence[Read] = ()
    foreign: Sequence[bool] = field(default_factory=list)
    """Of each read, whether it is in a language that the model does not know."""


class Judging(Protocol):
    """What judges rows, and says from which scores on its labels count."""

    name: str
    pii: Pii | None

    @property
    def thresholds(self) -> Mapping[str, float]: ...

    @property
    def thresholds_of_answers(self) -> Mapping[str, float]: ...

    async def judged(self, rows: Sequence[Row]) -> list[Judged | Bad]: ...


class Scorer:
    """`heads`: families, single labels, `pii` or `names` for spans; all unless said. `pair`: the model that is asked of
    answers with their prompts, for the families that it has. Raises PolicyError for a head that the model has not."""

    def __init__(
        self,
        model: Model,
        heads: Sequence[str] | None = None,
        *,
        pair: Model | None = None,
        honest: Model | None = None,
        sensitivity: Sensitivity = "normal",
    ) -> None:
        self._model = model
        self._pair = pair
        self._honest = None if honest is None else Honest(honest, model, heads, sensitivity)
        theirs = {*SPANS, *(self._honest.labels if self._honest is not None else ())}
        named = None if heads is None else [head for head in heads if head not in theirs]
        self.name = model.name
        self._families = _families(model.manifest, named, sensitivity)
        self._paired: dict[str, _Family] = {}
        if pair is not None:
            known = {*pair.manifest.families, *pair.manifest.labels}
            both = [head for head in named or self._families if head in known]
            self._paired = _families(pair.manifest, both, sensitivity)
        for asked in (model, pair, honest):
            if asked is not None and asked.manifest.languages:
                need_languages()
        self.pii = Pii(model) if heads is None or not set(SPANS).isdisjoint(heads) else None

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Label → the score from which it counts, of those that have one."""
        return {**_thresholds(self._families), **(self._honest.thresholds if self._honest is not None else {})}

    @property
    def thresholds_of_answers(self) -> Mapping[str, float]:
        """The same of the pair model, for answers that are asked about with their prompts."""
        return _thresholds(self._paired)

    @property
    def missing(self) -> list[str]:
        """What the model can't say, of what is asked for."""
        without = [name for name, family in self._families.items() if not family.thresholds]
        without += [f"{name} of answers" for name, family in self._paired.items() if not family.thresholds]
        said = [f"no thresholds for {', '.join(without)}: no verdict on that"] if without else []
        if self.pii is not None and not self.pii.names:
            said.append("no tags: spans are those of rules alone")
        return said

    async def judged(self, rows: Sequence[Row]) -> list[Judged | Bad]:
        """One for each row. A row on which something breaks is `Bad`, and no other for its sake."""
        try:
            return list(await self.judge(rows))
        except (BackendError, OverloadedError, OverloadError, ScanError) as error:
            if len(rows) == 1:
                return [Bad(rows[0].line, rows[0].id, f"it could not be judged: {str(error) or type(error).__name__}")]
        return [one for row in rows for one in await self.judged([row])]

    async def judge(self, rows: Sequence[Row]) -> list[Judged]:
        """One for each row, or none at all: raises what breaks (BackendError, OverloadError, ScanError)."""
        texts = [{name: _Text(_segment(name, row.texts[name])) for name in FIELDS if name in row.texts} for row in rows]
        answers = [self._answer(row) for row in rows]
        alone: list[_Text] = []
        company: list[_Text] = []
        for row, mine, answer in zip(rows, texts, answers, strict=True):
            asked = {name: field_of(name, row.texts) for name in self._families}
            asked = {name: where for name, where in asked.items() if answer is None or not self._by_pair(name, where)}
            for name, text in mine.items():
                if any(asked.get(family) == name for family in ALONE):
                    alone.append(text)
                elif name in asked.values() or (self.pii is not None and self.pii.names):
                    company.append(text)
        *_, honest = await asyncio.gather(
            self._read(alone, [label for label in self._model.manifest.labels if label.partition(".")[0] in ALONE]),
            self._read(company),
            self._read_answers(rows, answers),
            self._judge_honest(rows),
        )
        return [
            self._said(row, mine, answer, said)
            for row, mine, answer, said in zip(rows, texts, answers, honest, strict=True)
        ]

    async def _judge_honest(self, rows: Sequence[Row]) -> list[Said]:
        return await self._honest.judge(rows) if self._honest is not None else [Said() for _ in rows]

    def _by_pair(self, family: str, where: str | None) -> bool:
        return where == "response" and family in self._paired

    def _answer(self, row: Row) -> _Text | None:
        """The row's answer, if the pair model is asked about it."""
        if "prompt" not in row.texts or not any(
            self._by_pair(name, field_of(name, row.texts)) for name in self._paired
        ):
            return None
        return _Text(_segment("response", row.texts["response"]))

    async def _read(self, texts: Sequence[_Text], alone: Collection[str] = ()) -> None:
        if not texts:
            return
        asked = [(text.segment.text, units_of(text.segment) or [Unit(0, 0, 0)]) for text in texts]
        all_reads = await read_units(self._model, asked, "score", alone=alone, decode=True)
        for text, reads in zip(texts, all_reads, strict=True):
            text.reads = reads
            self._foreign(text, self._model)

    async def _read_answers(self, rows: Sequence[Row], answers: Sequence[_Text | None]) -> None:
        asked = [(row.texts, text) for row, text in zip(rows, answers, strict=True) if text is not None]
        if not asked or self._pair is None:
            return
        all_reads = await read_answers(self._pair, [(texts["prompt"], texts["response"]) for texts, _ in asked])
        for (_, text), reads in zip(asked, all_reads, strict=True):
            text.reads = reads
            self._foreign(text, self._pair)

    @staticmethod
    def _foreign(text: _Text, model: Model) -> None:
        said, known = text.segment.text, model.manifest.languages
        text.foreign = [bool(unknown_language(said[read.unit.start : read.unit.end], known)) for read in text.reads]

    def _said(self, row: Row, texts: Mapping[str, _Text], answer: _Text | None, honest: Said) -> Judged:
        scores: dict[str, float] = {}
        over: dict[str, bool] = {}
        verdict: dict[str, bool | str] = {}
        unverified: list[str] = []
        paired: list[str] = []
        for name, family in self._families.items():
            where = field_of(name, row.texts)
            if where is None:
                continue
            head, text = family, texts[where]
            if answer is not None and self._by_pair(name, where):
                head, text = self._paired[name], answer
                paired.append(name)
            found, doubt = _weigh(head, text, scores)
            over |= {label: label in found for label in head.thresholds}
            if head.thresholds:
                word = max(found, key=found.__getitem__).partition(".")[2] if found else "none"
                verdict[name] = word if head.rests else bool(found)
            if doubt:
                unverified.append(name)
        spans = None
        if self.pii is not None:
            spans = [(name, span) for name, text in texts.items() for span in self.pii.spans(text.segment, text.reads)]
            if self.pii.names and any(any(text.foreign) for text in texts.values()):
                unverified.append("names")
        if honest.spans is not None:
            spans = [*(spans or ()), *(("response", span) for span in honest.spans)]
        return Judged(
            row,
            scores | honest.scores,
            over | honest.over,
            verdict | honest.over,
            spans,
            [*unverified, *honest.unverified],
            paired,
        )


def _families(manifest: Manifest, heads: Sequence[str] | None, sensitivity: Sensitivity) -> dict[str, _Family]:
    """What is asked, by family. Raises PolicyError for a head that the model has not."""
    rests = rests_of(manifest)
    asked = set(labels_of(manifest, list(manifest.families) if heads is None else heads))
    asked |= {rests[label] for label in asked if label in rests}
    made: dict[str, _Family] = {}
    for family, labels in manifest.families.items():
        if mine := [label for label in labels if label in asked]:
            points = {label: manifest.threshold(label, sensitivity) for label in mine if label in manifest.thresholds}
            made[family] = _Family(mine, points, {label: rests[label] for label in mine if label in rests})
    return made


def _thresholds(families: Mapping[str, _Family]) -> Mapping[str, float]:
    return {label: at for family in families.values() for label, at in family.thresholds.items()}


def _weigh(family: _Family, text: _Text, scores: dict[str, float]) -> tuple[dict[str, float], bool]:
    """Adds the scores. Gives the labels that are over their thresholds, and whether a part in which none is, is in an
    unknown language."""
    found: dict[str, float] = {}
    doubt = False
    for read, foreign in zip(text.reads, text.foreign, strict=True):
        silent = True
        for label, score, _, beaten in heights(read, family.labels, family.rests):
            chosen = min if label in family.rests.values() else max
            scores[label] = round(chosen(scores.get(label, score), score), 9)
            if label in family.thresholds and score >= family.thresholds[label] and not beaten:
                found[label] = max(found.get(label, 0.0), score)
                silent = False
        doubt = doubt or (silent and foreign)
    return found, doubt


def _segment(name: str, text: str) -> Segment:
    """A text as an exchange would have it: an answer is read as one that is streamed, all else whole."""
    answer = name == "response"
    return Segment(name, "assistant" if answer else "user", "text", text, choice=0 if answer else None)
