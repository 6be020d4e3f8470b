"""Street addresses by their grammar: a number, a kind of street, and what stands around them.

In English and French the number comes first, elsewhere last. A row is found with its flat, its postcode and its town
where they follow. A name of a street without a number is none. Words are written as they are after folding: without
accents.
"""

from __future__ import annotations

import re

from lockgate.detectors.checks import ESCAPE, closed, opening
from lockgate.detectors.protocol import PatternSpec, Spans

LABEL = "STREET_ADDRESS"

_YEAR = re.compile("(?:19|20)[0-9]{2} ")

_NAME = r"[A-Z][a-z'\-]{1,20}"
_COMMA = r"(?:,? |, ?\n? ?|\n)"
_TOWN = rf"{_NAME}(?:[ \-]{_NAME}){{0,2}}"

_ENGLISH = (
    r"[0-9]{1,5}[A-Z]?(?:-[0-9]{1,4})? (?:[NSEW]\.? |(?:North|South|East|West) )?"
    rf"(?:(?:{_NAME}\.?|[0-9]{{1,3}}(?:st|nd|rd|th)) ){{1,4}}"
    r"(?:Street|Avenue|Road|Boulevard|Lane|Drive|Court|Place|Square|Terrace|Crescent|Close|Gardens|Way|Highway|Parkway|"
    r"Circle|Mews|Row|Walk|Grove|Hill|Alley|Trail|Loop|Plaza|Ave|Blvd|Rd|Ln|Dr|Ct|Pl|Sq|Pkwy|Hwy|St|Cres|Ter)\b\.?(?: [NSEW]{1,2}\b)?"
    rf"(?:{_COMMA}(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm|#)\.? ?#?[A-Z0-9\-]{{1,6}})?"
    rf"(?:{_COMMA}{_TOWN})?"
    rf"(?:{_COMMA}(?:[A-Z]{{2}}\.? [0-9]{{5}}(?:-[0-9]{{4}})?|[A-Z]{{1,2}}[0-9][0-9A-Z]? ?[0-9][A-Z]{{2}}|[A-Z]{{2}}\b))?"
)
_FRENCH = (
    r"[0-9]{1,4}(?: ?(?:bis|ter|quater))?,? (?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard|[Bb]d|[Pp]lace|[Aa]llee|[Cc]hemin|"
    r"[Ii]mpasse|[Qq]uai|[Cc]ours|[Rr]oute|[Ss]quare|[Ff]aubourg) "
    rf"(?:(?:de|du|des|la|le|les|l'|d'|a|au|aux|en|sur|et) ?|d'|l'){{0,3}}{_NAME}(?:[ \-](?:de |du |des |la )?{_NAME}){{0,3}}"
    rf"(?:{_COMMA}[0-9]{{5}} {_TOWN})?"
)
_HOUSE = r"[0-9]{1,4} ?(?:[a-zA-Z]\b)?(?:-[0-9]{1,4})?"
_GERMAN = (
    rf"(?:(?:{_NAME}[ \-]){{0,2}}[A-Z]?[a-z]{{2,24}}(?:straße|strasse|str\.|weg|allee|platz|gasse|damm|ufer|steig)|"
    rf"(?:{_NAME}[ \-]){{1,3}}(?:Straße|Strasse|Str\.|Weg|Allee|Platz|Gasse|Ring|Damm|Ufer)|"
    rf"(?:{_NAME} )?[A-Z][a-z]{{2,24}}(?:straat|laan|plein|gracht|kade|singel|dijk|vej|vagen|vegen|veien|gade|gata|gatan|katu)|"
    rf"ul\. (?:{_NAME} ){{0,2}}{_NAME}) {_HOUSE}"
    rf"(?:{_COMMA}(?:(?:[ACD]H?-)?[0-9]{{4,5}}|[0-9]{{4}} ?[A-Z]{{2}}) {_TOWN})?"
)
_ROMANCE = (
    r"(?:Calle|C/|Avenida|Avda\.|Paseo|Plaza|Carrera|Camino|Ronda|Travesia|Rua|Praca|Travessa|Largo|"
    r"Via|Viale|Piazza|Piazzale|Corso|Vicolo) ?"
    rf"(?:(?:de|del|della|dello|dei|delle|di|da|do|dos|das|la|las|los|el|san|santa) ){{0,2}}{_NAME}"
    rf"(?:[ \-](?:(?:de|del|della|di|da|do|y|e|la) ){{0,2}}{_NAME}){{0,3}},? (?:n[.o]{{1,2}} ?)?{_HOUSE}"
    rf"(?:, ?[0-9]{{1,2}}[o.]{{0,2}} ?[A-Z]\b)?(?:{_COMMA}[0-9]{{4,5}}(?:-[0-9]{{3}})? {_TOWN})?"
)


def _address(text: str, start: int, end: int) -> Spans:
    first = opening(text, start, end)
    if first < 0 or not closed(text, end) or (first and text[first - 1] in "./-#$"):
        return ()
    if _YEAR.match(text, first, end) and not any(map(str.isdigit, text[first + 4 : end])):
        return ()  # "in 2024 Google Drive"
    return ((first, end),)


SPECS = tuple(
    PatternSpec(LABEL, f"{ESCAPE}(?:{grammar})", score=0.6, max_width=320, validate=_address)
    for grammar in (_ENGLISH, _FRENCH, _GERMAN, _ROMANCE)
)
