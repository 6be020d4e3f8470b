from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.detectors.checks import mod97
from lockgate.detectors.pii import PiiConfig, build
from lockgate.detectors.pii_iban import FORMS
from looking import Looker

LOOK = Looker(build(PiiConfig(kinds=("IBAN_CODE",))))


def values(text: str) -> list[str]:
    return [value for _, value in LOOK(text)]


@pytest.mark.parametrize(
    "number",
    [
        "AD1200012030200359100100", "AE070331234567890123456", "AT611904300234573201", "BE68539007547034",
        "BR9700360305000010009795493P1", "CH9300762011623852957", "CY17002001280000001200527600",
        "DE89370400440532013000", "DK5000400440116243", "ES9121000418450200051332", "FI2112345600000785",
        "FR1420041010050500013M02606", "GB29NWBK60161331926819", "GR1601101250000000012300695",
        "IE29AIBK93115212345678", "IT60X0542811101000000123456", "LU280019400644750000", "MT84MALT011000012345MTLCAST001S",
        "NL91ABNA0417164300", "NO9386011117947", "PL61109010140000071219812874", "PT50000201231234567890154",
        "SA0380000000608010167519", "SE4550000000058398257466", "TR330006100519786457841326", "UA213223130000026007233566001",
    ],
)  # fmt: skip
def test_the_registry_s_examples_in_every_form(number: str) -> None:
    fours = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    for written in (number, number.lower(), fours, fours.replace(" ", "-"), fours.lower()):
        assert values(f"to {written}, please") == [written]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("IBAN: GB82 WEST 1234 5698 7654 32 by Friday", ["GB82 WEST 1234 5698 7654 32"]),
        ("GB82 WEST 1234 5698 7654 32 BIC WESTGB2L", ["GB82 WEST 1234 5698 7654 32"]),
        ("from AT61 1904 to DE89 3704 0044 0532 0130 00 and on", ["DE89 3704 0044 0532 0130 00"]),
        ("DE89370400440532013000 GB82WEST12345698765432", ["DE89370400440532013000", "GB82WEST12345698765432"]),
        ("账号DE89370400440532013000。", ["DE89370400440532013000"]),
        (r"x\nDE89370400440532013000", ["DE89370400440532013000"]),
        ("ＤＥ89370400440532013000", ["ＤＥ89370400440532013000"]),
        ("DE89370400440532013001", []),
        ("DE893704004405320130", []),
        ("DE893704004405320130000", []),
        ("XDE89370400440532013000", []),
        ("US89370400440532013000", []),
        ("SE16 8EN is a postcode, NO12 is not a bank and AT61 1904 3002 stops", []),
    ],
)
def test_account_numbers(text: str, found: list[str]) -> None:
    assert values(text) == found


@given(st.sampled_from(sorted(FORMS)), st.data())
def test_every_country_has_a_form_that_is_found(country: str, data: st.DataObject) -> None:
    alphabets = {"n": "0123456789", "a": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "c": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    national, count = "", ""
    for char in FORMS[country]:
        if char.isdigit():
            count += char
        else:
            national += data.draw(st.text(alphabets[char], min_size=int(count), max_size=int(count)))
            count = ""
    number = next(f"{country}{n:02}{national}" for n in range(2, 99) if mod97(f"{country}{n:02}{national}"))
    assert len(number) <= 34
    assert values(number) == [number]
    wrong = number[:2] + f"{(int(number[2:4]) + 1) % 100:02}" + number[4:]
    assert values(wrong) == []
