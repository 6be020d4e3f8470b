"""What needs no Presidio: the configuration, the threads, and how failures read. What does: `test_presidio_load.py`."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compiling import plan_of
from lockgate.detectors import presidio
from lockgate.detectors.crew import Crew
from lockgate.detectors.presidio import PresidioConfig, PresidioDetector
from lockgate.detectors.protocol import SENTENCE, WHOLE, Detector
from lockgate.engine import ask
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.verdict import Finding

EXCHANGE = Exchange("x", "chat")


@dataclass(frozen=True)
class Result:
    entity_type: str
    start: int
    end: int
    score: float


def words(text: str, language: str) -> list[Result]:
    """Finds "anna" in any language, and in German better."""
    at = text.find("anna")
    score = 0.9 if language == "de" else 0.4
    return [Result("OTHER", 0, 1, 1.0), Result("PERSON", at, at + 4, score)] if at >= 0 else []


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew("test-presidio", threads=1, waiting=1)
    yield made
    made.close()


def segment(text: str, where: str = "/messages/0/content") -> Segment:
    return Segment(where, "user", "text", text)


def detector(crew: Crew, asked: Mapping[str, Sequence[str]] | None = None, analyse: Any = words) -> PresidioDetector:
    return PresidioDetector(analyse, asked or {"en": ["PERSON"]}, crew=crew)


# --- Findings ---------------------------------------------------------------------------------------------------------


async def test_answers_are_findings_in_the_original_text(crew: Crew) -> None:
    made = detector(crew)
    assert isinstance(made, Detector)
    (finding,) = await made.detect([segment("für anna")], EXCHANGE)
    assert (finding.detector, finding.label, finding.score, finding.span) == ("presidio", "PERSON", 0.4, (4, 8))
    assert made.labels == {"PERSON"}
    assert made.gives_spans


async def test_several_languages_find_a_thing_once(crew: Crew) -> None:
    findings = await detector(crew, {"en": ["PERSON"], "de": ["PERSON"]}).detect([segment("anna")], EXCHANGE)
    assert [(f.label, f.score) for f in findings] == [("PERSON", 0.9)]


async def test_half_characters_are_not_shown_to_it(crew: Crew) -> None:
    seen: list[str] = []

    def analyse(text: str, language: str) -> list[Result]:
        seen.append(text)
        return words(text, language)

    (finding,) = await detector(crew, analyse=analyse).detect([segment("\ud800 anna \U0001f600")], EXCHANGE)
    assert seen == ["\ufffd anna \U0001f600"]
    assert finding.span == (2, 6)


async def test_it_looks_sentence_by_sentence_or_at_whole_texts(crew: Crew) -> None:
    seen: list[str] = []

    def analyse(text: str, language: str) -> list[Result]:
        seen.append(text)
        return words(text, language)

    text = "This is Bob. And this is anna."
    made = detector(crew, analyse=analyse)
    assert made.reach == SENTENCE
    answer = await ask(made, [segment(text)], EXCHANGE, 30)
    assert [finding.span for finding in answer if isinstance(finding, Finding)] == [(25, 29)]
    assert seen == ["This is Bob. ", "And this is anna."]
    assert PresidioDetector(words, {"en": ["PERSON"]}, reach="whole").reach == WHOLE


# --- Deadlines --------------------------------------------------------------------------------------------------------


async def test_past_its_deadline_it_is_a_timeout_and_while_it_lasts_an_overload(crew: Crew) -> None:
    begun, let_go, texts = threading.Event(), threading.Event(), []

    def slow(text: str, _: str) -> list[Result]:
        texts.append(text)
        begun.set()
        let_go.wait(30)
        return []

    made = detector(crew, analyse=slow)
    waits = asyncio.create_task(ask(made, [segment("one"), segment("two", "/b")], EXCHANGE, 0.001))
    await asyncio.to_thread(begun.wait, 30)
    assert await waits == "timeout"
    assert crew.stuck == 1
    assert await ask(made, [segment("three")], EXCHANGE, 30) == "overload"
    let_go.set()
    async with asyncio.timeout(30):
        while crew.stuck:  # noqa: ASYNC110 - a thread sets no event of the loop's
            await asyncio.sleep(0)
    assert texts == ["one"], "a job that nobody waits for ends after the text that it is at"
    assert await ask(detector(crew), [segment("anna")], EXCHANGE, 30) != "overload"


async def test_what_presidio_raises_is_a_crash(crew: Crew) -> None:
    def breaks(text: str, language: str) -> list[Result]:
        raise ValueError(text)

    assert await ask(detector(crew, analyse=breaks), [segment("anna")], EXCHANGE, 30) == "crash"


def test_a_process_has_one_crew() -> None:
    assert presidio.shared_crew() is presidio.shared_crew()
    assert presidio.shared_crew().threads == presidio.THREADS


# --- Configuration ----------------------------------------------------------------------------------------------------

POLICY = """\
version: 1
name: test
rules:
  - id: names
    side: prompt
    use:
      presidio:
        {config}
    then: {{rewrite: redact}}
"""


@pytest.mark.parametrize(
    ("config", "line", "says"),
    [
        ("recognisers: [A]", 8, "presidio: there is no key `recognisers` here (did you mean `recognizers`?)"),
        ("recognizers: []", 8, "recognizers"),
        ("recognizers: ['not a name']", 8, "`recognizers` can't be written so"),
        ("registry: none.yaml", 8, "`registry`: there is no file none.yaml"),
        ("nlp: {file: none.yaml}", 8, "there is no file none.yaml"),
        ("nlp: {engine: spacey, models: {en: x}}", 8, "`engine` can't be `spacey` (did you mean `spacy`?)"),
        ("nlp: {engine: spacy}", 8, "write either `models` or `file`"),
        ("nlp: spacy", 8, "`nlp` must be a mapping"),
        ("languages: [EN]", 8, "`languages` can't be written so"),
        ("entities: []", 8, "entities"),
        ("score: 2", 8, "`score` must be at most"),
        ("reach: paragraph", 8, "`reach` can't be `paragraph`"),
    ],
)
def test_a_wrong_configuration_is_an_error_of_its_line(tmp_path: Path, config: str, line: int, says: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(POLICY.format(config=config), encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        compile_policy(load_policy(path))
    assert f"p.yaml:{line}" in str(caught.value), caught.value
    assert says in str(caught.value)


def test_two_sources_of_recognisers_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("recognizers: []", encoding="utf-8")
    path = tmp_path / "p.yaml"
    path.write_text(POLICY.format(config="{recognizers: [EmailRecognizer], registry: r.yaml}"), encoding="utf-8")
    with pytest.raises(PolicyError, match="write one of them"):
        compile_policy(load_policy(path))


def test_files_are_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("recognizers: []", encoding="utf-8")
    read = PresidioConfig.model_validate({"registry": "r.yaml"}, context={"folder": str(tmp_path)})
    assert read.registry == str((tmp_path / "r.yaml").resolve())


def test_one_language_needs_no_list() -> None:
    assert PresidioConfig.model_validate({"languages": "de"}).languages == ("de",)


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, *_: object) -> None:
        assert name == "presidio_analyzer"

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    with pytest.raises(PolicyError) as caught:
        plan_of({"side": "prompt", "use": {"presidio": {}}})
    assert "pip install 'lockgate[presidio]'" in str(caught.value)
