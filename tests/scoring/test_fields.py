from __future__ import annotations

import pytest

from lockgate.scoring.fields import field_of


@pytest.mark.parametrize(
    ("family", "there", "field"),
    [
        ("injection", "text prompt response context", "text"),
        ("injection", "prompt response context", "prompt"),
        ("injection", "response context", None),
        ("advice", "prompt response", "prompt"),
        ("advice", "response", None),
        ("indirect", "context text prompt", "context"),
        ("indirect", "text prompt", "text"),
        ("indirect", "prompt response", None),
        ("harm", "prompt response text", "response"),
        ("harm", "text prompt", "text"),
        ("harm", "prompt", "prompt"),
        ("harm", "context", None),
        ("toxicity", "text response", "text"),
        ("bias", "prompt response", "response"),
        ("refusal", "prompt", "prompt"),
        ("refusal", "context", None),
        ("spam", "prompt response", "response"),
        ("groundedness", "context response prompt", "response"),
        ("groundedness", "prompt response", None),
        ("groundedness", "context prompt", None),
        ("sycophancy", "prompt response", "response"),
        ("sycophancy", "response", None),
        ("hedging", "response", "response"),
        ("hedging", "prompt", None),
        ("unanswerable", "prompt response", "prompt"),
        ("false_premise", "text", "text"),
    ],
)
def test_every_head_has_its_text(family: str, there: str, field: str | None) -> None:
    assert field_of(family, dict.fromkeys(there.split(), "")) == field
