"""Microsoft Presidio's recognisers, as a team already has them: predefined ones by name, its own classes, a registry
file, with or without a language model.

Presidio is an extra, and slow to import: `build` imports it (`presidio_load.py`), so only policies that name this
detector need it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from lockgate.detectors.crew import Crew, Given
from lockgate.detectors.protocol import SENTENCE, WHOLE
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.verdict import Finding

KIND = "presidio"
THREADS = 4
WAITING = 32
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
Recognizer = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z_][\w.]*:)?[A-Za-z_]\w*$")]
Name = Annotated[str, StringConstraints(min_length=1)]


def _file(path: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder", ".")
    found = Path(folder, path)
    if not found.is_file():
        raise ValueError(f"there is no file {path}")
    return str(found.resolve())


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


File = Annotated[str, StringConstraints(min_length=1), AfterValidator(_file)]
"""A path, relative to the policy's own file."""


class Nlp(BaseModel):
    """`engine`: the name of one of Presidio's NLP engines. `models`: language → the model's name. `file`: a file with
    Presidio's configuration of both instead."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    engine: Literal["spacy", "slim", "stanza", "transformers", "no_op"] = "spacy"
    models: dict[Language, Name] | None = Field(default=None, min_length=1)
    file: File | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.models is None) == (self.file is None):
            raise ValueError("write either `models` or `file`")
        return self


class PresidioConfig(BaseModel):
    """`recognizers`: class names of Presidio's own recognisers, or ``module:Class`` of yours. `registry`: a file with
    Presidio's recogniser registry instead. `nlp`: an NLP engine; without it texts are only cut into words. `entities`:
    what is looked for, all that the recognisers know unless said. `languages`: each text is looked at in all of them.
    `score`: findings below are left out (Presidio's own thresholds unless said). `reach`: whether it sees sentence by
    sentence, or whole texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    recognizers: tuple[Recognizer, ...] | None = Field(default=None, min_length=1)
    registry: File | None = None
    nlp: Nlp | None = None
    entities: tuple[Name, ...] | None = Field(default=None, min_length=1)
    languages: Annotated[tuple[Language, ...] | None, BeforeValidator(_listed), Field(min_length=1)] = None
    score: float | None = Field(default=None, ge=0, le=1)
    reach: Literal["sentence", "whole"] = "sentence"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.recognizers is not None and self.registry is not None:
            raise ValueError("`recognizers` and `registry` both say which recognisers there are: write one of them")
        return self


class Answer(Protocol):
    """One of Presidio's results."""

    @property
    def entity_type(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def score(self) -> float: ...


Analyse = Callable[[str, str], Sequence[Answer]]
"""(text, language) → results."""


class PresidioDetector:
    """`asked`: language → the entities that are looked for in it. `analyse` runs in a thread of `crew`, one job for all
    texts that are asked about at once; a job that nobody waits for ends after the text that it is at."""

    kind = KIND
    gives_spans = True

    def __init__(
        self, analyse: Analyse, asked: Mapping[str, Sequence[str]], *, reach: str = "sentence", crew: Crew | None = None
    ) -> None:
        self._analyse = analyse
        self._asked = asked
        self._crew = crew
        self.reach = WHOLE if reach == "whole" else SENTENCE
        self.labels = frozenset(entity for entities in asked.values() for entity in entities)
        self.languages = frozenset(asked)

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding]:  # noqa: ARG002
        crew = self._crew if self._crew is not None else shared_crew()
        return await crew.run(lambda given_up: self._look(segments, given_up))

    def _look(self, segments: Sequence[Segment], given_up: Given) -> list[Finding]:
        findings: list[Finding] = []
        for segment in segments:
            for language in self._asked:
                if given_up():
                    return findings
                findings.extend(self._read(segment, language))
        return findings if len(self._asked) == 1 else _once(findings)

    def _read(self, segment: Segment, language: str) -> list[Finding]:
        text = segment.text
        if not text.isascii():
            text = text.translate(_SURROGATES)  # half a character is none that a tokeniser can read
        answers = sorted(self._analyse(text, language), key=lambda found: (found.start, found.end, found.entity_type))
        return [
            Finding(KIND, found.entity_type, min(1.0, found.score), segment.where, (found.start, found.end))
            for found in answers
            if found.entity_type in self.labels
        ]


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """What was found in several languages, once, with the highest score."""
    best: dict[tuple[str, str, tuple[int, int] | None], Finding] = {}
    for finding in findings:
        key = finding.where, finding.label, finding.span
        if key not in best or best[key].score < finding.score:
            best[key] = finding
    return list(best.values())


@cache
def shared_crew() -> Crew:
    """The threads of all such detectors of a process. An analysis is Python code, so more threads would not do more;
    several let others go on while one is slow."""
    return Crew("lockgate-presidio", threads=THREADS, waiting=WAITING)


def build(config: PresidioConfig) -> PresidioDetector:
    """Raises PolicyError where Presidio is not installed, or can't do what is asked."""
    if importlib.util.find_spec("presidio_analyzer") is None:
        raise PolicyError(
            "the detector 'presidio' needs a package that is not installed", hint="pip install 'lockgate[presidio]'"
        )
    from lockgate.detectors import presidio_load

    analyse, asked = presidio_load.load(config)
    return PresidioDetector(analyse, asked, reach=config.reach)
