from __future__ import annotations

import pytest

from lockgate.verdict import Edit
from lockgate.wire.raw import UNESCAPED, edit_raw, read_raw, unescaped


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b"", []),
        (b"<p>a \\n b</p>", ["<p>a \\n b</p>"]),
        (b'{"a": "b", NaN}', ['{"a": "b", NaN}']),
        (b' ["\\u0073k-\\n\\"\\\\u0041\\/"', [' ["\\u0073k-\\n\\"\\\\u0041\\/"', ' ["sk-\n"\\u0041/"']),
        (b'{"\\ud83d\\ude00', ['{"\\ud83d\\ude00', '{"😀']),
        (b'{"\\ud83d', ['{"\\ud83d', '{"\ufffd']),
        (b"\xef\xbb\xbf{\\u0041", ["\ufeff{\\u0041", "\ufeff{A"]),
        (b"a\xffb", ["a\udcffb"]),
        (b"{\\", ["{\\"]),
        (b"{\\u12", ["{\\u12", "{u12"]),
    ],
)
def test_read_as_text_and_as_what_its_escapes_mean(body: bytes, texts: list[str]) -> None:
    segments = read_raw(body)
    assert [segment.text for segment in segments] == texts
    assert [(segment.where, segment.fixed) for segment in segments] == [("", False), (UNESCAPED, True)][: len(texts)]
    assert unescaped(body) == (texts[-1] if texts else "")


def test_an_edit_changes_its_span_alone() -> None:
    body = b"\xef\xbb\xbfkey: sk-1 \xff\xfe \xf0\x9f\x98\x80"
    assert edit_raw(body, [Edit("", (6, 10), "[KEY]")]) == b"\xef\xbb\xbfkey: [KEY] \xff\xfe \xf0\x9f\x98\x80"
    assert edit_raw(body, []) is body
    assert edit_raw(body, [Edit(UNESCAPED, (0, 1), "x")]) is body
