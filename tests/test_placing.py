"""Notes in answers, by whole policies: where they stand, in which words, and the same plain and streamed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.exchange import Exchange, Reading, Segment, Subject
from lockgate.passage import Passage
from lockgate.pieces import Pieces
from lockgate.placing import position, united
from lockgate.policy.plan import Plan
from lockgate.verdict import Verdict
from lockgate.wire.values import edit_value
from saying import patterns, plan_of, rule, words

LEGAL = "This is general information, not legal advice; please ask a lawyer about your own case."
MONEY = "This is general information, not financial advice; please ask a qualified adviser before you decide."
CAVEAT = plan_of(rule("law", words("lawsuit", "Klage"), {"flag": {"caveat": {"message": "legal"}}}))
MARKS = plan_of(
    rule("moon", words("blue cheese", "cheese"), {"flag": {"u": {"message": "unsupported", "as": "inline"}}})
)
ALL = plan_of(
    rule("law", words("law", "lawsuit"), {"flag": {"caveat": {"message": "legal"}}}),
    rule("moon", words("cheese", "blue cheese", "x"), {"flag": {"u": {"message": "unsupported", "as": "inline"}}}),
    rule("more", words("cheese x"), {"flag": {"u": {"message": "unsupported", "as": "inline"}}}),
    rule("sure", words("never"), {"flag": {"n": {"message": "uncertain", "as": "inline"}}}),
    rule("tax", words("tax", "taxes"), {"flag": {"money": {"message": "financial", "at": "sentence"}}}),
    rule("keys", patterns(KEY=r"sk-[a-z]{1,9}"), {"rewrite": "redact", "flag": {"k": {"message": "bias", "as": "inline"}}}),
    rule("long", patterns(LONG=r"never sk-[a-z]{1,9} x"), {"rewrite": {"replace": "?"}}),
)  # fmt: skip
HELD = plan_of(
    rule("law", words("law"), {"flag": {"caveat": {"message": "legal"}}}, stream="hold"),
    rule("moon", words("cheese"), {"flag": {"u": {"message": "unsupported", "as": "inline"}}}, stream="hold"),
    rule("sure", words("never"), {"flag": {"n": {"message": "uncertain", "as": "inline"}}}),
)


def exchange(tags: Sequence[str] = (), asked: str = "") -> Exchange:
    prompt = [Segment("/messages/0/content", "user", "text", asked)] if asked else []
    return Exchange("X", "chat", Subject(tags=tuple(tags)), prompt=prompt)


async def whole(plan: Plan, text: str, *, where: str = "", **more: Any) -> tuple[str, Verdict]:
    passage = Passage(plan, exchange(**more))
    verdict = await passage.answer(Reading([Segment(where, "assistant", "text", text, 0)]))
    said: str = edit_value(text, passage.edits(verdict), base=where)
    return said, verdict


async def streamed(plan: Plan, chunks: Sequence[str], **more: Any) -> tuple[str, Verdict]:
    pieces = Pieces(Passage(plan, exchange(**more)).stream())
    out: list[str] = []
    for chunk in chunks:
        out.extend(await pieces.add(chunk))
    rest, verdict = await pieces.end()
    return "".join([*out, *rest]), verdict


async def both(plan: Plan, text: str, **more: Any) -> str:
    """What a text leaves as, whole and in pieces."""
    said, verdict = await whole(plan, text, **more)
    for size in (1, 2, 5, 1000):
        came, other = await streamed(plan, [text[i : i + size] for i in range(0, len(text), size)], **more)
        assert came == said
        assert [flag.public() for flag in other.flags] == [flag.public() for flag in verdict.flags]
    return said


@pytest.mark.parametrize(
    ("text", "behind"),
    [
        ("A lawsuit takes years, and nobody knows its end.", f"\n\n{LEGAL}"),
        ("A lawsuit takes **years**, nobody knows its end.", f"\n\n*{LEGAL}*"),
        ("A lawsuit takes years:\n\n```\na\n```\n", f"\n*{LEGAL}*"),
        ("A lawsuit? Two lawsuit cases? It is the lawsuit of them all.", f"\n\n{LEGAL}"),
        ("A court takes years.", ""),
        # What can't take a note gets none.
        ('{"answer": "a lawsuit takes years"}', ""),
        (' [{"answer": "a lawsuit"}]\n', ""),
        ("A lawsuit takes years:\n\n```\ndef a(): ...\n", ""),
    ],
)
async def test_a_note_stands_behind_the_answer_once(text: str, behind: str) -> None:
    assert await both(CAVEAT, text) == text + behind


async def test_what_is_not_placed_is_told_all_the_same() -> None:
    _, verdict = await whole(CAVEAT, '{"answer": "a lawsuit takes years"}')
    assert [(flag.name, flag.text) for flag in verdict.flags] == [("caveat", LEGAL)]


@pytest.mark.parametrize(
    ("text", "asked", "tags", "start"),
    [
        ("Eine Klage dauert in diesem Land oft mehrere Jahre und ist teuer.", "", (), "Das sind allgemeine"),
        ("Un procès, ou « lawsuit » en anglais, dure souvent plusieurs années.", "", (), "Ces informations"),
        ("Una demanda, en inglés lawsuit, dura muchas veces varios años aquí.", "", (), "Esta información"),
        ("Un processo, in inglese lawsuit, dura spesso molti anni in questo paese.", "", (), "This is general"),
        ("Klage: 2", "Wie lange dauert eine Klage in diesem Land im Durchschnitt?", (), "Das sind allgemeine"),
        ("lawsuit: 2", "", (), "This is general information, not legal advice; please ask a lawyer"),
        ("A lawsuit takes years, and nobody knows its end.", "", ("country:GB",), LEGAL.replace("lawyer", "solicitor")),
        ("A lawsuit takes years, and nobody knows.", "", ("country:US",), LEGAL.replace("a lawyer", "an attorney")),
    ],
)
async def test_a_note_speaks_as_its_reader_does(text: str, asked: str, tags: tuple[str, ...], start: str) -> None:
    said = await both(CAVEAT, text, asked=asked, tags=tags)
    assert said.startswith(f"{text}\n\n{start}")


async def test_a_policy_may_bring_its_own_words_for_any_language() -> None:
    own = {"text": {"it": "Solo informazioni generali.", "en": "General only."}, "message": "legal"}
    plan = plan_of(rule("law", words("lawsuit"), {"flag": {"caveat": own}}))
    italian = "Un processo, in inglese lawsuit, dura spesso molti anni in questo paese."
    assert await both(plan, italian) == italian + "\n\nSolo informazioni generali."
    assert (await both(plan, "A lawsuit takes years, and nobody knows.")).endswith("\n\nGeneral only.")


async def test_two_rules_that_say_the_same_say_it_once() -> None:
    plan = plan_of(
        rule("law", words("lawsuit"), {"flag": {"caveat": {"message": "legal"}}}),
        rule("court", words("court"), {"flag": {"court": {"message": "legal"}}}),
        rule("tax", words("tax"), {"flag": {"money": {"message": "financial"}}}),
    )
    text = "A lawsuit in court, and a tax on it, all in one country."
    assert await both(plan, text) == f"{text}\n\n{LEGAL}\n\n{MONEY}"
    _, verdict = await whole(plan, text)
    assert [flag.name for flag in verdict.flags] == ["caveat", "court", "money"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The moon is made of cheese, they say.", "The moon is made of cheese [unsupported], they say."),
        ("It is **blue cheese** (really).", "It is **blue cheese** [unsupported] (really)."),
        ("It is cheese(see below).", "It is cheese [unsupported] (see below)."),
        ("See [the cheese](http://a.b/cheese) here.", "See [the cheese](http://a.b/cheese) [unsupported] here."),
        ("Call `cheese()` here.", "Call `cheese()` [unsupported] here."),
        ("Two blue cheese and cheese", "Two blue cheese [unsupported] and cheese [unsupported]"),
        ("```\ncheese\n```\n", "```\ncheese\n```\n"),
        ('{"a": "cheese"}', '{"a": "cheese"}'),
        ("[1] is what cheese may begin", "[1] is what cheese may begin"),
        (
            "Der Mond besteht ganz und gar aus cheese, sagt man.",
            "Der Mond besteht ganz und gar aus cheese [nicht belegt], sagt man.",
        ),
    ],
)
async def test_marks_stand_behind_what_they_mark(text: str, said: str) -> None:
    assert await both(MARKS, text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A tax is due. More tax is too.", f"A tax is due. ({MONEY}) More tax is too."),
        ("A tax is due", f"A tax is due ({MONEY})"),
        ("`tax = 3", f"`tax = 3\n\n{MONEY}"),
    ],
)
async def test_a_note_behind_a_sentence(text: str, said: str) -> None:
    assert await both(ALL, text) == said


async def test_metadata_only() -> None:
    plan = plan_of(rule("moon", words("cheese"), {"flag": {"u": {"message": "unsupported", "as": "metadata"}}}))
    assert await both(plan, "The moon is of cheese.") == "The moon is of cheese."
    _, verdict = await whole(plan, "The moon is of cheese.")
    assert verdict.flags[0].text.startswith("Parts of this answer are not supported")


async def test_what_is_behind_a_flag_points_into_the_text_as_it_was_delivered() -> None:
    text = "never mind sk-abc: cheese, and a lawsuit x"
    said, verdict = await whole(ALL, text)
    shown = {flag.name: flag.public() for flag in verdict.flags}
    for name, found in {"caveat": "lawsuit", "n": "never", "k": "[KEY]"}.items():
        [finding] = shown[name]["findings"]
        assert said[slice(*finding["span"])] == found
        assert (finding["where"], finding["score"]) == ("", 1.0)
    assert [said[slice(*f["span"])] for f in shown["u"]["findings"]] == ["cheese", "x"]
    assert await both(ALL, text) == said


async def test_what_the_prompt_flags_is_said_in_each_choice() -> None:
    plan = plan_of(rule("law", words("lawsuit"), {"flag": {"caveat": {"message": "legal"}}}, side="prompt"))
    passage = Passage(plan, exchange())
    asked = await passage.prompt(Reading([Segment("/messages/0/content", "user", "text", "A lawsuit?")]))
    assert [flag.public() for flag in asked.flags] == [{"name": "caveat", "text": LEGAL, "rule": "law"}]
    said = [Segment(f"/choices/{i}/message/content", "assistant", "text", "It takes years.", i) for i in (0, 1)]
    verdict = await passage.answer(Reading(said))
    assert [(edit.where, edit.replacement) for edit in verdict.edits] == [
        (f"/choices/{i}/message/content", f"\n\n{LEGAL}") for i in (0, 1)
    ]


@pytest.mark.parametrize(
    "where", ["/note", "/choices/0/message/refusal", "/choices/0/message/tool_calls/0/x", "/data/0"]
)
async def test_only_prose_gets_notes(where: str) -> None:
    text = "A lawsuit takes years."
    assert (await whole(CAVEAT, text, where=where))[0] == text


WORDS = [
    "cheese", "blue ", "cheese x", "x", "law", "suit", "tax", "taxes", " ", " ", ". ", ", ", "\n", "\n\n", "`", "**", "never ",
    "sk-abc", "sk-", "(", "[", "](", ")", "```\n", "Das ist ein ganz gewöhnlicher deutscher Satz", "é", "{", "- ",
]  # fmt: skip
SAID = st.lists(st.sampled_from(WORDS), min_size=1, max_size=16).map("".join)


@pytest.mark.parametrize("plan", [ALL, HELD], ids=["as it comes", "held"])
@settings(max_examples=150, deadline=None)
@given(text=SAID, data=st.data())
async def test_the_stream_equals_the_whole(plan: Plan, text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    said, verdict = await whole(plan, text)
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    came, other = await streamed(plan, chunks)
    assert came == said
    assert [flag.public() for flag in other.flags] == [flag.public() for flag in verdict.flags]


def test_spans_that_overlap_are_one() -> None:
    assert united([(5, 9), (0, 3), (2, 4), (4, 5), (6, 7)]) == [(0, 4), (4, 5), (5, 9)]


def test_texts_stand_in_the_order_of_their_pointers() -> None:
    assert position("/output/10/content/0/text") > position("/output/2/content/1/text")
