"""Presidio as an oracle for identity and tax numbers: of numbers that are nearly right, both let the same ones through,
but for what `DIFFERENT` says."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache

import pytest

from detectors.test_pii_table import EXAMPLES
from lockgate.detectors import pii, presidio
from looking import Looker

pytestmark = pytest.mark.full

TEXTS = 1000
"""Generated for each kind: an example with up to three other digits."""

RECOGNIZERS = {
    "ABA_ROUTING_NUMBER": "AbaRoutingRecognizer",
    "AU_ABN": "AuAbnRecognizer",
    "AU_MEDICARE": "AuMedicareRecognizer",
    "AU_TFN": "AuTfnRecognizer",
    "CA_SIN": "CaSinRecognizer",
    "DE_SOCIAL_INSURANCE": "DeSocialSecurityRecognizer",
    "DE_TAX_ID": "DeTaxIdRecognizer",
    "ES_NIE": "EsNieRecognizer",
    "ES_NIF": "EsNifRecognizer",
    "FI_PERSONAL_IDENTITY_CODE": "FiPersonalIdentityCodeRecognizer",
    "IN_AADHAAR": "InAadhaarRecognizer",
    "IN_PAN": "InPanRecognizer",
    "IT_FISCAL_CODE": "ItFiscalCodeRecognizer",
    "KR_RRN": "KrRrnRecognizer",
    "MEDICAL_LICENSE": "MedicalLicenseRecognizer",
    "PL_PESEL": "PlPeselRecognizer",
    "SE_PERSONNUMMER": "SePersonnummerRecognizer",
    "SG_NRIC_FIN": "SgFinRecognizer",
    "TH_TNIN": "ThTninRecognizer",
    "TR_TCKN": "TrNationalIdRecognizer",
    "UK_NHS": "NhsRecognizer",
    "UK_NINO": "UkNinoRecognizer",
    "US_ITIN": "UsItinRecognizer",
    "US_MEDICARE_ID": "UsMbiRecognizer",
    "US_NPI": "UsNpiRecognizer",
    "ZA_ID": "ZaIdNumberRecognizer",
}
"""Kind → the recogniser of Presidio's that knows it, too."""

THEIR_NAMES = {
    "DE_SOCIAL_INSURANCE": "DE_SOCIAL_SECURITY",
    "TR_TCKN": "TR_NATIONAL_ID",
    "US_MEDICARE_ID": "US_MBI",
    "ZA_ID": "ZA_ID_NUMBER",
}
MORE = {"CA_SIN": ["146-454-284"], "KR_RRN": ["971013-1019906"]}
"""Examples of what both know, where those of our table are among the differences."""

UNSPACED = frozenset({"CA_SIN", "DE_SOCIAL_INSURANCE", "DE_TAX_ID", "ES_NIE", "IT_FISCAL_CODE", "TH_TNIN", "ZA_ID"})
"""Kinds whose separators Presidio doesn't read, or not ours."""

CHECKED = frozenset({"IT_FISCAL_CODE", "KR_RRN"})
"""Kinds of which Presidio also gives those whose check is wrong, with a lower score: only those that are right count."""

DIFFERENT: dict[str, tuple[str, Callable[[str], bool]]] = {
    "ABA_ROUTING_NUMBER": (
        "Presidio takes numbers outside the Federal Reserve's districts",
        lambda number: not re.match("0[1-9]|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80", number),
    ),
    "AU_MEDICARE": ("a card's issue begins at 1; Presidio takes 0", lambda number: number[-1] == "0"),
    "CA_SIN": ("0 is for temporary numbers, which Presidio leaves out", lambda number: number[0] == "0"),
    "DE_TAX_ID": (
        "exactly one digit stands there more than once; Presidio looks only that none is there four times",
        lambda number: sorted(number[:10].count(digit) > 1 for digit in set(number[:10]))[-2:] != [False, True],
    ),
    "KR_RRN": (
        "Presidio has foreigners (5 to 8) as a kind of their own, and nobody born before 1900 (9, 0); a day is not looked at",
        lambda number: (
            number[7] not in "1234" or not "0101" <= number[2:6] <= "1231" or "00" in (number[2:4], number[4:6])
        ),
    ),
    "SG_NRIC_FIN": ("Presidio does not compute the check letter", lambda _: True),
    "TH_TNIN": ("nobody's number begins with 9; Presidio takes it", lambda number: number[0] == "9"),
    "US_MEDICARE_ID": ("the first digit is 1 to 9; Presidio takes 0", lambda number: number[0] == "0"),
    "ZA_ID": (
        "the last digit but one was once the race's; Presidio wants 8 or 9",
        lambda number: number[-2] not in "89",
    ),
}
"""Kind → why, and of which numbers."""


@cache
def ours(kind: str) -> Looker:
    return Looker(pii.build(pii.PiiConfig.model_validate({"kinds": [kind], "min_score": 0.1})))


@cache
def theirs(kind: str) -> presidio.PresidioDetector:
    entity = THEIR_NAMES.get(kind, kind)
    config = {"recognizers": [RECOGNIZERS[kind]], "entities": [entity]}
    return presidio.build(presidio.PresidioConfig.model_validate(config))


@cache
def drawn(kind: str) -> tuple[str, ...]:
    draw = random.Random(kind)
    examples = [number for label, number, _ in EXAMPLES if label == kind] + MORE.get(kind, [])
    numbers = []
    for _ in range(TEXTS):
        number = draw.choice(examples)
        for _ in range(draw.randrange(4)):
            at = draw.choice([i for i, char in enumerate(number) if char.isdigit()])
            number = number[:at] + draw.choice("0123456789") + number[at + 1 :]
        numbers.append(re.sub(r"[ .\-/]", "", number) if kind in UNSPACED else number)
    return tuple(numbers)


def both(kind: str, number: str) -> tuple[bool, bool]:
    """Whether we find it, and whether Presidio does."""
    text = f"see {number}."
    least = 0.99 if kind in CHECKED else 0.0
    they = any(
        answer.score > least and answer.start <= 4 and answer.end >= 4 + len(number)
        for answer in theirs(kind)._analyse(text, "en")
    )
    return any(found == number for _, found in ours(kind)(text)), they


@pytest.mark.parametrize("kind", RECOGNIZERS)
def test_both_let_the_same_numbers_through(kind: str) -> None:
    _, differs = DIFFERENT.get(kind, ("", lambda _: False))
    answers = {number: both(kind, number) for number in drawn(kind)}
    apart = {number: answer for number, answer in answers.items() if len(set(answer)) > 1 and not differs(number)}
    assert apart == {}
    assert sum(answer == (True, True) for answer in answers.values()) >= 2, "or nothing was compared"


@pytest.mark.parametrize("kind", DIFFERENT)
def test_known_differences_are_still_there(kind: str) -> None:
    why, differs = DIFFERENT[kind]
    assert why
    assert any(len(set(both(kind, number))) > 1 for number in drawn(kind) if differs(number)), why
