from __future__ import annotations

import pytest

from lockgate_proxy.asker import MOST_TAGS, country_of, language_of, tags_of
from lockgate_proxy.settings import Settings


def settings(**given: str) -> Settings:
    return Settings.read(policy="default", upstream="https://host.test/v1", **given)


TRUSTED = settings(country_header="CF-IPCountry", language_header="accept-language", tags_header="X-Segment")


@pytest.mark.parametrize(
    ("said", "country"),
    [(b"DE", "DE"), (b" at ", "AT"), (b"", ""), (b"Germany", ""), (b"T1", ""), (b"D\xc3\xa9", "")],
)
def test_the_country(said: bytes, country: str) -> None:
    assert country_of(TRUSTED, [(b"cf-ipcountry", said)]) == country


@pytest.mark.parametrize(
    ("said", "language"),
    [
        (b"de", "de"),
        (b"de-AT, de;q=0.9, en;q=0.5", "de-AT"),
        (b"fr;q=0.8", "fr"),
        (b"*", ""),
        (b"", ""),
        (b"xx yy", ""),
        (b"\xff", ""),
    ],
)
def test_the_language(said: bytes, language: str) -> None:
    assert language_of(TRUSTED, [(b"accept-language", said)]) == language


def test_no_header_is_trusted_unasked() -> None:
    headers = [(b"cf-ipcountry", b"DE"), (b"accept-language", b"de")]
    assert (country_of(settings(), headers), language_of(settings(), headers)) == ("", "")


@pytest.mark.parametrize(
    ("said", "tags"),
    [
        (b"gold", ("gold",)),
        (b" gold , team/a:1,,", ("gold", "team/a:1")),
        (b"two words, ok", ("ok",)),
        (b"\xff, -x, ok", ("ok",)),
        (b"", ()),
        (b",".join(b"t%d" % i for i in range(40)), tuple(f"t{i}" for i in range(MOST_TAGS))),
    ],
)
def test_the_tags(said: bytes, tags: tuple[str, ...]) -> None:
    assert tags_of(TRUSTED, [(b"x-segment", said)]) == tags
    assert tags_of(settings(), [(b"x-segment", said)]) == ()
