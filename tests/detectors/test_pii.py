from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockgate.detectors.checks import card_number, luhn
from lockgate.detectors.pii import GROUPS, KINDS, PiiConfig, build
from looking import CLEAN, Looker, widths

LOOK = Looker(build(PiiConfig()))


def values(text: str, label: str) -> list[str]:
    return [value for found, value in LOOK(text) if found == label]


@pytest.mark.parametrize("text", CLEAN)
def test_nothing_is_found_where_nothing_is(text: str) -> None:
    assert LOOK(text) == []


@pytest.mark.parametrize("regions", [("US", "GB", "DE", "FR"), ("ES", "IT", "IN", "JP", "CN", "BR")])
def test_nothing_is_found_where_nothing_is_in_other_regions(regions: tuple[str, ...]) -> None:
    look = Looker(build(PiiConfig(phone_regions=regions)))
    assert [look(text) for text in CLEAN if look(text)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to jane.doe@example.com.", ["jane.doe@example.com"]),
        (
            "<jane+news@mail.example.co.uk>, 'o'brien@example.ie'",
            ["jane+news@mail.example.co.uk", "o'brien@example.ie"],
        ),
        ("mailto:jane_doe-1@sub.example.museum?subject=x", ["jane_doe-1@sub.example.museum"]),
        ("JANE@EXAMPLE.COM", ["JANE@EXAMPLE.COM"]),
        ("a@b.de,c@d.fr;e@f.io", ["a@b.de", "c@d.fr", "e@f.io"]),
        ("メールはjane@example.jpです。连系jane@example.cn谢谢", ["jane@example.jp", "jane@example.cn"]),
        ("jane＠example．com", ["jane＠example．com"]),
        ("jane@exam\u200bple.com", ["jane@exam\u200bple.com"]),
        ("jаne@example.com", ["jаne@example.com"]),
        (r'{"to": "x\njane@example.com"}', ["jane@example.com"]),
        ("?q=jane%40example.com&x=1", ["jane%40example.com"]),
        ("print(f'jane@example.com')", ["jane@example.com"]),
        ("jane@example.com...", ["jane@example.com"]),
        ("jane@example.com-2024", ["jane@example.com"]),
        ("jane@example.ac.ukAbstract", ["jane@example.ac.uk"]),
        ("jane@xn--bcher-kva.example", ["jane@xn--bcher-kva.example"]),
        ("jane [at] example [dot] com", ["jane [at] example [dot] com"]),
        ("jane(at)example.com", ["jane(at)example.com"]),
        ("git@github.com:org/repo.git", []),
        ("logo@2x.png", []),
        ("q@k.transpose(0, 1)", []),
        ("user@localhost", []),
        ("lodash@4.17.21", []),
        ("look @ this.page", []),
        ("@handle and name@", []),
    ],
)
def test_email_addresses(text: str, found: list[str]) -> None:
    assert values(text, "EMAIL_ADDRESS") == found


@given(st.emails(domains=st.sampled_from(["example.com", "mail.example.org", "a-b.co.uk"])))
def test_plain_email_addresses_are_found_whole(address: str) -> None:
    local = address.partition("@")[0]
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+\-]*", local) and local.lower() != "git":
        assert values(f"to {address} now", "EMAIL_ADDRESS") == [address]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4111111111111111", ["4111111111111111"]),
        ("4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("card=4111+1111+1111+1111&cvv=1", ["4111+1111+1111+1111"]),
        ("4111 1111 1111 1111 +49 30 901820", ["4111 1111 1111 1111"]),
        ("4111-1111-1111-1111.", ["4111-1111-1111-1111"]),
        ("4111.1111.1111.1111", ["4111.1111.1111.1111"]),
        ("3782 822463 10005", ["3782 822463 10005"]),
        ("378282246310005", ["378282246310005"]),
        ("30569309025904 or 6011111111111117", ["30569309025904", "6011111111111117"]),
        ("4111 1111 1111 1111 12/27 123", ["4111 1111 1111 1111"]),
        ("4111111111111111 123 05 27", ["4111111111111111"]),
        ("cvv 123 4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("2024-01-15 4111-1111-1111-1111 10:30", ["4111-1111-1111-1111"]),
        ("415-555-2671 4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("5555555555554444,12/27,4242424242424242", ["5555555555554444", "4242424242424242"]),
        ("4111 1111 1111 1111 5555 5555 5555 4444", ["4111 1111 1111 1111", "5555 5555 5555 4444"]),
        ("４１１１ １１１１ １１１１ １１１１", ["４１１１ １１１１ １１１１ １１１１"]),
        ("٤١١١١١١١١١١١١١١١", ["٤١١١١١١١١١١١١١١١"]),
        ("卡号4111111111111111。", ["4111111111111111"]),
        ("4111\u200b1111\u200b1111\u200b1111", ["4111\u200b1111\u200b1111\u200b1111"]),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", ["4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"]),
        (r'{"n": "a\n4111111111111111\n"}', ["4111111111111111"]),
        (r"\u20144111111111111111", ["4111111111111111"]),
        ("4111 1111 1111 1111 12a", ["4111 1111 1111 1111"]),
        ("x1 4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("card 4111-1111 1111/1111", ["4111-1111 1111/1111"]),
        ("4111\t1111\t1111\t1111", ["4111\t1111\t1111\t1111"]),
        ("4111_1111_1111_1111", ["4111_1111_1111_1111"]),
        ("4111 1111 11111111", ["4111 1111 11111111"]),
        ("4111 1111\n1111 1111", ["4111 1111\n1111 1111"]),
        ("4111 1111 1111\n  1111 expires", ["4111 1111 1111\n  1111"]),
        ("4111-1111 1111/1111\n2024-01-01", ["4111-1111 1111/1111"]),
        ("4111\n1111\n1111\n1111", []),
        ("4111 1111\n1111 1111\n2000 3000", []),
        ("1234 4111-1111 1111-1111", []),
        ("4111111111111112", []),
        ("1234567890123456", []),
        ("0.4532015112830366", []),
        ("4.532015112830366", []),
        ("a4111111111111111", []),
        ("4111111111111111f", []),
        ("41111111111111110000", []),
        ("4444444444444444", []),
    ],
)
def test_credit_cards(text: str, found: list[str]) -> None:
    assert values(text, "CREDIT_CARD") == found


@st.composite
def cards(draw: st.DrawFn) -> str:
    prefix, length = draw(
        st.sampled_from(
            [("4", 16), ("51", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("3528", 16), ("36", 14)]
        )
    )
    body = prefix + draw(st.text("0123456789", min_size=length - len(prefix) - 1, max_size=length - len(prefix) - 1))
    return next(body + digit for digit in "0123456789" if luhn(body + digit))


def grouped(number: str, separator: str) -> str:
    sizes = {14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4)}[len(number)]
    groups, at = [], 0
    for size in sizes:
        groups.append(number[at : at + size])
        at += size
    return separator.join(groups)


@given(
    cards(),
    st.sampled_from(["", " ", "-", ".", "  ", " - ", "\u00a0", "–"]),
    st.sampled_from(["", "Card: ", "no 7, ", "(", "は", '"']),
    st.sampled_from(["", ".", ", 12/27", " 12/27 123", ")", "です", '"', " exp 2027-12"]),
)
def test_every_card_is_found_in_every_form(number: str, separator: str, before: str, behind: str) -> None:
    assert card_number(number)
    written = grouped(number, separator)
    assert values(before + written + behind, "CREDIT_CARD") == [written]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SSN 536-22-1234", ["536-22-1234"]),
        ("536 22 1234", ["536 22 1234"]),
        ("536.22.1234", ["536.22.1234"]),
        ("536–22–1234", ["536–22–1234"]),
        ("my ssn is 536221234", ["536221234"]),
        ("Social Security Number: 536221234", ["536221234"]),
        ('"user_ssn": "536221234"', ["536221234"]),
        ("社会保障号536-22-1234。", ["536-22-1234"]),
        (r"{\"a\": \"\n536-22-1234\"}", ["536-22-1234"]),
        ("SSN-536-22-1234", ["536-22-1234"]),
        ("number 536221234", []),
        ("000-22-1234 666-22-1234 900-22-1234 536-00-1234 536-22-0000", []),
        ("1-536-22-1234 and 536-22-1234-1", []),
        ("536-22-12345 and 1536-22-1234", []),
        ("12 536 22 1234 99", []),
        ("className = 536221234", []),
        ("part A536-22-1234B", []),
    ],
)
def test_us_social_security_numbers(text: str, found: list[str]) -> None:
    assert values(text, "US_SSN") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from 192.168.1.17.", ["192.168.1.17"]),
        ("http://203.0.113.9:8080/x and 203.0.113.9/24", ["203.0.113.9", "203.0.113.9"]),
        ("203.0.113.9/32, http://203.0.113.9/12/x, 203.0.113.0/99", ["203.0.113.9", "203.0.113.9", "203.0.113.0"]),
        ("server 203.0.113.9 and srv: 203.0.113.10", ["203.0.113.9", "203.0.113.10"]),
        ("/ip/8.8.8.8, 8.8.4.4 1.1.1.1 1.2.3.4", ["8.8.8.8", "8.8.4.4", "1.1.1.1", "1.2.3.4"]),
        ("203.0.113.5-203.0.113.9", ["203.0.113.5", "203.0.113.9"]),
        ("地址203.0.113.9。", ["203.0.113.9"]),
        (r"a\n203.0.113.9\n", ["203.0.113.9"]),
        ("203．0．113．9", ["203．0．113．9"]),
        ("2001:db8:85a3::8a2e:370:7334", ["2001:db8:85a3::8a2e:370:7334"]),
        ("[2001:db8::1]:443 fe80::1%eth0", ["2001:db8::1", "fe80::1"]),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", ["2001:0db8:85a3:0000:0000:8a2e:0370:7334"]),
        ("::ffff:203.0.113.9", ["::ffff:203.0.113.9"]),
        ("src:2001:db8::7, iface:fe80::2:", ["2001:db8::7", "fe80::2"]),
        ("3b20:9a3a:1b2f:7ce:9ef1:4787:85fc:261e", ["3b20:9a3a:1b2f:7ce:9ef1:4787:85fc:261e"]),
        ("1.2.3.4.5 and v1.22.3.44 and 256.1.1.1 and 01.02.03.04", []),
        ("version 10.20.30.40, Release: 10.20.30.40, 10.20.30.40-rc1", []),
        ("127.0.0.1 0.0.0.0 255.255.255.0 10.0.0.0/8 ::1 ::", []),
        ('cidr_block = "10.20.0.0/16", allow 203.0.113.0/24; deny 172.16.0.0/12', []),
        ("Chrome/120.0.0.0", []),
        ("3.2.4.1 Visual design", []),
        ("12:30:45 00:1a:2b:3c:4d:5e a::b dead::beef f64::add(1) std::vector", []),
        ("00:11:22:33:44:55:66:77", []),
    ],
)
def test_internet_addresses(text: str, found: list[str]) -> None:
    got = [v.rstrip() for v in values(text, "IP_ADDRESS")]
    assert got == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("eth0: 00:1a:2b:3c:4d:5e mtu 1500", ["00:1a:2b:3c:4d:5e"]),
        ("00-1A-2B-3C-4D-5E, 001a.2b3c.4d5e", ["00-1A-2B-3C-4D-5E", "001a.2b3c.4d5e"]),
        ("ether 01:23:45:67:89:10;", ["01:23:45:67:89:10"]),
        ("地址00:1a:2b:3c:4d:5e。", ["00:1a:2b:3c:4d:5e"]),
        ("00:00:00:00:00:00 ff:ff:ff:ff:ff:ff", []),
        ("00:11:22:33:44:55:66:77 and 04-08-15-16-23-42", []),
        ("16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48", []),
        ("1a:2b-3c:4d:5e:6f, 2024.1101.1030", []),
    ],
)
def test_devices_addresses(text: str, found: list[str]) -> None:
    assert values(text, "MAC_ADDRESS") == found


@given(st.ip_addresses(v=4, network="203.0.0.0/8") | st.ip_addresses(v=6, network="2001:db8::/32"))
def test_addresses_of_networks_in_use_are_found(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    text = str(address)
    expected = [] if text.endswith(".0.0.0") else [text]
    assert values(f"host {text}, up", "IP_ADDRESS") == expected


PLAIN = ("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS")
EVERYTHING = (
    "Jane (jane@example.com, +1 415 555 2671) paid with 4111 1111 1111 1111 from GB82 WEST 1234 5698 7654 32, "
    "SSN 536-22-1234, at 203.0.113.9"
)


@pytest.mark.parametrize("kind", PLAIN)
def test_kinds(kind: str) -> None:
    detector = build(PiiConfig.model_validate({"kinds": [kind]}))
    assert detector.labels == {kind}
    assert {label for label, _ in Looker(detector)(EVERYTHING)} == {kind}


def test_groups_stand_for_their_kinds() -> None:
    detector = build(PiiConfig.model_validate({"kinds": ["devices", "US_SSN"]}))
    assert detector.labels == {"IMEI", "IP_ADDRESS", "MAC_ADDRESS", "US_SSN"}
    assert set(KINDS) == {kind for group in GROUPS.values() for kind in group}
    assert set(KINDS) == {spec.label for spec in build(PiiConfig(min_score=0)).specs}


def test_there_are_kinds_of_many_countries() -> None:
    countries = {kind.partition("_")[0] for kind in GROUPS["identity_numbers"]}
    assert len(countries) >= 40


def test_everything_at_once() -> None:
    assert LOOK(EVERYTHING) == [
        ("EMAIL_ADDRESS", "jane@example.com"),
        ("PHONE_NUMBER", "+1 415 555 2671"),
        ("CREDIT_CARD", "4111 1111 1111 1111"),
        ("IBAN_CODE", "GB82 WEST 1234 5698 7654 32"),
        ("US_SSN", "536-22-1234"),
        ("IP_ADDRESS", "203.0.113.9"),
    ]


@pytest.mark.parametrize(
    "text", [EVERYTHING, r'{"a": "x\n4111111111111111", "b": "1.2.3.4.5 10.9.8.7-rc"}', *CLEAN[-5:]]
)
def test_two_pieces_give_what_the_whole_gives(text: str) -> None:
    whole = sorted(LOOK(text))
    for at in range(len(text) + 1):
        assert sorted(LOOK.in_pieces(text, at)) == whole, at


def test_min_score_leaves_rows_out() -> None:
    sure = Looker(build(PiiConfig(min_score=0.9)))
    assert sure("536-22-1234") == [("US_SSN", "536-22-1234")]
    assert sure("536 22 1234") == []
    assert sure("(555) 123-4567") == []
    assert sure.detector.labels == set(KINDS)


def test_rows_are_narrow() -> None:
    assert max(widths(LOOK.detector).values()) <= 320


@pytest.mark.parametrize(
    "config",
    [
        {"kinds": []},
        {"kinds": ["EMAIL"]},
        {"kinds": ["PERSONS"]},
        {"kinds": ["identity"]},
        {"min_score": 1.5},
        {"phone_regions": ["us"]},
        {"phone_region": ["US"]},
    ],
)
def test_bad_configuration(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PiiConfig.model_validate(config)
