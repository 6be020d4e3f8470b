from __future__ import annotations

import pytest
from pydantic import ValidationError

from lockgate.policy.model import Model, problem


class Part(Model):
    size: int


def test_a_part_is_closed_and_frozen_and_repeats_no_input() -> None:
    with pytest.raises(ValidationError) as caught:
        Part.model_validate({"size": "secret", "other": 1})
    assert "secret" not in str(caught.value)
    assert {error["type"] for error in caught.value.errors()} == {"int_parsing", "extra_forbidden"}
    with pytest.raises(ValidationError):
        Part(size=1).size = 2


def test_a_problem_has_a_hint() -> None:
    error = problem("it is wrong", "mend it")
    assert error.message() == "it is wrong"
    assert error.context == {"problem": "it is wrong", "hint": "mend it"}
