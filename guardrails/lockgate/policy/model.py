"""What all models of a policy's parts share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Model(BaseModel):
    """What all parts of a policy share: closed, and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def problem(text: str, hint: str = "") -> PydanticCustomError:
    """A validation error with a hint."""
    return PydanticCustomError("policy_problem", "{problem}", {"problem": text, "hint": hint})
