"""The check digits and built-in dates of European identity and tax numbers.

Pure functions over a number without its separators, in capitals. Each takes what its row's form let through, so lengths
and classes of characters are known. Sources: the issuing offices' published rules, as cited at each function where
they are not on the office's own page for the number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import cycle

from lockgate.detectors.checks import luhn

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def weighted(digits: str, weights: Iterable[int]) -> int:
    """The sum of each digit times its weight; what is longer is left alone."""
    return sum((ord(digit) - 48) * weight for digit, weight in zip(digits, weights, strict=False))


def calendar(year: int, month: int, day: int) -> bool:
    """Whether there is such a day. A year of two digits may be of any century."""
    if not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1]:
        return False
    return (month, day) != (2, 29) or year % 4 == 0


def year_first(digits: str, *, months: int = 0, days: int = 0) -> bool:
    """A date as YYMMDD; `months` and `days`: what may have been added to them."""
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    return calendar(year, month % months if months else month, day - days if days and day > days else day)


def day_first(digits: str, *, days: int = 0) -> bool:
    """A date as DDMMYY."""
    day, month, year = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    return calendar(year, month, day - days if days and day > days else day)


def mod_11_10(digits: str) -> bool:
    """ISO 7064, MOD 11,10."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def at_svnr(number: str) -> bool:
    """Austria: three digits, a check digit, then a date; months 13 to 15 where a day has run out of numbers."""
    rest = weighted(number[:3], (3, 7, 9)) + weighted(number[4:], (5, 8, 4, 2, 1, 6))
    day, month = int(number[4:6]), int(number[6:8])
    return number[0] != "0" and rest % 11 == int(number[3]) and 1 <= day <= 31 and 1 <= month <= 15


def be_national_number(number: str) -> bool:
    """Belgium: the date (months with 20 or 40 more for those who don't live there), a count, and 97 less the rest."""
    if not (year_first(number, months=20) or number[2:6] == "0000" or number[2:4] in ("20", "40")):
        return False
    return any(97 - int(century + number[:9]) % 97 == int(number[9:]) for century in ("", "2"))


def bg_egn(number: str) -> bool:
    """Bulgaria: months have 20 more before 1900, and 40 more from 2000 on."""
    rest = weighted(number, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10
    return year_first(number, months=20) and rest == int(number[9])


def ch_ahv(number: str) -> bool:
    """Switzerland: 756 and the check digit of EAN-13."""
    return number.startswith("756") and (10 - weighted(number[:12], cycle((1, 3)))) % 10 == int(number[12])


def cz_birth_number(number: str) -> bool:
    """Czechia and Slovakia: divisible by 11; months of women have 50 more, and from 2004 on some have 20 more."""
    month = int(number[2:4]) % 50
    day = calendar(int(number[:2]), month - 20 if month > 20 else month, int(number[4:6]))
    return day and (int(number) % 11 == 0 or (int(number[:9]) % 11 == 10 and number[9] == "0"))


def de_tax_id(number: str) -> bool:
    """Germany: among the first ten digits exactly one stands there twice or three times; MOD 11,10."""
    counts = sorted(Counter(number[:10]).values())
    return number[0] != "0" and counts[-1] in (2, 3) and (len(counts) == 1 or counts[-2] == 1) and mod_11_10(number)


_DE_LETTERS = {chr(65 + i): f"{i + 1:02}" for i in range(26)}


def de_social_insurance(number: str) -> bool:
    """Germany's pension insurance: area, birthday, first letter of the name, count, check digit (VKVV, § 4)."""
    digits = "".join(_DE_LETTERS.get(char, char) for char in number[:-1])
    total = sum(sum(divmod(int(digit) * weight, 10)) for digit, weight in zip(
        digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True))  # fmt: skip
    day, month = int(number[2:4]), int(number[4:6])
    # Where two people would have the same number, the second one's day has 50 more.
    return total % 10 == int(number[-1]) and 1 <= month <= 12 and (1 <= day <= 31 or 51 <= day <= 81)


def dk_cpr_day(number: str) -> bool:
    """Denmark: the date alone; since 2007 numbers without a right check digit are given out."""
    return day_first(number)


def dk_cpr(number: str) -> bool:
    return day_first(number) and weighted(number, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def ee_lt_code(number: str) -> bool:
    """Estonia and Lithuania: century and sex, date, count, check digit in two tries."""
    rest = weighted(number[:10], (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:
        rest = weighted(number[:10], (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return number[0] in "123456" and year_first(number[1:7]) and rest == int(number[10])


_NIF_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def es_nif(number: str) -> bool:
    return _NIF_LETTERS[int(number[:8]) % 23] == number[8]


def es_nie(number: str) -> bool:
    """Spain, foreigners: X, Y and Z are 0, 1 and 2."""
    return es_nif(str("XYZ".index(number[0])) + number[1:])


_HETU_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def fi_code(number: str) -> bool:
    """Finland: date, a mark of the century, count, and the rest of a division by 31."""
    count = number[-4:-1]
    return day_first(number) and _HETU_LETTERS[int(number[:6] + count) % 31] == number[-1]


def fr_nir(number: str) -> bool:
    """France: sex, year, month, department (2A and 2B in Corsica), town, count; 97 less the rest."""
    month = int(number[3:5])
    if not (1 <= month <= 12 or 20 <= month <= 42 or month >= 50):
        return False
    body = number[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(number[13:])


def gr_amka(number: str) -> bool:
    return day_first(number) and luhn(number)


_PPS_LETTERS = "WABCDEFGHIJKLMNOPQRSTUV"


def ie_pps(number: str) -> bool:
    """Ireland: seven digits, a check letter, from 2013 on a second letter that counts nine times."""
    second = number[8:]
    value = _PPS_LETTERS.find(second) * 9 if second else 0
    return value >= 0 and _PPS_LETTERS[(weighted(number, range(8, 1, -1)) + value) % 23] == number[7]


_FISCAL_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip


_FISCAL_DIGITS = dict(zip("LMNPQRSTUV", "0123456789", strict=True))


def it_fiscal_code(code: str) -> bool:
    """Italy (decree of 23 December 1976): characters count by their place, odd ones by a table."""
    odd = sum(_FISCAL_ODD[char] for char in code[0:15:2])
    even = sum(int(char) if char.isdigit() else ord(char) - 65 for char in code[1:15:2])
    day = int("".join(_FISCAL_DIGITS.get(char, char) for char in code[9:11]))
    return chr(65 + (odd + even) % 26) == code[15] and (1 <= day <= 31 or 41 <= day <= 71)  # women's have 40 more


def nl_bsn(number: str) -> bool:
    """The Netherlands: the eleven test, with the last digit taken off."""
    return number != "000000000" and weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def no_number(number: str) -> bool:
    """Norway: date (days have 40 more in a D number), count, two check digits."""
    first = weighted(number, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    second = weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11
    return first == second == 0 and day_first(number, days=40)


def pl_pesel(number: str) -> bool:
    """Poland: months have 20, 40, 60 or 80 more in other centuries."""
    return year_first(number, months=20) and weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def pt_nif(number: str) -> bool:
    rest = weighted(number[:8], range(9, 1, -1)) % 11
    return number[0] in "123568" and (0 if rest < 2 else 11 - rest) == int(number[8])


def ro_cnp(number: str) -> bool:
    """Romania: sex and century, date, county, count, check digit."""
    rest = weighted(number[:12], (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    county = int(number[7:9])
    return (
        number[0] != "0"
        and year_first(number[1:7])
        and 1 <= county <= 52
        and (1 if rest == 10 else rest) == int(number[12])
    )


def ru_inn(number: str) -> bool:
    """Russia, persons: two check digits."""
    first = weighted(number, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    second = weighted(number, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    return len(set(number)) > 1 and (first, second) == (int(number[10]), int(number[11]))


def ru_snils(number: str) -> bool:
    total = weighted(number[:9], range(9, 0, -1)) % 101 % 100
    return len(set(number[:9])) > 1 and total == int(number[9:])


def se_number(number: str) -> bool:
    """Sweden: date (days have 60 more in a coordination number), count, Luhn's digit; the century does not count."""
    return year_first(number[-10:], days=60) and luhn(number[-10:])


def uk_nhs(number: str) -> bool:
    rest = 11 - weighted(number[:9], range(10, 1, -1)) % 11
    return len(set(number)) > 1 and rest != 10 and rest % 11 == int(number[9])


_NINO_NEVER = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})


def uk_nino(number: str) -> bool:
    """The UK's national insurance number has no check digit, but prefixes that are never given out (HMRC, NIM39110)."""
    return number[0] not in "DFIQUV" and number[1] not in "DFIOQUV" and number[:2] not in _NINO_NEVER
