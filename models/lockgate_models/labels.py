"""What the text encoder answers: its labels, in the order of its outputs.

A *family* is one question with one pooling of the text; its labels are independent probabilities, but for `advice`,
whose labels exclude each other. A family's first label, where it carries the family's own name, is the question itself
("is this harmful at all"), the others say of what kind.
"""

from __future__ import annotations

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
