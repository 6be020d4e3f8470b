from __future__ import annotations

import pytest

from lockgate.messages import catalogue, chosen

LANGUAGES = {"en", "de", "fr", "es"}


@pytest.mark.parametrize("key", catalogue())
def test_a_message_is_there_in_all_languages_as_a_sentence_and_as_a_mark(key: str) -> None:
    for form in ("note", "mark"):
        texts = catalogue()[key][form]
        assert set(texts) >= LANGUAGES
        assert {name.partition("-")[0] for name in texts} == LANGUAGES
        assert all(text == " ".join(text.split(" ")) and text.strip() == text for text in texts.values())
    assert all(text.endswith(".") for text in catalogue()[key]["note"].values())
    assert not any(set(text) & set("[]()|`\n") for text in catalogue()[key]["mark"].values())


def test_the_catalogue_has_what_policies_need() -> None:
    wanted = {"legal", "medical", "financial", "unsupported", "uncertain", "unverified", "flattery", "bias"}
    assert set(catalogue()) == wanted | {"false_premise"}


@pytest.mark.parametrize(
    ("language", "country", "said"),
    [
        ("de", "", "own German"),
        ("de", "AT", "own Austrian"),
        ("fr", "FR", "catalogue French"),
        ("en", "", "own English"),
        ("en", "GB", "catalogue British"),
        ("it", "IT", "own English"),
    ],
)
def test_which_text_is_chosen(language: str, country: str, said: str) -> None:
    own = {"de": "own German", "de-AT": "own Austrian", "en": "own English"}
    more = {"de": "catalogue German", "fr": "catalogue French", "en": "catalogue English"}
    if country == "GB":
        own, more = {}, {**more, "en-GB": "catalogue British"}
    assert chosen(language, country, own, more) == said


def test_where_there_is_no_english_any_text_is_better_than_none() -> None:
    assert chosen("de", "", {"pt": "uma nota"}) == "uma nota"
    assert chosen("de", "", {}) == ""
