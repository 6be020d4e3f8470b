"""Phone numbers: a row proposes a run of digits, `phonenumbers` says what in it is a number.

A number is *sure* when it is valid by its country's numbering plan. It is *likely* when it is only written as one is:
with a country code, as (555) 123-4567, or after a word such as "phone".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING

from lockgate.detectors.checks import ESCAPE, closed, opening
from lockgate.detectors.pii_iban import spans as iban_spans
from lockgate.detectors.protocol import PatternSpec, Spans
from lockgate.errors import PolicyError

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

LABEL = "PHONE_NUMBER"

_EXTENSION = r"[ ,;]{0,2}(?:x|ext|extension|#)[ .:]{0,2}[0-9]{1,6}"
_ACCOUNT = r"[A-Z]{2}[0-9]{2}[ \-]?(?:[A-Z]{4}[ \-]?)?"
_RUN = ESCAPE + rf"(?:{_ACCOUNT})?" + r"[+(]{0,2}[0-9](?:[ .\-/()]{0,3}[0-9]){6,27}(?:" + _EXTENSION + ")?"
_NOUNS = (
    "phone|telephone|tel|mobile|mob|cell|cellphone|fax|whatsapp|hotline|telefon|telefono|telefone|handy|movil|celular|"
    "portable|gsm"
)
_OTHER_NOUNS = "телефон|тел|电话|電話|手机|手機|携帯|전화"
_CONTEXT = (
    rf"(?:(?:\b|_|\\[nrt])(?:(?:{_NOUNS})(?:[ _\-]?(?:number|num|no|nr|line))?|my number|"
    rf"(?:call|dial|reach|ring|text|answering)(?: (?:me|us|him|her|them|you|back)){{0,2}})|{_OTHER_NOUNS})"
    r"""["' .:=#\-]{0,4}(?:(?:is|at|on)[ :]{1,2})?["']?([+(]{0,2}[0-9](?:[ .\-/()]{0,3}[0-9]){6,14})"""
)
_OPENS_ACCOUNT = re.compile(_ACCOUNT, re.IGNORECASE)
_TAIL = re.compile(_EXTENSION + r"\Z", re.IGNORECASE)
_GROUP = re.compile(r"[0-9]+")
_MOST_GROUPS = 7  # no country writes its numbers in more
_JOINTS = frozenset({"-", ".", "/"})
_AREA_JOINTS = frozenset({"-", ".", "/", " ", " - ", ")", ") ", ")-"})


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of digit groups. `gaps[i]` stands before group i; the last one behind the last group."""

    text: str
    groups: list[tuple[int, int]]
    gaps: list[str]

    def sizes(self, left: int, right: int) -> tuple[int, ...]:
        return tuple(high - low for low, high in self.groups[left : right + 1])

    def begin(self, left: int) -> int:
        """Where the number that starts with group `left` starts: with its opening bracket or its plus."""
        low = self.groups[left][0]
        return low - len(self.gaps[left]) + len(self.gaps[left].rstrip("+("))

    def written(self, left: int, right: int) -> str:
        return self.text[self.begin(left) : self.groups[right][1]]


def phone_specs(regions: Sequence[str]) -> tuple[PatternSpec, ...]:
    """The rows for numbers with a country code and for the national ones of `regions`.

    Raises PolicyError for a region that does not exist.
    """
    if tuple(regions) != ("US",):
        from phonenumbers import SUPPORTED_REGIONS

        for region in regions:
            if region not in SUPPORTED_REGIONS:
                raise PolicyError(f"{region} in `phone_regions` is no country", hint="two letters, as in ISO 3166-1")
    find = _remembering(tuple(regions))
    return (
        PatternSpec(LABEL, _RUN, score=0.9, ignore_case=True, validate=_only(find, sure=True)),
        PatternSpec(LABEL, _RUN, score=0.6, ignore_case=True, validate=_only(find, sure=False)),
        PatternSpec(LABEL, _CONTEXT, score=0.6, ignore_case=True, validate=partial(_after_word, find)),
    )


_Find = Callable[[str, int, int], Iterable[tuple[int, int, bool]]]


def _remembering(regions: tuple[str, ...]) -> _Find:
    """`_numbers`, with the last answer kept: two rows ask the same."""

    @lru_cache(maxsize=4)
    def numbers(piece: str, start: int, end: int) -> list[tuple[int, int, bool]]:
        return list(_numbers(regions, piece, start, end))

    def find(text: str, start: int, end: int) -> Iterable[tuple[int, int, bool]]:
        lead = max(start - 1, 0)
        found = numbers(text[lead : end + 1], start - lead, end - lead)
        return [(low + lead, high + lead, sure) for low, high, sure in found]

    return find


def _only(find: _Find, *, sure: bool) -> Callable[[str, int, int], Spans]:
    def validate(text: str, start: int, end: int) -> Spans:
        return [(low, high) for low, high, valid in find(text, start, end) if valid is sure]

    return validate


def _after_word(find: _Find, text: str, start: int, end: int) -> Spans:
    """What follows a word such as "phone": any plausible count of digits that the other rows leave."""
    if any(find(text, start, end)):
        return ()
    run = _run(text, start, end)
    for right in range(len(run.groups) - 1, -1, -1):
        digits = sum(run.sizes(0, right))
        if 7 <= digits <= 15 and not _dated(run, 0, right):
            return ((run.begin(0), run.groups[right][1]),)
    return ()


def _run(text: str, start: int, end: int, *, extended: bool = False) -> _Run:
    """The candidate's groups, without those that are glued to a word (`extended`: to an extension, which is well)."""
    first = opening(text, start, end)
    glued = first < 0
    first = max(first, start)
    account = _OPENS_ACCOUNT.match(text, first, end)
    if account:
        # The digits of a bank account are nobody's telephone.
        first = max((last for _, last in iban_spans(text, start, end)), default=account.end())
        glued = first == account.end() and text[first - 1].isalnum()
    groups = [match.span() for match in _GROUP.finditer(text, first, end)]
    if glued and (text[first].isdigit() or text[start - 1].isdigit()):
        del groups[0]  # of a longer word, or of a version with a plus in it
    if groups and not extended and not closed(text, groups[-1][1]):
        del groups[-1]
    edges = [(first, first), *groups, (end, end)]
    gaps = [text[a[1] : b[0]] for a, b in pairwise(edges)]
    if groups:
        # A hyphen on its outside joins a candidate to letters: two groups of a UUID, or a part of a name.
        low, high = groups[0][0], groups[-1][1]
        gaps[0] = "-" if text[max(low - 1, 0) : low] == "-" else gaps[0]
        gaps[-1] = "-" if text[high : high + 1] == "-" else gaps[-1]
    return _Run(text, groups, gaps)


def _numbers(regions: tuple[str, ...], text: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """(start, end, sure) of each number in a candidate."""
    tail = _TAIL.search(text, start, end)
    run = _run(text, start, tail.start() if tail else end, extended=tail is not None)
    left, last = 0, len(run.groups) - 1
    while left <= last:
        right, sure = _number(regions, run, left)
        if right < 0:
            left += 1
            continue
        yield run.begin(left), tail.end() if tail and right == last else run.groups[right][1], sure
        left = right + 1


def _number(regions: tuple[str, ...], run: _Run, left: int) -> tuple[int, bool]:
    """(last group, sure) of the number that begins with group `left`; (-1, False) if none does."""
    if run.gaps[left].endswith(("+", "+(", "(+")):
        return _international(run, left, "")
    low, high = run.groups[left]
    if left == 0 and not run.gaps[0].strip("( ") and run.text.startswith("00", low) and 2 < high - low < 6:
        found = _international(run, left, "+")
        if found[0] - left >= 2:
            return found
    from phonenumbers import country_code_for_region

    for region in regions:
        american = country_code_for_region(region) == 1
        right, sure = _american(run, left) if american else _national(run, left, region)
        if right >= 0:
            return right, sure
    return -1, False


def _windows(run: _Run, left: int, least: int, most: int) -> list[int]:
    """The groups with which a number of `least` to `most` digits can end, the longest first."""
    rights, digits = [], 0
    for right in range(left, len(run.groups)):
        digits += sum(run.sizes(right, right))
        if digits > most:
            break
        if digits >= least:
            rights.append(right)
    return rights[::-1]


def _international(run: _Run, left: int, plus: str) -> tuple[int, bool]:
    likely = -1
    for right in _windows(run, left, 7, 17):
        inner = run.gaps[left + 1 : right + 1]
        if inner == ["."]:
            continue  # a decimal number
        written = run.written(left, right)
        number = _parse("+" + written.lstrip("0") if plus else written, None)
        if number is None:
            continue
        if _valid(number):
            return right, True
        if likely < 0 and len(inner) > 1 and sum(run.sizes(left, right)) > 8 and _possible(number):
            likely = right
    return likely, False


def _american(run: _Run, left: int) -> tuple[int, bool]:
    """415-555-2671, (415) 555-2671, 1-415-555-2671, 415.555.2671, 415 555 2671."""
    area = left
    if run.sizes(left, left) == (1,) and run.written(left, left) == "1":
        area += 1
    bracket = area < len(run.groups) and run.gaps[area].endswith("(")
    if run.sizes(area, area + 2) == (3, 3, 4):
        right = area + 2
    elif bracket and run.sizes(area, area + 1) == (3, 7):
        right = area + 1
    else:
        return -1, False
    inner = run.gaps[area + 1 : right + 1]
    if inner[0] not in _AREA_JOINTS or inner[-1] not in _AREA_JOINTS or (inner[0][0] == ")") != bracket:
        return -1, False
    outer = {run.gaps[left], run.gaps[right + 1]}
    spaced = inner[-1] == " " and inner[0] in (" ", ")", ") ")
    # Joined on to more groups, it is part of another number; so it is in a row of numbers with spaces only.
    if outer & _JOINTS or (spaced and " " in outer):
        return -1, False
    if _dated(run, left, right):
        return -1, False
    number = _parse(run.written(left, right), "US")
    if number is None:
        return -1, False
    if _valid(number):
        return right, True
    first = run.text[run.groups[area][0]]
    likely = not spaced and ("." not in inner or first > "1") and _possible(number)
    return (right if likely else -1), False


def _national(run: _Run, left: int, region: str) -> tuple[int, bool]:
    """The ways to write a number at home elsewhere: with the trunk prefix, or grouped as the country does."""
    import phonenumbers

    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    trunk = (metadata.national_prefix if metadata else None) or ""
    if run.gaps[left] in _JOINTS or (run.written(left, left) == "0" and run.gaps[left + 1] in {".", "-"}):
        return -1, False
    for right in _windows(run, left, 7, 13):
        if right - left >= _MOST_GROUPS or run.gaps[right + 1] in _JOINTS:
            continue
        if run.gaps[left + 1 : right + 1] == ["."] or _in_a_row(run, left, right):
            continue  # a decimal number, or bytes and draws of a lottery
        if not _may_be(run, left, right, region) or _dated(run, left, right):
            continue
        written = run.written(left, right)
        number = _parse(written, region)
        if number is None or not phonenumbers.is_valid_number_for_region(number, region):
            continue
        begins = trunk != "" and written.lstrip("(").startswith(trunk)
        if left == right:
            # One group of digits is no evidence by itself, but for the prefix.
            return (right, False) if begins else (-1, False)
        usual = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        if begins or tuple(map(len, _GROUP.findall(usual))) == run.sizes(left, right):
            return right, True
    return -1, False


def _in_a_row(run: _Run, left: int, right: int) -> bool:
    """Whether these are pairs of digits with more of them around, or more than any country writes."""
    if set(run.sizes(left, right)) != {2}:
        return False
    before = left > 0 and run.sizes(left - 1, left - 1) == (2,) and run.gaps[left] == run.gaps[right]
    behind = right + 1 < len(run.groups) and run.sizes(right + 1, right + 1) == (2,)
    return before or right - left > 4 or (behind and run.gaps[right + 1] == run.gaps[right])


def _may_be(run: _Run, left: int, right: int, region: str) -> bool:
    """Whether the digits fit the region's plan, and without the trunk prefix its grouping, too: parsing them to find
    out costs fifty times as much, and a table of numbers would ask at each of its places."""
    plan = _plan(region)
    if plan is None:
        return True
    digits = "".join(run.text[low:high] for low, high in run.groups[left : right + 1])
    prefix = plan.prefix.match(digits)
    if prefix:
        return bool(plan.form.fullmatch(digits, prefix.end()) or plan.form.fullmatch(digits))
    return left < right and plan.form.fullmatch(digits) is not None and plan.grouped(digits, run.sizes(left, right))


@dataclass(frozen=True, slots=True)
class _Plan:
    """A region's numbers: their form, what may stand before them at home, and how they are grouped."""

    form: re.Pattern[str]
    prefix: re.Pattern[str]
    groupings: tuple[re.Pattern[str], ...]

    def grouped(self, digits: str, sizes: tuple[int, ...]) -> bool:
        matches = (pattern.fullmatch(digits) for pattern in self.groupings)
        return any(tuple(map(len, match.groups())) == sizes for match in matches if match)


@cache
def _plan(region: str) -> _Plan | None:
    """None where numbers are rewritten between prefix and plan, or groups are shown otherwise than they stand."""
    import phonenumbers

    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    form = metadata.general_desc.national_number_pattern if metadata and metadata.general_desc else None
    if metadata is None or metadata.national_prefix_transform_rule or not form:
        return None
    rows = [(row.pattern or "", row.format or "") for row in metadata.number_format]
    if any(
        re.findall(r"[0-9]", shown) != [str(i + 1) for i in range(re.compile(pattern).groups)]
        for pattern, shown in rows
    ):
        return None
    prefix = re.compile(metadata.national_prefix_for_parsing or "(?!)")
    return _Plan(re.compile(form), prefix, tuple(re.compile(pattern) for pattern, _ in rows))


def _dated(run: _Run, left: int, right: int) -> bool:
    """Whether there is a date or an internet address in these groups."""
    for i in range(left, right - 1):
        sizes, gaps = run.sizes(i, i + 2), set(run.gaps[i + 1 : i + 3])
        if len(gaps) == 1 and gaps <= _JOINTS and sizes in ((4, 2, 2), (2, 2, 4), (1, 2, 4), (2, 1, 4), (1, 1, 4)):
            numbers = [int(run.text[low:high]) for low, high in run.groups[i : i + 3]]
            year = numbers.pop(0 if sizes[0] == 4 else 2)
            if 1900 <= year <= 2100 and 1 <= min(numbers) <= 12 and max(numbers) <= 31:
                return True
    inner = run.gaps[left + 1 : right + 1]
    return inner == ["."] * 3 and max(run.sizes(left, right)) <= 3


def _parse(written: str, region: str | None) -> PhoneNumber | None:
    import phonenumbers  # 8 MB of tables, needed only once something looks like a number

    try:
        return phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None


def _valid(number: PhoneNumber) -> bool:
    from phonenumbers import is_valid_number

    return is_valid_number(number)


def _possible(number: PhoneNumber) -> bool:
    from phonenumbers import is_possible_number

    return is_possible_number(number)
