"""The part of a rule that says what it does."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.policy.then import MODES, Then, then_of


@pytest.mark.parametrize("mode", MODES)
def test_ways_to_rewrite(mode: str) -> None:
    then = Then.model_validate({"rewrite": mode})
    assert then.rewrite is not None
    assert (then.rewrite.mode, then.rewrite.text) == (mode, "")


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({}, "is empty"),
        ({"refuse": True, "rewrite": "mask"}, "both"),
        ({"refuse": False}, "true or a mapping"),
        ({"rewrite": "hide"}, "`rewrite` is"),
        ({"rewrite": "mask", "restore": True}, "puts back"),
        ({"refuse": True, "record": True}, "both"),
    ],
)
def test_what_it_can_not_be(said: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        Then.model_validate(said)


@pytest.mark.parametrize("word", ["refuse", "revise", "record"])
def test_one_word(word: str) -> None:
    assert then_of(word) == {word: True}
