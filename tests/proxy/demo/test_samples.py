from __future__ import annotations

import inspect

import pytest

from lockgate import Guard
from lockgate_proxy.demo import samples


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (samples.CARD, "CREDIT_CARD"),
        (samples.OTHER_CARD, "CREDIT_CARD"),
        (samples.IBAN, "IBAN_CODE"),
        (samples.OTHER_IBAN, "IBAN_CODE"),
        (samples.SSN, "US_SSN"),
        (samples.EMAIL, "EMAIL_ADDRESS"),
        (samples.PHONE, "PHONE_NUMBER"),
        (samples.OPENAI_KEY, "OPENAI_API_KEY"),
        (samples.STRIPE_KEY, "STRIPE_API_KEY"),
        (samples.PRIVATE_KEY, "PRIVATE_KEY"),
        (samples.HIDDEN_ORDER, "TAG_CHARACTERS"),
        (samples.CODE_NAME, "CODE_NAME"),
        (samples.CODE_NAME_DISGUISED, "CODE_NAME"),
    ],
)
def test_each_is_what_it_is_meant_for(guard: Guard, text: str, label: str) -> None:
    verdict = guard.check(f"see {text} here")
    assert label in {finding.label for finding in verdict.findings}


def test_an_honest_joiner_is_not_found(guard: Guard) -> None:
    assert "\u200d" in samples.FAMILY
    assert guard.check(f"the {samples.FAMILY} family").findings == []


def test_no_key_stands_whole_in_the_file() -> None:
    source = inspect.getsource(samples)
    for key in (samples.OPENAI_KEY, samples.STRIPE_KEY, samples.PRIVATE_KEY.splitlines()[0]):
        assert key not in source


def test_tags_spell_the_text() -> None:
    assert "".join(chr(ord(char) - 0xE0000) for char in samples.tagged("Go.")) == "Go."
