"""With Presidio, and without any language model: `make test-full` installs it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pages
from lockgate.detectors import presidio
from lockgate.detectors.crew import Crew
from lockgate.engine import ask
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.guard import Guard
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.verdict import Action, Finding

pytestmark = pytest.mark.full

EXCHANGE = Exchange("x", "chat")
BADGES = """\
supported_languages: [en, de]
global_regex_flags: 26
recognizers:
  - name: Badge
    type: custom
    supported_entity: BADGE
    supported_languages: [{language: en, context: [badge]}, {language: de, context: [ausweis]}]
    patterns: [{name: badge, regex: 'B-[0-9]{4}', score: 0.3}]
"""
OURS = """\
from presidio_analyzer import Pattern, PatternRecognizer


class DeskRecognizer(PatternRecognizer):
    def __init__(self, supported_language="en"):
        patterns = [Pattern("desk", "desk [0-9]{3}", 0.7)]
        super().__init__(supported_entity="DESK", patterns=patterns, supported_language=supported_language)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "badges.yaml").write_text(BADGES, encoding="utf-8")
    (tmp_path / "acme_desks.py").write_text(OURS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("acme_desks", None)


def make(folder: Path | None = None, **config: Any) -> presidio.PresidioDetector:
    return presidio.build(presidio.PresidioConfig.model_validate(config, context={"folder": str(folder or ".")}))


async def found(detector: presidio.PresidioDetector, text: str) -> list[tuple[str, str]]:
    answer = await ask(detector, [Segment("/a", "user", "text", text)], EXCHANGE, 60)
    assert not isinstance(answer, str), answer
    return [(f.label, text[slice(*f.span)]) for f in answer if isinstance(f, Finding) and f.span is not None]


# --- Forms ------------------------------------------------------------------------------------------------------------


async def test_its_own_recognisers_by_name() -> None:
    detector = make(recognizers=["EmailRecognizer", "CreditCardRecognizer"])
    assert detector.labels == {"EMAIL_ADDRESS", "CREDIT_CARD"}
    text = "Grüße \U0001f44b an anna@example.com, card 4111 1111 1111 1111."
    assert await found(detector, text) == [
        ("EMAIL_ADDRESS", "anna@example.com"),
        ("CREDIT_CARD", "4111 1111 1111 1111"),
    ]


async def test_all_that_it_has_by_default() -> None:
    detector = make()
    assert {"EMAIL_ADDRESS", "US_SSN", "CRYPTO", "URL"} <= detector.labels
    assert not {"PERSON", "LOCATION"} & detector.labels, "which only a model finds"
    assert detector.languages == {"en"}


async def test_a_registry_of_ones_own(folder: Path) -> None:
    detector = make(folder, registry="badges.yaml")
    assert detector.labels == {"BADGE"}
    assert detector.languages == {"en", "de"}
    assert await found(detector, "my badge: B-1234") == [("BADGE", "B-1234")]


async def test_words_around_count_in_each_language(folder: Path) -> None:
    detector = make(folder, registry="badges.yaml", score=0.5)
    assert await found(detector, "my badge: B-1234") == [("BADGE", "B-1234")]
    assert await found(detector, "mein Ausweis: B-1234") == [("BADGE", "B-1234")]
    assert await found(detector, "this is B-1234") == []


async def test_a_class_of_ones_own(folder: Path) -> None:
    detector = make(folder, recognizers=["acme_desks:DeskRecognizer", "EmailRecognizer"], languages="de")
    assert detector.labels == {"DESK", "EMAIL_ADDRESS"}
    assert await found(detector, "Sitzt an Desk 123.") == [("DESK", "Desk 123")]


async def test_entities_and_a_score() -> None:
    detector = make(entities=["URL", "EMAIL_ADDRESS"], score=0.6)
    assert detector.labels == {"URL", "EMAIL_ADDRESS"}
    assert await found(detector, "anna@example.com") == [("EMAIL_ADDRESS", "anna@example.com")]


async def test_an_nlp_engine_from_its_file(folder: Path) -> None:
    (folder / "nlp.yaml").write_text(
        "nlp_engine_name: no_op\nmodels: [{lang_code: en, model_name: none}]\n", encoding="utf-8"
    )
    detector = make(folder, recognizers=["EmailRecognizer"], nlp={"file": "nlp.yaml"})
    assert await found(detector, "anna@example.com") == [("EMAIL_ADDRESS", "anna@example.com")]


async def test_a_spacy_model_finds_names(folder: Path) -> None:
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Anna Nowak"}])
    nlp.to_disk(folder / "names")
    model = str(folder / "names")
    detector = make(folder, recognizers=["EmailRecognizer"], nlp={"models": {"en": model}}, entities=["PERSON"])
    assert await found(detector, "Ask Anna Nowak.") == [("PERSON", "Anna Nowak")]


# --- What is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (
            {"recognizers": ["EmialRecognizer"]},
            "recognizers: there is no recogniser 'EmialRecognizer' (did you mean `EmailRecognizer`?)",
        ),
        ({"recognizers": ["no_such_module:X"]}, "recognizers: Presidio can't use it (ModuleNotFoundError"),
        ({"recognizers": ["acme_desks:DeskRecogniser"]}, "(did you mean `DeskRecognizer`?)"),
        ({"recognizers": ["pathlib:Path"]}, "is not a class of Presidio's EntityRecognizer"),
        ({"recognizers": ["PatternRecognizer"]}, "recognizers: Presidio can't use it (TypeError"),
        ({"recognizers": ["SpacyRecognizer"]}, "name the model under `nlp`"),
        (
            {"entities": ["EMAIL_ADRESS"]},
            "entities: no recogniser finds 'EMAIL_ADRESS' (did you mean `EMAIL_ADDRESS`?)",
        ),
        (
            {"entities": ["PERSON"]},
            "entities: no recogniser finds 'PERSON' (a language model may: name one as `nlp`)",
        ),
        ({"languages": ["zz"]}, "languages: there is no language 'zz'"),
        ({"registry": "badges.yaml", "languages": ["fr"]}, "languages: no recogniser speaks 'fr' (known: `de`, `en`)"),
        ({"nlp": {"models": {"en": "en_core_web_none"}}}, "nlp: the spaCy model 'en_core_web_none' is not installed"),
        (
            {"nlp": {"engine": "no_op", "models": {"en": "x"}}, "languages": "de"},
            "languages: `nlp` has no model for 'de'",
        ),
        ({"registry": "broken.yaml"}, "registry: Presidio can't use it ("),
        ({"nlp": {"file": "broken.yaml"}}, "nlp: Presidio can't use it ("),
    ],
)
def test_what_presidio_can_not_do_is_an_error_at_load(folder: Path, config: dict[str, Any], says: str) -> None:
    (folder / "broken.yaml").write_text("recognizers: 7\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        make(folder, **config)
    assert says in str(caught.value)


def test_the_error_stands_at_its_key(folder: Path) -> None:
    path = folder / "p.yaml"
    path.write_text(
        "version: 1\nname: p\nrules:\n  - id: a\n    side: prompt\n    use:\n      presidio:\n"
        "        score: 0.5\n        entities: [BADGES]\n        registry: badges.yaml\n    then: record\n",
        encoding="utf-8",
    )
    with pytest.raises(PolicyError, match=r"p\.yaml:9: entities: no recogniser finds 'BADGES' \(did you mean `BADGE`"):
        compile_policy(load_policy(path))


@pytest.mark.parametrize(
    "block", [block for block in pages.all_blocks("yaml") if block.info[:8] == "presidio"], ids=str
)
def test_the_documents_examples_load(block: pages.Block, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"version: 1\nname: p\nrules:\n{textwrap.indent(block.text, '  ')}", encoding="utf-8")
    if block.info == "presidio":
        assert compile_policy(load_policy(path)).policy == "p"
    else:
        with pytest.raises(PolicyError, match=r"nlp: the spaCy model '\w+' is not installed"):
            compile_policy(load_policy(path))


# --- At work ----------------------------------------------------------------------------------------------------------


async def test_a_policy_rewrites_what_it_finds(folder: Path) -> None:
    path = folder / "p.yaml"
    path.write_text(
        "version: 1\nname: p\ndeadline_ms: 60000\nrules:\n  - id: badges\n    side: [prompt, completion]\n"
        "    use: {presidio: {registry: badges.yaml}}\n    then: {rewrite: redact}\n",
        encoding="utf-8",
    )
    guard = Guard(str(path))
    assert guard.plan.completion.rules[0].stream == "window"
    verdict = await guard.acheck("First. Then badge B-1234. Last.")
    assert verdict.action is Action.REWRITE
    assert [edit.span for edit in verdict.edits] == [(18, 24)]


async def test_a_pattern_that_never_ends_is_a_timeout(folder: Path) -> None:
    (folder / "slow.yaml").write_text(
        "supported_languages: [en]\nrecognizers:\n  - name: Slow\n    supported_entity: SLOW\n"
        "    supported_language: en\n    patterns: [{name: slow, regex: '(a|aa)+$', score: 0.5}]\n",
        encoding="utf-8",
    )
    detector = make(folder, registry="slow.yaml")
    crew = Crew("test-slow", threads=1, waiting=1)
    slow = presidio.PresidioDetector(detector._analyse, detector._asked, crew=crew)
    segment = Segment("/a", "user", "text", "a" * 30 + "b")
    assert await ask(slow, [segment], EXCHANGE, 0.05) == "timeout"
    assert await ask(slow, [segment], EXCHANGE, 0.05) == "overload"
    crew.close()
