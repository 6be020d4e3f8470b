"""Policies made in Python, and a detector of one's own, for tests of what runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from lockgate.detectors.catalog import CATALOG, Entry
from lockgate.detectors.protocol import SENTENCE, Reach
from lockgate.exchange import Exchange, Segment
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Finding


class Tone(BaseModel):
    model_config = ConfigDict(extra="forbid")

    above: float = 0.5
    spans: bool = True

    @field_validator("above")
    @classmethod
    def _below_one(cls, above: float) -> float:
        if above > 1:
            raise ValueError("a score is 1 at most")
        return above


class ToneDetector:
    """Judges sentences: rude if they have "fool" in them; "crash" makes it crash."""

    kind = "tone"
    labels = frozenset({"RUDE"})
    languages: frozenset[str] = frozenset()
    reach: Reach = SENTENCE

    def __init__(self, config: Tone) -> None:
        self.gives_spans = config.spans

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> list[Finding]:
        found = []
        for segment in segments:
            if "crash" in segment.text:
                raise RuntimeError("told to")
            at = segment.text.find("fool")
            if at >= 0:
                found.append(Finding("tone", "RUDE", 0.9, segment.where, (at, at + 4) if self.gives_spans else None))
        return found


EXTENDED = {**CATALOG, "tone": Entry(Tone, ToneDetector)}
"""The catalog, and `tone`."""

WORDS: dict[str, Any] = {"words": {"words": ["secret"]}}


def policy_of(*rules: dict[str, Any], **top: Any) -> Policy:
    """A policy of these rules; one that does not say so refuses, on both sides."""
    filled = [
        {"id": f"r{i}", "side": ["prompt", "completion"], "then": "refuse", **rule} for i, rule in enumerate(rules)
    ]
    return Policy.model_validate({"version": 1, "name": "t", "rules": filled, **top})


def plan_of(*rules: dict[str, Any], **top: Any) -> Plan:
    """`policy_of` them, compiled."""
    return compile_policy(policy_of(*rules, **top), catalog=EXTENDED)
