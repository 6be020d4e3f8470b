from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate import masks as module
from lockgate.masks import Masker, Mode

KEY = b"a key of sixteen"


@pytest.mark.parametrize(
    ("mode", "label", "form"),
    [
        ("hash", "IBAN_CODE", r"\[IBAN_CODE_[0-9a-f]{16}\]"),
        ("hash", "EMAIL_ADDRESS", r"\[EMAIL_ADDRESS_[0-9a-f]{16}\]"),
        ("pseudonym", "PERSON", r"\[PERSON_[2-9b-z]{6}\]"),
        ("pseudonym", "order-no.", r"\[ORDER_NO_[2-9b-z]{6}\]"),
        ("pseudonym", "名", r"\[VALUE_[2-9b-z]{6}\]"),
        ("pseudonym", "EMAIL_ADDRESS", r"email-[2-9b-z]{6}@example\.com"),
    ],
)
def test_what_masks_look_like(mode: Mode, label: str, form: str) -> None:
    mask = Masker(KEY).masks().mask(mode, label, "Anna")
    assert re.fullmatch(form, mask)
    assert "Anna" not in mask


@given(st.lists(st.text(max_size=20), min_size=1, max_size=20), st.sampled_from(["hash", "pseudonym"]))
def test_a_value_has_one_mask_under_one_key_and_another_under_another(values: list[str], mode: Mode) -> None:
    first, again = Masker(KEY).masks("shop"), Masker(KEY).masks("shop")
    told = {value: first.mask(mode, "PERSON", value) for value in values}
    assert {value: again.mask(mode, "PERSON", value) for value in reversed(values)} == told
    assert len(set(told.values())) == len(told)
    for other in (Masker(KEY).masks("bank"), Masker(KEY + b"2").masks("shop"), Masker().masks("shop")):
        assert all(other.mask(mode, "PERSON", value) != mask for value, mask in told.items())


def test_values_that_would_share_a_mask_take_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LENGTH", 1)  # 28 masks to be had
    masks = Masker(KEY).masks()
    told = [masks.mask("pseudonym", "PERSON", f"name {i}") for i in range(20)]
    assert len(set(told)) == 20
    assert [masks.mask("pseudonym", "PERSON", f"name {i}") for i in range(20)] == told


def test_what_was_sent_is_known_and_only_what_is_restored_has_an_original() -> None:
    masks = Masker(KEY).masks()
    anna, bob, carl = (masks.mask("pseudonym", "PERSON", name) for name in ("Anna", "Bob", "Carl"))
    masks.sent([(anna, True), (bob, False), ("[REDACTED]", False)])
    assert masks.originals == {anna: "Anna"}
    assert [masks.is_sent(mask) for mask in (anna, anna.upper()[1:-1], bob, carl, "[REDACTED]", "")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
