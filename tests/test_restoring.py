from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.restoring import Finder, Restorer

MASKS = {"[PERSON_k3f9w2]": "Anna", "[PERSON_k3f9w3]": "Bob", "email-k3f9w2@example.com": "a@b.org"}
FINDER = Finder(MASKS)


def restored(text: str) -> str:
    out, at = "", 0
    for start, end, original in FINDER.scan(text, final=True)[0]:
        out, at = out + text[at:start] + original, end
    return out + text[at:]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[PERSON_k3f9w2]", "Anna"),
        ("Dear [PERSON_k3f9w2], dear [PERSON_K3F9W3]!", "Dear Anna, dear Bob!"),
        ("**[Person_k3f9w2]**", "**Anna**"),
        ("_PERSON_k3f9w2_", "_Anna_"),
        ("`PERSON_k3f9w2`'s", "`Anna`'s"),
        (r"\[PERSON\_k3f9w2\]", "Anna"),
        (r"\\[PERSON\\_k3f9w2\\]", "Anna"),
        ("[[PERSON_k3f9w2]]", "[Anna]"),
        ("[PERSON_k3f9w2", "[Anna"),
        ("(mailto:EMAIL-k3f9w2@example.com).", "(mailto:a@b.org)."),
        # Not known, not whole, or within a longer word.
        ("[PERSON_k3f9w4]", "[PERSON_k3f9w4]"),
        ("[PERSON_k3f9w", "[PERSON_k3f9w"),
        ("[PERSON]", "[PERSON]"),
        ("xPERSON_k3f9w2", "xPERSON_k3f9w2"),
        ("PERSON_k3f9w2x", "PERSON_k3f9w2x"),
        (r"\\\\\\PERSON", r"\\\\\\PERSON"),
        ("a person, an email", "a person, an email"),
    ],
)
def test_what_is_put_back(text: str, expected: str) -> None:
    assert restored(text) == expected


PIECES = st.sampled_from(
    [
        *MASKS,
        *(m.upper() for m in MASKS),
        "PERSON_k3f9w2",
        "[PERSON_",
        "k3f9w",
        "2",
        "]",
        "[",
        "\\",
        "\\_",
        "x",
        " ",
        "email-",
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join), st.lists(st.integers(0, 120), max_size=12))
def test_however_the_text_is_cut_the_same_is_found(text: str, cuts: list[int]) -> None:
    restorer = Restorer(FINDER)
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    for low, high in itertools.pairwise(places):
        restorer.feed(text[low:high])
        assert restorer.held <= 60
    restorer.feed("", final=True)
    assert restorer.take() == FINDER.scan(text, final=True)[0]
    assert restorer.settled == len(text)


def test_prose_is_not_held() -> None:
    restorer = Restorer(FINDER)
    restorer.feed("Nothing here is a mask. ")
    assert (restorer.settled, restorer.held) == (24, 0)
    restorer.feed("[PERSON_k3")
    assert (restorer.settled, restorer.held) == (24, 10)
