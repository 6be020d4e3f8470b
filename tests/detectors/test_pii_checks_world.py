from __future__ import annotations

import pytest

from lockgate.detectors import pii_checks_world as checks


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (checks.ar_cuit, ["20055361683", "99055361682"]),
        (checks.au_abn, ["51824753557", "01824753556"]),
        (checks.au_medicare, ["2123456711", "1123456701", "2123456700"]),
        (checks.au_tfn, ["123456783", "000000000"]),
        (checks.br_cpf, ["11144477736", "11111111111", "23100299900"]),
        (checks.br_cnpj, ["11222333000182", "11111111111111"]),
        (checks.ca_sin, ["046454287", "846454280", "000000000"]),
        (checks.cl_rut, ["125319091", "12531909K"]),
        (checks.cn_resident_id, ["110105194912310021", "99010519491231002X", "11010519491331002X"]),
        (checks.hk_id, ["G1234563", "A123456A"]),
        (checks.il_id, ["039337424", "000000000"]),
        (checks.in_aadhaar, ["234123412347", "134123412346", "222222222222"]),
        (checks.jp_my_number, ["123456789017", "000000000000"]),
        (checks.kr_rrn, ["9710139019903", "9713139019902"]),
        (checks.mx_curp, ["BOXW310820HNERXN08", "BOXW311320HNERXN09"]),
        (checks.mx_rfc, ["GODE561231GR9", "GODE561331GR8"]),
        (checks.my_nric, ["770305001234", "771305021234"]),
        (checks.nz_ird, ["49091851", "136410133", "9125568"]),
        (checks.sg_nric, ["S1234567E", "T1234567D", "F1234567X"]),
        (checks.th_tnin, ["3100600445634", "0100600445635"]),
        (checks.tr_tckn, ["10000000147", "00000000146"]),
        (checks.tw_id, ["A123456788"]),
        (checks.us_itin, ["812903456", "912003456", "912663456"]),
        (checks.us_npi, ["1234567894", "3234567893"]),
        (checks.us_dea, ["AB1234564"]),
        (checks.aba_routing, ["011000016", "991000015"]),
        (checks.za_id, ["7503305044088", "7513305044089", "7503305044389"]),
        (checks.vin, ["1M8GDM9A1KP042788", "11111111111111111"]),
        (checks.imei, ["490154203237519", "000000000000000"]),
        (checks.mrz, ["L898902C36UTO7408122F1204159ZE184226B<<<<<11", "L898902C46UTO7408122F1204159ZE184226B<<<<<10"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_numbers(check: object, wrong: list[str]) -> None:
    assert callable(check)
    assert [number for number in wrong if check(number)] == []


def test_verhoeffs_digit() -> None:
    assert checks.verhoeff("2363")  # the example of most descriptions
    assert checks.verhoeff("123451")
    assert not checks.verhoeff("2364")
    assert not checks.verhoeff("3263")


def test_passports_zone_of_the_standard() -> None:
    assert checks.mrz("L898902C36UTO7408122F1204159ZE184226B<<<<<10")
