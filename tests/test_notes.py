from __future__ import annotations

import pytest

from lockgate.notes import Note, country_of, footnotes, is_markdown


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("Just a sentence. And one more, at 3 * 4.", False),
        ("A list:\n- one\n- two", True),
        ("1. one\n2. two", True),
        ("# Head\n\nText.", True),
        ("It is **so** good.", True),
        ("Call `run()` first.", True),
        ("See [this](https://example.com).", True),
        ("| a | b |\n|---|---|\n| 1 | 2 |", True),
        ("> quoted", True),
        ("#1 of 3", False),
        ("a [note] (see below)", False),
    ],
)
def test_which_texts_have_the_form_of_markdown(text: str, is_it: bool) -> None:
    assert is_markdown(text) is is_it


@pytest.mark.parametrize(
    ("text", "notes", "behind"),
    [
        ("Plain.", ["A note."], "\n\nA note."),
        ("Plain.\n", ["A note."], "\nA note."),
        ("Plain.\n\n", ["A note."], "A note."),
        ("**Bold.**", ["A note.", "Two_three."], "\n\n*A note.*\n\n*Two\\_three.*"),
    ],
)
def test_what_stands_behind_a_text(text: str, notes: list[str], behind: str) -> None:
    assert footnotes(text, notes) == behind


def test_a_note_has_its_own_words_before_those_of_the_catalogue() -> None:
    note = Note({"de": "Nur\n zur Orientierung."}, "legal")
    assert note.text("de", "") == "Nur zur Orientierung."
    assert note.text("fr", "").startswith("Ces informations")
    assert "solicitor" in note.text("en", "GB")
    assert Note(message="unsupported").mark("de", "") == "nicht belegt"


def test_a_bare_text_stays_as_it_is() -> None:
    assert Note({"en": "As\n it is. "}, bare=True).text("de", "DE") == "As\n it is. "


def test_what_stands_within_a_text() -> None:
    assert Note(message="bias", form="inline").within
    assert Note(message="bias", form="footnote", at="sentence").within
    assert not Note(message="bias", form="footnote").within
    assert not Note(message="bias").within


def test_the_country_is_a_tag() -> None:
    assert country_of(["x", "country:DE", "country:FR"]) == "DE"
    assert country_of(["country:germany", "de"]) == ""
