from __future__ import annotations

import pytest

from lockgate.detectors.grounding import FIGURE, Sentence, claims, unsupported


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Paris.", ["Paris."]),
        ("It is old. Is it? It fell in 1931! ", ["It is old. ", "It fell in 1931! "]),
        ("Yes. It is old. No.", ["Yes. ", "It is old. "]),
        ("---\n1.\nIt is old.", ["It is old."]),
        ("Run this:\n```\nrm it now.\nand that.\n```\nIt is done.", ["Run this:\n", "It is done."]),
        ("~~~\nnever closed here.", []),
        ("", []),
    ],
)
def test_sentences_that_claim_something(text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in claims(text)] == found


@pytest.mark.parametrize(
    ("score", "figures", "use", "expected"),
    [
        (0.7, [], True, (0.7, [(0, 9)])),
        (0.5, [], True, (0.5, ())),
        (0.2, [(3, 5)], True, (FIGURE, [(3, 5)])),
        (0.2, [(3, 5)], False, (0.2, ())),
        (0.9, [(3, 5)], True, (0.9, [(0, 9)])),
    ],
)
def test_what_of_a_sentence_counts(score: float, figures: list[tuple[int, int]], use: bool, expected: object) -> None:
    assert unsupported(Sentence(0, 10, score, [(0, 9)], figures), 0.6, figures=use) == expected
