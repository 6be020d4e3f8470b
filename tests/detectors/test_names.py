"""Names that a model marks join what rules find, under `pii`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lockgate.detectors import model
from lockgate.detectors.model import MODELS
from lockgate.detectors.names import NamesDetector
from lockgate.detectors.protocol import Doubt
from lockgate.exchange import Exchange, Segment
from lockgate.verdict import Finding
from tiny_model import write_model

EXCHANGE = Exchange("01", "chat")


@pytest.fixture(autouse=True, scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    place = tmp_path_factory.mktemp("models")
    write_model(place / "tiny")
    write_model(place / "english", languages=["en"])
    before = MODELS.places, MODELS.options
    model.run_models([place], {})
    yield
    model.run_models(*before)


async def names(text: str, *, before: str | None = None, labels: tuple[str, ...] = ("PERSON", "LOCATION")) -> object:
    detector = NamesDetector("pii", MODELS.named("tiny"), labels, 0.5)
    answer = await detector.detect([Segment("/a", "user", "text", text, before=before)], EXCHANGE)
    assert all(isinstance(found, Finding) and found.detector == "pii" for found in answer)
    return [(f.label, text[slice(*f.span)]) for f in answer if isinstance(f, Finding) and f.span is not None]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I met Ada King in Paris.", [("PERSON", "Ada King"), ("LOCATION", "Paris")]),
        ("ada was here", [("PERSON", "ada")]),  # nobody writes capitals there
        ("Then I said to Bob that ada is calm", []),  # here somebody does
        ("I met \u201cAda\u201d, twice", [("PERSON", "Ada")]),
        ("\u0391da was in P\u0430ris", [("PERSON", "\u0391da"), ("LOCATION", "P\u0430ris")]),  # look-alike letters
        (r"see a\/b: Ada King", [("PERSON", "Ada King")]),
        (r"Well, \u0041da\u0020King is calm", [("PERSON", r"\u0041da\u0020King")]),  # JSON may write it so
        ('I have {"by":"Ada","to":Ada:"I am"} here, Bob', [("PERSON", "Ada"), ("PERSON", "Ada")]),
        (r"Bob said:\"Ada:\"I am", [("PERSON", "Ada")]),
        ("calm", []),
        ("", []),
    ],
)
async def test_names_are_found_in_offsets_of_the_text(text: str, found: list[tuple[str, str]]) -> None:
    assert await names(text) == found


async def test_only_what_is_asked_for() -> None:
    assert await names("I met Ada King in Paris.", labels=("LOCATION",)) == [("LOCATION", "Paris")]


async def test_a_window_of_a_stream_says_its_own_names_only() -> None:
    assert await names("Paris it was.", before="I met Ada King. ") == [("LOCATION", "Paris")]


async def test_a_long_text_gives_each_name_once() -> None:
    text = (
        "This sentence says nothing at all of anyone. " * 40 + "I met Ada. " + "Nothing again in this one here. " * 40
    )
    assert await names(text) == [("PERSON", "Ada")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Ich habe heute leider keine Zeit für dich, aber morgen früh.", ["de"]),
        (
            "Gestern habe ich Ada zusammen mit ihrer Schwester im Park gesehen.",
            ["Ada", "de"],
        ),  # and who was the sister?
        ("I met Ada in the park together with her younger sister.", ["Ada"]),
        ("Ada? Ja!", ["Ada"]),  # too short to tell
    ],
)
async def test_a_text_in_a_language_that_it_does_not_know_is_doubted(text: str, said: list[str]) -> None:
    detector = NamesDetector("pii", MODELS.named("english"), ("PERSON",), 0.5)
    answer = await detector.detect([Segment("/a", "user", "text", text)], EXCHANGE)
    assert all(one.where == "/a" for one in answer)
    assert [one.language if isinstance(one, Doubt) else text[slice(*(one.span or ()))] for one in answer] == said


async def test_a_doubt_is_a_units_own() -> None:
    german = "Ich habe heute leider keine Zeit für dich, aber morgen früh. "
    english = "This sentence says nothing at all of anyone, and that is fine. "
    detector = NamesDetector("pii", MODELS.named("english"), ("PERSON",), 0.5)
    texts = {"/a": english * 20 + german * 12, "/b": english * 20}
    answer = await detector.detect([Segment(where, "user", "text", text) for where, text in texts.items()], EXCHANGE)
    assert {one.where for one in answer} == {"/a"}
