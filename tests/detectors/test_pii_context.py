from __future__ import annotations

import pytest

from lockgate.detectors.pii import PiiConfig, build
from lockgate.detectors.pii_context import CONTEXTS, birthday, plate
from looking import Looker

LOOK = Looker(build(PiiConfig(kinds=(*(row.label for row in CONTEXTS),))))

ZONE = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"


@pytest.mark.parametrize(
    ("label", "text", "found"),
    [
        ("PASSPORT", "Passport No: X1234567", "X1234567"),
        ("PASSPORT", "passport number is 123456789.", "123456789"),
        ("PASSPORT", "Reisepass-Nr. C01X00T47", "C01X00T47"),
        ("PASSPORT", "numéro de passeport : 09AB12345", "09AB12345"),
        ("PASSPORT", "pasaporte AAA123456", "AAA123456"),
        ("PASSPORT", "паспорт 45 04 123456".replace("45 04 ", ""), "123456"),
        ("PASSPORT", "护照号码：E12345678", "E12345678"),
        ("PASSPORT", "パスポート番号：TR1234567", "TR1234567"),
        ("PASSPORT", ZONE, ZONE.split("\n")[1]),
        ("DRIVER_LICENSE", "Driver's license: D1234567", "D1234567"),
        ("DRIVER_LICENSE", "driving licence MORGA657054SM9IJ", "MORGA657054SM9IJ"),
        ("DRIVER_LICENSE", "Führerschein-Nr.: B072RRE2I55", "B072RRE2I55"),
        ("LICENSE_PLATE", "license plate ABC-1234", "ABC-1234"),
        ("LICENSE_PLATE", "Kennzeichen: B-MW 1234", "B-MW 1234"),
        ("LICENSE_PLATE", "plaque d'immatriculation AB-123-CD", "AB-123-CD"),
        ("DATE_OF_BIRTH", "date of birth: 1985-03-12", "1985-03-12"),
        ("DATE_OF_BIRTH", "DOB: 03/12/1985", "03/12/1985"),
        ("DATE_OF_BIRTH", "she was born on March 12th, 1985 in", "March 12th, 1985"),
        ("DATE_OF_BIRTH", "geboren am 12. März 1985", "12. März 1985"),
        ("DATE_OF_BIRTH", "née le 12 mars 1985", "12 mars 1985"),
        ("DATE_OF_BIRTH", "fecha de nacimiento: 12 de marzo de 1985", "12 de marzo de 1985"),
        ("DATE_OF_BIRTH", "nato il 12/03/85", "12/03/85"),
        ("DATE_OF_BIRTH", '"birth_date": "1985-03-12"', "1985-03-12"),
        ("DATE_OF_BIRTH", "生年月日：1985年3月12日", "1985年3月12日"),
        ("DATE_OF_BIRTH", "출생 생년월일: 1985년 3월 12일", "1985년 3월 12일"),
        ("DATE_OF_BIRTH", "生年月日：昭和60年3月4日", "昭和60年3月4日"),
        ("DATE_OF_BIRTH", "ur. 12.04.1961 w Krakowie", "12.04.1961"),
        ("DATE_OF_BIRTH", "född 1985-03-12", "1985-03-12"),
        ("DATE_OF_BIRTH", "doğum tarihi: 12.03.1985", "12.03.1985"),
        ("DATE_OF_BIRTH", "ημερομηνία γέννησης: 12/03/1985", "12/03/1985"),
        ("DATE_OF_BIRTH", "תאריך לידה: 12/03/1985", "12/03/1985"),
        ("DATE_OF_BIRTH", "تاريخ الميلاد: 12/03/1985", "12/03/1985"),
        ("DATE_OF_BIRTH", "дата народження 12.03.1985", "12.03.1985"),
        ("DATE_OF_BIRTH", "ngày sinh: 12/03/1985", "12/03/1985"),
        ("MEDICAL_RECORD_NUMBER", "MRN: 00123456", "00123456"),
        ("MEDICAL_RECORD_NUMBER", "patient id A-123456", "A-123456"),
        ("MEDICAL_RECORD_NUMBER", "Patientennummer 4711-0815", "4711-0815"),
        ("HEALTH_INSURANCE_NUMBER", "Member ID: XYZ123456789", "XYZ123456789"),
        ("HEALTH_INSURANCE_NUMBER", "Krankenversichertennummer A123456780", "A123456780"),
        ("HEALTH_INSURANCE_NUMBER", "Krankenversicherungsnummer: A123456780", "A123456780"),
        ("BANK_ACCOUNT", "account number 12345678", "12345678"),
        ("BANK_ACCOUNT", "Account No.: 1234-5678-9012", "1234-5678-9012"),
        ("BANK_ACCOUNT", "Kontonummer 532013000", "532013000"),
        ("BANK_ACCOUNT", "numéro de compte : 00011234567", "00011234567"),
        ("UK_SORT_CODE", "sort code 20-00-00", "20-00-00"),
    ],
)
def test_behind_its_words(label: str, text: str, found: str) -> None:
    assert (label, found) in LOOK(text)
    assert (label, found) in LOOK(f"({text}), and")
    whole = sorted(LOOK(text))
    for at in range(len(text) + 1):
        assert sorted(LOOK.in_pieces(text, at)) == whole, at


@pytest.mark.parametrize(
    "text",
    [
        "My passport was lost in 2023. Passports: 27 000 issued.",
        "Born in 1985, died 2001; born to run; reborn 12/03/1985; date of birth unknown",
        "born 31/02/1985, DOB 13/13/1985",
        "plate 5 of 12, a number plate is missing, license plate abc-1234",
        "the chart 2024 shows; patient number 12; MRNA 1273 vaccine",
        "account for 12 per cent; accountable 12345678; the account was closed on 2024-01-15",
        "sort codes vary: 12 of 100; driver's license renewal in 2025; dl 12 MB",
        ZONE.replace("7408122", "7408123"),
    ],
)
def test_near_misses(text: str) -> None:
    assert LOOK(text) == []


def test_days() -> None:
    assert birthday("29 February 2000")
    assert not birthday("29 February 2001")
    assert birthday("12.3.85")
    assert birthday("3/12/85")
    assert not birthday("85")


def test_plates() -> None:
    assert plate("AB 123")
    assert not plate("ab 123")
    assert not plate("AB")
    assert not plate("123")
