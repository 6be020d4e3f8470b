"""Which text of a row answers which head."""

from __future__ import annotations

from collections.abc import Mapping

_EITHER = ("text", "prompt")
_SAID = ("text", "response", "prompt")

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "injection": _EITHER,
    "indirect": ("context", "text"),
    "harm": ("response", *_EITHER),
    "advice": _EITHER,
    "toxicity": _SAID,
    "bias": _SAID,
    "refusal": _SAID,
    "groundedness": ("response",),
    "sycophancy": ("response",),
    "hedging": ("response",),
    "unanswerable": ("prompt", "text"),
    "false_premise": ("prompt", "text"),
}
_BESIDE: Mapping[str, str] = {"groundedness": "context", "sycophancy": "prompt"}
"""Family → the field that must be there beside the one that it is asked of."""
"""Family → the fields that it may be asked of, the first that is there."""


def field_of(family: str, texts: Mapping[str, str]) -> str | None:
    """The field that a family is asked of; None if the row has none for it. What is not in the table is asked as
    toxicity is."""
    if _BESIDE.get(family, next(iter(texts), "")) not in texts:
        return None
    return next((name for name in _FIELDS.get(family, _SAID) if name in texts), None)
