"""What a trained model says of a text: injection, harm, toxicity, bias, refusal, advice.

Texts are read in units (`units.py`): of a text that is there whole, as few as show every sentence with company; of an
answer, which may be a stream, one for each sentence, with what stands before it. Heads for which one sentence is enough
also read each sentence alone. What a unit says in code, in a cipher or out of sight is read too (`decoded.py`). All detectors of a process share a model, and a unit that several ask about is read once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lockgate.detectors.decoded import readings
from lockgate.detectors.language import language_of
from lockgate.detectors.model import MODELS, TEXT, Model
from lockgate.detectors.protocol import SENTENCE, Doubt, OverloadError
from lockgate.detectors.units import Unit, covering, each, sentences
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.normalise import seen
from lockgate.policy.nearest import suggest
from lockgate.verdict import Finding
from lockgate.windows import windows

if TYPE_CHECKING:
    from lockgate_models.classifier import TextScores
    from lockgate_models.manifest import Manifest

KIND = "classifier"
ALONE = frozenset({"injection", "indirect"})
"""Families that also read each sentence alone: an attack is one sentence somewhere."""
OWN = frozenset({"bias"})
"""Families that are said of a sentence: in an answer, what comes behind such a sentence is not blamed for it."""
AWAKE = 0.01
"""What a unit must say of such a family for its sentences to be read: nine in ten ordinary units say less, and of the
attacks of our development rows none that a sentence alone gives away."""
_SHORT = 24  # characters: what is shorter says nothing alone

Sensitivity = Literal["low", "normal", "high"]
Head = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9./-]*$")]
Score = Annotated[float, Field(ge=0, le=1)]


class ClassifierConfig(BaseModel):
    """`heads`: families of the model (``harm``) or single labels (``harm.cyber``). Each counts from its threshold on:
    the manifest's for this `sensitivity` (`low` fires least), or `above`, one for all or one a head. `model`: a shipped
    model's name, or a folder's path."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    heads: Annotated[tuple[Head, ...], Field(min_length=1)]
    sensitivity: Sensitivity = "normal"
    above: Score | dict[Head, Score] | None = None
    model: Annotated[str, StringConstraints(min_length=1)] = TEXT

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, (str, list, tuple)):
            value = {"heads": value}
        if isinstance(value, Mapping) and isinstance(value.get("heads"), str):
            value = {**value, "heads": [value["heads"]]}
        return value


class Read(NamedTuple):
    """A unit of a text, what the model says of it, of its sentences alone, and of what it says in another form."""

    unit: Unit
    scores: TextScores
    alone: list[tuple[Unit, TextScores]]
    decoded: Sequence[TextScores] = ()


class Height(NamedTuple):
    """A label's score, and where it is highest. `beaten`: of labels that exclude each other, the one that stands for none
    of them is likelier."""

    label: str
    score: float
    place: Unit
    beaten: bool


class ClassifierDetector:
    """`thresholds`: label → the score from which it counts. Of labels that exclude each other, the one that stands for
    none of them must not be the likelier."""

    kind = KIND
    reach = SENTENCE
    gives_spans = True
    cuts = True

    def __init__(self, model: Model, thresholds: Mapping[str, float], *, calibrated: bool = True) -> None:
        self.calibrated = calibrated
        self._model = model
        self._thresholds = dict(thresholds)
        self._alone = [label for label in thresholds if label.partition(".")[0] in ALONE]
        self._rests = rests_of(model.manifest)
        self.labels = frozenset(thresholds)
        self.models = (model.name,)
        self.languages = frozenset(model.manifest.languages)

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding | Doubt]:
        texts = [whole_of(segment) for segment in segments]
        asked = [(text, units_of(segment)) for text, segment in zip(texts, segments, strict=True)]
        before = asked_for(exchange) if self._model.manifest.form == "pair" else None
        read = await read_units(self._model, asked, exchange.id, alone=self._alone, before=before, decode=True)
        innocent = await self._innocent(zip(texts, read, strict=True), exchange.id) if before is None else ()
        found: list[Finding | Doubt] = []
        for segment, text, results in zip(segments, texts, read, strict=True):
            shift = len(segment.before or "")
            for result in results:
                mine = [
                    one
                    for one in self._said(segment.where, text, result, shift)
                    if (id(result), one.label) not in innocent
                ]
                found.extend(mine)
                if not mine and (
                    unknown := unknown_language(text[result.unit.start : result.unit.end], self.languages)
                ):
                    found.append(Doubt(segment.where, unknown))
        return found

    async def _innocent(self, read: Iterable[tuple[str, list[Read]]], lane: str) -> set[tuple[int, str]]:
        """(Read, label) where a unit is over the threshold for what stands before its own sentence, which alone is not."""
        labels = [label for label in self._thresholds if label.partition(".")[0] in OWN]
        over = [
            (text, one, label)
            for text, reads in read
            for one in reads
            for label in labels
            if one.unit.own > one.unit.start and one.scores.labels[label] >= self._thresholds[label]
        ]
        parts = [
            part
            for text, one, _ in over
            for part in (text[one.unit.start : one.unit.own], text[one.unit.own : one.unit.end])
        ]
        scores = iter(await _scores(self._model, parts, lane, None) if parts else ())
        found = set()
        for _, one, label in over:
            before, own = next(scores).labels[label], next(scores).labels[label]
            if own < self._thresholds[label] <= before:
                found.add((id(one), label))
        return found

    def _said(self, where: str, text: str, read: Read, shift: int) -> Iterable[Finding]:
        for said in heights(read, self._thresholds, self._rests):
            if said.score >= self._thresholds[said.label] and not said.beaten:
                own = text[said.place.own : said.place.end]
                end = said.place.end - (len(own) - len(own.rstrip() or own))  # what follows an edit stays apart from it
                yield Finding(KIND, said.label, said.score, where, (said.place.own - shift, end - shift))


def heights(read: Read, labels: Iterable[str], rests: Mapping[str, str]) -> Iterator[Height]:
    """How high each label is: of the whole unit, of what it says in another form, or of the sentence that says more than
    it."""
    plain = set(rests.values())  # what stands for none is said of the text as it stands
    for label in labels:
        whole = read.scores
        if read.decoded and label not in plain:
            whole = max((whole, *read.decoded), key=lambda scores: scores.labels[label])
        score, place = whole.labels[label], read.unit
        if label.partition(".")[0] in ALONE:
            for sentence, scores in read.alone:
                if scores.labels[label] > score:
                    score, place = scores.labels[label], sentence
        rest = rests.get(label)
        yield Height(label, score, place, rest is not None and whole.labels[rest] > score)


def unknown_language(text: str, known: Collection[str]) -> str | None:
    """The text's language, if it is none of those that a model knows; it knows all if it names none."""
    language = language_of(text) if known else None
    return language if language not in known else None


def whole_of(segment: Segment) -> str:
    return (segment.before or "") + segment.text


def units_of(segment: Segment) -> list[Unit]:
    """How a segment is read: a window of a stream as one unit, an answer as a stream would, anything else in the fewest
    units."""
    if segment.before is not None:
        shift = len(segment.before)
        return [Unit(0, shift, shift + len(segment.text))]
    return each(segment.text) if segment.choice is not None else covering(segment.text)


async def read_units(
    model: Model,
    asked: Sequence[tuple[str, Sequence[Unit]]],
    lane: str,
    *,
    alone: Collection[str] = (),
    before: str | None = None,
    decode: bool = False,
) -> list[list[Read]]:
    """What the model says of each unit of each text; with `decode`, of what a unit says in another form. Where one of the
    labels `alone` is not as good as ruled out for a unit, each of its own sentences is read too. `before`, of the pair
    form, is what they all answer. Raises OverloadError, BackendError."""
    plans = [
        [(unit, [*_coded(text[unit.start : unit.end], bool(alone))] if decode else []) for unit in units]
        for text, units in asked
    ]
    wanted = [
        said
        for (text, _), plan in zip(asked, plans, strict=True)
        for unit, coded in plan
        for said in (text[unit.start : unit.end], *coded)
    ]
    scores = iter(await _scores(model, wanted, lane, before))
    found = [[Read(unit, next(scores), [], [next(scores) for _ in coded]) for unit, coded in plan] for plan in plans]
    if not alone:
        return found
    awake = [
        (read, text, inner)
        for (text, _), reads in zip(asked, found, strict=True)
        for read in reads
        if any(read.scores.labels[label] >= AWAKE for label in alone)
        and (inner := [s for s in sentences(text, read.unit) if s.end - s.own >= _SHORT])
    ]
    wanted = [text[one.start : one.end] for _, text, inner in awake for one in inner]
    scores = iter(await _scores(model, wanted, lane, before) if wanted else ())
    for read, _, inner in awake:
        read.alone.extend((one, next(scores)) for one in inner)
    return found


async def _scores(model: Model, texts: Sequence[str], lane: str, before: str | None) -> list[TextScores]:
    from lockgate_models.errors import OverloadedError

    lead = seen(before) if before is not None else None
    folded = [seen(text) for text in texts]
    try:
        return await model.classifier().scores(folded if lead is None else [(lead, text) for text in folded], lane)
    except OverloadedError:
        raise OverloadError from None


def _coded(text: str, alone: bool) -> Iterator[str]:
    """What a text says in another form; with `alone`, each sentence of that too."""
    for said in readings(text):
        yield said
        if alone:
            yield from (said[a:b] for a, b in windows(said) if _SHORT <= b - a < len(said))


def asked_for(exchange: Exchange) -> str:
    """What an answer answers: the user's last message."""
    said = [segment.text for segment in exchange.prompt if segment.role == "user" and segment.kind == "text"]
    return said[-1] if said else ""


def rests_of(manifest: Manifest) -> dict[str, str]:
    """Of labels that exclude each other: label → the one that stands for none of them."""
    found: dict[str, str] = {}
    for family in manifest.exclusive:
        rest = f"{family}.none"
        if rest in manifest.families[family]:
            found |= {label: rest for label in manifest.families[family] if label != rest}
    return found


def labels_of(manifest: Manifest, heads: Sequence[str]) -> list[str]:
    """The labels that heads stand for. Raises PolicyError for one that the model has not."""
    families = manifest.families
    labels: dict[str, None] = {}
    for head in heads:
        if head in families:
            labels |= dict.fromkeys(label for label in families[head] if not label.endswith(".none"))
        elif head in manifest.labels:
            labels[head] = None
        else:
            known = [*families, *manifest.labels]
            hint = suggest(head, known) or f"it has: {', '.join(families)}"
            raise PolicyError(f"heads: the model {manifest.name!r} has no head {head!r}", hint=hint)
    return list(labels)


def build(config: ClassifierConfig) -> ClassifierDetector:
    """Raises PolicyError for a model that is not there, a head that it has not, a label without a threshold."""
    model = MODELS.named(config.model)
    manifest = model.manifest
    thresholds: dict[str, float] = {}
    own = config.above if isinstance(config.above, dict) else {}
    if unknown := sorted(set(own) - set(config.heads)):
        raise PolicyError(f"above: {unknown[0]!r} is not among the heads", hint=suggest(unknown[0], config.heads))
    for head in config.heads:
        said = own.get(head, config.above if isinstance(config.above, float) else None)
        for label in labels_of(manifest, [head]):
            if said is None and label not in manifest.thresholds:
                raise PolicyError(
                    f"heads: the model {manifest.name!r} has no threshold for {label!r}", hint="write one: `above: 0.9`"
                )
            thresholds[label] = said if said is not None else manifest.threshold(label, config.sensitivity)
    return ClassifierDetector(model, thresholds, calibrated=config.above is None)
