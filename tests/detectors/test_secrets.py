"""Keys are put together here at run time: none stands in this file as it would in a leak."""

from __future__ import annotations

import base64
import json
import random
import string
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockgate.detectors.scanner import Scanner
from lockgate.detectors.secrets import LONG, SecretsConfig, build
from looking import CLEAN, Looker, widths

LOOK = Looker(build(SecretsConfig()))

DRAW = random.Random(20)
ALNUM = string.ascii_letters + string.digits
URL = ALNUM + "-_"
UPPER = string.ascii_uppercase + string.digits
LOWER = string.ascii_lowercase + string.digits
HEX = "0123456789abcdef"


def some(alphabet: str, length: int) -> str:
    """Characters drawn by chance, with a digit among them and a letter at each end."""
    letters = "".join(char for char in alphabet if char.isalpha())
    middle = "".join(DRAW.choices(alphabet, k=length - 3))
    return DRAW.choice(letters) + "7" + middle + DRAW.choice(letters)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def uuid() -> str:
    return "-".join(some(HEX, n) for n in (8, 4, 4, 4, 12))


def cut_after(text: str) -> int:
    """How far the one finding of `text` reaches, which says itself that it was cut."""
    (match,) = Scanner(LOOK.detector.specs).scan(text).matches
    assert match.too_wide
    return match.end


def web_token(payload: int = 60, signature: int = 43) -> str:
    head = encoded({"alg": "RS256", "typ": "JWT"})
    return f"{head}.{encoded({'sub': some(ALNUM, payload)})}.{some(URL, signature)}"


def key_block(kind: str = "RSA ", lines: int = 12, newline: str = "\n") -> str:
    body = newline.join(some(ALNUM + "+/", 64) for _ in range(lines))
    return newline.join(
        [f"-----BEGIN {kind}PRIVATE KEY-----", body, some(ALNUM, 22) + "==", f"-----END {kind}PRIVATE KEY-----"]
    )


KEYS: list[tuple[str, str]] = [
    ("OPENAI_API_KEY", "sk-" + some(ALNUM, 48)),
    ("OPENAI_API_KEY", "sk-" + some(ALNUM, 20) + "T3BlbkFJ" + some(ALNUM, 20)),
    ("OPENAI_API_KEY", "sk-" + "1234567890abcdef" * 2),
    ("OPENAI_API_KEY", "sk-" + string.ascii_lowercase),
    ("OPENAI_API_KEY", "sk-proj-" + some(URL, 156)),
    ("OPENAI_API_KEY", "sk-svcacct-" + some(URL, 120)),
    ("ANTHROPIC_API_KEY", "sk-ant-api03-" + some(URL, 93) + "AA"),
    ("OPENROUTER_API_KEY", "sk-or-v1-" + some(HEX, 64)),
    ("LANGFUSE_SECRET_KEY", "sk-lf-" + uuid()),
    ("GROQ_API_KEY", "gsk_" + some(ALNUM, 52)),
    ("XAI_API_KEY", "xai-" + some(ALNUM, 80)),
    ("PERPLEXITY_API_KEY", "pplx-" + some(ALNUM, 48)),
    ("REPLICATE_API_TOKEN", "r8_" + some(ALNUM, 37)),
    ("HUGGINGFACE_TOKEN", "hf_" + some(string.ascii_letters, 34)),
    ("NVIDIA_API_KEY", "nvapi-" + some(URL, 64)),
    ("PINECONE_API_KEY", "pcsk_" + some(ALNUM, 5) + "_" + some(ALNUM, 64)),
    ("TAVILY_API_KEY", "tvly-dev-" + some(ALNUM, 32)),
    ("LANGSMITH_API_KEY", "lsv2_pt_" + some(HEX, 32) + "_" + some(HEX, 10)),
    ("ELEVENLABS_API_KEY", "sk_" + some(HEX, 48)),
    ("AWS_ACCESS_KEY_ID", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("AWS_ACCESS_KEY_ID", "ASIA" + some(UPPER, 16)),
    ("GOOGLE_API_KEY", "AIza" + some(URL, 35)),
    ("GOOGLE_OAUTH_CLIENT_SECRET", "GOCSPX-" + some(URL, 28)),
    ("GOOGLE_OAUTH_TOKEN", "ya29." + some(URL, 160)),
    ("AZURE_CLIENT_SECRET", some(ALNUM, 3) + "8Q~" + some(ALNUM, 34)),
    ("ALIBABA_ACCESS_KEY_ID", "LTAI" + some(ALNUM, 20)),
    ("DIGITALOCEAN_TOKEN", "dop_v1_" + some(HEX, 64)),
    ("HEROKU_API_KEY", "HRKU-" + uuid()),
    ("CLOUDFLARE_ORIGIN_CA_KEY", "v1.0-" + some(HEX, 24) + "-" + some(HEX, 146)),
    ("DATABRICKS_TOKEN", "dapi" + some(HEX, 32)),
    ("NETLIFY_TOKEN", "nfp_" + some(ALNUM, 36)),
    ("SUPABASE_KEY", "sbp_" + some(HEX, 40)),
    ("PLANETSCALE_TOKEN", "pscale_tkn_" + some(URL, 43)),
    ("TAILSCALE_KEY", "tskey-auth-" + some(ALNUM, 17) + "-" + some(ALNUM, 32)),
    ("GITHUB_TOKEN", "ghp_" + some(ALNUM, 36)),
    ("GITHUB_TOKEN", "gho_" + some(ALNUM, 36)),
    ("GITHUB_TOKEN", "ghs_" + some(ALNUM, 36)),
    ("GITHUB_TOKEN", "github_pat_" + some(ALNUM, 22) + "_" + some(ALNUM, 59)),
    ("GITLAB_TOKEN", "glpat-" + some(URL, 20)),
    ("ATLASSIAN_API_TOKEN", "ATATT3" + some(URL, 186)),
    ("NPM_TOKEN", "npm_" + some(ALNUM, 36)),
    ("PYPI_TOKEN", "pypi-AgEIcHlwaS5vcmc" + some(URL, 150)),
    ("RUBYGEMS_TOKEN", "rubygems_" + some(HEX, 48)),
    ("CRATES_IO_TOKEN", "cio" + some(ALNUM, 32)),
    ("DOCKER_TOKEN", "dckr_pat_" + some(URL, 27)),
    ("TERRAFORM_TOKEN", some(ALNUM, 14) + ".atlasv1." + some(URL, 67)),
    ("VAULT_TOKEN", "hvs." + some(URL, 90)),
    ("PULUMI_TOKEN", "pul-" + some(HEX, 40)),
    ("DOPPLER_TOKEN", "dp.pt." + some(ALNUM, 43)),
    ("AGE_SECRET_KEY", "AGE-SECRET-KEY-1" + "".join(DRAW.choices("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", k=58))),
    ("SLACK_TOKEN", "xoxb-123456789012-1234567890123-" + some(ALNUM, 24)),
    ("SLACK_TOKEN", "xoxp-" + "-".join(["1234567890"] * 3) + "-" + some(HEX, 32)),
    ("SLACK_TOKEN", "xapp-1-A0123456789-1234567890123-" + some(HEX, 64)),
    (
        "SLACK_WEBHOOK_URL",
        "https://hooks.slack.com/services/T0" + some(UPPER, 8) + "/B0" + some(UPPER, 8) + "/" + some(ALNUM, 24),
    ),
    ("DISCORD_WEBHOOK_URL", "https://discord.com/api/webhooks/123456789012345678/" + some(URL, 68)),
    ("DISCORD_BOT_TOKEN", "MTk4NjIyNDgzNDcxOTI1MjQ4." + some(URL, 6) + "." + some(URL, 27)),
    ("TELEGRAM_BOT_TOKEN", "123456789:AA" + some(URL, 33)),
    ("TWILIO_API_KEY", "SK" + some(HEX, 32)),
    ("SENDGRID_API_KEY", "SG." + some(URL, 22) + "." + some(URL, 43)),
    ("MAILGUN_API_KEY", "key-" + some(HEX, 32)),
    ("MAILCHIMP_API_KEY", some(HEX, 32) + "-us12"),
    ("BREVO_API_KEY", "xkeysib-" + some(HEX, 64) + "-" + some(ALNUM, 16)),
    ("RESEND_API_KEY", "re_" + some(ALNUM, 8) + "_" + some(ALNUM, 24)),
    ("STRIPE_API_KEY", "sk_live_" + some(ALNUM, 24)),
    ("STRIPE_API_KEY", "rk_live_" + some(ALNUM, 99)),
    ("STRIPE_WEBHOOK_SECRET", "whsec_" + some(ALNUM, 32)),
    ("SQUARE_TOKEN", "sq0atp-" + some(URL, 22)),
    ("SHOPIFY_TOKEN", "shpat_" + some(HEX, 32)),
    ("RAZORPAY_KEY", "rzp_live_" + some(ALNUM, 14)),
    ("LINEAR_API_KEY", "lin_api_" + some(ALNUM, 40)),
    ("NOTION_TOKEN", "secret_" + some(ALNUM, 43)),
    ("NOTION_TOKEN", "ntn_" + some(ALNUM, 46)),
    ("AIRTABLE_TOKEN", "pat" + some(ALNUM, 14) + "." + some(HEX, 64)),
    ("FIGMA_TOKEN", "figd_" + some(URL, 43)),
    ("POSTMAN_API_KEY", "PMAK-" + some(HEX, 24) + "-" + some(HEX, 34)),
    ("GRAFANA_TOKEN", "glsa_" + some(ALNUM, 32) + "_" + some(HEX, 8)),
    ("SENTRY_TOKEN", "sntryu_" + some(HEX, 64)),
    ("NEW_RELIC_KEY", "NRAK-" + some(UPPER, 27)),
    ("DYNATRACE_TOKEN", "dt0c01." + some(UPPER, 24) + "." + some(UPPER, 64)),
    ("JWT", web_token()),
    ("PRIVATE_KEY", key_block()),
]
"""Label, and a key of the form that its vendor documents."""


@pytest.mark.parametrize(("label", "key"), KEYS, ids=[f"{i}-{label}" for i, (label, _) in enumerate(KEYS)])
def test_keys_in_all_surroundings(label: str, key: str) -> None:
    for text in (
        key,
        f"the key is {key}.",
        f"KEY={key}\n",
        f'{{"key": "{key}"}}',
        f"'{key}', next",
        f"キーは{key}です",
        f"?x={key}&y=1",
        rf"a\n{key}\n",
        f"x%20{key} ",
        f"({key})",
    ):
        assert LOOK(text) == [(label, key)], text.replace(key, "…")


@pytest.mark.parametrize(("label", "key"), KEYS[:-2], ids=[f"{i}-{label}" for i, (label, _) in enumerate(KEYS[:-2])])
def test_keys_within_words_are_none(label: str, key: str) -> None:
    assert LOOK(f"x{key}") == [] or LOOK(f"x{key}")[0][0] != label


@pytest.mark.parametrize(("label", "key"), KEYS, ids=[f"{i}-{label}" for i, (label, _) in enumerate(KEYS)])
def test_two_pieces_give_what_the_whole_gives(label: str, key: str) -> None:
    text = f"api_key: {key}, and\n"
    whole = sorted(LOOK(text))
    assert (label, key) in whole
    for at in range(0, len(text) + 1, 1 + len(text) // (60 if len(text) < 300 else 6)):
        assert sorted(LOOK.in_pieces(text, at)) == whole, at


def test_a_key_under_a_name_is_one_finding() -> None:
    key = "sk-" + some(ALNUM, 48)
    assert LOOK(f'api_key = "{key}"') == [("OPENAI_API_KEY", key)]
    assert LOOK(f"Authorization: Bearer {key}") == [("OPENAI_API_KEY", key)]
    only = Looker(build(SecretsConfig(kinds=("GENERIC_SECRET",))))
    assert only(f'api_key = "{key}"') == [("GENERIC_SECRET", key)]


def hidden(key: str) -> list[str]:
    return [key.replace("k", "ｋ", 1), "\u200b".join(key), key.replace("s", "ѕ", 1)]


@pytest.mark.parametrize("written", hidden("sk-" + some(LOWER, 40)))
def test_disguised_keys(written: str) -> None:
    assert LOOK(f"use {written} please") == [("OPENAI_API_KEY", written)]


NAMED: list[tuple[str, str, str]] = [
    ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"),
    ("AWS_SECRET_ACCESS_KEY", 'AWS_SECRET_KEY: "{}"', some(ALNUM + "/+", 40)),
    ("AWS_SECRET_ACCESS_KEY", "secret access key is {}", some(ALNUM + "/+", 40)),
    ("AZURE_STORAGE_KEY", "AccountName=x;AccountKey={};EndpointSuffix=y", some(ALNUM + "+/", 86) + "=="),
    ("AZURE_SHARED_ACCESS_KEY", "SharedAccessKeyName=x;SharedAccessKey={}", some(ALNUM + "+/", 43) + "="),
    ("AZURE_SAS_SIGNATURE", "https://x.example/c?sv=2022-11-02&sig={}&se=2024", some(ALNUM, 43) + "%3D"),
    ("HEROKU_API_KEY", "HEROKU_API_KEY={}", uuid()),
    ("CLOUDFLARE_API_KEY", "CLOUDFLARE_API_TOKEN={}", some(URL, 40)),
    ("CLOUDFLARE_API_KEY", "cf_api_key: {}", some(HEX, 37)),
    ("DATADOG_API_KEY", "DD_API_KEY={}", some(HEX, 32)),
    ("DATADOG_API_KEY", 'datadog app key: "{}"', some(HEX, 40)),
    ("TWILIO_AUTH_TOKEN", "TWILIO_AUTH_TOKEN='{}'", some(HEX, 32)),
    ("BEARER_TOKEN", "Authorization: Bearer {}", some(ALNUM, 40)),
    ("BASIC_AUTH", "authorization: basic {}", base64.b64encode(b"admin:hunter22").decode()),
    ("URL_PASSWORD", "postgres://app:{}@db.example.com:5432/x", "s3cr3tPa55"),
    ("URL_PASSWORD", "redis://:{}@10.1.2.3", some(ALNUM, 20)),
    ("PASSWORD", "password={}", "hunter2"),
    ("PASSWORD", 'DB_PASSWORD: "{}"', "P@ssw0rd!"),
    ("PASSWORD", '{{"password": "{}"}}', "Tr0ub4dor&3"),
    ("PASSWORD", r"{{\"password\": \"{}\"}}", "Tr0ub4dor&3"),
    ("PASSWORD", "my password is {}.", "Summer2024"),
    ("PASSWORD", "passwd: {}, ok", "12345678"),
    ("PASSWORD", "?user=x&password={}&next=y", "abc123!x"),
    ("PASSWORD", "<password>{}</password>", "abc123x"),
    ("PASSWORD", "密码：{}", "abc123x"),
    ("PASSWORD", "Passwort: {}", "Geheim!wort"),
    ("PASSWORD", "PASSWORD => '{}'", "kY7#mm2"),
    ("PASSWORD", "user: bob pass: {}", "hunter22"),
    ("PASSWORD", "ADMIN_PW={}", "Sup3rS3cret"),
    ("PASSWORD", "tool --password {} --user bob", "hunter22"),
    ("GENERIC_SECRET", "api_key: {}", some(ALNUM, 32)),
    ("GENERIC_SECRET", "SECRET_KEY = '{}'", "django-insecure-" + some(ALNUM, 20) + "!x9$k0(l2#m4&p6)"),
    ("GENERIC_SECRET", "secret_key_base: {}", some(HEX, 96)),
    ("GENERIC_SECRET", "OPENAI_KEY={}", some(HEX, 32)),
    ("GENERIC_SECRET", 'client-secret = "{}"', some(URL, 40)),
    ("GENERIC_SECRET", "MISTRAL_API_KEY={}", some(ALNUM, 32)),
    ("GENERIC_SECRET", "x-api-key: {}", uuid()),
    ("GENERIC_SECRET", "token = '{}'", some(HEX, 40)),
    ("GENERIC_SECRET", r'"{{\"secret\": \"{}\"}}"', some(ALNUM, 24)),
]


@pytest.mark.parametrize(("label", "text", "value"), NAMED)
def test_values_under_a_name(label: str, text: str, value: str) -> None:
    assert (label, value) in LOOK(text.format(value))


def test_an_access_key_and_its_secret() -> None:
    secret = some(ALNUM + "/+", 40)
    assert ("AWS_SECRET_ACCESS_KEY", secret) in LOOK("AKIA" + "IOSFODNN7EXAMPLE" + "," + secret)


@pytest.mark.parametrize("text", CLEAN)
def test_nothing_is_found_where_nothing_is(text: str) -> None:
    assert LOOK(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "sk-" + "x" * 48,
        "sk-" + "your-api-key-here",
        "sk-proj-" + "your-key-goes-right-here-1",
        "ghp_" + "x" * 36,
        "ghp_" + "YOUR" + "PERSONALACCESSTOKENGOESHEREPLEASE",
        "hf_" + "yourHuggingFaceTokenGoesRightHere",
        "AKIA" + "X" * 16,
        "glpat-" + "*" * 20,
        "Bearer <token>, Bearer YOUR_ACCESS_TOKEN_GOES_HERE, Bearer ${TOKEN_123456789}",
        "basic authentication and basic dGhpcyBpcyBub3QgaXQ",
        "https://user:password@example.com https://user:<pw>@x.example http://u:${PASS_1}@h http://a.example:8080/@x",
        "password: changeme, password=secret, password: string, pwd = None, password: hunting",
        "PWD=/home/user1/project OLDPWD=/home/user1",
        "password = form.password1.data; password=request.POST['password1']; pwd=this.pwd1",
        "token: 2024-01-15T10:30:00Z; max_token=4096; tokens: 1234567890123456; token_type: bearer_token_type_2",
        "secret: kubernetes.io/service-account-token",
        "api_key: https://example.com/docs/api-keys-v2",
        "eyJhIjoxfQ.eyJiIjoyfQ.signature and "
        + encoded({"typ": "x", "pad": "y" * 9})
        + "."
        + encoded({"a": 1})
        + ".abc",
        "-----BEGIN PRIVATE KEY----- is how such a block begins",
        "-----BEGIN PUBLIC KEY-----\n" + "A1b2" * 16 + "\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\n" + "A1b2" * 16 + "\n-----END CERTIFICATE-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A1b2C3d4" * 5,
    ],
)
def test_placeholders_names_and_code(text: str) -> None:
    assert LOOK(text) == []


@given(st.sampled_from(["ghp_", "gho_", "npm_"]), st.text("ab", min_size=30, max_size=30))
def test_a_right_checksum_makes_the_plainest_key_one(prefix: str, body: str) -> None:
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    value, suffix = zlib.crc32(body.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        suffix = alphabet[digit] + suffix
    assert [value for _, value in LOOK(prefix + body + suffix)] == [prefix + body + suffix]


class TestWebTokens:
    def test_long_ones(self) -> None:
        token = web_token(payload=700, signature=342)
        assert LOOK(f"jwt={token};") == [("JWT", token)]

    def test_a_cut_one(self) -> None:
        cut = web_token(payload=200).rpartition(".")[0]
        assert LOOK(f"{cut} …") == [("JWT", cut)]

    def test_one_that_is_too_long_is_found_as_far_as_the_row_goes(self) -> None:
        assert cut_after(web_token(payload=3000)) > LONG


class TestPrivateKeys:
    @pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "])
    @pytest.mark.parametrize("newline", ["\n", "\r\n", r"\n", r"\\n", "\n    ", " "])
    def test_blocks(self, kind: str, newline: str) -> None:
        block = key_block(kind, newline=newline)
        assert LOOK(f"key: {block}{newline}rest") == [("PRIVATE_KEY", block)]

    def test_a_whole_2048_bit_key_fits(self) -> None:
        block = key_block("", lines=25)
        assert len(block) > 1600
        assert LOOK(block) == [("PRIVATE_KEY", block)]

    def test_with_fields(self) -> None:
        fields = "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\n"
        block = key_block().replace("-----\n", "-----" + fields, 1)
        assert LOOK(block) == [("PRIVATE_KEY", block)]

    def test_two_blocks(self) -> None:
        one, two = key_block(lines=3), key_block("EC ", lines=2)
        assert LOOK(f"{one}\n{two}\n") == [("PRIVATE_KEY", one), ("PRIVATE_KEY", two)]

    def test_a_cut_block(self) -> None:
        head = "\n".join(key_block(lines=5).split("\n")[:4])
        assert LOOK(f"{head}\n\nThat was all of it.") == [("PRIVATE_KEY", head)]

    def test_one_that_is_too_long_is_found_as_far_as_the_row_goes(self) -> None:
        assert cut_after(key_block(lines=50)) > LONG - 64  # whole lines


def test_kinds_and_scores() -> None:
    two = build(SecretsConfig(kinds=("GITHUB_TOKEN", "PASSWORD")))
    assert two.labels == {"GITHUB_TOKEN", "PASSWORD"}
    assert {spec.label for spec in two.specs} == two.labels
    sure = Looker(build(SecretsConfig(min_score=0.9)))
    assert sure("password=hunter2") == []
    assert sure("sk-" + string.ascii_lowercase) == [("OPENAI_API_KEY", "sk-" + string.ascii_lowercase)]


@pytest.mark.parametrize("begin", ["sk-proj-", "ghp_", "password: ", "Authorization: Bearer ", "api_key = "])
def test_a_long_key_is_found_whole_or_said_to_be_cut(begin: str) -> None:
    value = "".join(random.Random(5).choices(string.ascii_letters + string.digits, k=1900))
    ((_, found),) = LOOK(f"{begin}{value} rest")
    assert found.endswith(value)
    assert cut_after(f"{begin}{value}{value} rest") > LONG


def test_rows_are_narrow_where_their_form_sets_a_most() -> None:
    wide = {spec.label for spec in LOOK.detector.specs if spec.max_width > 256}
    assert wide >= {"JWT", "PRIVATE_KEY", "PASSWORD"}
    assert not wide & {"AWS_ACCESS_KEY_ID", "TWILIO_API_KEY", "AZURE_STORAGE_KEY"}
    assert max(widths(LOOK.detector).values()) == LONG + 1  # the one more tells of a cut


def test_there_are_rows_for_many_vendors() -> None:
    assert len(LOOK.detector.labels) > 70
    assert {label for label, _ in KEYS} | {label for label, _, _ in NAMED} <= LOOK.detector.labels


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"kinds": []}, "at least 1"),
        ({"kinds": ["GITHUB_KEY"]}, "nearest is GITHUB_TOKEN"),
        ({"kinds": ["openai_api_key"]}, "nearest is OPENAI_API_KEY"),
        ({"min_score": -1}, "greater than"),
        ({"kind": ["JWT"]}, "not permitted"),
    ],
)
def test_bad_configuration(config: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SecretsConfig.model_validate(config)


def test_the_schema_lists_the_kinds() -> None:
    schema = json.dumps(SecretsConfig.model_json_schema())
    assert '"GITHUB_TOKEN"' in schema
