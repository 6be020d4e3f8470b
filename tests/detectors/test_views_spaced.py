"""Values whose characters, punctuation included, have a space between them."""

from __future__ import annotations

import pytest

from lockgate.detectors.pii import PiiConfig
from lockgate.detectors.pii import build as build_pii
from lockgate.detectors.secrets import SecretsConfig
from lockgate.detectors.secrets import build as build_secrets
from looking import Looker

PII = Looker(build_pii(PiiConfig()))
SECRETS = Looker(build_secrets(SecretsConfig()))

KEY = "sk-proj-" + "4fQ8mZ1xKp7Lw2Vt9" + "Rb3Ny6Hc5Dj0GsT1uXa"


def spaced(text: str) -> str:
    return " ".join(text)


@pytest.mark.parametrize("around", ["{}", "use {} please", "({}).", "x: {}, y"])
def test_a_key(around: str) -> None:
    text = around.format(spaced(KEY))
    assert SECRETS(text) == [("OPENAI_API_KEY", spaced(KEY))]
    for at in range(0, len(text), 5):
        assert SECRETS.in_pieces(text, at) == SECRETS(text), at


@pytest.mark.parametrize(
    ("label", "value"),
    [("EMAIL_ADDRESS", "anna@example.com"), ("IP_ADDRESS", "203.0.113.9"), ("DE_TAX_ID", "86095742719")],
)
@pytest.mark.parametrize("around", ["{}", "write to {} please", "({})."])
def test_personal_data(label: str, value: str, around: str) -> None:
    assert (label, spaced(value)) in PII(around.format(spaced(value)))


@pytest.mark.parametrize("text", ["a . b . c . d", "x = a + b - c : d / e", "1 + 2 - 3 / 4 = 5 : 6"])
def test_near_misses(text: str) -> None:
    assert SECRETS(text) == []
    assert PII(text) == []
