"""What a labelled row says of our labels, and of spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lockgate.scoring.rows import FIELDS
from lockgate.scoring.spans import Span

Labels = Mapping[str, bool]

SPAN_LABELS: Mapping[str, str] = {
    "ACCOUNT_NUMBER": "BANK_ACCOUNT",
    "AADHAR": "IN_AADHAAR",
    "ADDRESS": "STREET_ADDRESS",
    "BANK_ACCOUNT_NUM": "BANK_ACCOUNT",
    "CORPORATION": "ORGANIZATION",
    "DRIVER_LICENSE_NUM": "DRIVER_LICENSE",
    "EMAIL": "EMAIL_ADDRESS",
    "GPE": "LOCATION",
    "IBAN": "IBAN_CODE",
    "LOC": "LOCATION",
    "MEDICAL_RECORD": "MEDICAL_RECORD_NUMBER",
    "ORG": "ORGANIZATION",
    "PAN": "IN_PAN",
    "PASSPORT_NUM": "PASSPORT",
    "PER": "PERSON",
    "PHONE": "PHONE_NUMBER",
    "ROUTING_NUMBER": "ABA_ROUTING_NUMBER",
    "SSN": "US_SSN",
    "US_DRIVER_LICENSE": "DRIVER_LICENSE",
}
"""Others' words for what `pii` finds under presidio's."""

_ADVICE = ("none", "legal", "medical", "financial")
_HATE = frozenset({"hate", "hateful", "sexism", "racism"})
_NO_HATE = frozenset({"abusive", "offensive"})
_TOXIC = _HATE | _NO_HATE | {"toxic"}
_HATE_ONLY = frozenset({"rewire-online/edos"})
"""Sources that were labelled for hate alone: where they have no label, a text may still be toxic."""


@dataclass(frozen=True, slots=True)
class Truth:
    """`labels`: those of which something is known. `spans`: field → spans, None where they are not labelled. What a rule
    or a name is called elsewhere is called as here, all else is as it was."""

    labels: Labels = field(default_factory=dict)
    spans: tuple[str, Sequence[Span]] | None = None


def truth_of(said: Mapping[str, Any]) -> Truth:
    """What a row is labelled with: its `labels` (label → 0 or 1, or a family's word), or what its `task` makes of
    `label`; its `spans` where the task is `pii`. Nothing where neither says anything that we ask."""
    task = said.get("task")
    named = said.get("labels")
    if isinstance(named, Mapping):
        labels = _named(named)
    else:
        labels = _TASKS[task](said.get("label")) if isinstance(task, str) and task in _TASKS else {}
        if said.get("source") in _HATE_ONLY and labels.get("toxicity") is False:
            labels = {label: value for label, value in labels.items() if label != "toxicity"}
    return Truth(labels, _spans(said) if task == "pii" or (task is None and "spans" in said) else None)


def _named(named: Mapping[str, Any]) -> Labels:
    """A label of a family that holds says that the family does, where the row does not."""
    found: dict[str, bool] = {}
    for label, value in named.items():
        if label == "advice" and value in _ADVICE:
            found |= _advice(value)
        elif label == "topic" and isinstance(value, str | list):
            found[label] = bool(value) and value != "none"  # which of a rule's topics: `topics.py` says
        elif isinstance(value, bool | int | float) and value in (0, 1):
            found[label] = bool(value)
    for label, value in list(found.items()):
        family = label.partition(".")[0]
        if value and family != "advice":
            found.setdefault(family, True)
    return found


def _advice(word: str) -> Labels:
    return {f"advice.{name}": name == word for name in _ADVICE}


def _yes_or_no(*labels: str) -> Callable[[Any], Labels]:
    return lambda label: dict.fromkeys(labels, bool(label)) if label in (0, 1) and not isinstance(label, list) else {}


def _moderation(label: Any) -> Labels:
    if not isinstance(label, list):
        return {}
    words = {word for word in label if isinstance(word, str)}
    found: dict[str, bool] = {}
    if not words or words & _TOXIC:
        found["toxicity"] = bool(words)
    if not words or words & _HATE or words <= _NO_HATE:
        found["harm.hate"] = bool(words & _HATE)
    return found


def _bias(label: Any) -> Labels:
    return _moderation(label) if isinstance(label, list) else _yes_or_no("bias")(label)


def _domain(label: Any) -> Labels:
    word = "none" if label == [] else label[0] if isinstance(label, list) and len(label) == 1 else label
    return _advice(word) if isinstance(word, str) and word in _ADVICE else {}


_TASKS: Mapping[str, Callable[[Any], Labels]] = {
    "jailbreak": _yes_or_no("injection"),
    "indirect_injection": _yes_or_no("indirect"),
    "harmful_request": _yes_or_no("harm"),
    "moderation": _moderation,
    "bias": _bias,
    "regulated_advice": _domain,
    "groundedness": lambda label: {} if label == 2 else _yes_or_no("groundedness")(label),
    "benign": lambda _: {"injection": False, "harm": False, "toxicity": False},
}
"""Task → what its `label` says. A task that is not here says nothing."""


def _spans(said: Mapping[str, Any]) -> tuple[str, Sequence[Span]] | None:
    """In `text`, else in `response`, else in `prompt`; a span may name its field itself, if all name one."""
    raw = said.get("spans")
    if not isinstance(raw, list):
        return None
    spans = [span for span in raw if isinstance(span, Mapping)]
    fields = {span["field"] for span in spans if "field" in span}
    there = [name for name in ("text", "response", "prompt", "context") if isinstance(said.get(name), str)]
    where = fields.pop() if len(fields) == 1 else there[0] if there and not fields else None
    if where not in FIELDS or not isinstance(said.get(where), str):
        return None
    found = []
    for span in spans:
        start, end, label = span.get("start"), span.get("end"), span.get("label")
        if isinstance(start, int) and isinstance(end, int) and isinstance(label, str) and 0 <= start < end:
            found.append(Span(start, end, SPAN_LABELS.get(label, label), 1.0))
    return where, found
