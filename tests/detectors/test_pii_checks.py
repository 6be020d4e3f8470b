from __future__ import annotations

import pytest

from lockgate.detectors import pii_checks as checks


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (checks.at_svnr, ["1238010180", "0237010180", "1237321380"]),
        (checks.be_national_number, ["85073003329", "85133003328"]),
        (checks.bg_egn, ["7523169264", "7513169263"]),
        (checks.ch_ahv, ["7569217076984", "7559217076985"]),
        (checks.cz_birth_number, ["7103192746", "7113192745"]),
        (checks.de_tax_id, ["86095742718", "01234567890", "12345678903"]),
        (checks.de_social_insurance, ["15070649C104", "15071449C103", "15900649C503"]),
        (checks.dk_cpr, ["2110625628", "3210625629"]),
        (checks.ee_lt_code, ["36805280108", "96805280109"]),
        (checks.es_nif, ["54362315A"]),
        (checks.es_nie, ["Y2482300W"]),
        (checks.fi_code, ["131052-308U", "311352-308T"]),
        (checks.fr_nir, ["295109912611194", "295139912611193", "2951099A2611193"]),
        (checks.gr_amka, ["01013099998", "32013099997"]),
        (checks.ie_pps, ["6433435E", "6433435OB", "6433435FZ"]),
        (checks.it_fiscal_code, ["RCCMNL83S18D969A", "MRTMTT31D88F208J"]),
        (checks.nl_bsn, ["111222334", "000000000"]),
        (checks.no_number, ["15108695089", "15138695088"]),
        (checks.pl_pesel, ["44051401358", "44131401359"]),
        (checks.pt_nif, ["501964842", "401964843"]),
        (checks.ro_cnp, ["1630615123458", "0630615123457", "1631315123457"]),
        (checks.ru_inn, ["500100732258", "000000000000"]),
        (checks.ru_snils, ["11223344596", "00000000000"]),
        (checks.se_number, ["8112189875", "8113189876"]),
        (checks.uk_nhs, ["9434765918", "0000000000"]),
        (checks.uk_nino, ["QQ123456C", "AO123456C", "GB123456A"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_numbers(check: object, wrong: list[str]) -> None:
    assert callable(check)
    assert [number for number in wrong if check(number)] == []


def test_numbers_of_other_centuries_and_of_foreigners() -> None:
    assert checks.pl_pesel("02270803624")  # born in 2002
    assert checks.be_national_number("17073003384")  # born in 2017
    assert checks.cz_birth_number("7153192750")  # a woman
    assert checks.no_number("55108695071")  # who has no residence
    assert checks.fr_nir("253072B07300470")


def test_days() -> None:
    assert checks.calendar(2000, 2, 29)
    assert checks.calendar(4, 2, 29)
    assert not checks.calendar(2001, 2, 29)
    assert not checks.calendar(2001, 13, 1)
    assert not checks.calendar(2001, 4, 31)
    assert checks.year_first("991231")
    assert checks.day_first("311299")
    assert not checks.day_first("991231")
    assert checks.year_first("990172", days=60)
