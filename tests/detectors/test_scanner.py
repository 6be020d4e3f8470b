from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lockgate.detectors import scanner as scanning
from lockgate.detectors.catalog import CATALOG
from lockgate.detectors.protocol import PatternDetector, PatternSpec, Spans, Validate
from lockgate.detectors.scanner import Match, Rows, Scan, ScanError, Scanner
from lockgate.errors import PatternError
from lockgate.normalise import last_visible

Seen = tuple[int, int, int, bool]


def seen(matches: list[Match]) -> list[Seen]:
    return [(match.start, match.end, match.spec, match.too_wide) for match in matches]


def neighbours(allowed: str) -> Validate:
    """Accepts a match between `allowed` neighbours only: looks at one character on each side."""

    def validate(text: str, start: int, end: int) -> Spans:
        around = text[max(start - 1, 0) : start] + text[end : end + 1]
        return ((start, end),) if all(char in allowed for char in around) else ()

    return validate


def middle(text: str, start: int, end: int) -> Spans:
    """Two findings in one match, and none in a short one."""
    return ((start, start + 1), (end - 1, end)) if end - start > 2 else ()


ROWS = (
    PatternSpec("WORD", r"\bsecret\b", ignore_case=True),
    PatternSpec("PREFIX", "se"),
    PatternSpec("LONGER", "secrets?"),
    PatternSpec("RUN", "a+b{1,3}"),
    PatternSpec("TOKEN", r"\btok-\w{3,8}\b"),
    PatternSpec("BACK", r"\bbak(?:-\w{1,3})?(?:-\w)?\b", max_width=24),
    PatternSpec("INNER", r"(\bж{1,3}\b)"),
    PatternSpec("GROUP", r"pin[:=] ?(\d{4})"),
    PatternSpec("ALONE", "abc", validate=neighbours(" .")),
    PatternSpec("PAIR", "[xy]{2,5}", validate=middle),
    PatternSpec("CUT", "z+", max_width=4),
    PatternSpec("TWO", "q+-q+", max_width=6),
    PatternSpec("UMLAUT", "ж{2,4}"),
    PatternSpec("ENDS", r"(?m)^end$"),
    PatternSpec("LAST", r"stop\Z"),
    PatternSpec("ZERO", "[\u200b\u200c]{1,8}", view="raw", validate=neighbours("ab \n")),
    PatternSpec("WIDE", r"\{[^{}]{0,40}\}", max_width=64),
)
SCANNER = Scanner(ROWS)
SHARED = Rows(ROWS)
PIECES = st.sampled_from(
    [
        "secret", "SECRET", "se", "cret", "s", "s e c r e t", "s-e-c-r-e-t", "s e c", " r e t", "a", "b", "ab", "abc", "abcd",
        "tok-", "tok-abc", "bak-", "bak-ab", "-a", "pin: 12", "34", "x", "xy", "z", "zzzz", "q", "q-q", "-", "ж", "жж", "\nend\n", "end", "stop",
        "\u200b", "\u200c", "e\u0301", "\u0301", "\u00ad", "ѕесrеt", "\U000e0073\U000e0065", "\U000e0063\U000e0072",
        "\U000e0065\U000e0074", "Ｓ", "ﬁ", "😀", "\ud83d", "\ufeff", "{", "}", " ", "  ", "\n", ".", "_", "é", "1", "①",
        "\\", "\\u", "\\u0073", "\\\\u0065", "00", "73", "\\ud83d", "\\ude00", "\\u200b", "\\/", "/", "\\n",
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=2)), max_size=12).map("".join)


def in_pieces(rows: Scanner, chunks: list[str]) -> Iterator[Seen]:
    """As a stream is scanned: what is finished goes, its last visible character stays for context."""
    base = 0
    context = pending = ""
    for i, chunk in enumerate(chunks):
        pending += chunk
        final = i == len(chunks) - 1
        start = len(context)
        scan = rows.scan(context + pending, start=start, final=final)
        assert start <= scan.cut <= start + len(pending)
        for match in scan.matches:
            assert match.end <= scan.cut
            yield match.start + base - start, match.end + base - start, match.spec, match.too_wide
        gone = pending[: scan.cut - start]
        if gone:
            context = last_visible(context + gone)
        pending = pending[len(gone) :]
        base += len(gone)


@st.composite
def cuts(draw: st.DrawFn) -> list[str]:
    text = draw(TEXTS)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@given(cuts())
@settings(max_examples=400)
@example(["abc", "d"])
@example(["zzz", "zzz"])
@example(["a ", "\u200b", "\u200bc"])
@example(["s e c r e t", " x"])
@example(["stop", " now"])
@example(["\\u00", "73ecret"])
@example(["secr\\", "u0065t"])
@example(["secret\\u0073 ", "\\u0073ecret"])
@example(["\\ud83d", "\\ude00"])
@example(["\\" * 9, "u0073ecret"])
@example(["\u200b\\u200b", "\\u200bc"])
def test_pieces_are_scanned_as_the_whole(chunks: list[str]) -> None:
    assert list(in_pieces(SCANNER, chunks)) == seen(SCANNER.scan("".join(chunks)).matches)


def shipped(kind: str) -> Scanner:
    entry = CATALOG[kind]
    detector = entry.build(entry.config.model_validate({}))
    assert isinstance(detector, PatternDetector)
    return Scanner(detector.specs)


SHIPPED = {kind: shipped(kind) for kind in ("pii", "secrets", "invisible")}
REAL = st.sampled_from(
    [
        "bob@example.com", "bob", "@", "example.com", "4111 1111 1111 1111", "4111-1111-", "1111-1111", "123-45-6789", "-1",
        "+1 415 555 0132", "(415) 555-0132", "192.168.0.1", "::1", "2001:db8::1", "DE89 3704 0044 0532 0130 00", "GB82WEST",
        "AKIAIOSFODNN7EXAMPLE", "AKIA", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "sk-proj-", "abcdefghijklmnop1234567890",
        "password: ", "hunter2!X9", "-----BEGIN PRIVATE KEY-----\n", "MIIEvQIBADANBgkqhkiG9w0B\n", "-----END PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxMjM0In0.", "c2lnbmF0dXJl", "\u200b", "\u200d", "\u202e", "\u05d0", "\u200f",
        "\ufe0f", "❤", "\U000e0041\U000e0042", "\u00ad", " ", ", ", "\n", ".", "x", "1", "é", "/", "(", ")",
    ]
)  # fmt: skip


@pytest.mark.parametrize("kind", SHIPPED)
@given(parts=st.lists(REAL, max_size=8), places=st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=150)
def test_shipped_rows_in_pieces(kind: str, parts: list[str], places: list[int]) -> None:
    text = "".join(parts)
    marks = sorted(min(place, len(text)) for place in places)
    chunks = [text[a:b] for a, b in zip([0, *marks], [*marks, len(text)], strict=True)]
    assert list(in_pieces(SHIPPED[kind], chunks)) == seen(SHIPPED[kind].scan(text).matches)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a secret.", {"WORD": ["secret"], "PREFIX": ["se"], "LONGER": ["secret"]}),
        ("secrets", {"PREFIX": ["se"], "LONGER": ["secrets"]}),
        ("ѕесrеt", {"WORD": ["ѕесrеt"], "PREFIX": ["ѕе"], "LONGER": ["ѕесrеt"]}),
        ("s\u200becret", {"WORD": ["s\u200becret"], "PREFIX": ["s\u200be"], "LONGER": ["s\u200becret"]}),
        ("жsecretж", {"PREFIX": ["se"], "LONGER": ["secret"]}),
        ("my s e c r e t is", {"WORD": ["s e c r e t"], "PREFIX": ["s e"], "LONGER": ["s e c r e t"]}),
        ("aaabbbbb", {"RUN": ["aaabbb"]}),
        ("ab aab", {"RUN": ["ab", "aab"]}),
        ("pin: 1234", {"GROUP": ["1234"]}),
        ("pin: ١٢٣٤", {"GROUP": ["١٢٣٤"]}),
        ("tok-acdefghi tok-acdefghij", {"TOKEN": ["tok-acdefghi"]}),
        ("bak-abcd bak-abc-de bak-abc-d", {"BACK": ["bak", "bak-abc", "bak-abc-d"], "RUN": ["ab", "ab", "ab"]}),
        ("ж жжжж xж (жж)", {"INNER": ["ж", "жж"], "UMLAUT": ["жжжж", "жж"]}),
        ("abc abcd .abc.", {"ALONE": ["abc", "abc"], "RUN": ["ab", "ab", "ab"]}),
        ("xyxyx", {"PAIR": ["x", "x"]}),
        ("xy", {}),
        ("end\nend\n end", {"ENDS": ["end", "end"]}),
        ("stop stop", {"LAST": ["stop"]}),
        ("a\u200bb", {"ZERO": ["\u200b"], "RUN": ["a\u200bb"]}),
        ("x\u200by", {}),
        ("{ab}", {"WIDE": ["{ab}"], "RUN": ["ab"]}),
        ("", {}),
        ("\u200b" * 3, {"ZERO": ["\u200b" * 3]}),
        (r"\u0073ecret", {"WORD": [r"\u0073ecret"], "PREFIX": [r"\u0073e"], "LONGER": [r"\u0073ecret"]}),
        (
            r"{\"\\u0073\\u0065cr\u0435t",
            {
                "WORD": [r"\\u0073\\u0065cr\u0435t"],
                "PREFIX": [r"\\u0073\\u0065"],
                "LONGER": [r"\\u0073\\u0065cr\u0435t"],
            },
        ),
        (r"a\u200bb", {"ZERO": [r"\u200b"], "RUN": [r"a\u200bb"]}),
        (r"\ud83dsecret\u0073", {"PREFIX": ["se"], "LONGER": [r"secret\u0073"]}),
        (r"\u073ecret \usecret", {"PREFIX": ["se"], "LONGER": ["secret"]}),
    ],
)
def test_what_is_found(text: str, found: dict[str, list[str]]) -> None:
    came: dict[str, list[str]] = {}
    for match in SCANNER.scan(text).matches:
        came.setdefault(ROWS[match.spec].label, []).append(text[match.start : match.end])
    assert came == found


class TestWidth:
    def test_a_match_that_is_cut_says_so(self) -> None:
        scan = Scanner([PatternSpec("Z", "z+", max_width=4)]).scan("zz zzzz zzzzzzz")
        assert [(m.start, m.end, m.too_wide) for m in scan.matches] == [
            (0, 2, False),
            (3, 7, False),
            (8, 13, True),
            (13, 15, False),
        ]

    @pytest.mark.parametrize(
        ("pattern", "text"),
        [
            (
                r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
                "a.rather.long.local.part.of.an.address@mail.some-long-domain.example.com",
            ),
            (r"key\s*[:=]\s*\S+", "key: " + "x" * 200),
            (r"(?:\w+\.)+com", "averyverylonglabelofadomain.another-" + "x" * 40 + ".com"),
            (r"[A-Z]+-[0-9]+", "A" * 200 + "-1"),
            (r"1(?:a*){2}(?:aa)?", "1a"),
            (r"\d{100,}x\d{100,}", "1" * 120 + "x" + "2" * 130),
        ],
    )
    def test_a_match_that_fits_is_found_whole(self, pattern: str, text: str) -> None:
        """However its width is shared out among the repeats."""
        matches = Scanner([PatternSpec("X", pattern, max_width=256)]).scan(text).matches
        assert [(m.end, m.too_wide) for m in matches] == [(len(text), False)]

    def test_the_width_of_a_scanner_covers_its_views(self) -> None:
        assert Scanner([PatternSpec("A", "a{1,3000}", max_width=3000)]).width > 3000
        assert Scanner([]).width > 0


class TestViews:
    @pytest.mark.parametrize("separator", [" ", "-", ".", "_", "*", "|", "/"])
    def test_spaced_letters(self, separator: str) -> None:
        text = f"so: {separator.join('secret')}!"
        matches = Scanner([PatternSpec("W", r"\bsecret\b")]).scan(text).matches
        assert [text[m.start : m.end] for m in matches] == [separator.join("secret")]

    def test_spaced_words(self) -> None:
        text = "t h e   s e c r e t   c o d e"
        matches = Scanner([PatternSpec("W", "secret code")]).scan(text).matches
        assert [text[m.start : m.end] for m in matches] == ["s e c r e t   c o d e"]

    def test_prose_is_not_spaced(self) -> None:
        assert Scanner([PatternSpec("W", "secret")]).scan("a se cret, a sec ret").matches == []

    def test_tag_characters_are_read(self) -> None:
        hidden = "".join(chr(0xE0000 + ord(char)) for char in "my secret")
        text = f"hello {hidden} there"
        matches = Scanner([PatternSpec("W", "secret")]).scan(text).matches
        assert [(m.start, m.end) for m in matches] == [(9, 15)]

    def test_one_text_in_two_views_is_one_finding(self) -> None:
        matches = Scanner([PatternSpec("W", "s ?e ?c")]).scan("s e c r").matches
        assert [(m.start, m.end) for m in matches] == [(0, 5)]


class TestMemory:
    """No answer for want of memory must ever read as nothing found."""

    @pytest.mark.parametrize("answer", [[], None])
    @pytest.mark.parametrize("final", [True, False])
    def test_over_a_text(self, answer: list[int] | None, final: bool) -> None:
        rows = Rows([PatternSpec("W", "secret")])
        scanner = Scanner(rows)
        hits, rows.folded._hits = rows.folded._hits, lambda _: answer
        with pytest.raises(ScanError):
            scanner.scan("some text", final=final)
        rows.folded._hits, rows.raw._hits = hits, lambda _: answer
        assert scanner.scan("some text", final=final).matches == []
        with pytest.raises(ScanError):
            scanner.scan("süße Worte", final=final)

    @pytest.mark.parametrize("memory", [1 << 13, 1 << 15, 1 << 17])
    def test_at_load(self, monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
        monkeypatch.setattr(scanning, "_MEMORY", memory)
        monkeypatch.setattr(scanning, "_LIVE_MEMORY", memory)
        rows = [PatternSpec(f"R{i}", f"{i}[a-f ]{{1,20}}[c-x ]{{1,20}}{i}") for i in range(40)]
        with pytest.raises(PatternError, match="memory"):
            Scanner(rows).ready()


@pytest.mark.parametrize(
    "spec",
    [
        PatternSpec("BAD", "(?=x)"),
        PatternSpec("BAD", "x*"),
        PatternSpec("BAD", "x{300}"),
        PatternSpec("BAD", "(?:x{900}){900}", max_width=1_000_000),
    ],
)
def test_a_row_that_can_not_be_run_is_named(spec: PatternSpec) -> None:
    with pytest.raises(PatternError) as raised:
        Scanner([PatternSpec("GOOD", "x"), spec])
    assert raised.value.problem.startswith("BAD: ")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?:a|aa)+b", "a" * 200_000),
        (r"(?:a+)+$", "a" * 200_000 + "b"),
        (r"[^\n]*secret", "x" * 200_000 + "secret"),
        (r"\bx\w*y\b", "x" * 200_000),
        (r'"[^"]*"', '"' + "x" * 200_000),
    ],
)
def test_no_text_takes_more_than_linear_time(pattern: str, text: str) -> None:
    """A backtracking engine, or one that starts again at each character, would not come back from these."""
    scan = Scanner([PatternSpec("X", pattern)]).scan(text)
    assert all(match.end - match.start <= 257 for match in scan.matches)


@given(TEXTS, st.integers(1, 40))
@settings(max_examples=300)
@example("\u200b" * 50 + "secret", 2)
@example("s" + "\u200b" * 50 + "ecret", 2)
def test_a_long_text_is_read_a_piece_at_a_time(text: str, size: int) -> None:
    pieces = list(SCANNER.in_pieces(text, size))
    assert [one for piece in pieces for one in seen(piece)] == seen(SCANNER.scan(text).matches)


def test_what_is_unfinished_for_long_is_not_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden characters do not count towards a match, so one may be as long as the text."""
    scanner = Scanner([PatternSpec("W", "secret")])
    read: list[int] = []
    scan = scanner.scan

    def counted(text: str, *, start: int = 0, final: bool = True) -> Scan:
        read.append(len(text))
        return scan(text, start=start, final=final)

    monkeypatch.setattr(scanner, "scan", counted)
    text = ("s" + "\u200b" * 5000) * 8
    assert [one for piece in scanner.in_pieces(text, 16) for one in piece] == []
    assert sum(read) < 5 * len(text)


class TestSome:
    """Scanners of some rows share the automaton of all."""

    @given(TEXTS, st.sets(st.integers(0, len(ROWS) - 1)))
    @settings(max_examples=200)
    def test_they_find_what_those_rows_alone_find(self, text: str, wanted: set[int]) -> None:
        alone = Scanner([ROWS[number] for number in sorted(wanted)])
        numbers = dict(enumerate(sorted(wanted)))
        expected = [(m.start, m.end, numbers[m.spec], m.too_wide) for m in alone.scan(text).matches]
        assert sorted(seen(SHARED.scanner(wanted).scan(text).matches)) == sorted(expected)

    @given(cuts(), st.sets(st.integers(0, len(ROWS) - 1)))
    @settings(max_examples=200)
    def test_in_pieces(self, chunks: list[str], wanted: set[int]) -> None:
        some = SHARED.scanner(wanted)
        assert list(in_pieces(some, chunks)) == seen(some.scan("".join(chunks)).matches)

    def test_only_their_own_rows_hold_a_text_back(self) -> None:
        rows = Rows([PatternSpec("A", "abcdef"), PatternSpec("B", "xyz")])
        assert rows.scanner([0]).scan("so xy", final=False).cut == 5
        assert rows.scanner([1]).scan("so xy", final=False).cut == 3

    def test_equal_ones_are_one(self) -> None:
        rows = Rows(ROWS)
        assert rows.scanner([1, 2]) is rows.scanner((2, 1))
        assert rows.scanner([1]) is not rows.scanner([2])
        assert rows.scanner([]).scan("secret").matches == []

    def test_rows_with_one_pattern_are_in_the_automaton_once(self) -> None:
        specs = [PatternSpec(f"W{i}", "secret", validate=neighbours(" " * i)) for i in range(3)]
        rows = Rows(specs)
        assert len(set(rows.folded.entries)) < len(rows.folded.entries)
        assert [m.spec for m in Scanner(rows).scan("a secret ").matches] == [1, 2]
        assert [m.spec for m in rows.scanner([1]).scan("a secret ").matches] == [1]


class TestEndsThatAreKnown:
    @given(st.lists(st.text("se cret-1é", max_size=8), max_size=40), st.integers(0, 2))
    def test_they_are_scanned_as_others_are(self, texts: list[str], start: int) -> None:
        scanner = Scanner(ROWS)
        for text in texts * 2:
            if start <= len(text):
                assert scanner.scan(text, start=start, final=False) == Scanner(ROWS).scan(
                    text, start=start, final=False
                )

    def test_only_so_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scanning, "_KNOWN", 3)
        scanner = Scanner(ROWS)
        cuts = [[scanner.scan(f"to {word}", final=False).cut for word in ("be", "or", "not", "to", "be")] for _ in "ab"]
        assert cuts[0] == cuts[1]
        assert len(scanner._quiet) <= 3

    def test_what_was_found_is_found_again(self) -> None:
        scanner = Scanner(ROWS)
        assert scanner.scan("a secret ", final=False).matches == scanner.scan("a secret ", final=False).matches != []


def test_context_is_not_scanned_again() -> None:
    scanner = Scanner([PatternSpec("W", r"\bsecret\b")])
    assert scanner.scan("secret secret", start=6).matches == [Match(0, 7, 13)]
    assert scanner.scan("xsecret", start=1).matches == []
    assert scanner.scan(" secret", start=1).matches == [Match(0, 1, 7)]
