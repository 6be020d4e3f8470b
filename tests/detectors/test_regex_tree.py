from __future__ import annotations

import re

import pytest
import re2

from lockgate.detectors.regex import prepare
from lockgate.detectors.regex_tree import Alt, At, Capture, Char, Repeat, Seq, read
from lockgate.errors import PatternError
from lockgate.normalise import fold


def matches(pattern: str, text: str, *, folded: bool = True) -> list[str]:
    """What RE2 finds of the pattern in the text as it stands."""
    options = re2.Options()
    options.longest_match = True
    form = prepare(pattern, max_width=64, folded=folded)
    return [match.group() for match in re2.compile(form.full, options).finditer(text)]


A, B, C, D = (Char(letter, ascii=True, word=True) for letter in "abcd")


def test_a_tree() -> None:
    node, flags = read(r"(?i)\ba(b|[cd]){2,}?é$")
    assert flags & re.IGNORECASE
    e = Char("e", ascii=True, word=True)
    assert node == Seq((At(r"\b"), A, Repeat(Capture(Char("[bcd]", ascii=True, word=True)), 2, None), e, At("$")))


@pytest.mark.parametrize(
    ("pattern", "node"),
    [
        ("a", A),
        ("ab|cd", Alt((Seq((A, B)), Seq((C, D))))),
        ("(?:a)", A),
        ("(a)", Capture(A)),
        (".", Char(r"[^\n]", ascii=False)),
        ("(?s).", Char("(?s:.)", ascii=False)),
        (r"\d", Char("[0-9]", ascii=True, word=True)),
        (r"\w", Char(r"[\pL\pN_]", ascii=False, word=True)),
        (r"\W", Char(r"[^\pL\pN_]", ascii=False, word=False)),
        (r"\S", Char(r"[^\t\n\v\f\r ]", ascii=False)),
        (r"[\s-]", Char(r"[\t\n\v\f\r \x{2d}]", ascii=True, word=False)),
        ("[a-z_]", Char("[a-z_]", ascii=True, word=True)),
        ("[a-z-]", Char(r"[a-z\x{2d}]", ascii=True)),
        ("[ -~]", Char(r"[ -\x{7e}]", ascii=True)),
        ("[^a]", Char("[^a]", ascii=False)),
        (r"\.", Char(r"\x{2e}", ascii=True, word=False)),
        ("日", Char(r"\x{65e5}", ascii=False, word=True)),
        ("a{2}", Repeat(A, 2, 2)),
        ("a*", Repeat(A, 0, None)),
        ("\u200b", Seq(())),
    ],
)
def test_nodes(pattern: str, node: object) -> None:
    assert read(pattern)[0] == node


def test_ignoring_case_may_be_said_beside_the_pattern() -> None:
    assert read("a", ignore_case=True)[1] & re.IGNORECASE
    assert not read("a")[1] & re.IGNORECASE


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("тайна", "тайна", 1),
        ("café", "café CAFE", 1),
        ("(?i)café", "café CAFE", 2),
        ("ﬁle", "ﬁle file", 2),
        ("[é]+", "éé", 1),
        ("[^é]", "é", 0),
        ("[^éx]", "e", 0),
        ("„[^”]+”", "„a” “b”", 2),
        ("[а-я]", "a", 1),  # which а looks like
        ("[а-я]", "z", 0),
        ("１２", "12 １２", 2),
        ("a\u200bb", "ab a\u200bb", 2),
        ("a–b", "a-b a—b", 2),
    ],
)
def test_a_pattern_is_folded_as_the_text_is(pattern: str, text: str, found: int) -> None:
    assert len(matches(pattern, fold(text))) == found


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("é", "é e", ["é"]),
        ("[é]", "é e", ["é"]),
        ("[^e]", "ée", ["é"]),
        ("a\u200bb", "ab a\u200bb", ["a\u200bb"]),
        ("[\u200b-\u200d]+", "a\u200b\u200cb", ["\u200b\u200c"]),
    ],
)
def test_a_raw_pattern_is_not(pattern: str, text: str, found: list[str]) -> None:
    assert matches(pattern, text, folded=False) == found


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(?=a)b", "look-around"),
        ("(?!a)b", "look-around"),
        ("(?<=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "a back-reference"),
        ("(?P<x>a)(?P=x)", "a back-reference"),
        ("(a)?(?(1)b|c)", "a conditional group"),
        ("(?>a)b", "an atomic group"),
        ("a++b", "a possessive repeat"),
        ("(?i:a)b", "sets flags for a part"),
        (r"[\D-]", "negated class"),
        (r"[^\W]", "negated class"),
        ("(", "can't be read"),
        ("a**", "can't be read"),
        ("[z-a]", "can't be read"),
        (r"\q", "can't be read"),
        ("a{99999999999}", "can't be read"),
        ("(?P<1>a)", "can't be read"),
        ("(" * 3000 + "a" + ")" * 3000, "can't be read"),
    ],
)
def test_what_can_not_be_run(pattern: str, says: str) -> None:
    with pytest.raises(PatternError) as raised:
        read(pattern)
    assert says in str(raised.value)


def test_where_a_pattern_is_wrong() -> None:
    with pytest.raises(PatternError, match=r"at character 3 of the pattern"):
        read("abc(")
