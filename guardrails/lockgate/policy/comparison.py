"""The commonest condition, a detector's count or score against a number, without CEL.

CEL's library takes some eight MiB and a tenth of a second to load, and the shipped policies need no more than this.
What is not of this form, or not right in it, is CEL's. A test holds both to one answer.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

_FORM = re.compile(r" *([a-z][a-z0-9_]*)\.(count|score) *(>=|<=|==|!=|>|<) *([0-9]{1,15}(?:\.[0-9]{1,15})?) *")
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """``kind.name operator number``."""

    kind: str
    name: str
    compare: Callable[[float, float], bool]
    number: float

    @property
    def variable(self) -> str:
        return f"{self.kind}.{self.name}"

    def holds(self, value: float) -> bool:
        return self.compare(value, self.number)


def read_comparison(expression: str, kinds: Collection[str]) -> Comparison | None:
    """The comparison that `expression` is, if it is one of a detector in `kinds`: a count with a whole number, a score
    with one that has a point, as CEL's types want it."""
    found = _FORM.fullmatch(expression)
    if found is None or found[1] not in kinds or (found[2] == "score") != ("." in found[4]):
        return None
    number = float(found[4]) if found[2] == "score" else int(found[4])
    return Comparison(found[1], found[2], _OPERATORS[found[3]], number)
