"""One table for all identity and tax numbers: an example of each kind, as it is written, from its office's documents or
from an encyclopedia's page on it. None is a living person's."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.detectors.pii import PiiConfig, build
from lockgate.detectors.pii_numbers import plain, regex
from lockgate.detectors.pii_table import IDENTITY, THINGS, Number
from looking import Looker

NUMBERS = {row.label: row for row in (*IDENTITY, *THINGS)}

EXAMPLES: list[tuple[str, str, str]] = [
    ("AT_SVNR", "1237 010180", "Sozialversicherungsnummer: {}"),
    ("BE_NATIONAL_NUMBER", "85.07.30-033.28", "rijksregisternummer {}"),
    ("BG_EGN", "7523169263", "ЕГН: {}"),
    ("CH_AHV", "756.9217.0769.85", "AHV-Nr. {}"),
    ("CZ_SK_BIRTH_NUMBER", "710319/2745", "rodné číslo {}"),
    ("DE_SOCIAL_INSURANCE", "15 070649 C 103", "Rentenversicherungsnummer {}"),
    ("DE_TAX_ID", "86 095 742 719", "Steuer-ID: {}"),
    ("DE_TAX_ID", "36 574 261 809", "Steueridentifikationsnummer ist {}"),
    ("DK_CPR", "211062-5629", "CPR-nummer: {}"),
    ("EE_LT_PERSONAL_CODE", "37605030299", "isikukood {}"),
    ("EE_LT_PERSONAL_CODE", "33309240064", "asmens kodas {}"),
    ("ES_NIE", "X-2482300-W", "NIE {}"),
    ("ES_NIF", "54362315-K", "DNI: {}"),
    ("ES_NIF", "12345678-Z", "con NIF {}"),
    ("FI_PERSONAL_IDENTITY_CODE", "131052-308T", "henkilötunnus {}"),
    ("FI_PERSONAL_IDENTITY_CODE", "131052A308T", "HETU: {}"),
    ("FR_NIR", "2 95 10 99 126 111 93", "numéro de sécurité sociale : {}"),
    ("FR_NIR", "2 53 07 2B 073 004 70", "NIR {}"),
    ("GR_AMKA", "01013099997", "ΑΜΚΑ: {}"),
    ("HR_OIB", "69435151530", "OIB: {}"),
    ("IE_PPS", "6433435OA", "PPS number: {}"),
    ("IE_PPS", "1234567FA", "PPSN {}"),
    ("IT_FISCAL_CODE", "RCC MNL 83S18 D969H", "codice fiscale: {}"),
    ("IT_FISCAL_CODE", "MRT MTT 91D08 F205J", "C.F. {}"),
    ("NL_BSN", "1112.22.333", "BSN: {}"),
    ("NO_FODSELSNUMMER", "151086 95088", "fødselsnummer {}"),
    ("PL_PESEL", "44051401359", "PESEL: {}"),
    ("PL_PESEL", "02070803628", "numer PESEL {}"),
    ("PT_NIF", "501 964 843", "NIF: {}"),
    ("RO_CNP", "1630615123457", "CNP: {}"),
    ("RU_INN", "500100732259", "ИНН {}"),
    ("RU_SNILS", "112-233-445 95", "СНИЛС {}"),
    ("SE_PERSONNUMMER", "811218-9876", "personnummer: {}"),
    ("SE_PERSONNUMMER", "19811218-9876", "pers.nr {}"),
    ("UK_NHS", "943 476 5919", "NHS number: {}"),
    ("UK_NINO", "AB 12 34 56 C", "National Insurance number {}"),
    ("AR_CUIT", "20-05536168-2", "CUIT {}"),
    ("BR_CNPJ", "11.222.333/0001-81", "CNPJ: {}"),
    ("BR_CPF", "111.444.777-35", "CPF no. {}"),
    ("CA_SIN", "046-454-286", "Social Insurance Number: {}"),
    ("CL_RUT", "12.531.909-2", "RUT {}"),
    ("MX_CURP", "BOXW310820HNERXN09", "CURP: {}"),
    ("MX_RFC", "GODE561231GR8", "RFC {}"),
    ("US_ITIN", "912-90-3456", "ITIN: {}"),
    ("US_MEDICARE_ID", "1EG4-TE5-MK73", "Medicare number {}"),
    ("AU_ABN", "51 824 753 556", "ABN {}"),
    ("AU_MEDICARE", "2123 45670 1", "Medicare card: {}"),
    ("AU_TFN", "123 456 782", "TFN: {}"),
    ("AU_TFN", "876 543 210", "tax file number {}"),
    ("CN_RESIDENT_ID", "11010519491231002X", "身份证号码：{}"),
    ("HK_ID", "G123456(A)", "HKID: {}"),
    ("HK_ID", "A123456(3)", "香港身份證 {}"),
    ("IL_ID", "039337423", "תעודת זהות {}"),
    ("IN_AADHAAR", "2341 2341 2346", "Aadhaar number is {}"),
    ("IN_PAN", "ABCPE1234F", "PAN: {}"),
    ("JP_MY_NUMBER", "1234 5678 9018", "マイナンバー：{}"),
    ("KR_RRN", "971013-9019902", "주민등록번호 {}"),
    ("MY_NRIC", "770305-02-1234", "MyKad {}"),
    ("NZ_IRD", "49-091-850", "IRD number {}"),
    ("NZ_IRD", "136-410-132", "IRD: {}"),
    ("SG_NRIC_FIN", "S1234567D", "NRIC: {}"),
    ("SG_NRIC_FIN", "G1234567X", "FIN {}"),
    ("SG_NRIC_FIN", "M1234567K", "FIN {}"),
    ("TH_TNIN", "3-1006-00445-63-5", "เลขประจำตัวประชาชน {}"),
    ("TR_TCKN", "10000000146", "T.C. Kimlik No: {}"),
    ("TW_ID", "A123456789", "身分證 {}"),
    ("ZA_ID", "750330 5044 089", "South African ID: {}"),
    ("ABA_ROUTING_NUMBER", "011000015", "routing number: {}"),
    ("IMEI", "49 015420 323751 8", "IMEI: {}"),
    ("MEDICAL_LICENSE", "AB1234563", "DEA number {}"),
    ("US_NPI", "1234567893", "NPI: {}"),
    ("VIN", "1M8GDM9AXKP042788", "VIN {}"),
]
"""Label, number, and a text that names it."""

IDS = [f"{label}-{number}" for label, number, _ in EXAMPLES]

CATCH_ONE_DIGIT = frozenset(
    [
        "AT_SVNR",
        "CH_AHV",
        "DE_TAX_ID",
        "ES_NIE",
        "ES_NIF",
        "FI_PERSONAL_IDENTITY_CODE",
        "FR_NIR",
        "GR_AMKA",
        "HR_OIB",
        "IE_PPS",
        "IT_FISCAL_CODE",
        "NL_BSN",
        "NO_FODSELSNUMMER",
        "PL_PESEL",
        "UK_NHS",
        "AR_CUIT",
        "AU_ABN",
        "AU_TFN",
        "CA_SIN",
        "CL_RUT",
        "CN_RESIDENT_ID",
        "HK_ID",
        "IL_ID",
        "IN_AADHAAR",
        "SG_NRIC_FIN",
        "TR_TCKN",
        "ZA_ID",
        "ABA_ROUTING_NUMBER",
        "IMEI",
        "US_NPI",
        "VIN",
    ]
)
"""The kinds whose check digits tell of any one digit that was changed."""

SURE = Looker(build(PiiConfig()))
ALL = Looker(build(PiiConfig(min_score=0.1)))


def test_every_kind_has_an_example() -> None:
    assert {label for label, _, _ in EXAMPLES} == NUMBERS.keys()
    assert NUMBERS.keys() >= CATCH_ONE_DIGIT


@pytest.mark.parametrize(("label", "number", "text"), EXAMPLES, ids=IDS)
def test_behind_a_word(label: str, number: str, text: str) -> None:
    assert NUMBERS[label].check(plain(number))
    compact = number if "(" in number else re.sub(r"[ .\-/]", "", number)
    if label in ("SE_PERSONNUMMER", "CL_RUT", "FI_PERSONAL_IDENTITY_CODE"):
        compact = number
    for written in (number, compact):
        for said in (text.format(written), f"«{text.format(written)}», x", rf'{{"a": "b\n{text.format(written)}"}}'):
            assert (label, written) in SURE(said), said


@pytest.mark.parametrize(("label", "number", "text"), EXAMPLES, ids=IDS)
def test_without_a_word(label: str, number: str, text: str) -> None:
    row = NUMBERS[label]
    if row.written is not None:
        assert ((label, number) in SURE(f"see {number}.")) == (row.written >= 0.5)
        assert (label, number) in ALL(f"see {number}.")
    if row.bare is not None:
        compact = re.sub(r"[ .\-/()]", "", number)
        assert ((label, compact) in SURE(f"see {compact}.")) == (row.bare >= 0.5)
        assert (label, compact) in ALL(f"see {compact}.")


@pytest.mark.parametrize(("label", "number", "text"), EXAMPLES, ids=IDS)
@pytest.mark.parametrize("around", ["x{}", "{}x", "7-{}", "{}-7", "/{}", "{}_a", "#{}", "{}@x.y"])
def test_as_a_part_of_something_else(label: str, number: str, text: str, around: str) -> None:
    assert label not in {found for found, _ in ALL(around.format(number))}


def changed(number: str, place: int, digit: str) -> str:
    """`number` with another digit in the `place`-th of its digits' places."""
    places = [i for i, char in enumerate(number) if char.isdigit()]
    at = places[place % len(places)]
    return number[:at] + digit + number[at + 1 :]


@given(
    st.sampled_from([row for row in EXAMPLES if row[0] in CATCH_ONE_DIGIT]),
    st.integers(0, 30),
    st.sampled_from("0123456789"),
)
def test_one_wrong_digit(example: tuple[str, str, str], place: int, digit: str) -> None:
    label, number, text = example
    wrong = changed(number, place, digit)
    if wrong != number:
        assert not NUMBERS[label].check(plain(wrong))
        assert label not in {found for found, _ in ALL(text.format(wrong))}


def drawn(row: Number, number: str, draw: random.Random) -> str:
    """Another number of the same form that its check lets through, by changing an example."""
    while True:
        other = number
        for _ in range(3):
            other = changed(other, draw.randrange(30), draw.choice("0123456789"))
        if other != number and re.fullmatch(regex(row.form), other) and row.check(plain(other)):
            return other


@pytest.mark.parametrize(("label", "number", "text"), EXAMPLES, ids=IDS)
def test_other_numbers_that_are_right_are_found(label: str, number: str, text: str) -> None:
    draw = random.Random(number)
    for _ in range(5):
        other = drawn(NUMBERS[label], number, draw)
        assert (label, other) in SURE(text.format(other)), other


@pytest.mark.parametrize("row", [*IDENTITY, *THINGS], ids=lambda row: row.label)
def test_scores_keep_what_chance_makes_below_the_least_score(row: Number) -> None:
    """Of numbers drawn by chance, a form that counts without a word lets few through."""
    draw = random.Random(row.label)
    number = next(plain(number) for label, number, _ in EXAMPLES if label == row.label)
    tries = ["".join(draw.choice("0123456789") if char.isdigit() else char for char in number) for _ in range(2000)]
    right = sum(map(row.check, tries)) / len(tries)
    if row.bare is not None and row.bare >= 0.5 and number.isdigit():
        assert right < 0.02
    assert right < 0.2 or row.label in ("IN_PAN", "US_MEDICARE_ID", "UK_NINO", "US_ITIN", "MX_CURP")


@pytest.mark.parametrize(
    "text",
    [
        "tax id 12345678901, national insurance QQ123456C, NIF 12345678A, DNI 00000000A",
        "CPF 000.000.000-00, CPF 111.111.111-11, cnpj 11.111.111/1111-11",
        "sin(123456789) and nie wieder 12345678; the pan is 12 inches, my pin 1234",
        "NHS 943 476 591, ISBN 9780306406157; EAN 4006381333931",
        "1705314600123 1705314600456 1705314600789 1712345678901 20240115103000 202401151030",
        "12 345 678 901 23 456 789 012 34 567 890 123",
        "VIN diesel 2001, chassis 12, medicare part B 2024, transit at 10:30, routing table 10",
    ],
)
def test_near_misses(text: str) -> None:
    assert SURE(text) == []
