from __future__ import annotations

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models import shelf
from lockgate_models.classifier import Name, TextClassifier, united
from lockgate_models.errors import BackendError, OverloadedError
from tiny_model import write_model


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny"))


def made(folder: Path, *, budget: int = 2048, room: int = 1 << 18, cache: int = 100) -> TextClassifier:
    return shelf.load(folder, shelf.Options(budget=budget, room=room, cache=cache))


def scored(classifier: TextClassifier, *texts: str) -> list[dict[str, float]]:
    return [dict(found.labels) for found in asyncio.run(classifier.scores(texts))]


def test_scores_are_those_of_the_words(folder: Path) -> None:
    classifier = made(folder)
    calm, attack = scored(classifier, "Calm calm", "calm ATTACK calm")
    assert calm["injection"] == pytest.approx(sigmoid(-4))
    assert attack["injection"] == pytest.approx(sigmoid(3))
    assert attack["advice.none"] + attack["advice.legal"] == pytest.approx(1)
    classifier.close()


def test_an_attack_far_behind_counts_like_one_at_the_front(folder: Path) -> None:
    classifier = made(folder)
    (found,) = scored(classifier, "calm " * 500 + "attack" + " calm" * 500)
    assert found["injection"] == pytest.approx(sigmoid(3))
    classifier.close()


def test_calibration_moves_the_logit(tmp_path: Path) -> None:
    classifier = made(write_model(tmp_path, calibration={"injection": {"temperature": 2.0, "bias": 1.0}}))
    (found,) = scored(classifier, "attack")
    assert found["injection"] == pytest.approx(sigmoid((3 + 1) / 2))
    classifier.close()


def test_a_text_is_scored_once(folder: Path) -> None:
    classifier = made(folder, cache=2)
    first = scored(classifier, "attack", "calm", "attack")
    assert classifier._batcher.counts.sequences == 2
    assert scored(classifier, "calm", "attack") == [first[1], first[0]]
    assert (classifier._batcher.counts.sequences, classifier.cache.hits) == (2, 2)
    scored(classifier, "law")  # the third: the oldest leaves
    scored(classifier, "calm")
    assert classifier._batcher.counts.sequences == 4
    classifier.close()


def test_names_stand_where_they_are(folder: Path) -> None:
    classifier = made(folder)
    text = "calm Ada King law Paris"
    (found,) = asyncio.run(classifier.scores([text]))
    assert [(text[n.start : n.end], n.label) for n in found.names] == [("Ada King", "PERSON"), ("Paris", "LOCATION")]
    assert all(0.9 < n.score <= 1 for n in found.names)
    far = "calm " * 40 + "Ada King " + "calm " * 40
    (found,) = asyncio.run(classifier.scores([far]))
    assert [far[n.start : n.end] for n in found.names] == ["Ada King"]
    classifier.close()


def test_embeddings_have_unit_length(folder: Path) -> None:
    classifier = made(folder)
    (found,) = asyncio.run(classifier.scores(["calm law"]))
    assert found.embedding is not None
    assert float(np.linalg.norm(found.embedding)) == pytest.approx(1)
    classifier.close()


def test_what_is_no_number_is_a_failure_and_never_a_score(folder: Path) -> None:
    classifier = made(folder)
    for _ in range(2):  # nor is it kept
        with pytest.raises(BackendError, match="no number"):
            scored(classifier, "endless")
    classifier.close()


def test_too_much_is_refused_and_leaves_nothing_behind(folder: Path) -> None:
    classifier = made(folder, room=8)

    async def many() -> list[object]:
        texts = [f"calm {'law ' * number}" for number in range(40)]
        return list(await asyncio.gather(*(classifier.scores([t, t + "calm"]) for t in texts), return_exceptions=True))

    answers = asyncio.run(many())
    assert any(isinstance(answer, list) for answer in answers)
    assert {type(answer) for answer in answers} <= {list, OverloadedError}
    assert classifier._batcher.waiting == 0
    classifier.close()


def test_a_cancelled_call_takes_its_work_out_of_the_line(folder: Path) -> None:
    classifier = made(folder)

    async def leave() -> None:
        task = asyncio.create_task(classifier.scores(["calm " * 3000]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert scored(classifier, "attack")[0]["injection"] > 0.9
    assert classifier._batcher.waiting == 0
    classifier.close()


@given(st.lists(st.text(st.sampled_from("ab \u00e9\ud800\U0001f600"), max_size=40), min_size=1, max_size=6), st.data())
def test_any_text_has_a_score_that_does_not_depend_on_its_company(
    folder: Path, texts: list[str], data: st.DataObject
) -> None:
    classifier = made(folder, budget=data.draw(st.integers(1, 300)))
    together = scored(classifier, *texts)
    alone = [scored(made(folder), text)[0] for text in texts[:2]]
    for one, other in zip(together, alone, strict=False):
        assert one == pytest.approx(other)
    classifier.close()


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ([], []),
        ([(0, 3), (3, 6)], [(0, 3), (3, 6)]),
        ([(0, 3), (0, 8), (5, 9)], [(0, 8)]),
        ([(4, 9), (0, 3)], [(0, 3), (4, 9)]),
    ],
)
def test_of_names_that_overlap_the_longest_stays(names: list[tuple[int, int]], kept: list[tuple[int, int]]) -> None:
    assert [(n.start, n.end) for n in united([Name(a, b, "PERSON", 0.9) for a, b in names])] == kept
