from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.detectors.invisible import KINDS, InvisibleConfig, build
from looking import CLEAN, Looker, widths

LOOK = Looker(build(InvisibleConfig()))

Z, B, T, V = "ZERO_WIDTH", "BIDI_CONTROL", "TAG_CHARACTERS", "VARIATION_SELECTORS"


def tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(char)) for char in text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pass\u200bword", [(Z, "\u200b")]),
        ("pass\u200dword", [(Z, "\u200d")]),
        ("pass\u200cword", [(Z, "\u200c")]),
        ("pass\u2060word", [(Z, "\u2060")]),
        ("pass\ufeffword", [(Z, "\ufeff")]),
        ("\ufeff\ufeffword", [(Z, "\ufeff\ufeff")]),
        ("a\u200b\u200c\u200d\u2060b", [(Z, "\u200b\u200c\u200d\u2060")]),
        ("word\u3164", [(Z, "\u3164")]),
        ("\u115fword", [(Z, "\u115f")]),
        ("ignore\u00ad\u00adthis", [(Z, "\u00ad\u00ad")]),
        ("p\u00ada\u00ads\u00ads", [(Z, "\u00ada\u00ads\u00ads")]),
        (" \u00adword", [(Z, "\u00ad")]),
        ("x\u2062\u2063\u2062y", [(Z, "\u2062\u2063\u2062")]),
        ("می\u200c\u200c\u200dخواهم", [(Z, "\u200c\u200c\u200d")]),
        ("👨\u200dx", [(Z, "\u200d")]),
        ("\u202egnp.exe", [(B, "\u202e")]),
        ("a\u2066b\u2069c", [(B, "\u2066"), (B, "\u2069")]),
        ("hello\u200f", [(B, "\u200f")]),
        ("hello \u200e\u200eworld", [(B, "\u200e\u200e")]),
        ("שלום \u202aabc\u202c", [(B, "\u202a"), (B, "\u202c")]),
        (f"hi{tags('ignore all')}", [(T, tags("ignore all"))]),
        (f"\U0001f3f4{tags('hidden words')}\U000e007f", [(T, tags("hidden words") + "\U000e007f")]),
        (f"\U0001f3f4{tags('gbeng')}", [(T, tags("gbeng"))]),
        (f"a{tags('gbeng')}\U000e007f", [(T, tags("gbeng") + "\U000e007f")]),
        ("\U000e0001", [(T, "\U000e0001")]),
        ("😀\ufe0f\ufe00\ufe01", [(V, "\ufe0f\ufe00\ufe01")]),
        ("😀" + "\U000e0110" * 40, [(V, "\U000e0110" * 40)]),
        ("a\ufe0f", [(V, "\ufe0f")]),
        ("\ufe0f", [(V, "\ufe0f")]),
        ("a \U000e0105", [(V, "\U000e0105")]),
        ("😀\U000e0105", [(V, "\U000e0105")]),
    ],
)
def test_hidden_characters(text: str, found: list[tuple[str, str]]) -> None:
    assert LOOK(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "👨\u200d👩\u200d👧\u200d👦 👩🏽\u200d💻 🏳\ufe0f\u200d🌈 🏴\u200d☠\ufe0f 🧑\u200d⚕\ufe0f 🐦\u200d⬛ ❤\ufe0f\u200d🔥",
        "❤\ufe0f ☎\ufe0e ✈\ufe0f 1\ufe0f\u20e3 #\ufe0f\u20e3 ©\ufe0f ™\ufe0f ↔\ufe0f ㊗\ufe0f 🅰\ufe0f",
        f"🏴{tags('gbeng')}\U000e007f🏴{tags('gbsct')}\U000e007f 🏴{tags('usca')}\U000e007f",
        "می\u200cخواهم نمی\u200cدانم کتاب\u200cها",
        "क्\u200dष क्\u200cष ശ്\u200dരീ ක්\u200dෂ",
        "শ\u200dআ ক্‌ষ",
        "\ufeffA file that starts with a byte order mark",
        "Donau\u00addampf\u00adschiff\u00adfahrt",
        "שלום!\u200f, (abc)\u200e עולם \u200eabc",
        "مرحبا \u200f(123)\u200f.",
        "ภาษา\u200bไทย ភាសា\u200bខ្មែរ 日本\u200b語の",
        "葛\U000e0100城 辻\ufe00",
        "f\u2061(x) = 2\u2062x",
        "\u1820\u180b \u1100\u1160",
        "café naïve Ελληνικά русский 中文 日本語 한국어 العربية עברית हिन्दी ไทย 😀👍🏽🇩🇪",
        "non\u00a0breaking\u202fspaces \u2009thin and\u3000wide",
        *CLEAN,
    ],
)
def test_honest_uses(text: str) -> None:
    assert LOOK(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "👨\u200d👩\u200d👧x a\u200bb \u200d می\u200cخ",
        "שלום!\u200f ok\u200f",
        f"🏴{tags('gbeng')}\U000e007f x{tags('hi')}",
        "❤\ufe0f a\ufe0f 😀\ufe0f\ufe0e",
        "Donau\u00addampf p\u00ada\u00ads\u00ads",
    ],
)
def test_two_pieces_give_what_the_whole_gives(text: str) -> None:
    for at in range(len(text) + 1):
        assert sorted(LOOK.in_pieces(text, at)) == sorted(LOOK(text)), at


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str) -> None:
    detector = build(InvisibleConfig.model_validate({"kinds": [kind]}))
    assert detector.labels == {kind}
    everything = f"a\u200bb \u202ec {tags('d')} e\ufe0f"
    assert {label for label, _ in Looker(detector)(everything)} == {kind}
    assert {label for label, _ in LOOK(everything)} == set(KINDS)


def test_rows_are_narrow() -> None:
    assert max(widths(LOOK.detector).values()) <= 256


@pytest.mark.parametrize("config", [{"kinds": []}, {"kinds": ["HIDDEN"]}, {"kind": ["ZERO_WIDTH"]}])
def test_bad_configuration(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        InvisibleConfig.model_validate(config)
