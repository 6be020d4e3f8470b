from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models.train.corrupt import corrupted, shortened, widened

OTHERS = ["The report was signed by Mara Olsen in Bergen.", "Prices fell after the strike."]


@pytest.mark.parametrize(
    "sentence",
    [
        "The tower has 324 steps.",
        "The letter was sent to Ida Holm at noon.",
        "Sales increased because of it.",
        "They met on Monday again.",
        "The museum is open.",
        "The museum is not open.",
    ],
)
def test_one_place_is_changed_and_the_rest_stays(sentence: str) -> None:
    for seed in range(20):
        wrong = corrupted(sentence, OTHERS, random.Random(seed))
        assert wrong is not None
        assert wrong.text != sentence
        assert wrong.text.startswith(sentence[: wrong.start])
        assert sentence.endswith(wrong.text[wrong.end :])


def test_what_has_nothing_to_change_stays_out() -> None:
    assert corrupted("yes", OTHERS, random.Random(1)) is None
    assert widened("Short.", "Too short.", random.Random(1)) is None


@given(st.text(max_size=60), st.integers(0, 5))
def test_any_text_can_be_given(sentence: str, seed: int) -> None:
    wrong = corrupted(sentence, OTHERS, random.Random(seed))
    assert wrong is None or 0 <= wrong.start <= wrong.end <= len(wrong.text)


def test_a_detail_from_elsewhere_is_what_is_marked() -> None:
    wrong = widened("The house is red.", "It was painted by the owner's late sister in May.", random.Random(3))
    assert wrong is not None
    assert wrong.text.startswith("The house is red")
    assert wrong.text[wrong.end :] == "."
    assert wrong.start == len("The house is red")


def test_what_is_cut_off_leaves_a_sentence_that_says_no_more() -> None:
    sentence = "The Halden mill was built in 1780 by Ada Brandt and stood empty from 1931 on."
    found = {shortened(sentence, random.Random(seed)) for seed in range(30)}
    assert "The Halden mill was built." in found
    assert "The Halden mill was built in 1780." in found
    assert all(text is not None and sentence.startswith(text[:-1]) for text in found)
    assert shortened("It rains.", random.Random(1)) is None
