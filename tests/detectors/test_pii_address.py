from __future__ import annotations

import pytest

from lockgate.detectors.pii import PiiConfig, build
from looking import CLEAN, Looker

LOOK = Looker(build(PiiConfig(kinds=("STREET_ADDRESS",))))

ADDRESSES = [
    "1600 Pennsylvania Avenue NW, Washington, DC 20500",
    "350 5th Ave, New York, NY 10118",
    "1 Infinite Loop, Cupertino, CA 95014",
    "742 Evergreen Terrace, Springfield",
    "4059 Mt Lee Dr., Hollywood, CA 90068",
    "500 N. Main Street, Apt 4B, Columbus, OH 43215-1234",
    "221B Baker Street, London NW1 6XE",
    "10 Downing St, London SW1A 2AA",
    "12 rue de la Paix, 75002 Paris",
    "5 bis avenue des Champs-Élysées, 75008 Paris",
    "36 quai des Orfèvres, 75001 Paris",
    "Musterstraße 12, 12345 Berlin",
    "Berliner Straße 5a",
    "Am Alten Platz 7, 80331 München",
    "Bahnhofstrasse 45, 8001 Zürich",
    "Prinsengracht 263, 1016 GV Amsterdam",
    "Kerkstraat 12",
    "Dirk Hartoglaan 149",
    "Björkvägen 55",
    "Degnehøjvej 19",
    "Mannerheiminkatu 3",
    "ul. Lubartowska 42",
    "Calle Mayor 12, 28013 Madrid",
    "Calle de Alcalá, 45, 3º B, 28014 Madrid",
    "Avenida Diagonal 640, 08017 Barcelona",
    "Via Roma 5, 00184 Roma",
    "Piazza del Duomo 1, 20121 Milano",
    "Rua Augusta 1500, 01304-001 São Paulo",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses(address: str) -> None:
    for text in (address, f"She lives at {address}.", f'{{"a": "x\\n{address}"}}', f"({address})"):
        assert [value.rstrip(".") for _, value in LOOK(text)] == [address.rstrip(".")], text


@pytest.mark.parametrize("address", ["12 rue de la Paix, 75002 Paris", "10 Downing St, London SW1A 2AA", "Via Roma 5"])
def test_two_pieces_give_what_the_whole_gives(address: str) -> None:
    text = f"At {address}, now."
    for at in range(len(text) + 1):
        assert LOOK.in_pieces(text, at) == LOOK(text), at


@pytest.mark.parametrize(
    "text",
    [
        *CLEAN,
        "12 Angry Men, 101 Dalmatians, 3 Way Split and 20 Great Walks",
        "There are 5 ways to drive; 12 roads lead to Rome. Wall Street fell 3 per cent.",
        "Version 2 Road map; figure 3 shows Drive letters; in 2024 Google Drive grew",
        "la rue est longue, 12 rues de Paris; Straße ohne Nummer; der Weg 12",
        "Via 5 steps; Calle 13 sang; Corso di laurea; Plaza de toros",
    ],
)
def test_near_misses(text: str) -> None:
    assert LOOK(text) == []
