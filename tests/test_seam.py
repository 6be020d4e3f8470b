"""Values that an answer cuts at the border of two texts which clients show as one: plain and streamed alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate import load_policy
from lockgate.detectors.scanner import ScanError
from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.seam import Leads, Seam, shown_together
from lockgate.verdict import Action, Edit
from lockgate.wire.responses_read import read_answer
from responding import cut, message, output_text, response
from saying import patterns, plan_of, rule, words

KEY = "sk-proj-" + "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY5zA7bC9d" * 2
PATTERN = patterns(KEY=r"sk-[a-z0-9]{8}")
REDACT = plan_of(rule("keys", PATTERN, {"rewrite": "redact"}, side=["completion"]))
HOLD = plan_of(rule("keys", PATTERN, {"rewrite": "redact"}, side=["completion"], stream="hold"))
WATCH = plan_of(rule("keys", PATTERN, "record", side=["completion"]))
STOP = plan_of(rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}, side=["completion"]))


@pytest.fixture(scope="module")
def default() -> Plan:
    return compile_policy(load_policy("default"))


def whole(*texts: str) -> dict[str, Any]:
    """All texts in one message, but for the last one."""
    return response(message(*map(output_text, texts[:-1])), message(output_text(texts[-1])))


def where(texts: tuple[str, ...], i: int) -> str:
    return f"/output/0/content/{i}/text" if i < len(texts) - 1 else "/output/1/content/0/text"


def edited(texts: tuple[str, ...], edits: list[Edit]) -> list[str]:
    out = []
    for i, said in enumerate(texts):
        text = said
        for edit in sorted((e for e in edits if e.where == where(texts, i)), key=lambda e: e.span, reverse=True):
            text = text[: edit.span[0]] + edit.replacement + text[edit.span[1] :]
        out.append(text)
    return out


async def plain(plan: Plan, *texts: str) -> tuple[Action, list[str]]:
    verdict = await Passage(plan, Exchange("01", "responses")).answer(read_answer(whole(*texts)))
    return verdict.action, edited(texts, verdict.edits)


async def streamed(plan: Plan, *texts: str, size: int = 7) -> tuple[Action, list[str]]:
    stream = Passage(plan, Exchange("01", "responses")).stream()
    for i, text in enumerate(texts):
        for piece in cut(text, size):
            if stream.feed(0, where(texts, i), "text", piece):
                await stream.settle()
        if text and stream.flush(stream.gate(where(texts, i))):
            await stream.settle()
    verdict = await stream.end(0)
    edits = [edit for i, text in enumerate(texts) if text for edit in stream.gate(where(texts, i)).edits]
    return verdict.action, edited(texts, edits)


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ((f"Use {KEY[:40]}", f"{KEY[40:]} now"), ["Use [OPENAI_API_KEY]", "[OPENAI_API_KEY] now"]),
        ((f"Use {KEY[:12]}", f"{KEY[12:]} now"), [f"Use {KEY[:12]}", "[OPENAI_API_KEY] now"]),
        ((f"{KEY[:6]}", f"{KEY[6:10]}", f"{KEY[10:]}."), [KEY[:6], KEY[6:10], "[OPENAI_API_KEY]."]),
        (("Pay with 4111 1111", " 1111 1111, please"), ["Pay with 4111 1111", "[CREDIT_CARD], please"]),
    ],
)
async def test_the_piece_behind_the_border_is_taken_out(
    default: Plan, texts: tuple[str, ...], wanted: list[str]
) -> None:
    assert (await plain(default, *texts))[1] == wanted
    for size in (1, 5, 200):
        assert (await streamed(default, *texts, size=size))[1] == wanted


@pytest.mark.parametrize(
    "texts",
    [
        ("All is well.", "And so it stays."),
        ("Write to jo@example.org", "now, and say hello"),
        ("The sum is 4111 1111", "people came"),
        ("The end", "", "of it all"),
        ("1. one\n2. two\n3.", " three"),
    ],
)
async def test_ordinary_texts_go_on_as_they_are(default: Plan, texts: tuple[str, ...]) -> None:
    action, left = await plain(default, *texts)
    assert left[1:] == list(texts[1:])
    assert await streamed(default, *texts) == (action, left)


async def test_a_rule_that_refuses_refuses() -> None:
    assert (await plain(STOP, "xyzzy plu", "gh, she said"))[0] is Action.REFUSE
    assert (await streamed(STOP, "xyzzy plu", "gh, she said"))[0] is Action.REFUSE


async def test_what_only_watches_finds_it_as_well_and_holds_nothing() -> None:
    passage = Passage(WATCH, Exchange("01", "responses"))
    verdict = await passage.answer(read_answer(whole("a sk-abcd", "1234 b")))
    assert [(one.label, one.where, one.span) for one in verdict.findings] == [
        ("KEY", "/output/1/content/0/text", (0, 4)),
    ]
    stream = Passage(WATCH, Exchange("01", "responses")).stream()
    for place, text in (("/output/0/content/0/text", "a sk-abcd"), ("/output/1/content/0/text", "1234 b")):
        stream.feed(0, place, "text", text)
        assert stream.gate(place).cleared == len(text)
        stream.flush(stream.gate(place))
    found = (await stream.end(0)).findings
    assert [(one.label, one.where, one.span) for one in found] == [("KEY", "/output/1/content/0/text", (0, 4))]


async def test_choices_and_other_kinds_are_no_neighbours() -> None:
    stream = Passage(REDACT, Exchange("01", "chat")).stream()
    for choice in (0, 1):
        stream.feed(choice, f"/choices/{choice}/message/content", "text", ("a sk-abcd", "1234 b")[choice])
        assert not (await stream.end(choice)).findings
    assert shown_together("/output/3/content/0/text", "text")
    assert not shown_together("/output/3/content/0/text", "reasoning")
    assert not shown_together("/output/3/arguments", "tool_call")


PIECES = st.lists(st.sampled_from(["sk-abcd1234", "sk-", "sk-ab", "cd12", "34", " ", ", ", "é", "x"]), max_size=6)


@given(st.lists(PIECES.map("".join), min_size=2, max_size=4), st.integers(1, 9), st.sampled_from([REDACT, HOLD]))
@settings(deadline=None, max_examples=200)
def test_a_stream_leaves_as_the_plain_answer_does(texts: list[str], size: int, plan: Plan) -> None:
    expected = asyncio.run(plain(plan, *texts))
    assert asyncio.run(streamed(plan, *texts, size=size)) == expected


class _Breaking:
    """A scanner that fails."""

    def scan(self, *_: Any, **__: Any) -> Any:
        raise ScanError("too much")


async def test_what_can_t_be_looked_at_fails(default: Plan) -> None:
    look = default.completion.look("assistant", "text")
    assert look is not None
    assert look.acting is not None
    seam = Seam(look.acting, "a sk-abcd")
    seam.feed("1234")
    assert not seam.done
    broken = type(look.acting)(_Breaking(), look.acting.asked)  # type: ignore[arg-type]
    stream = Passage(default, Exchange("01", "responses")).stream()
    stream.feed(0, "/output/0/content/0/text", "text", "one sk-")
    stream.flush(stream.gate("/output/0/content/0/text"))
    stream.feed(0, "/output/0/content/1/text", "text", "a")
    gate = stream.gate("/output/0/content/1/text")
    gate._seams = [Seam(broken, "one sk-")]
    gate.feed("two")
    assert gate.failed_closed


def test_the_last_of_what_is_said() -> None:
    leads = Leads()
    leads.heard(0, "a", "not of these")
    assert leads.before(0, "a") == ""
    leads.heard(0, "a", "x" * 700)
    assert leads.before(1, "b") == ""
    assert leads.before(0, "b") == "x" * 600
    leads.heard(0, "a", "late")
    leads.heard(0, "b", "y")
    assert leads.before(0, "c") == "x" * 599 + "y"
