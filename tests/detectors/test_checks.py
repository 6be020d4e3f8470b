from __future__ import annotations

import math
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.detectors.checks import (
    ESCAPE,
    card_network,
    card_number,
    closed,
    crc_suffix,
    entropy,
    luhn,
    mod97,
    opening,
    social_security_number,
)

DIGITS = st.text("0123456789", min_size=1, max_size=24)


def with_luhn(body: str) -> str:
    return next(body + digit for digit in "0123456789" if luhn(body + digit))


@pytest.mark.parametrize(
    ("digits", "right"),
    [
        ("79927398713", True),
        ("79927398710", False),
        ("4111111111111111", True),
        ("4111111111111112", False),
        ("0", True),
        ("", False),
    ],
)
def test_luhn(digits: str, right: bool) -> None:
    assert luhn(digits) is right


@given(DIGITS)
def test_luhn_has_one_check_digit_and_sees_each_wrong_one(body: str) -> None:
    whole = with_luhn(body)
    assert sum(luhn(body + digit) for digit in "0123456789") == 1
    for place, digit in enumerate(whole):
        wrong = whole[:place] + str((int(digit) + 1) % 10) + whole[place + 1 :]
        assert not luhn(wrong)


@pytest.mark.parametrize(
    ("digits", "network"),
    [
        ("4111111111111111", "visa"),
        ("4222222222222", "visa"),
        ("411111111111111", ""),
        ("5555555555554444", "mastercard"),
        ("2221000000000009", "mastercard"),
        ("2720990000000000", "mastercard"),
        ("2721000000000000", ""),
        ("378282246310005", "amex"),
        ("3782822463100050", ""),
        ("6011111111111117", "discover"),
        ("6221260000000000", "unionpay"),
        ("3530111333300000", "jcb"),
        ("30569309025904", "diners"),
        ("6759649826438453", "maestro"),
        ("2200123456789019", "mir"),
        ("1234567890123456", ""),
        ("9999999999999999", ""),
    ],
)
def test_card_network(digits: str, network: str) -> None:
    assert card_network(digits) == network


def test_a_card_number_has_more_than_one_digit_to_it() -> None:
    assert not card_number("4" * 16)
    assert card_number("4242424242424242")
    assert not card_number("4242424242424241")


@pytest.mark.parametrize(
    ("number", "right"),
    [
        ("GB82WEST12345698765432", True),
        ("GB82WEST12345698765433", False),
        ("DE89370400440532013000", True),
        ("DE98370400440532013000", False),
        ("GB82", False),
    ],
)
def test_mod97(number: str, right: bool) -> None:
    assert mod97(number) is right


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=30))
def test_mod97_accepts_exactly_the_check_digits_that_fit(national: str) -> None:
    right = [f"{n:02}" for n in range(2, 99) if mod97(f"XX{n:02}{national}")]
    assert len(right) == 1


@pytest.mark.parametrize(
    ("digits", "right"),
    [
        ("536221234", True),
        ("899010001", True),
        ("000123456", False),
        ("666123456", False),
        ("900123456", False),
        ("536001234", False),
        ("536220000", False),
    ],
)
def test_social_security_number(digits: str, right: bool) -> None:
    assert social_security_number(digits) is right


@pytest.mark.parametrize(("text", "bits"), [("", 0.0), ("aaaa", 0.0), ("abab", 1.0), ("0123456789abcdef", 4.0)])
def test_entropy(text: str, bits: float) -> None:
    assert math.isclose(entropy(text), bits)


@given(st.text(max_size=64))
def test_entropy_lies_between_none_and_that_of_all_different(text: str) -> None:
    assert 0 <= entropy(text) <= math.log2(max(1, len(text))) + 1e-9


@given(st.text("ABCabc0189", min_size=1, max_size=30))
def test_crc_suffix_is_the_checksum_in_base_62(body: str) -> None:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value, suffix = zlib.crc32(body.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        suffix = alphabet[digit] + suffix
    assert crc_suffix(f"ghp_{body}{suffix}")
    assert not crc_suffix(f"ghp_{body}{suffix[:-1]}{'A' if suffix[-1] != 'A' else 'B'}")
    assert not crc_suffix("ghp_" + suffix)


@pytest.mark.parametrize(
    ("before", "candidate", "begins"),
    [
        ("", "key", 0),
        (" ", "key", 1),
        ("x", "key", -1),
        ("_", "key", -1),
        ("x", r"\nkey", 3),
        ("x", r"\u00e9key", 7),
        ("x", "%20key", 4),
        ("は", "key", 1),
        ("é", "key", 1),
    ],
)
def test_opening_sees_words_and_takes_escapes_off(before: str, candidate: str, begins: int) -> None:
    assert re.fullmatch(ESCAPE + "key", candidate)
    assert opening(before + candidate, len(before), len(before + candidate)) == begins


@pytest.mark.parametrize(
    ("text", "end", "free"), [("key", 3, True), ("keys", 3, False), ("key.", 3, True), ("keyは", 3, True)]
)
def test_closed(text: str, end: int, free: bool) -> None:
    assert closed(text, end) is free
