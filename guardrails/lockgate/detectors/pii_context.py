"""Personal data that only the words before it give away: documents, accounts, records, dates of birth, plates.

A table like that of numbers (`pii_table.py`), without checksums: the words must name the thing, and the value must look
like one. Words are written as text is after folding: without accents.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lockgate.detectors.checks import ESCAPE, closed, opening
from lockgate.detectors.pii_checks import calendar
from lockgate.detectors.pii_checks_world import mrz
from lockgate.detectors.pii_numbers import behind, value
from lockgate.detectors.protocol import PatternSpec, Spans


@dataclass(frozen=True, slots=True)
class Context:
    """A kind of value that stands behind one of `words`. `check` judges it as it is written."""

    label: str
    words: str
    form: str
    check: Callable[[str], bool]
    score: float


def _digits(least: int) -> Callable[[str], bool]:
    return lambda text: sum(map(str.isdigit, text)) >= least


def plate(text: str) -> bool:
    """Letters in capitals and digits."""
    return text == text.upper() and any(map(str.isalpha, text)) and any(map(str.isdigit, text))


_MONTHS = {
    month: number
    for number, names in enumerate(
        (
            "jan januar january janvier enero gennaio janeiro januari ianuarie styczen ledna",
            "feb februar february fevrier febrero febbraio fevereiro februari",
            "mar mars march marz maerz marzo marco maart",
            "apr april avril abril aprile",
            "may mai mayo maggio maio mei maj",
            "jun juni june juin junio giugno junho",
            "jul juli july juillet julio luglio julho",
            "aug august aout agosto augustus augusti",
            "sep sept september septembre septiembre settembre setembro",
            "oct okt october oktober octobre octubre ottobre outubro",
            "nov november novembre noviembre novembro",
            "dec dez dic december dezember decembre diciembre dicembre dezembro desember",
        ),
        start=1,
    )
    for month in names.split()
}
_PART = re.compile(r"[0-9]+|[a-z]{3,}")
_MONTH = f"(?:{'|'.join(sorted(_MONTHS, key=lambda name: (-len(name), name)))})"
_DATE = (
    r"(?:(?:19|20)[0-9]{2}[\-/. ]{1,2}[0-9]{1,2}[\-/. ]{1,2}[0-9]{1,2}|"
    r"[0-9]{1,2}[\-/. ]{1,2}[0-9]{1,2}[\-/. ]{1,2}(?:(?:19|20)[0-9]{2}|[0-9]{2})|"
    rf"[0-9]{{1,2}}(?:st|nd|rd|th|er|\.)?[ \-/]{{1,2}}(?:de |of )?{_MONTH}\.?,?[ \-/]{{1,2}}(?:de |del )?(?:19|20)[0-9]{{2}}|"
    rf"{_MONTH}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)[0-9]{{2}}|"
    r"(?:明治|大正|昭和|平成|令和) ?[0-9]{1,2} ?年 ?[0-9]{1,2} ?月 ?[0-9]{1,2} ?日|(?:19|20)[0-9]{2} ?年 ?[0-9]{1,2} ?月 ?[0-9]{1,2} ?日|(?:19|20)[0-9]{2} ?년 ?[0-9]{1,2} ?월 ?[0-9]{1,2} ?일)"
)


def birthday(text: str) -> bool:
    """A day that there was. Day and month may stand in either order."""
    parts = [part for part in _PART.findall(text.lower()) if part.isdigit() or part in _MONTHS]
    if len(parts) != 3:
        return False
    named = [_MONTHS[part] for part in parts if not part.isdigit()]
    numbers = [int(part) for part in parts if part.isdigit()]
    year = max(numbers) if max(numbers) > 31 else numbers[-1]
    numbers.remove(year)
    one, other = [*numbers, *named]
    return calendar(year, one, other) or calendar(year, other, one)


CONTEXTS: tuple[Context, ...] = (
    Context("PASSPORT", "pass?port|passeport|reisepass|(?:reise)?pass-?(?:nummer|nr)|pasaporte|passaporto|passaporte|paspoort|паспорт|护照|護照|パスポート|旅券|여권", r"[A-Z]{0,3}[ \-]?[0-9][A-Z0-9]{4,8}", _digits(5), 0.8),
    Context("DRIVER_LICENSE", r"driver'?s?[ \-]licen[cs]e|driving licen[cs]e|dl|fuhrerschein|permis de conduire|carnet de conducir|licencia de conducir|patente di guida|carta de conducao|rijbewijs|водительское удостоверение|运转免许证|運転免許証", r"[A-Z0-9][A-Z0-9\-]{5,20}", _digits(5), 0.7),
    Context("LICENSE_PLATE", r"licen[cs]e plate|number plate|plate|vehicle registration|kennzeichen|plaque d'immatriculation|immatriculation|matricula|targa|kenteken", r"(?:[A-Z]{1,3}[ \-]{0,2}(?:[A-Z]{1,2} )?[0-9]{1,4}(?:[ \-]?[A-Z]{1,3})?|[0-9]{1,4}[ \-]?[A-Z]{2,3}(?:[ \-]?[0-9]{1,3})?)", plate, 0.6),
    Context("DATE_OF_BIRTH", r"date of birth|d\.?o\.?b|birth ?date|birth_date|birthday|born(?: on)?|geboren(?: am)?|geburtsdatum|geb\.?|nee? le|date de naissance|fecha de nacimiento|nacid[oa] el|nascut[oa]? il|data di nascita|nat[oa] il|data de nascimento|nascid[oa] em|geboortedatum|fodselsdato|fodelsedatum|data urodzenia|urodzon[ya]|ur\.|fodt|fodd|syntynyt|syntymaaika|narozen[aiy]?|datum narozeni|szuletett|szuletesi datum|nascuta? (?:pe|la)|data nasterii|dogum tarihi|дата рождения|дата народження|родил(?:ся|ась)|народи(?:вся|лася)|ημερομηνια γεννησης|תאריך לידה|تاريخ الميلاد|जन्म तिथि|วันเกิด|ngay sinh|tanggal lahir|出生日期|出生年月日|生年月日|생년월일", _DATE, birthday, 0.8),
    Context("MEDICAL_RECORD_NUMBER", r"mrn|medical record|patient (?:id|identifier|no|number)|chart (?:no|number)|hospital (?:id|no|number)|patientennummer|numero de dossier(?: medical)?|historia clinica|cartella clinica|病历号|カルテ番号", r"[A-Z]{0,4}[\-]?[0-9][A-Z0-9\-]{3,14}", _digits(5), 0.8),
    Context("HEALTH_INSURANCE_NUMBER", r"health insurance|insurance (?:id|member|policy)|member id|krankenversicher(?:ten?|ungs)-?(?:nummer|nr)|versicherten-?(?:nummer|nr)|kvnr|krankenkasse|carte vitale|tarjeta sanitaria|tessera sanitaria|health card", r"[A-Z]{0,4}[ \-]?[0-9][A-Z0-9\-]{5,16}", _digits(6), 0.7),
    Context("BANK_ACCOUNT", r"(?:bank )?account|acct|a/c|acc|konto|kontonummer|numero de compte|compte bancaire|cuenta(?: bancaria)?|conto corrente|conta(?: corrente)?|rekening(?:nummer)?|счет|账号|账户|口座番号|계좌번호", r"[0-9](?:[ \-]?[0-9]){6,16}", _digits(7), 0.6),
    Context("UK_SORT_CODE", r"sort[ \-]?code", r"[0-9]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{2}", _digits(6), 0.9),
)  # fmt: skip


def _behind(row: Context, text: str, start: int, end: int) -> Spans:
    span = value(row.words, row.form, text, start, end)
    if span is None:
        return ()
    first, last = span
    while last > first and text[last - 1] in "- ":
        last -= 1
    return ((first, last),) if row.check(text[first:last]) else ()


_ZONE = "[A-Z0-9<]{9}[0-9][A-Z<]{3}[0-9]{6}[0-9][MFX<][0-9]{6}[0-9][A-Z0-9<]{15}[0-9]"


def _zone(text: str, start: int, end: int) -> Spans:
    first = opening(text, start, end)
    return ((first, end),) if end - first == 44 and closed(text, end) and mrz(text[first:end]) else ()


SPECS = (
    *(
        PatternSpec(row.label, behind(row.words, row.form), row.score, ignore_case=True, validate=partial(_behind, row))
        for row in CONTEXTS
    ),
    PatternSpec("PASSPORT", ESCAPE + _ZONE, score=0.9, validate=_zone),
)
