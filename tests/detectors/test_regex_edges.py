from __future__ import annotations

import pytest

from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.regex_edges import ASCII_WORD, UNKNOWN, Edge, edge, settled, strip
from lockgate.detectors.regex_tree import read
from lockgate.detectors.scanner import Scanner
from lockgate.errors import PatternError

WORD = Edge(ascii=False, word=True)
OTHER = Edge(ascii=True, word=False)


@pytest.mark.parametrize(
    ("pattern", "first", "last"),
    [
        ("ab", ASCII_WORD, ASCII_WORD),
        ("a-", ASCII_WORD, OTHER),
        ("жa", WORD, ASCII_WORD),
        (r"\w\d", WORD, ASCII_WORD),
        (r"\s\W", OTHER, Edge(ascii=False, word=False)),
        (r"\S.", UNKNOWN, UNKNOWN),
        (r"[a-z0-9_][a-z-]", ASCII_WORD, Edge(ascii=True, word=None)),
        (r"[^a][а-я]", UNKNOWN, Edge(ascii=False, word=None)),
        ("(?:a|b)(?:a|-)", ASCII_WORD, Edge(ascii=True, word=None)),
        ("a|ж", WORD, WORD),
        ("a?-", Edge(ascii=True, word=None), OTHER),
        ("a*", UNKNOWN, UNKNOWN),
        ("a+b*", ASCII_WORD, ASCII_WORD),
        ("(a)", ASCII_WORD, ASCII_WORD),
        (r"\ba\b", ASCII_WORD, ASCII_WORD),
        ("", UNKNOWN, UNKNOWN),
    ],
)
def test_edges(pattern: str, first: Edge, last: Edge) -> None:
    node, _ = read(pattern)
    assert edge(node, last=False) == first
    assert edge(node, last=True) == last


@pytest.mark.parametrize(
    ("pattern", "left", "right", "bare"),
    [
        (r"\ba\b", True, True, "a"),
        (r"\bab", True, False, "ab"),
        (r"(\ba\b)", True, True, "(a)"),
        (r"(?:\ba|\bb)c", True, False, "(?:a|b)c"),
        (r"\ba|b", False, False, r"\ba|b"),
        (r"(?:\ba)?b", False, False, r"(?:\ba)?b"),
        (r"\Ba", False, False, r"\Ba"),
        (r"^\ba", False, False, r"^\ba"),
    ],
)
def test_boundaries_at_the_edges_are_taken_out(pattern: str, left: bool, right: bool, bare: str) -> None:
    node, _ = read(pattern)
    has_left, node = strip(node, last=False)
    has_right, node = strip(node, last=True)
    assert (has_left, has_right) == (left, right)
    assert node == read(bare)[0]


@pytest.mark.parametrize(
    ("pattern", "same"),
    [
        (r"a\b-", "a-"),
        (r"\w+\b\s", r"\w+\s"),
        (r"(?:password|пароль)\b\s*[:=]", r"(?:password|пароль)\s*[:=]"),
        (r"ж\Bж", "жж"),
        (r"a\b.", None),
        (r"[a-]\b[b-]", None),
        (r"(?:a\b)+-", None),
        (r"^a$", None),
    ],
)
def test_a_boundary_that_is_always_there_goes(pattern: str, same: str | None) -> None:
    node, _ = read(pattern)
    assert settled(node) == read(same or pattern)[0]


@pytest.mark.parametrize(
    "pattern",
    [
        r"ж\bx?",
        r"\w\b.",
        r".\b-",
        r"\bж|a",
        r"(?:\bж ?)+",
        r"a|ж\b",
        r"\w\B.",
        r"[^a]\b[^b]",
        r"\s\b\S",
    ],
)
def test_a_boundary_that_could_be_missed_is_refused(pattern: str) -> None:
    node, _ = read(pattern)
    with pytest.raises(PatternError, match="inside, beside a character that may be of any script"):
        settled(node)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"\bдомик\b", "мой домик, домики", ["домик"]),
        (r"(\bдомик\b)", "мой домик, домики", ["домик"]),
        (r"\bдомик\b|\bhouse\b", "домик домики house houses", ["домик", "house"]),
        (r"\b(?:password|пароль)\b\s*[:=]", "пароль : password= xpassword:", ["пароль :", "password="]),
        (r"\b\w+(?:-\w)?\b", "abc-de ж-д", ["abc", "de", "ж-д"]),
        (r"\b[A-Z]{2}\d{2}(?: ?\w{4}){1,7}\b", "DE89 3704 0044 abcdefg", ["DE89 3704 0044"]),
        (r"\bfoo\b", "жfoo fooж foo", ["foo"]),
        (r"\b-x", "ж-x -x", ["-x"]),
        (r"\b[\w ]{3,5}!", "abcdefg hi!", [" hi!"]),
    ],
)
def test_what_that_comes_to(pattern: str, text: str, found: list[str]) -> None:
    matches = Scanner([PatternSpec("X", pattern)]).scan(text).matches
    assert [text[m.start : m.end] for m in matches] == found
