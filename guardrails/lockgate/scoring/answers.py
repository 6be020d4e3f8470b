"""Answers, given what was asked, by a model of the pair form."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.detectors.classifier import Read
from lockgate.detectors.model import Model
from lockgate.detectors.units import Unit, each
from lockgate.normalise import seen


async def read_answers(pair: Model, asked: Sequence[tuple[str, str]]) -> list[list[Read]]:
    """What the model says of each (prompt, answer), sentence by sentence of the answer. One batch. Raises
    OverloadedError, BackendError."""
    plans = [each(answer) or [Unit(0, 0, 0)] for _, answer in asked]
    pairs = [
        (seen(prompt), seen(answer[unit.start : unit.end]))
        for (prompt, answer), units in zip(asked, plans, strict=True)
        for unit in units
    ]
    scores = iter(await pair.classifier().scores(pairs, "score"))
    return [[Read(unit, next(scores), []) for unit in units] for units in plans]
