"""Personal data that has a grammar or a checksum. Labels are presidio's.

A row proposes, its check decides. Rows take in a little more than what they look for, so that the check sees what a
number is part of: a date, a version, a longer number. Identity numbers (`pii_table.py`) and what only its words give
away (`pii_context.py`) have tables of their own.
"""

from __future__ import annotations

import ipaddress
import re
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from lockgate.detectors import pii_address, pii_context, pii_crypto, pii_iban, pii_numbers
from lockgate.detectors.checks import ESCAPE, card_number, closed, opening, social_security_number, word
from lockgate.detectors.pii_phone import phone_specs
from lockgate.detectors.pii_table import IDENTITY
from lockgate.detectors.protocol import Detector, PatternDetector, PatternSpec, Spans
from lockgate.detectors.views import ENCODED, Decoded, seen_in

KIND = "pii"

IDENTITY_NUMBERS = (*dict.fromkeys(row.label for row in IDENTITY), "US_SSN")
GROUPS: dict[str, tuple[str, ...]] = {
    "identity_numbers": tuple(sorted(IDENTITY_NUMBERS)),
    "payment": ("BANK_ACCOUNT", "ABA_ROUTING_NUMBER", "CREDIT_CARD", "CRYPTO", "IBAN_CODE", "UK_SORT_CODE"),
    "contact": ("EMAIL_ADDRESS", "PHONE_NUMBER", "STREET_ADDRESS"),
    "documents": ("DRIVER_LICENSE", "LICENSE_PLATE", "PASSPORT", "VIN"),
    "health": ("HEALTH_INSURANCE_NUMBER", "MEDICAL_LICENSE", "MEDICAL_RECORD_NUMBER", "US_NPI"),
    "devices": ("IMEI", "IP_ADDRESS", "MAC_ADDRESS"),
    "birth": ("DATE_OF_BIRTH",),
}
"""Names that stand for several kinds."""
KINDS: tuple[str, ...] = tuple(sorted({kind for group in GROUPS.values() for kind in group}))
NAMES: tuple[str, ...] = ("LOCATION", "ORGANIZATION", "PERSON")
"""Kinds that only a model finds, so that they are looked for where they are asked for; `names` stands for all. It finds
street addresses too, beside their rows."""


_WORDS = (*KINDS, *NAMES, *GROUPS, "names")


def _known(kind: str) -> str:
    if kind not in _WORDS:
        # The error that pydantic gives for a Literal, which this is but for its length.
        known = ", ".join(f"'{name}'" for name in _WORDS)
        raise PydanticCustomError("literal_error", "Input should be one of the kinds", {"expected": known})
    return kind


PiiKind = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": [*_WORDS]})]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class PiiConfig(BaseModel):
    """`kinds`: the labels to look for, or names of groups of them; all that need no model if not given. `min_score`: rows
    and names below it are left out.

    `phone_regions`: the countries (ISO 3166-1, two letters) whose national ways to write a phone number are known;
    numbers with a + are found for all. `views`: the disguises in which they are looked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kinds: tuple[PiiKind, ...] | None = Field(default=None, min_length=1)
    min_score: float = Field(default=0.5, ge=0, le=1)
    phone_regions: tuple[Region, ...] = ("US",)
    views: tuple[Decoded, ...] = ENCODED


def build(config: PiiConfig) -> PatternDetector:
    """Raises PolicyError for a phone region that does not exist."""
    kinds = _asked(config)
    rows = [*_SPECS, *pii_numbers.specs(), *pii_context.SPECS, *pii_crypto.SPECS, *pii_address.SPECS]
    rows += phone_specs(config.phone_regions) if "PHONE_NUMBER" in kinds else ()
    specs = (spec for spec in rows if spec.label in kinds and spec.score >= config.min_score)
    return PatternDetector(KIND, seen_in(specs, config.views), kinds)


def names(config: PiiConfig) -> Detector | None:
    """The part that a model finds, where a name is asked for. Raises PolicyError where there is no such model."""
    kinds = _asked(config)
    if kinds.isdisjoint(NAMES):
        return None
    from lockgate.detectors.model import MODELS, TEXT
    from lockgate.detectors.names import NamesDetector

    return NamesDetector(KIND, MODELS.named(TEXT), kinds & {*NAMES, "STREET_ADDRESS"}, config.min_score)


def _asked(config: PiiConfig) -> frozenset[str]:
    named = KINDS if config.kinds is None else config.kinds
    return frozenset(kind for name in named for kind in (NAMES if name == "names" else GROUPS.get(name, (name,))))


# E-mail addresses

_LOCAL = r"[A-Za-z0-9_][A-Za-z0-9._%+'\-]{0,63}"
_EMAIL = ESCAPE + _LOCAL + r"(?:@|%40)[A-Za-z0-9.\-]{1,140}\.[A-Za-z][A-Za-z0-9\-]{1,23}"
_OPEN, _CLOSE = r" ?[\[({<] ?", r" ?[\])}>] ?"
_SPELT_EMAIL = (
    _LOCAL + _OPEN + "(?:at|@)" + _CLOSE + r"[A-Za-z0-9\-]{1,40}"
    r"(?:(?:\.|" + _OPEN + r"(?:dot|\.)" + _CLOSE + r")[A-Za-z0-9\-]{2,24}){1,3}"
)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_TOP_LEVEL = re.compile(r"[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,}", re.IGNORECASE)
_GLUED = re.compile(r"[a-z]{2,}(?=[A-Z][a-z])")
_AT = re.compile("@|%40")
_FILES = re.compile(
    r"(?:bmp|css|csv|dll|exe|gif|gz|html?|ico|jpe?g|jsx?|json|lock|log|map|pdf|php|png|svg|tar|tiff|tsx?|txt|webp|"
    r"xml|ya?ml)\Z",
    re.IGNORECASE,
)
_STRING_PREFIX = re.compile(r"(?:[fbru]|rb|br|fr|rf)'", re.IGNORECASE)


def _email(text: str, start: int, end: int) -> Spans:
    first = max(opening(text, start, end), start)
    # A string literal's prefix and quote, which are also letters that a name may have (o'brien).
    prefix = _STRING_PREFIX.match(text, first, end)
    if prefix:
        first = prefix.end()
    at = _AT.search(text, first, end)
    if at is None or at.start() == first or text[first : at.start()].lower() == "git":
        return ()
    last = -1
    position, labels = at.end(), 0
    while label := _LABEL.match(text, position, end):
        labels += 1
        if labels > 1:
            last = _top_level_end(label, last)
        position = label.end() + 1
        if text[label.end() : position] != "." or position >= end:
            break
    if last < 0 or text[last : last + 1] == "(" or _FILES.match(text[first:last].rpartition(".")[2]):
        return ()
    return ((first, last),)


def _top_level_end(label: re.Match[str], last: int) -> int:
    """Where an address ends that has `label` in it; `last` if it can't end there."""
    name = label.group()
    if _TOP_LEVEL.fullmatch(name):
        # "…@example.comPhone": a capital after small letters begins what the page put behind the address.
        glued = _GLUED.match(name)
        return label.start() + glued.end() if glued else label.end()
    head = name.partition("-")[0]  # "…@example.com-2024"
    return label.start() + len(head) if last < 0 and _TOP_LEVEL.fullmatch(head) else last


# Payment cards

_CARD = ESCAPE + r"[0-9](?:[ .\-/_+\t\n]{0,3}[0-9]){11,60}"  # + is a space in a form's fields
_GROUP = re.compile(r"[0-9]+")
_CARD_SHAPES = frozenset({
    (4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 4, 2), (4, 4, 4, 4, 1), (4, 4, 4, 1), (4, 4, 5),
    (4, 5, 6), (6, 13), (6, 10), (8, 8), (4, 12), (12, 4),
})  # fmt: skip
"""How cards are grouped, where more numbers stand around; alone, any grouping will do."""


def _card(text: str, start: int, end: int) -> Spans:
    first = opening(text, start, end)
    groups = [match.span() for match in _GROUP.finditer(text, max(first, start), end)]
    # The first and the last group may be glued to something else; those between stand free.
    if first < 0 or (first and text[first - 1] == "."):
        del groups[0]
    if groups and not closed(text, end):
        del groups[-1]
    gaps = [text[a[1] : b[0]] for a, b in pairwise(groups)]
    ends = [_card_end(text, groups, gaps, left) for left in range(len(groups))]
    windows = [(left, right) for left, right in enumerate(ends) if right >= 0]
    chosen: list[tuple[int, int]] = []
    for left, right in windows:
        if not chosen or left > chosen[-1][1]:
            chosen.append((left, right))
    # One that overlaps is taken, too, where it has digits that no other has: either may be the true one.
    covered = {i for left, right in chosen for i in range(left, right + 1)}
    chosen.extend(window for window in windows if not covered.issuperset(range(window[0], window[1] + 1)))
    return [(groups[left][0], groups[right][1]) for left, right in chosen]


def _card_end(text: str, groups: list[tuple[int, int]], gaps: list[str], left: int) -> int:
    """The group with which a card that begins with group `left` ends; -1 if none begins there."""
    digits = ""
    sizes: list[int] = []
    uniform, broken = True, 0
    joined = left > 0 and gaps[left - 1] == "-"
    for right in range(left, len(groups)):
        low, high = groups[right]
        digits += text[low:high]
        sizes.append(high - low)
        if len(digits) > 19:
            return -1
        gap = gaps[right - 1] if right > left else ""
        broken += "\n" in gap
        uniform = uniform and (right - left < 2 or gap == gaps[left])
        if joined and right > left and gaps[left] != "-":
            return -1  # its first group belongs to what stands before
        shaped = len(sizes) == 1 or (uniform and tuple(sizes) in _CARD_SHAPES)
        if broken:
            # Numbers under each other are a column, but for one card alone that a line was too short for.
            alone = left == 0 and right == len(groups) - 1
            shaped = broken == 1 and alone and len(sizes) > 2 and tuple(sizes) in _CARD_SHAPES
        else:
            opens = left == 0 or "\n" in gaps[left - 1]
            closes = right == len(groups) - 1 or "\n" in gaps[right]
            # One digit by itself among longer groups numbers something: a version, a column.
            shaped = shaped or (opens and closes and (1 not in sizes or set(sizes) == {1}))
        if shaped and not _fraction(gaps, left, right) and card_number(digits):
            return right
    return -1


def _fraction(gaps: list[str], left: int, right: int) -> bool:
    """Whether the groups are a decimal number or part of one: a full stop before or behind, and none between."""
    if right == left + 1 and gaps[left] == ".":
        return True
    inner = gaps[left] if right > left else ""
    before = gaps[left - 1] if left else ""
    behind = gaps[right] if right < len(gaps) else ""
    return inner != "." and "." in (before, behind)


# US social security numbers


def _ssn(text: str, start: int, end: int) -> Spans:
    first = opening(text, start, end)
    # Eleven characters: with one more number joined on either side, it is something else.
    if first < 0 or end - first != 11 or not closed(text, end):
        return ()
    return ((first, end),) if social_security_number(_digits(text[first:end])) else ()


def _ssn_in_context(text: str, start: int, end: int) -> Spans:
    number = text[start:end]
    if not closed(text, end) or re.fullmatch(r"[0-9]{3}([ .\-])[0-9]{2}\1[0-9]{4}", number):
        return ()
    return ((start, end),) if social_security_number(_digits(number)) else ()


def _ssn_regex(gap: str) -> str:
    return ESCAPE + f"(?:[0-9]{gap})?[0-9]{{3}}{gap}[0-9]{{2}}{gap}[0-9]{{4}}(?:{gap}[0-9])?"


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


# Internet addresses

_IPV4 = (
    ESCAPE + r"(?:(?:version|release|build|ver|rev|v)[ .:=]{0,2}|ffff:)?"
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3,15}(?:\.[0-9]|[+_][a-z0-9]|-[a-z]|/[0-9]{1,2})?"
)
_IPV6 = r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{0,36}(?:\.[0-9]{1,3}){0,3}"
_QUAD = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_NETWORKS = tuple(map(ipaddress.IPv6Network, ("2000::/3", "64:ff9b::/96", "::ffff:0:0/96", "fc00::/7", "fe80::/10")))


def _ipv4(text: str, start: int, end: int) -> Spans:
    opened = opening(text, start, end)
    glued = opened < 0 or (opened > 0 and text[opened - 1] == ".")
    first = opened = max(opened, start)
    while not text[first].isdigit():
        first += 1
    if (first > opened) != glued:
        # "version 1.2.3.4", an IPv6 address's end, or the end of a longer word. "server 10.0.0.1" only looks like it.
        return ()
    slash = text.find("/", first, end)
    if slash >= 0:
        if closed(text, end) and _network(text[first:end]):
            return ()
        end = slash
    # With one part more, or a suffix, it is a version.
    if not _QUAD.fullmatch(text, first, end) or not closed(text, end):
        return ()
    return ((first, end),) if _personal_ipv4(text[first:end]) else ()


def _network(text: str) -> bool:
    """Whether it is a block of many addresses, as 10.20.0.0/16 is and 10.20.0.7/16 is not."""
    try:
        return ipaddress.IPv4Network(text).prefixlen < 31
    except ValueError:
        return False


def _personal_ipv4(text: str) -> bool:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    # This host, net masks, and network or version numbers (10.0.0.0, Chrome/120.0.0.0) are nobody's address.
    if address.is_loopback or text.startswith(("0.", "255.")) or text.endswith(".0.0.0"):
        return False
    # Four single digits number a chapter (3.2.4.1), unless they are like the well-known addresses: 8.8.4.4, 1.2.3.4.
    return len(text) > 7 or len(set(text)) <= 3 or text == "1.2.3.4"


def _ipv6(text: str, start: int, end: int) -> Spans:
    first, last = start, end
    if first and word(text[first - 1]):
        first = text.index(":", first, end) + 1
    if text[first] == ":" and text[first : first + 2] != "::":
        first += 1
    if text[last - 1] == ":" and text[last - 2 : last] != "::":
        last -= 1
    if last == end and not closed(text, end):
        return ()
    return ((first, last),) if last > first and _personal_ipv6(text[first:last]) else ()


def _personal_ipv6(text: str) -> bool:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    if "::" not in text and "." not in text:
        return any(len(group) != 2 for group in text.split(":"))  # eight times two digits are a device's address
    # A scope in code (`f64::add`) is an address by its grammar, but in no network that is in use.
    return not address.is_loopback and any(address in network for network in _NETWORKS)


# Devices' addresses

_MAC = ESCAPE + r"[0-9A-Fa-f]{2}(?:[:\-][0-9A-Fa-f]{2}){5,7}"
_DOTTED_MAC = ESCAPE + r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f])?"


def _mac(text: str, start: int, end: int) -> Spans:
    first = opening(text, start, end)
    if first < 0 or not closed(text, end) or (first and text[first - 1] in ":-.") or text[end : end + 1] in (":", "-"):
        return ()
    address = text[first:end]
    letters = address.upper()
    plain = re.sub("[^0-9A-F]", "", letters)
    # Six numbers in a row are a device's only with a letter in them, or with colons.
    if len(plain) != 12 or len({*address} & {*":-."}) != 1 or (plain.isdigit() and ":" not in address):
        return ()
    return ((first, end),) if len(set(plain)) > 2 else ()


_SPECS = (
    PatternSpec("EMAIL_ADDRESS", _EMAIL, validate=_email),
    PatternSpec("EMAIL_ADDRESS", _SPELT_EMAIL, score=0.7, ignore_case=True),
    PatternSpec("CREDIT_CARD", _CARD, validate=_card),
    PatternSpec("IBAN_CODE", pii_iban.REGEX, ignore_case=True, validate=pii_iban.spans),
    PatternSpec("US_SSN", _ssn_regex("-"), score=0.9, validate=_ssn),
    PatternSpec("US_SSN", _ssn_regex("[ .]"), score=0.5, validate=_ssn),
    PatternSpec(
        "US_SSN",
        r"(?:\b|_|\\[nrt])(?:ssn|ss ?#|ss no|social security|social sec|taxpayer id|tax id)[^0-9\n]{0,24}"
        r"([0-9]{3}[ .\-]?[0-9]{2}[ .\-]?[0-9]{4})",
        score=0.8,
        ignore_case=True,
        validate=_ssn_in_context,
    ),
    PatternSpec("IP_ADDRESS", _IPV4, score=0.9, ignore_case=True, validate=_ipv4),
    PatternSpec("IP_ADDRESS", _IPV6, score=0.9, validate=_ipv6),
    PatternSpec("MAC_ADDRESS", _MAC, score=0.9, validate=_mac),
    PatternSpec("MAC_ADDRESS", _DOTTED_MAC, score=0.6, validate=_mac),
)
