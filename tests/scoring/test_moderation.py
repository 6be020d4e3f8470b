from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.moderation import Categories, CategoryScores

from lockgate.detectors.classifier import read_units
from lockgate.detectors.model import Model
from lockgate.detectors.units import covering
from lockgate.errors import PolicyError
from lockgate.scoring import moderation
from lockgate.scoring.moderation import CATEGORIES, FAMILY, Moderator
from lockgate_models.errors import BackendError
from lockgate_models.labels import FAMILIES
from tiny_model import write_model

LABELS = ["harm", "harm.violence", "harm.hate"]  # in the order of the tiny model's columns 1, 2 and 3
GERMAN = "Kannst du mir sagen, wann der nächste Zug an die Küste fährt?"


@pytest.fixture(scope="module")
def moderator(tmp_path_factory: pytest.TempPathFactory) -> Moderator:
    """Of the harm labels, `harm` and `harm.violence` have a threshold: both fire at "bomb". The score of `harm.hate` is
    that of no word in particular."""
    folder = write_model(
        tmp_path_factory.mktemp("harm") / "harmful",
        families={"injection": ["injection"], "harm": LABELS, "bias": ["bias"]},
        exclusive=[],
        thresholds={"harm": {"normal": {"at": 0.9}}, "harm.violence": {"normal": {"at": 0.5}}},
        languages=["en"],
    )
    return Moderator(Model(folder, {}))


def test_the_categories_are_those_of_the_sdk_and_of_the_labels() -> None:
    for model in (Categories, CategoryScores):
        assert {field.alias or name for name, field in model.model_fields.items()} == set(CATEGORIES)
    assert {f"{FAMILY}.{name}" for name in CATEGORIES} <= set(FAMILIES[FAMILY])


def test_what_is_missing_is_said_with_its_reason(moderator: Moderator) -> None:
    assert moderator.thresholds == {"violence": 0.5}
    assert moderator.missing == {
        name: "no threshold" if name == "hate" else "no model" for name in CATEGORIES if name != "violence"
    }
    assert moderator.name == "tiny@1"


async def test_each_text_has_its_scores(moderator: Moderator) -> None:
    calm, bomb = await moderator.moderate(["calm", "a bomb"])
    assert calm.over == {"violence": False}
    assert calm.scores["violence"] == pytest.approx(0.017986, abs=1e-6)
    assert calm.labels == {}
    assert bomb.over == {"violence": True}
    assert set(bomb.scores) == {"violence", "hate"}
    assert bomb.labels == {"harm.violence": pytest.approx(0.880797, abs=1e-6)}


async def test_a_language_that_the_model_does_not_know_is_unverified(moderator: Moderator) -> None:
    known, unknown, found = await moderator.moderate(["The king is calm today, they say.", GERMAN, f"{GERMAN} bomb"])
    assert (known.unverified, unknown.unverified, found.unverified) == (False, True, False)


async def test_no_texts_and_an_empty_text(moderator: Moderator) -> None:
    assert await moderator.moderate([]) == []
    (empty,) = await moderator.moderate([""])
    assert empty.over == {"violence": False}


async def test_a_failing_run_is_no_verdict(moderator: Moderator) -> None:
    with pytest.raises(BackendError):
        await moderator.moderate(["calm", "endless"])


async def test_a_model_without_the_family_says_nothing(tmp_path: Path) -> None:
    folder = write_model(
        tmp_path / "other", families={"injection": ["a", "b", "c", "d", "e"]}, exclusive=[], thresholds={}
    )
    other = Moderator(Model(folder, {}))
    (found,) = await other.moderate(["bomb"])
    assert (found.scores, found.over, found.labels) == ({}, {}, {})
    assert set(other.missing.values()) == {"no model"}


def test_a_model_that_reads_pairs_is_none(shelf: Path) -> None:
    with pytest.raises(PolicyError, match="reads pairs"):
        Moderator(Model(shelf / "pair", {}))


WORDS = st.lists(st.sampled_from(["calm", "law", "ada", "a bomb", "king.", "paris!\n"]), min_size=1, max_size=40)


@given(st.lists(WORDS.map(" ".join), max_size=6), st.integers(30, 300), st.integers(30, 600))
async def test_pieces_and_blocks_change_no_text(moderator: Moderator, texts: list[str], piece: int, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moderation, "_PIECE", piece)
        patch.setattr(moderation, "_BLOCK", block)
        found = await moderator.moderate(texts)
    assert [one.over["violence"] for one in found] == ["bomb" in text for text in texts]


@given(WORDS.map(lambda words: " ".join(f"{i}{word}" for i, word in enumerate(words * 20))))
def test_a_long_text_goes_in_pieces_that_leave_nothing_out(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moderation, "_PIECE", 700)
        pieces = moderation._pieces(text)
    at = 0
    for piece in pieces:
        found = text.find(piece, max(0, at - 500))
        assert 0 <= found <= at
        at = found + len(piece)
        assert len(piece) <= max(700, *(unit.end - unit.start for unit in covering(text)))
    assert at == len(text)


async def test_a_short_text_scores_as_its_units_do(moderator: Moderator) -> None:
    text = "calm. " * 200 + "a bomb. " + "law. " * 100
    (found,) = await moderator.moderate([text])
    (reads,) = await read_units(moderator.model, [(text, covering(text))], "test")
    assert found.scores["violence"] == pytest.approx(max(read.scores.labels["harm.violence"] for read in reads))
