"""The check digits and built-in dates of identity and tax numbers outside Europe, and of numbers of things.

Pure functions over a number without its separators, in capitals, whose form is known to be right.
"""

from __future__ import annotations

from itertools import cycle

from lockgate.detectors.checks import luhn
from lockgate.detectors.pii_checks import calendar, weighted, year_first

_ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def ar_cuit(number: str) -> bool:
    rest = 11 - weighted(number[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return number[:2] in ("20", "23", "24", "27") and rest != 10 and rest % 11 == int(number[10])


def au_abn(number: str) -> bool:
    """Australia: one less in front; divisible by 89."""
    weights = (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
    return number[0] != "0" and (weighted(number, weights) - 10) % 89 == 0


def au_medicare(number: str) -> bool:
    rest = weighted(number[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10
    return number[0] in "23456" and rest == int(number[8]) and number[9:10] != "0"


def au_tfn(number: str) -> bool:
    return len(set(number)) > 1 and weighted(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def br_cpf(number: str) -> bool:
    """Brazil, persons: two check digits."""
    first = weighted(number[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(number[:10], range(11, 1, -1)) * 10 % 11 % 10
    return len(set(number)) > 1 and (first, second) == (int(number[9]), int(number[10]))


def br_cnpj(number: str) -> bool:
    """Brazil, firms: two check digits."""
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = weighted(number[:12], weights[1:]) * 10 % 11 % 10
    second = weighted(number[:13], weights) * 10 % 11 % 10
    return len(set(number)) > 1 and (first, second) == (int(number[12]), int(number[13]))


def ca_sin(number: str) -> bool:
    return number[0] != "8" and len(set(number)) > 1 and luhn(number)


def cl_rut(number: str) -> bool:
    """Chile: eleven less the rest, weights 2 to 7 from the right; 10 is a K."""
    rest = (11 - weighted(number[-2::-1], cycle(range(2, 8)))) % 11
    return "0123456789K"[rest] == number[-1]


_CN_PROVINCES = frozenset(
    (11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63,
     64, 65, 71, 81, 82, 83)
)  # fmt: skip


def cn_resident_id(number: str) -> bool:
    """China (GB 11643): province, date of birth, count; ISO 7064, MOD 11-2."""
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    rest = weighted(number[:17], (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11
    return (
        int(number[:2]) in _CN_PROVINCES
        and 1900 <= year <= 2100
        and calendar(year, month, day)
        and "10X98765432"[rest] == number[17]
    )


def hk_id(number: str) -> bool:
    """Hong Kong: one letter or two, six digits, and what makes it divisible by 11."""
    head = number[:-7].rjust(2)
    total = sum((36 if char == " " else ord(char) - 55) * weight for char, weight in zip(head, (9, 8), strict=True))
    total += weighted(number[-7:-1], range(7, 1, -1))
    return (11 - total % 11) % 11 == "0123456789A".index(number[-1])


def il_id(number: str) -> bool:
    return len(set(number)) > 1 and luhn(number)


_VERHOEFF_D = tuple(
    tuple((i + j) % 5 if i < 5 and j < 5 else (i - j) % 5 if i >= 5 and j >= 5 else
          (i + j) % 5 + 5 if i < 5 else (i - j) % 5 + 5 for j in range(10)) for i in range(10)
)  # fmt: skip
_VERHOEFF_P = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip


def verhoeff(number: str) -> bool:
    """Verhoeff's checksum (1969): the dihedral group of a pentagon, and a permutation for each place."""
    state = 0
    for place, digit in enumerate(reversed(number)):
        state = _VERHOEFF_D[state][_VERHOEFF_P[place % 8][int(digit)]]
    return state == 0


def in_aadhaar(number: str) -> bool:
    """India: no 0 or 1 in front, not the same read backwards (UIDAI), Verhoeff's digit."""
    return number[0] not in "01" and number != number[::-1] and verhoeff(number)


def jp_my_number(number: str) -> bool:
    rest = weighted(number[:11], (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return len(set(number)) > 1 and (0 if rest < 2 else 11 - rest) == int(number[11])


def kr_rrn_day(number: str) -> bool:
    """South Korea: the date; numbers since October 2020 have no check digit."""
    return year_first(number)


def kr_rrn(number: str) -> bool:
    rest = (11 - weighted(number[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return kr_rrn_day(number) and rest == int(number[12])


_CURP = "0123456789ABCDEFGHIJKLMN\0OPQRSTUVWXYZ"  # Ñ has a place of its own, but is never written


def mx_curp(code: str) -> bool:
    total = sum(_CURP.index(char) * weight for char, weight in zip(code[:17], range(18, 1, -1), strict=True))
    return year_first(code[4:10]) and (10 - total % 10) % 10 == int(code[17])


_RFC = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ"


def mx_rfc(code: str) -> bool:
    """Mexico, persons: letters of the name, date, two of a hash, check digit."""
    total = sum(_RFC.index(char) * weight for char, weight in zip(code[:12], range(13, 1, -1), strict=True))
    return year_first(code[4:10]) and "0123456789A"[(11 - total % 11) % 11] == code[12]


def my_nric(number: str) -> bool:
    """Malaysia: date and place of birth; there is no check digit."""
    place = int(number[6:8])
    return year_first(number) and (1 <= place <= 16 or 21 <= place <= 59 or 60 <= place <= 93 or 98 <= place <= 99)


def nz_ird(number: str) -> bool:
    digits = number.rjust(9, "0")
    rest = weighted(digits[:8], (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    if rest == 1:
        rest = weighted(digits[:8], (7, 4, 3, 2, 5, 2, 7, 6)) % 11
    return 10_000_000 < int(digits) < 150_000_000 and rest != 1 and (11 - rest) % 11 == int(digits[8])


_SG_LETTERS = {"S": "JZIHGFEDCBA", "T": "GFEDCBAJZIH", "F": "XWUTRQPNMLK", "G": "RQPNMLKXWUT", "M": "XWUTRQPNJLK"}


def sg_nric(number: str) -> bool:
    """Singapore: S and T for citizens, F, G and M for foreigners."""
    total = weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + (3 if number[0] == "M" else 0)
    return _SG_LETTERS[number[0]][total % 11] == number[8]


def th_tnin(number: str) -> bool:
    return number[0] not in "09" and (11 - weighted(number[:12], range(13, 1, -1)) % 11) % 10 == int(number[12])


def tr_tckn(number: str) -> bool:
    """Türkiye: two check digits."""
    tenth = (weighted(number[0:9:2], cycle((7,))) - weighted(number[1:8:2], cycle((1,)))) % 10
    eleventh = weighted(number[:10], cycle((1,))) % 10
    return number[0] != "0" and (tenth, eleventh) == (int(number[9]), int(number[10]))


_TW_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


def tw_id(number: str) -> bool:
    """Taiwan: a letter that counts as 10 to 35, and nine digits."""
    tens, ones = divmod(_TW_LETTERS.index(number[0]) + 10, 10)
    return (tens + 9 * ones + weighted(number[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def us_itin(number: str) -> bool:
    """The US: 9, and a group that is given out for this (IRS publication 1915)."""
    group = int(number[3:5])
    return number[0] == "9" and (50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99)


def us_npi(number: str) -> bool:
    """Health care providers: Luhn's digit of 80840 and the number (CMS)."""
    return number[0] in "12" and luhn("80840" + number)


def us_dea(number: str) -> bool:
    """Prescribers' registration with the DEA: two letters and seven digits."""
    digits = number[2:]
    return (weighted(digits[0:5:2], cycle((1,))) + 2 * weighted(digits[1:6:2], cycle((1,)))) % 10 == int(digits[6])


def aba_routing(number: str) -> bool:
    """US banks: the Federal Reserve's districts, weights 3, 7, 1."""
    head = int(number[:2])
    district = 1 <= head <= 12 or 21 <= head <= 32 or 61 <= head <= 72 or head == 80
    return district and weighted(number, cycle((3, 7, 1))) % 10 == 0


def za_id(number: str) -> bool:
    """South Africa: date, count, citizen or resident, Luhn's digit."""
    return year_first(number) and number[10] in "012" and luhn(number)


_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9),
                       strict=True))  # fmt: skip
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def vin(number: str) -> bool:
    """A vehicle's number with a check digit (ISO 3779 as North America and China use it, 49 CFR 565)."""
    total = sum(
        (_VIN_VALUES[char] if char.isalpha() else int(char)) * weight
        for char, weight in zip(number, _VIN_WEIGHTS, strict=True)
    )
    return "0123456789X"[total % 11] == number[8] and any(map(str.isalpha, number)) and len(set(number)) > 4


def imei(number: str) -> bool:
    return len(set(number)) > 1 and luhn(number)


def mrz(line: str) -> bool:
    """The second line of a passport's machine-readable zone (ICAO 9303): digits for number, birth, expiry and all."""

    def fits(part: str, digit: str) -> bool:
        total = sum((0 if c == "<" else _ALNUM.index(c)) * w for c, w in zip(part, cycle((7, 3, 1)), strict=False))
        return total % 10 == (0 if digit == "<" else int(digit))

    return (
        fits(line[:9], line[9])
        and fits(line[13:19], line[19])
        and fits(line[21:27], line[27])
        and fits(line[:10] + line[13:20] + line[21:43], line[43])
    )
