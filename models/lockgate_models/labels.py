"""What the text encoder answers: its labels, in the order of its outputs.

A *family* is one question with one pooling of the text; its labels are independent probabilities, but for `advice`,
whose labels exclude each other. A family's first label, where it carries the family's own name, is the question itself
("is this harmful at all"), the others say of what kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FAMILIES: dict[str, tuple[str, ...]] = {
    "injection": ("injection",),
    "indirect": ("indirect",),
    "harm": (
        "harm",
        "harm.harassment",
        "harm.harassment/threatening",
        "harm.hate",
        "harm.hate/threatening",
        "harm.illicit",
        "harm.illicit/violent",
        "harm.self-harm",
        "harm.self-harm/intent",
        "harm.self-harm/instructions",
        "harm.sexual",
        "harm.sexual/minors",
        "harm.violence",
        "harm.violence/graphic",
        "harm.weapons",
        "harm.drugs",
        "harm.cyber",
        "harm.fraud",
        "harm.privacy",
    ),
    "toxicity": ("toxicity", "toxicity.insult", "toxicity.profanity", "toxicity.threat"),
    "bias": ("bias",),
    "refusal": ("refusal",),
    "advice": ("advice.none", "advice.legal", "advice.medical", "advice.financial"),
}
"""Family → its labels. The thirteen categories of the moderation API keep its names, behind `harm.`."""

PAIR: dict[str, tuple[str, ...]] = {"harm": FAMILIES["harm"], "refusal": FAMILIES["refusal"]}
"""What the pair form answers of an answer, given what it answers."""

EXCLUSIVE = frozenset({"advice"})
"""Families of which exactly one label holds (softmax); in the others each label stands for itself (sigmoid)."""

LABELS: tuple[str, ...] = tuple(label for labels in FAMILIES.values() for label in labels)

NAMES: tuple[str, ...] = ("PERSON", "LOCATION", "ORGANIZATION", "STREET_ADDRESS")
"""What the token head marks, in presidio's terms where it has one."""

TAGS: tuple[str, ...] = ("O", *(f"{side}-{name}" for name in NAMES for side in ("B", "I")))
"""The token head's classes: outside, begin and inside of each name."""

HONESTY: dict[str, tuple[str, ...]] = {
    "groundedness": ("groundedness",),
    "sycophancy": ("sycophancy",),
    "hedging": ("hedging",),
    "unanswerable": ("unanswerable",),
    "false_premise": ("false_premise",),
}
"""What is asked of answers and questions for honesty's sake. `groundedness` is 1 where a text is *not* supported."""

UNSUPPORTED = "unsupported"
MARKS: tuple[str, ...] = ("O", f"I-{UNSUPPORTED}")
"""The token head's classes of the honesty form."""

ALL: tuple[str, ...] = (*LABELS, *(label for labels in HONESTY.values() for label in labels))
"""All labels of all forms, as a row may teach them."""


@dataclass(frozen=True, slots=True)
class Form:
    """What one model answers, and how it reads: `lead` tokens of what stands before the text (0: nothing does), windows
    of `window` tokens that share `overlap`, rows of a fit cut to `longest`."""

    families: Mapping[str, tuple[str, ...]]
    tags: tuple[str, ...] = ()
    lead: int = 0
    window: int = 128
    overlap: int = 32
    longest: int = 96


FORMS: dict[str, Form] = {
    "text": Form(FAMILIES, TAGS),
    "pair": Form(PAIR, lead=40),
    "honesty": Form(HONESTY, MARKS, lead=160, window=256, longest=232),
}
"""By name: a text, an answer with its prompt, a sentence with its evidence."""
