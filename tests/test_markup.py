from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.markup import AHEAD, WAIT, Markup

PLACES = [
    # What is marked stands between braces; ¶ is where the mark goes, none where there is no place.
    ("The sky is {green} today.", "The sky is green¶ today."),
    ("The sky is {green}.", "The sky is green¶."),
    ("{The sky is green. }Yes.", "The sky is green.¶ Yes."),
    ("The {sk}y is green", "The sky¶ is green"),
    ("about {3}.5 percent", "about 3.5¶ percent"),
    ("by 2{4}%, they say", "by 24%¶, they say"),
    ("a well-{known} fact", "a well-known¶ fact"),
    ("a {well}-known fact", "a well-known¶ fact"),
    ("e{e}\u0301n day", "ee\u0301n¶ day"),
    ("**{green}** grass", "**green**¶ grass"),
    ("x `{green}` y", "x `green`¶ y"),
    ("x ``a ` {green}`` y", "x ``a ` green``¶ y"),
    ("a `{green}", None),
    ("a \\`{green} b", "a \\`green¶ b"),
    ("see [the {green} sky](http://x.y/green) now", "see [the green sky](http://x.y/green)¶ now"),
    ("see [sky](http://x.y/{green}/z) now", "see [sky](http://x.y/green/z)¶ now"),
    ("see [the {green} sky][ref] now", "see [the green sky][ref]¶ now"),
    ("![{green}](a.png) now", "![green](a.png)¶ now"),
    ("[{green}]: http://x.y", None),
    ("http://a.b/{green}/x?y=1 z", "http://a.b/green/x?y=1¶ z"),
    ("mail {ann}@example.com now", "mail ann@example.com¶ now"),
    ('<a href="{green}">x</a> y', '<a href="green">¶x</a> y'),
    ("if 1 < {2} and so", "if 1 < 2¶ and so"),
    ("```\n{green}\n```\n", None),
    ("```\ncode\n```\n{green} grass", "```\ncode\n```\ngreen¶ grass"),
    ("~~~py\na ``` {b}\n~~~", None),
    ("- ```\n  {green}\n  ```", None),
    ("    {indented} code", None),
    ("- a\n    - {nested} item", "- a\n    - nested¶ item"),
    ("| a | {green} |\n|---|---|\n", "| a | green¶ |\n|---|---|\n"),
    ("| a |\n|{---}|\n| b |", None),
    ("a ` b\n\n{green} c", "a ` b\n\ngreen¶ c"),
    ("a ` b\n- {green} c ` d", "a ` b\n- green¶ c ` d"),
    ("天空{是}绿色的", "天空是¶绿色的"),
    ("{" + "a" * 10 + "}" + "a" * (AHEAD + 1), None),
    ("{   }", None),
]


def marked(text: str) -> tuple[str, int]:
    return text.replace("{", "", 1).replace("}", "", 1), text.index("}") - 1


@pytest.mark.parametrize(("text", "place"), PLACES)
def test_where_a_mark_stands(text: str, place: str | None) -> None:
    text, end = marked(text)
    at = Markup(text).word_end(end, final=True)
    assert at is None if place is None else isinstance(at, int)
    if isinstance(at, int):
        assert f"{text[:at]}¶{text[at:]}" == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "It is {green}, says Dr. Smith in 3.5 pages. Next one.",
            "It is green, says Dr. Smith in 3.5 pages.¶ Next one.",
        ),
        ("It is {green}\nNext line.", "It is green¶\nNext line."),
        ("Is it {green}?! (Yes.) No.", "Is it green?!¶ (Yes.) No."),
        ("{It is green.} No.", "It is green.¶ No."),
        ("It is {green}", "It is green¶"),
        ("天空{是}绿色的。下一句。", "天空是绿色的。¶下一句。"),
    ],
)
def test_where_a_sentence_ends(text: str, place: str) -> None:
    text, end = marked(text)
    at = Markup(text).sentence_end(end, final=True)
    assert isinstance(at, int)
    assert f"{text[:at]}¶{text[at:]}" == place


SIGNS = st.sampled_from(["a", "é", "是", "1", " ", "\n", "\n\n", "`", "```", "[", "]", "(", ")", "<", ">", "|", "-", ".",
                         ",", "*", "\\", "- ", "http://", "~~~", "    ", "\u0301"])  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(SIGNS, min_size=1, max_size=40).map("".join), st.data())
def test_a_place_is_the_same_however_the_text_comes(text: str, data: st.DataObject) -> None:
    end = data.draw(st.integers(1, len(text)))
    for name in ("word_end", "sentence_end"):
        whole = getattr(Markup(text), name)(end, final=True)
        markup, came = Markup(text[:end]), None
        for sign in text[end:]:
            came = getattr(markup, name)(end, final=False)
            if came is not WAIT:
                break
            markup.feed(sign)
        else:
            came = getattr(markup, name)(end, final=True)
        assert came == whole
        if isinstance(whole, int):
            assert not (
                text[whole - 1 : whole + 1].isalnum() and whole < len(text) and "是" not in text[whole - 1 : whole + 1]
            )


@settings(max_examples=300, deadline=None)
@given(st.lists(SIGNS, min_size=1, max_size=40).map("".join))
def test_a_place_is_the_same_whatever_was_asked_before(text: str) -> None:
    whole = [Markup(text).word_end(end, final=True) for end in range(1, len(text) + 1)]
    again, came = Markup(), dict[int, object]()
    for sign in text:
        again.feed(sign)
        for end in range(1, len(again.text) + 1):
            if came.get(end, WAIT) is WAIT:
                came[end] = again.word_end(end, final=False)
    assert [again.word_end(end, final=True) if at is WAIT else at for end, at in came.items()] == whole


@pytest.mark.parametrize(
    ("text", "is_open"),
    [("a", False), ("```\nx", True), ("```\nx\n```", False), ("```\nx\n```\ny", False), ("x\n```py", True),
     ("````\n```\n", True), ("~~~\n```", True), ("a ```b``` c", False)],
)  # fmt: skip
def test_whether_a_text_ends_in_code(text: str, is_open: bool) -> None:
    assert Markup(text).in_code is is_open
    piecemeal = Markup()
    for sign in text:
        piecemeal.feed(sign)
    assert piecemeal.in_code is is_open
