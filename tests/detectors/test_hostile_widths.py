"""What is wider than its row says is never half taken out and passed."""

from __future__ import annotations

import random
import string

import pytest

from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.scanner import Scanner
from lockgate.detectors.secrets import SecretsConfig, build

LETTERS = string.ascii_letters + string.digits


def spans(regex: str, text: str, width: int = 256) -> list[tuple[int, int, bool]]:
    scan = Scanner([PatternSpec("X", regex, max_width=width)]).scan(text)
    return [(match.start, match.end, match.too_wide) for match in scan.matches]


@pytest.mark.parametrize(
    ("regex", "text"),
    [
        (r"(?:\w+\.)+com", "averyveryverylonglabelofahostindeed.com"),
        (r"[A-Z]+-[0-9]+", "A" * 200 + "-1"),
        (r"x{0,50}y+", "y" * 240),
        (r"a+b+c+", "a" * 80 + "b" * 80 + "c" * 80),
        (r"é+", "é" * 256),
        (r"(?:a+b)+c", "aaab" * 60 + "c"),
    ],
)
def test_what_fits_is_found_whole_however_its_width_is_shared_out(regex: str, text: str) -> None:
    assert spans(regex, text) == [(0, len(text), False)]


@pytest.mark.parametrize(
    ("regex", "text"),
    [
        (r"x{0,50}y+", "y" * 400),
        (r"[A-Z]+-[0-9]+", "A" * 400 + "-1"),
        (r"k:\S+", "k:" + "v" * 400),
        (r"中+", "中" * 300),
    ],
)
def test_what_does_not_fit_says_so(regex: str, text: str) -> None:
    assert any(cut for _, _, cut in spans(regex, text))


def test_only_the_leftmost_counts_where_a_stretch_ends() -> None:
    """The search goes by stretches: a match across their border comes before one that lies within the next."""
    for gap in range(0, 80, 3):
        text = "." * gap + "a" * 9 + "b" + "." * 5 + "ab"
        assert spans(r"a+b", text, 10) == [(gap, gap + 10, False), (gap + 15, gap + 17, False)]


@pytest.mark.parametrize("regex", [r"secret(?:[^\n]*end)?", r"a.*b", r'"k":"[^"]+"', r"(?:\w+\.)+com"])
def test_looking_ahead_in_vain_is_bounded(regex: str) -> None:
    """Were each search to run to the end of the line, this would take minutes."""
    for text in ("secret" * 5000, "ab" * 15000, '"k":"' + "v" * 30000, "a." * 15000):
        spans(regex, text)


@pytest.mark.parametrize("begin", ["sk-proj-", "password: ", "Authorization: Bearer ", "api_key = "])
@pytest.mark.parametrize("size", [230, 600, 1900])
def test_no_tail_of_a_long_key_is_left(begin: str, size: int) -> None:
    value = "".join(random.Random(size).choices(LETTERS, k=size))
    (match,) = Scanner(build(SecretsConfig()).specs).scan(f"{begin}{value} rest").matches
    assert match.end == len(begin) + size
    assert not match.too_wide
