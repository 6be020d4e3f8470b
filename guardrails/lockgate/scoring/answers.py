"""Answers, given what was asked: by the pair model where there is one, else as texts of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from lockgate.detectors.classifier import Read
from lockgate.detectors.model import Model
from lockgate.detectors.units import each
from lockgate.normalise import fold

FAMILY = "harm"
"""What is asked of an answer together with its prompt."""


async def read_answers(pair: Model, asked: Sequence[tuple[str, str]]) -> list[list[Read]]:
    """What a model of the form `pair` says of each (prompt, answer), sentence by sentence of the answer. One batch.
    Raises OverloadedError, BackendError."""
    plans = [each(answer) for _, answer in asked]
    pairs = [
        (fold(prompt), fold(answer[unit.start : unit.end]))
        for (prompt, answer), units in zip(asked, plans, strict=True)
        for unit in units
    ]
    # A classifier of pairs takes pairs where one of texts takes texts.
    scores = iter(await pair.classifier().scores(cast("Any", pairs)))
    return [[Read(unit, next(scores), []) for unit in units] for units in plans]
