from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.detectors import secrets_checks as check
from lockgate.detectors.checks import crc_letters


@pytest.mark.parametrize(
    ("value", "yes"),
    [
        ("a1B2c3D4e5F6g7H8", True),
        ("abcdefghijklmnopqrst", True),
        ("aaaaaaaaaaaaaaaa", False),
        ("12xxxxxxxx34567890ab", False),
        ("your-api-key-123456", False),
        ("insertTheTokenHerePlease", False),
        ("insert7heTokenHerePlease", True),
    ],
)
def test_plausible(value: str, yes: bool) -> None:
    assert check.plausible(value) is yes


def test_dense_keys_have_many_kinds_of_characters() -> None:
    assert check.dense("EAAB" + "tQ7xV2mK9pLw4Rb8zY1hG4jF6dS0aR3eU7iO9nC5" * 3)
    assert not check.dense("EAAAoBUAACMUAACJEgAAixQAAE0VAADUEQAAzxQAABAYAADJFgAA3BYAAMERAADgFwAAuxQAAHQUAAB8FQAA5RQAAA")


def test_the_base64_of_a_private_key() -> None:
    assert check.encoded_key_block(base64.b64encode(b"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIrY").decode())
    assert not check.encoded_key_block(base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIDDDCCAfSg").decode())


def test_a_key_of_ours_ends_in_its_checksum() -> None:
    head = "lg-abcd2345-" + "tQ7xV2mK9p" * 4
    assert check.own_key(head + crc_letters(head))
    assert not check.own_key(head + crc_letters(head[:-1] + "q"))


def test_random_wants_a_digit() -> None:
    assert check.random("abcdefgh1jklmnopqrst")
    assert not check.random("abcdefghijklmnopqrst")


@pytest.mark.parametrize(
    ("value", "yes"),
    [
        ("hunter2", True),
        ("P@ssword!", True),
        ("123456", True),
        ("correct-horse", False),
        ("aaaaaaa1", False),
        ("111111", False),
        ("password", False),
        ("required|min:8", False),
        ("${DB_PASS1}", False),
        ("$DB_PASS", False),
        ("{{pw1}}", False),
        ("%(pw1)s", False),
        ("getpass1()", False),
        ("config.db1", False),
        ("user1_password", False),
        ("password_v2_old", False),
        ("/run/secrets/db1", False),
        ("https://x1.example", False),
        ("********", False),
        ("#######", False),
    ],
)
def test_password(value: str, yes: bool) -> None:
    assert check.password(value) is yes


@pytest.mark.parametrize(
    ("value", "yes"),
    [
        ("f3a9c1d27be84650a1b2c3d4e5f60718", True),
        ("123e4567-e89b-12d3-a456-426614174000", True),
        ("AbCdEfGh1JkLmNoP2QrS", True),
        ("my-app-secret-name-2024", False),
        ("prod-k8s-cluster-token-1", False),
        ("1234567890123456", False),
        ("abcdefghijklmnopqrstuvwx", False),
        ("settings.api_token_v2_3", False),
        ("service-1a2b3c4d.example.com", False),
        ("aaaaaaaaaaaaaaaaaa11", False),
    ],
)
def test_secret(value: str, yes: bool) -> None:
    assert check.secret(value) is yes


@pytest.mark.parametrize(
    ("value", "yes"),
    [("hunter2", True), ("correcthorse", True), ("password", False), ("pass", False), ("${PASS}", False)],
)
def test_credential(value: str, yes: bool) -> None:
    assert check.credential(value) is yes


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_web_token(more: dict[str, str]) -> None:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    assert check.web_token(f"{part({**more, 'alg': 'HS256'})}.{part({'a': 1})}.sig")
    assert check.web_token(f"{part({**more, 'alg': 'HS256'})}.{part({'a': 1})}")
    assert not check.web_token(f"{part({**more, 'alg': 'HS256'})}.abc")
    more.pop("alg", None)
    assert not check.web_token(f"{part(more)}.{part({'a': 1})}.sig")
    assert not check.web_token("eyJ!.eyJ.x")
    assert not check.web_token(f"{part(['alg'])}.x.y")


@pytest.mark.parametrize(
    ("raw", "yes"), [(b"user:pass", True), (b"no colon", False), (b"\xff:\xfe", False), (b"a:\x00", False)]
)
def test_basic_credentials(raw: bytes, yes: bool) -> None:
    assert check.basic_credentials(base64.b64encode(raw).decode()) is yes


@pytest.mark.parametrize("value", ["abc", "authentication", "="])
def test_what_is_no_base64_has_no_credentials(value: str) -> None:
    assert not check.basic_credentials(value)


def test_bot_token() -> None:
    assert check.bot_token("MTk4NjIyNDgzNDcxOTI1MjQ4.x.y")
    assert not check.bot_token("abcdefghijklmnopqrstuvwx.x.y")


@pytest.mark.parametrize(
    ("value", "end"),
    [
        ("abc1.", 4),
        ("abc1:", 4),
        ("abc1)", 4),
        ("abc(1)", 6),
        ("abc1}).", 4),
        ("abc1&next=2", 4),
        ("a&b1", 4),
        ("...", 0),
    ],
)
def test_trimmed(value: str, end: int) -> None:
    assert check.trimmed(value, 0, len(value)) == end


@pytest.mark.parametrize(
    ("text", "end", "yes"),
    [("key", 3, True), ("keys", 3, False), ("key/", 3, False), ("key+", 3, False), ("key ", 3, True)],
)
def test_fixed(text: str, end: int, yes: bool) -> None:
    assert check.fixed(text, end) is yes


def test_key_block_takes_lines_of_base64_only() -> None:
    head, line = "-----BEGIN PRIVATE KEY-----", "A1b2" * 10
    text = f"{head}\n{line}\n{line}\nand so on"
    assert check.key_block(text, 0, len(text)) == ((0, len(f"{head}\n{line}\n{line}")),)
    assert check.key_block(f"{head}\nand so on", 0, len(head) + 10) == ()
    assert check.key_block("nothing", 0, 7) == ()
