from __future__ import annotations

import pytest

from lockgate.policy.nearest import nearest, suggest


@pytest.mark.parametrize(
    ("word", "words", "expected"),
    [
        ("promt", ["prompt", "completion"], "prompt"),
        ("Prompt", ["prompt", "completion"], "prompt"),
        ("email_adress", ["EMAIL_ADDRESS", "IP_ADDRESS"], "EMAIL_ADDRESS"),
        ("email", ["EMAIL_ADDRESS_IN_A_LONG_NAME", "IP_ADDRESS"], "EMAIL_ADDRESS_IN_A_LONG_NAME"),
        ("long_", ["long_name_of_this", "long_name_of_that"], ""),
        ("zebra", ["prompt", "completion"], ""),
        ("zebra", [], ""),
    ],
)
def test_nearest(word: str, words: list[str], expected: str) -> None:
    assert nearest(word, words) == expected


def test_suggest_names_the_nearest_else_the_few_else_nothing() -> None:
    assert suggest("promt", ["prompt"]) == "did you mean `prompt`?"
    assert suggest("zebra", ["b", "a", "b"]) == "known: `a`, `b`"
    assert suggest("zebra", [f"word{n}" for n in range(20)]) == ""
    assert suggest("zebra", []) == ""
