from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models.evidence import BUDGET, LONGEST, figures, likeness, packs, pieces, premise, strange_figures

CONTEXT = """The mill stood empty for years. In 1987 Ada Brandt bought it for 40,000 euros.
She sold it in 2003. The river below it floods each spring! Nobody lives there now."""


def test_a_context_is_cut_at_sentences_and_lines() -> None:
    assert pieces(CONTEXT) == [
        "The mill stood empty for years.",
        "In 1987 Ada Brandt bought it for 40,000 euros.",
        "She sold it in 2003.",
        "The river below it floods each spring!",
        "Nobody lives there now.",
    ]
    assert pieces(" \n ") == []


@given(st.text(st.sampled_from("ab. \n!"), max_size=2000))
def test_no_letter_of_a_context_is_lost(text: str) -> None:
    parts = pieces(text)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(0 < len(part) <= LONGEST for part in parts)


def test_the_part_that_speaks_of_it_is_the_likeliest() -> None:
    parts = pieces(CONTEXT)
    alike = likeness(parts, "The river floods every spring.")
    assert max(range(len(parts)), key=alike.__getitem__) == 3
    assert all(0 <= one <= 1 for one in alike)


def test_a_short_context_is_one_pack_and_a_long_one_is_chosen_from() -> None:
    parts = pieces(CONTEXT)
    assert packs(parts, "anything") == ["\n".join(parts)]
    assert packs([], "anything") == []
    noise = [
        f"Paragraph {i} speaks of the harvest, the weather and the price of grain in the county." for i in range(60)
    ]
    long = [*noise[:30], *parts, *noise[30:]]
    first, second = packs(long, "Brandt paid 40,000 euros in 1987.", most=2)
    assert "In 1987 Ada Brandt" in first
    assert "She sold it" in first, "what follows the likeliest part is company"
    assert max(len(first), len(second)) <= BUDGET
    assert not set(first.split("\n")) & set(second.split("\n"))


def test_another_measure_can_bring_a_part_without_common_words() -> None:
    noise = [
        f"Paragraph {i} speaks of the harvest, the weather and the price of grain in the county." for i in range(60)
    ]
    parts = [*noise, "Nobody lives there now."]
    near = [0.1] * len(noise) + [0.9]
    assert "Nobody" not in packs(parts, "It is uninhabited.")[0]
    assert "Nobody" in packs(parts, "It is uninhabited.", near=near)[0]


@pytest.mark.parametrize(
    ("sentence", "context", "strange"),
    [
        ("It was built in 1931.", "Built in 1930.", ["1931"]),
        ("It was built in 1930.", "Built in 1930.", []),
        ("It costs 1,200 dollars.", "The price is 1200 dollars.", []),
        ("It costs 1.200 Euro.", "Der Preis: 1200 Euro.", []),
        ("It is 3.50 long.", "It is 3.5 long.", []),
        ("It has 3 doors.", "It has three doors and a gate.", []),
        ("It has 4 doors.", "It has three doors and a gate.", ["4"]),
        ("1. Open the door.\n", "Open the door.", []),
        ("Flight LH204 leaves.", "A flight.", []),
        ("Between 10 and 20 percent.", "10 percent.", ["20"]),
    ],
)  # fmt: skip
def test_figures_that_no_context_has(sentence: str, context: str, strange: list[str]) -> None:
    assert [sentence[a:b] for a, b in strange_figures(sentence, figures(context))] == strange


@given(st.text(st.sampled_from("0123456789., a\n"), max_size=80))
def test_a_text_has_all_its_own_figures(text: str) -> None:
    assert list(strange_figures(text, figures(text))) == []


def test_a_question_stands_behind_the_evidence() -> None:
    assert premise("It rains.", "  Does it\nrain? ") == "It rains.\nQuestion: Does it rain?"
    assert premise("It rains.") == "It rains."
    assert len(premise("", "x" * 5000)) < 200
