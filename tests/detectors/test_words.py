from __future__ import annotations

import random
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockgate.detectors.words import MOST_WORDS, WordsConfig, build
from lockgate.errors import PolicyError
from looking import Looker


def look(config: dict[str, Any], text: str) -> list[tuple[str, str]]:
    return sorted(Looker(build(WordsConfig.model_validate(config)))(text))


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        (["falcon"], "The Falcon, the FALCON and the falconer.", ["FALCON", "Falcon"]),
        (["falcon", "falconer"], "the falconer's falcon", ["falcon", "falconer"]),
        (["project falcon"], "Project\n  Falcon; project-falcon", ["Project\n  Falcon"]),
        (["foo", "foo bar"], "foo barn, foo bar", ["foo", "foo bar"]),
        (["c++", ".net", "a.b"], "C++ and .NET, not c or internet or axb", [".NET", "C++"]),
        (["naïve"], "naive NAÏVE", ["NAÏVE", "naive"]),
        (["straße"], "Straße", ["Straße"]),
        (["falcon"], "fаlcоn", ["fаlcоn"]),
        (["falcon"], "ｆａｌｃｏｎ fal\u200bcon", ["fal\u200bcon", "ｆａｌｃｏｎ"]),
        (["falcon"], "falcon_x xfalcon falcon2", []),
        (["мороз"], "Мороз, морозы", ["Мороз"]),
        (["ナイフ", "秘密"], "彼のナイフは秘密です", ["ナイフ", "秘密"]),
        (["ทดสอบ"], "การทดสอบนี้", ["ทดสอบ"]),
        (["falcon"], r'{"text": "one\nfalcon\tfalcon"}', ["falcon", "falcon"]),
        (["new", "news", "newspaper"], "news newspaper new newspapers", ["new", "news", "newspaper"]),
    ],
)
def test_words(words: list[str], text: str, found: list[str]) -> None:
    assert look({"words": words}, text) == [("WORDS", word) for word in found]


def test_parts_of_words() -> None:
    assert look({"words": ["falcon"], "whole_word": False}, "falconer unfalcon") == [("WORDS", "falcon")] * 2


def test_labels() -> None:
    assert look({"words": ["falcon"], "label": "CODENAME"}, "falcon") == [("CODENAME", "falcon")]
    lists = {"words": {"BIRD": ["falcon", "heron"], "FISH": ["pike"]}}
    assert look(lists, "pike and heron") == [("BIRD", "heron"), ("FISH", "pike")]
    assert build(WordsConfig.model_validate(lists)).labels == {"BIRD", "FISH"}


@pytest.mark.parametrize("beside", [[], ["кот"]])
def test_a_longer_word_does_not_hide_a_shorter_one(beside: list[str]) -> None:
    assert look({"words": ["foo", "foo bar", *beside]}, "foo barn") == [("WORDS", "foo")]
    assert look({"words": ["день", "день икс", *beside]}, "день иксов") == [("WORDS", "день")]


@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=8), st.text("abc ", max_size=24))
def test_the_shared_beginnings_change_nothing(words: list[str], text: str) -> None:
    expected = [("WORDS", token) for token in re.findall("[abc]+", text) if token in set(words)]
    # Single letters in a row are read as one spaced-out word as well.
    found = look({"words": words}, text)
    if not any(" " in value for _, value in found):
        assert found == sorted(expected)


def test_two_thousand_words() -> None:
    draw = random.Random(7)
    words = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(5, 12))) for _ in range(2000)]
    looker = Looker(build(WordsConfig(words=tuple(words))))
    assert looker(" ".join(words[:50])) == [("WORDS", word) for word in words[:50]]
    assert looker("none of these is in the list") == []


def test_a_row_is_as_wide_as_its_longest_word() -> None:
    detector = build(WordsConfig(words=("ab", "abcdef"), whole_word=False))
    assert detector.reach.characters == 6


def test_too_many_words() -> None:
    words = tuple(f"word{i}" for i in range(MOST_WORDS + 1))
    with pytest.raises(PolicyError, match="more than 5,000"):
        build(WordsConfig(words=words))


def test_a_word_of_nothing_is_named_by_its_number() -> None:
    with pytest.raises(PolicyError, match="entry 2 of the words for CODENAME"):
        build(WordsConfig(words=("falcon", "\u200b\u200b"), label="CODENAME"))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"words": []},
        {"words": {}},
        {"words": {"A": []}},
        {"words": [""]},
        {"words": {"no label": ["x"]}},
        {"words": "x"},
    ],
)
def test_bad_configuration_and_no_word_in_its_message(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WordsConfig.model_validate(config)
    with pytest.raises(ValidationError) as caught:
        WordsConfig.model_validate({"words": ["hushhush", 3]})
    assert "hushhush" not in str(caught.value)
