from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.detectors.pii import PiiConfig, build
from lockgate.detectors.pii_crypto import base58check, bech32, eip55, keccak256, mixed, plain_hex
from looking import Looker

LOOK = Looker(build(PiiConfig(kinds=("CRYPTO",))))

CHECKED = [
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",  # the first block's
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",  # BIP 173
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",  # BIP 350
    "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
    "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9",
    "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8",
    "addr1vpu5vlrf4xkxv2qpwngf6cjhtw542ayty80v8dyr49rf5eg0yu80w",  # CIP 19
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",  # EIP 55
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
"""Addresses from the standards' own examples, or that everybody knows."""


@pytest.mark.parametrize("address", CHECKED)
def test_addresses(address: str) -> None:
    for text in (address, f"send to {address}.", f'"{address}",', rf"a\n{address}", f"地址{address}。"):
        assert LOOK(text) == [("CRYPTO", address)]
    assert LOOK(f"x{address}") == []
    assert LOOK(f"{address}x") == []


@given(st.sampled_from(CHECKED), st.integers(4, 33), st.sampled_from("qpzry9x8gf23456789"))
def test_one_wrong_character(address: str, place: int, char: str) -> None:
    wrong = address[:place] + char + address[place + 1 :]
    if wrong.lower() != address.lower() and not address.startswith("0x"):
        assert LOOK(wrong) == []


@pytest.mark.parametrize(
    "address", ["0xdE709f2102306220921060314715629080e2fb77", "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"]
)
def test_a_wrong_mixture_of_cases(address: str) -> None:
    assert LOOK(address) == []
    assert not eip55(address)


def test_one_case_has_no_checksum_and_scores_less() -> None:
    address = "0xde709f2102306220921060314715629080e2fb77"
    assert LOOK(address) == [("CRYPTO", address)]
    assert Looker(build(PiiConfig(kinds=("CRYPTO",), min_score=0.9)))(address) == []
    assert plain_hex(address)
    assert not mixed(address)
    assert not plain_hex("0x" + "0" * 40)


def test_hashes() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"abc").hex() == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


def test_checksums_by_themselves() -> None:
    assert base58check("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")
    assert not base58check("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3")
    assert bech32("A12UEL5L")
    assert not bech32("A12uEL5L")
    assert not bech32("A12UEL5B")
