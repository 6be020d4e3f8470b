from __future__ import annotations

import base64
import codecs
import json
import random
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.detectors import patterns, pii, secrets, words
from lockgate.detectors.protocol import PatternDetector, PatternSpec
from lockgate.detectors.rows import compiled_row
from lockgate.detectors.scanner import Rows, Scanner
from lockgate.detectors.views import ENCODED, LONGEST, SHORTEST, SPELLINGS, View, name_of, views
from lockgate.normalise import last_visible
from looking import CLEAN

EVERY: tuple[View, ...] = (*ENCODED, "rot13", "leet")
VALUE = "anna.smith@example.com"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def url64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def hexed(text: str) -> str:
    return text.encode().hex()


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def escaped(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def entities(text: str) -> str:
    return "".join(f"&#{ord(char)};" if i % 2 else f"&#x{ord(char):x};" for i, char in enumerate(text))


def rot13(text: str) -> str:
    return codecs.encode(text, "rot13")


def leet(text: str) -> str:
    return text.translate(str.maketrans("aeiost", "431057"))


ENCODERS: dict[str, Callable[[str], str]] = {
    "base64": b64,
    "base64, for URLs": url64,
    "hex": hexed,
    "hex, in capitals": lambda text: hexed(text).upper(),
    "escaped": escaped,
    "url": percent,
    "url, where it must": lambda text: quote(text, safe=""),
    "html": entities,
}

PII = Scanner(pii.build(pii.PiiConfig(kinds=("EMAIL_ADDRESS", "CREDIT_CARD"))).specs)
SHIPPED = Scanner((*pii.build(pii.PiiConfig()).specs, *secrets.build(secrets.SecretsConfig()).specs))
WORDS = Scanner(
    words.build(words.WordsConfig(words=("secret", "project bluebird", "süßes Wort", "toll"), views=EVERY)).specs
)


def found(scanner: Scanner, text: str) -> list[tuple[str, str]]:
    return [(scanner.specs[m.spec].label, text[m.start : m.end]) for m in scanner.scan(text).matches]


def in_pieces(scanner: Scanner, text: str, places: list[int]) -> list[tuple[int, int, int]]:
    """As a stream is scanned."""
    cuts = sorted({min(place, len(text)) for place in places} | {len(text)})
    seen: list[tuple[int, int, int]] = []
    context, base = "", 0
    for cut in cuts:
        start = len(context)
        scan = scanner.scan(context + text[base:cut], start=start, final=cut == len(text))
        seen += [(m.start + base - start, m.end + base - start, m.spec) for m in scan.matches]
        done = scan.cut - start
        if done:
            context = last_visible(context + text[base : base + done])
        base += done
    return seen


@pytest.mark.parametrize("longest", [LONGEST, SHORTEST])
def test_views_compile_and_are_no_wider_than_they_may(longest: int) -> None:
    for view in views(longest):
        row = compiled_row(0, view)
        row.regex()
        assert row.reach <= longest + 1
    assert {name_of(view) for view in views(longest)} == set(ENCODED)


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize("around", ["", "so: {} is it", '"{}"', "/v1/{}", "key={}&x=1", "süß {}."])
def test_a_value_in_disguise(encode: Callable[[str], str], around: str) -> None:
    disguised = encode(VALUE)
    text = around.format(disguised) if around else disguised
    ((label, span),) = found(PII, text)
    assert label == "EMAIL_ADDRESS"
    assert disguised.rstrip("=") in span
    assert len(span) <= len(disguised) + 2


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
def test_a_value_within_a_longer_text(encode: Callable[[str], str]) -> None:
    disguised = encode(f"Tell {VALUE} all of it, süß.")
    ((_, span),) = found(PII, f"x {disguised} y")
    if "%" not in span and "&" not in span:
        assert len(span) < len(disguised)


@pytest.mark.parametrize("outer", ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize("inner", ENCODERS.values(), ids=ENCODERS)
def test_two_deep(outer: Callable[[str], str], inner: Callable[[str], str]) -> None:
    text = f"see {outer(inner(VALUE))} there"
    assert [label for label, _ in found(PII, text)] == ["EMAIL_ADDRESS"]


def test_no_deeper() -> None:
    assert found(PII, b64(b64(b64(VALUE)))) == []
    assert found(PII, " ".join(b64(b64(hexed(hexed(VALUE)))))) == []


@pytest.mark.parametrize(
    ("text", "span"),
    [
        # Percent, hexadecimal and entities: the characters themselves. Base64: groups of four.
        ("q=anna%40example.com", "anna%40example.com"),
        ("<b>anna&#64;example&period;com</b>", "anna&#64;example&period;com"),
        ("mailto:%61nna@example.com,", "%61nna@example.com"),
        (r"'\x61nna@example.com'", r"\x61nna@example.com"),
        (hexed("to anna@example.com!"), hexed("anna@example.com")),
        (b64("Mr anna@example.com!!"), b64("anna@example.com!!")),
        (f"com/{b64('anna@example.com')}", b64("anna@example.com")),
        ("süß " + percent("süß anna@example.com"), percent("anna@example.com")),
    ],
)
def test_what_a_finding_covers(text: str, span: str) -> None:
    ((_, covered),) = found(PII, text)
    assert (
        covered.removeprefix("q=").removeprefix("mailto:").removeprefix("to").lower() == span.lower() or covered == span
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("the frperg one", "frperg"), ("FRPERG", "FRPERG"), ("cebwrpg  oyhroveq", "cebwrpg  oyhroveq"), ("fürßrf Jbeg", ""),
        ("a s3cr3t!", "s3cr3t"), ("$ecret", "$ecret"), ("53(r37", ""), ("PR0J3C7 B1U3B1RD", "PR0J3C7 B1U3B1RD"),
        ("xs3cr3t", ""), ("s3cr3tx", ""), ("t011", "t011"), ("7011", ""), ("the 7o11 road", "7o11"),
        (b64("well, frperg it is"), b64("frperg")), (percent("s3cret word"), percent("s3cret")),
    ],
)  # fmt: skip
def test_words_that_are_spelt_otherwise(text: str, word: str) -> None:
    assert [span for _, span in found(WORDS, text)] == ([word] if word else [])


def test_a_plain_word_is_found_once() -> None:
    assert found(WORDS, "a secret") == [("WORDS", "secret")]


@pytest.mark.parametrize(
    ("regex", "text"),
    [("ab[c-e]x", "no[pqr]k"), ("[a-z]{2}1", "qq1"), ("[^a]z", "om"), ("A[X-Z]", "NK"), (r"k\d\w", "x1y")],
)
def test_rot13_of_a_pattern(regex: str, text: str) -> None:
    specs = patterns.build(patterns.PatternsConfig(patterns={"P": regex}, views=("rot13",))).specs
    plain = patterns.build(patterns.PatternsConfig(patterns={"P": rot13(text)})).specs
    text = text.replace("[pqr]", "p")
    assert found(Scanner(specs), text)
    assert plain


@settings(max_examples=150)
@given(st.text(st.sampled_from("abcdefgh ÄÖ語1!"), max_size=20), st.sampled_from(sorted(ENCODERS)), st.integers(0, 3))
def test_whatever_is_around_it(around: str, name: str, by: int) -> None:
    """encode(value) is found and covered, also within a longer text that is encoded with it."""
    disguised = ENCODERS[name](f"{'x' * by} {VALUE} {around}")
    if len(disguised) > LONGEST:
        return
    scan = PII.scan(disguised)
    assert [PII.specs[m.spec].label for m in scan.matches] == ["EMAIL_ADDRESS"]


PARTS = st.sampled_from(
    [
        b64(VALUE), url64(f"to {VALUE}"), b64(b64(VALUE)), hexed(VALUE), percent(VALUE), entities(VALUE), escaped(VALUE), "anna%40example", "%2Ecom",
        "&#64;", "&amp;", "&", "%", "\\x", "61", "%C3%BC", "4111%201111%201111%201111", VALUE, "YW5u", "=", "==", "/", "-", " ", "\n", "ü", "\u200b", "A1" * 20,
        "AbC0" * 40, hexed("z" * 90), "a", "s3cr3t", "frperg", "secret", "$ecret", "s e c r e t",
    ]
)  # fmt: skip


@pytest.mark.parametrize("scanner", [PII, WORDS], ids=["pii", "words"])
@settings(max_examples=250)
@given(parts=st.lists(PARTS, max_size=7), places=st.lists(st.integers(0, 300), max_size=5))
def test_pieces_are_read_as_the_whole(scanner: Scanner, parts: list[str], places: list[int]) -> None:
    text = "".join(parts)
    whole = [(m.start, m.end, m.spec) for m in scanner.scan(text).matches]
    assert in_pieces(scanner, text, places) == whole


SHORT = Rows(pii.build(pii.PiiConfig(kinds=("EMAIL_ADDRESS",))).specs, longest=SHORTEST).scanner([0, 1])


@settings(max_examples=250)
@given(
    st.lists(
        st.sampled_from(
            [b64(VALUE), percent(VALUE), "x" * 50, "a1B2" * 30, "0f" * 60, "%41" * 40, "&#65;", "==", " ", "/"]
        ),
        max_size=6,
    ),
    st.lists(st.integers(0, 500), max_size=6),
)
def test_runs_that_are_too_long(parts: list[str], places: list[int]) -> None:
    text = "".join(parts)
    whole = [(m.start, m.end, m.spec) for m in SHORT.scan(text).matches]
    assert in_pieces(SHORT, text, places) == whole


@pytest.mark.parametrize("of", ["A", "a1B2c3D4", "0f", "-", "%41", "&#65;", "\\x41", "a b c ", "=", "QUFB"])
@pytest.mark.parametrize("size", [LONGEST - 7, LONGEST + 5, 60_000])
def test_a_stream_holds_no_more_than_a_run(of: str, size: int) -> None:
    """Whatever is written, and however long: a picture must not close the guard."""
    text = "see " + (of * size)[:size]
    context = pending = ""
    for start in range(0, len(text), 997):
        pending += text[start : start + 997]
        scan = SHIPPED.scan(context + pending, start=len(context), final=False)
        done = scan.cut - len(context)
        if done:
            context = last_visible(context + pending[:done])
        pending = pending[done:]
        assert len(pending) <= 2048


def test_pictures_and_files_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not even decoded."""
    picture = base64.b64encode(random.Random(4).randbytes(60_000)).decode()
    text = f"![](data:image/png;base64,{picture})"
    derived: list[str] = []
    monkeypatch.setattr(Scanner, "_derived", lambda *args: derived.append(args[2].text))
    assert SHIPPED.scan(text).matches == []
    assert derived == []


def test_ordinary_texts_hold_nothing_in_disguise() -> None:
    everything = Scanner(
        (
            *pii.build(pii.PiiConfig(views=ENCODED)).specs,
            *secrets.build(secrets.SecretsConfig(views=ENCODED)).specs,
        )
    )
    assert [found(everything, text) for text in CLEAN] == [[] for _ in CLEAN]
    made = random.Random(7)
    hashes = [made.randbytes(size) for size in (12, 16, 20, 32, 48, 64, 100) for _ in range(30)]
    forms = [form for data in hashes for form in (data.hex(), base64.b64encode(data).decode(), quote(data))]
    assert [form for form in forms if found(everything, f'"{form}"')] == []


def test_nesting_does_not_multiply_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    text = VALUE
    while len(text) < LONGEST:
        text = b64(text) if len(text) % 2 else quote(b64(text), safe="") + "%20"
    texts: list[str] = []
    derived = Scanner._derived

    def counted(self: Scanner, row: object, view: object, *rest: object) -> None:
        texts.append("one")
        derived(self, row, view, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Scanner, "_derived", counted)
    SHIPPED.scan((text[: LONGEST - 100] + " ") * 20)
    assert len(texts) < 1000


@pytest.mark.parametrize("kind", ["words", "patterns", "secrets", "pii"])
def test_views_are_chosen(kind: str) -> None:
    built: dict[str, Callable[[tuple[View, ...]], PatternDetector]] = {
        "words": lambda v: words.build(words.WordsConfig(words=("secret",), views=v)),
        "patterns": lambda v: patterns.build(patterns.PatternsConfig(patterns={"P": "secret"}, views=v)),
        "secrets": lambda v: secrets.build(secrets.SecretsConfig.model_validate({"views": v})),
        "pii": lambda v: pii.build(pii.PiiConfig.model_validate({"views": v})),
    }
    assert {spec.views for spec in built[kind](("base64",)).specs} == {frozenset({"base64"})}
    value = {"words": "my secret is", "patterns": "my secret is", "secrets": "AKIAQYLPMN5HFIQR7XYA", "pii": VALUE}[kind]
    for view, disguised in (("base64", b64(value)), ("hex", hexed(value)), ("spaced", " ".join("secret"))):
        for chosen in ((), ("base64",), ("hex",)):
            scanner = Scanner(built[kind](chosen).specs)
            assert bool(found(scanner, f"so {disguised}")) == (view in chosen), (view, chosen)
    if kind in ("secrets", "pii"):
        with pytest.raises(ValueError, match="views"):
            built[kind](("rot13",))


def test_rows_are_seen_in_their_own_views_only() -> None:
    rows = [
        PatternSpec("A", "secret", views=frozenset({"base64"})),
        PatternSpec("B", "secret", views=frozenset({"hex", "base64"})),
        PatternSpec("C", "secret", views=frozenset()),
    ]
    scanner = Scanner(rows)
    for text, labels in (
        (b64("a secret here"), "AB"),
        (hexed("a secret here"), "B"),
        (b64(hexed("a secret here")), "B"),
        ("a secret", "ABC"),
    ):
        assert "".join(label for label, _ in found(scanner, text)) == labels
    assert Rows(rows).scanner([0]).scan(hexed("a secret here")).matches == []


def test_values_in_arguments_are_json_too() -> None:
    arguments = json.dumps({"data": b64(VALUE), "path": f"/x/{b64(VALUE)}"}).replace("/", "\\/")
    assert [label for label, _ in found(PII, arguments)] == ["EMAIL_ADDRESS", "EMAIL_ADDRESS"]


def test_the_spellings_are_views() -> None:
    assert SPELLINGS | set(ENCODED) == set(EVERY)
