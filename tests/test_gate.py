from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from lockgate.detectors.catalog import CATALOG, Entry
from lockgate.detectors.protocol import SENTENCE, Reach
from lockgate.engine import Engine
from lockgate.exchange import Exchange, Reading, Segment
from lockgate.passage import Passage
from lockgate.pieces import Pieces
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Action, Finding
from lockgate.wire.values import edit_value, read_value


class _Loud(BaseModel):
    mark: str = "!"
    spans: bool = True


class _LoudDetector:
    """Scores a window by its share of exclamation marks, and points at each: a window rule without a model."""

    kind = "loud"
    labels = frozenset({"LOUD"})
    languages: frozenset[str] = frozenset()
    reach: Reach = SENTENCE

    def __init__(self, config: _Loud) -> None:
        self._mark = config.mark
        self.gives_spans = config.spans

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> list[Finding]:
        found = []
        for segment in segments:
            if segment.text.count(self._mark) >= 2:
                first, last = segment.text.index(self._mark), segment.text.rindex(self._mark)
                found.append(Finding("loud", "LOUD", 1.0, segment.where, (first, last + 1)))
        return found


WITH_LOUD = {**CATALOG, "loud": Entry(_Loud, _LoudDetector)}


def plan_of(*rules: dict[str, Any], **top: Any) -> Plan:
    filled = [{"side": "completion", **rule} for rule in rules]
    policy = Policy.model_validate({"version": 1, "name": "t", "rules": filled, **top})
    return compile_policy(policy, catalog=WITH_LOUD)


SPAN = plan_of(
    {"id": "mail", "use": {"pii": {"kinds": ["EMAIL_ADDRESS", "CREDIT_CARD"]}}, "then": {"rewrite": "redact"}},
    {"id": "words", "use": {"words": {"words": ["secret", "Geheimnis", "se", "тайна"]}}, "then": {"rewrite": "mask"}},
    {"id": "hidden", "use": {"invisible": {}}, "then": {"rewrite": "remove"}},
    {
        "id": "own",
        "use": {"patterns": {"patterns": {"AB": r"a+b{1,3}", "TOKEN": r"\btok-\w{3,8}\b", "PIN": r"pin[:=] ?(\d{4})"}}},
        "then": {"rewrite": {"replace": "<x>"}},
    },
)
WINDOW = plan_of(
    {"id": "loud", "use": {"loud": {}}, "then": {"rewrite": "redact"}},
    {"id": "words", "use": {"words": {"words": ["secret", "se"]}}, "then": {"rewrite": "mask"}},
)
HOLD = plan_of(
    {"id": "many", "use": {"words": {"words": ["secret"]}}, "when": "words.count > 1", "stream": "hold",
     "then": {"rewrite": "mask"}},
    {"id": "own", "use": {"patterns": {"patterns": {"AB": r"a+b"}}}, "then": {"rewrite": {"replace": "<x>"}}},
)  # fmt: skip
REFUSING = plan_of({"id": "words", "use": {"words": {"words": ["secret"]}}, "then": "refuse"})

PARTS = st.sampled_from(
    [
        "secret", "se", "cret", "s e c r e t", "s-e-c-r-e-t", "Geheimnis", "тайна", "тай", "a", "aa", "ab", "b", "bbb",
        "tok-", "tok-abc", "pin: ", "pin=12", "34", "bob", "@", "example", ".com", "bob@example.com", "4111 1111",
        " 1111 1111", "4111111111111111", " ", "  ", "\n", ". ", "! ", "!", "!!", "I ", "x", "\u200b", "\u200d", "e\u0301",
        "ѕесrеt", "\U000e0073\U000e0065", "\u202e", "é", "😀", "\ufeff", ",", "-", "\u00ad", "Ｓecret", "\ud83d",
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(PARTS, st.text(max_size=3)), max_size=14).map("".join)


@st.composite
def chunked(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> list[str]:
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


async def whole(plan: Plan, text: str) -> tuple[Action, str, list[tuple[str, str, tuple[int, int] | None]]]:
    reading = Reading()
    read_value(reading, "", text, "assistant", 0)
    verdict = await Passage(plan, Exchange("x", "text"), Engine()).answer(reading)
    return verdict.action, edit_value(text, verdict.edits), found(verdict.findings)


async def streamed(plan: Plan, chunks: list[str]) -> tuple[Action, str, list[tuple[str, str, tuple[int, int] | None]]]:
    pieces = Pieces(Passage(plan, Exchange("x", "text"), Engine()).stream())
    out = [piece for chunk in chunks if chunk for piece in await pieces.add(chunk)]
    rest, verdict = await pieces.end()
    return verdict.action, "".join([*out, *rest]), found(verdict.findings)


def found(findings: list[Finding]) -> list[tuple[str, str, tuple[int, int] | None]]:
    return sorted((f.rule, f.label, f.span) for f in findings)


@pytest.mark.parametrize("plan", [SPAN, WINDOW, HOLD], ids=["span", "window", "hold"])
@given(chunks=chunked())
@settings(max_examples=300)
async def test_guarded_stream_equals_guarded_whole(plan: Plan, chunks: list[str]) -> None:
    assert await streamed(plan, chunks) == await whole(plan, "".join(chunks))


@pytest.mark.parametrize("plan", [SPAN, WINDOW, HOLD], ids=["span", "window", "hold"])
@given(chunks=chunked(), places=st.sets(st.integers(0, 8), max_size=3))
@settings(max_examples=200)
async def test_what_was_given_up_and_goes_on_is_the_whole_or_a_failure(
    plan: Plan, chunks: list[str], places: set[int]
) -> None:
    stream = Passage(plan, Exchange("x", "text"), Engine()).stream()
    text, left = "".join(chunks), 0
    for i, chunk in enumerate(chunks):
        stream.feed(0, "", "text", chunk)
        await stream.settle()
        if i in places:
            stream.give_up(stream.gate(""))
            await stream.settle()
            left = stream.gate("").length
    verdict = await stream.end(0)
    gate = stream.gate("")
    if verdict.unavailable or stream.closed(0):
        assert any(failure.reason == "straddles" for failure in verdict.failures)
        assert left
        return
    assert gate.cleared == len(text)
    edited = gate.edited(text, 0, len(text))
    action, want, known = await whole(plan, text)
    assert (verdict.action, text if edited is None else edited) == (action, want)
    assert found(verdict.findings) == known


async def test_texts_that_come_whole_are_not_read_across() -> None:
    stream = Passage(SPAN, Exchange("x", "text"), Engine()).stream()
    for piece in ("sec", "ret", "a secret", "bob@exam", "ple.com"):
        stream.feed(0, "", "text", piece, whole=True)
        assert stream.gate("").held == 0
    assert [finding.span for finding in (await stream.end(0)).findings] == [(8, 14)]
