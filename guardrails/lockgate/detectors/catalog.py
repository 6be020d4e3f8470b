"""Every detector that a policy can name: kind → its configuration's model, and its factory.

One literal table, so that what there is can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from lockgate.detectors import (
    classifier,
    confidence,
    delimiters,
    groundedness,
    honesty,
    invisible,
    judge,
    language,
    leak,
    patterns,
    pii,
    presidio,
    secrets,
    size,
    topic,
    words,
)
from lockgate.detectors.protocol import Detector, PatternDetector


@dataclass(frozen=True, slots=True)
class Entry:
    """`config` reads what a policy says under `use: {kind: …}`; `build` makes the detector of it, `beside` a second one
    of the same kind, where what is asked needs it. Each may raise: a ValidationError or a PolicyError becomes an error
    of that line. `shipped`: its pattern rows are ours, known to
    compile. `files`: its configuration may name files, whose paths are relative to the policy's own file."""

    config: type[BaseModel]
    build: Callable[[Any], PatternDetector | Detector]
    beside: Callable[[Any], Detector | None] = lambda _: None
    shipped: bool = False
    files: bool = False


CATALOG: Mapping[str, Entry] = {
    "patterns": Entry(patterns.PatternsConfig, patterns.build),
    "words": Entry(words.WordsConfig, words.build),
    "secrets": Entry(secrets.SecretsConfig, secrets.build, shipped=True),
    "pii": Entry(pii.PiiConfig, pii.build, pii.names, shipped=True),
    "invisible": Entry(invisible.InvisibleConfig, invisible.build, shipped=True),
    "delimiters": Entry(delimiters.DelimitersConfig, delimiters.build, shipped=True),
    "size": Entry(size.SizeConfig, size.build),
    "classifier": Entry(classifier.ClassifierConfig, classifier.build),
    "groundedness": Entry(groundedness.GroundednessConfig, groundedness.build),
    "honesty": Entry(honesty.HonestyConfig, honesty.build),
    "judge": Entry(judge.JudgeConfig, judge.build),
    "confidence": Entry(confidence.ConfidenceConfig, confidence.build, files=True),
    "topic": Entry(topic.TopicConfig, topic.build),
    "leak": Entry(leak.LeakConfig, leak.build),
    "language": Entry(language.LanguageConfig, language.build),
    "presidio": Entry(presidio.PresidioConfig, presidio.build, files=True),
}
