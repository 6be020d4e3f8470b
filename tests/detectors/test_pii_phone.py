from __future__ import annotations

import random
import subprocess
import sys

import phonenumbers
import pytest

from lockgate.detectors import pii_phone
from lockgate.detectors.pii import PiiConfig, build
from lockgate.detectors.scanner import Scanner
from lockgate.errors import PolicyError
from looking import Looker


def looker(*regions: str) -> Looker:
    return Looker(build(PiiConfig(kinds=("PHONE_NUMBER",), phone_regions=regions or ("US",))))


US = looker()
WORLD = looker("GB", "DE", "FR", "ES", "IN", "JP", "AU", "BR", "NL", "CN")


def values(look: Looker, text: str) -> list[str]:
    return [value for _, value in look(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("call +1 415 555 2671.", ["+1 415 555 2671"]),
        ("+14155552671", ["+14155552671"]),
        ("(+44) 20 7946 0958", ["(+44) 20 7946 0958"]),
        ("+44 (0)20 7946 0958, +49 30 901820", ["+44 (0)20 7946 0958", "+49 30 901820"]),
        ("+33-1-42-68-53-00", ["+33-1-42-68-53-00"]),
        ("+86 138 0013 8000 12 items", ["+86 138 0013 8000"]),
        ("0044 20 7946 0958", ["0044 20 7946 0958"]),
        ("415-555-2671", ["415-555-2671"]),
        ("(415) 555-2671", ["(415) 555-2671"]),
        ("(415)555-2671 ext. 12", ["(415)555-2671 ext. 12"]),
        ("415.555.2671x818", ["415.555.2671x818"]),
        ("415 555 2671", ["415 555 2671"]),
        ("1-415-555-2671", ["1-415-555-2671"]),
        ("415/555-2671", ["415/555-2671"]),
        ("(555) 123-4567", ["(555) 123-4567"]),
        ("555-123-4567", ["555-123-4567"]),
        ("phone: 4155552671", ["4155552671"]),
        ("my mobile number is 4155552671", ["4155552671"]),
        ("Fax 785 8949", ["785 8949"]),
        ("you can reach me at 4155552671", ["4155552671"]),
        ('"phone_number": "4155552671"', ["4155552671"]),
        ("电话13800138000", ["13800138000"]),
        ("电话：138 0013 8000", ["138 0013 8000"]),
        ("２１２－５５５－２３６８", ["２１２－５５５－２３６８"]),
        ("212‑555‑2368", ["212‑555‑2368"]),
        (r"x\n415-555-2671\n", ["415-555-2671"]),
        ("ids 12345 415-555-2671", ["415-555-2671"]),
        ("2024-01-15 415-555-2671", ["415-555-2671"]),
        ("415-555-2671, 212-555-2368", ["415-555-2671", "212-555-2368"]),
        ("my number is 4155552671", ["4155552671"]),
        ("order number 4155552671", []),
        ("4155552671", []),
        ("DE89 3704 0044 0532 0130 00", []),
        ("555 123 4567", []),
        ("12-415-555-2671", []),
        ("415-555-2671-1", []),
        ("10 415 555 2671 20 30", []),
        ("a415-555-2671", []),
        ("+37.774929 and +40.712776", []),
        ("2024-01-15T10:30:00+01:00 2024-01-15 10:30:00 15.01.2024 01/15/2024", []),
        ("192.168.100.200 1.2.3.4 10.20.30.40", []),
        ("phone 2024-01-15", []),
        ("order 112-3456789-1234567, 978-0-306-40615-7", []),
        ("1 000 000 users and 1,000,000.00 dollars", []),
    ],
)
def test_numbers_with_a_country_code_and_american_ones(text: str, found: list[str]) -> None:
    assert values(US, text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("020 7946 0958", ["020 7946 0958"]),
        ("07911 123456", ["07911 123456"]),
        ("030/901820", ["030/901820"]),
        ("06 12 34 56 78", ["06 12 34 56 78"]),
        ("06.12.34.56.78", ["06.12.34.56.78"]),
        ("612 34 56 78", ["612 34 56 78"]),
        ("090-1234-5678", ["090-1234-5678"]),
        ("(11) 98765-4321", ["(11) 98765-4321"]),
        ("06-12345678", ["06-12345678"]),
        ("0612345678", ["0612345678"]),
        ("138 0013 8000", ["138 0013 8000"]),
        ("ISBN 0-306-40615-2", []),
        ("10.1038/s41586-020-2649-2 and 020-2649-2-x", []),
        ("unit B2 020 7946 0958", ["020 7946 0958"]),
        ("2024-01-15", []),
        ("15.01.2024 10:30", []),
        ("load 0.52 0.58 0.59", []),
        ("612345678", []),
    ],
)
def test_national_numbers_of_the_regions_asked_for(text: str, found: list[str]) -> None:
    assert values(WORLD, text) == found


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_an_example_of_every_country_is_found_with_its_code(region: str) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    assert values(US, f"tel {written}; thanks") == [written]
    compact = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert values(US, compact) == [compact]


@pytest.mark.parametrize(
    "text", ["call 415-555-2671, or +44 20 7946 0958 x12", "2024-01-15 10:30 415-555-2671-1", "phone: 4155552671 12"]
)
def test_two_pieces_give_what_the_whole_gives(text: str) -> None:
    for at in range(len(text) + 1):
        assert sorted(US.in_pieces(text, at)) == sorted(US(text)), at


def test_a_region_that_does_not_exist() -> None:
    with pytest.raises(PolicyError, match="XX in `phone_regions`"):
        build(PiiConfig(phone_regions=("US", "XX")))


def test_the_tables_of_numbers_are_loaded_at_the_first_candidate() -> None:
    code = (
        "import sys\n"
        "from lockgate.detectors import pii\n"
        "from lockgate.detectors.scanner import Scanner\n"
        "scanner = Scanner(pii.build(pii.PiiConfig()).specs)\n"
        "scanner.scan('nothing here, in 2024')\n"
        "assert 'phonenumbers' not in sys.modules\n"
        "scanner.scan('415-555-2671')\n"
        "assert 'phonenumbers' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("most", [9, 99, 9999])
def test_a_table_of_numbers_is_not_parsed_at_each_place(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    parsed = 0
    parse = pii_phone._parse

    def counting(written: str, region: str | None) -> object:
        nonlocal parsed
        parsed += 1
        return parse(written, region)

    monkeypatch.setattr(pii_phone, "_parse", counting)
    draw = random.Random(most)
    table = " ".join(str(draw.randint(0, most)) for _ in range(400))
    Scanner(pii_phone.phone_specs(("US", "GB", "DE", "FR"))).scan(table)
    assert parsed < 2 * 400
