r"""A tool call's arguments are JSON within a string: what they spell as ``\u0061`` is found and edited, whole and streamed,
and what is left is JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiling import plan_of
from lockgate.exchange import Exchange, Reading, Segment
from lockgate.passage import Passage

WHERE = "/choices/0/message/tool_calls/0/function/arguments"
PLAN = plan_of(
    {
        "id": "r",
        "side": "completion",
        "use": {"pii": {"kinds": ["EMAIL_ADDRESS"]}, "words": {"words": ["secret"], "label": "WORD"}},
        "then": {"rewrite": "redact"},
    }
)


def spelt(text: str, every: int) -> str:
    """Every so many characters as an escape."""
    return "".join(f"\\u{ord(char):04x}" if i % every == 0 else char for i, char in enumerate(text))


async def whole(arguments: str) -> str:
    reading = Reading([Segment(WHERE, "assistant", "tool_call", arguments, 0)], {}, [])
    verdict = await Passage(PLAN, Exchange("id", "chat")).answer(reading)
    for edit in sorted(verdict.edits, key=lambda edit: -edit.span[0]):
        arguments = arguments[: edit.span[0]] + edit.replacement + arguments[edit.span[1] :]
    return arguments


async def streamed(chunks: list[str]) -> str:
    stream = Passage(PLAN, Exchange("id", "chat")).stream()
    for chunk in chunks:
        stream.feed(0, WHERE, "tool_call", chunk)
    await stream.end(0)
    gate = stream.gate(WHERE)
    text = "".join(chunks)
    assert gate.cleared == len(text)
    edited = gate.edited(text, 0, len(text))
    return text if edited is None else edited


@pytest.mark.parametrize(
    ("spelling", "left"),
    [
        ({"to": "anna@example.com"}, {"to": "[EMAIL_ADDRESS]"}),
        ({"to": ["bob", "anna@example.com"], "n": 1}, {"to": ["bob", "[EMAIL_ADDRESS]"], "n": 1}),
        ({"say": "my secret, kept"}, {"say": "my [WORD], kept"}),
        ({"say": "sécret"}, {"say": "[WORD]"}),
        ({"say": "😀 secret"}, {"say": "😀 [WORD]"}),
    ],
)
@pytest.mark.parametrize("every", [1, 2, 5])
async def test_what_is_spelt_in_escapes(spelling: dict[str, Any], left: dict[str, Any], every: int) -> None:
    text = json.dumps(spelling, ensure_ascii=True)
    for value in ("anna@example.com", "secret"):
        text = text.replace(value, spelt(value, every))
    assert json.loads(await whole(text)) == left
    assert json.loads(await streamed(list(text))) == left
    nested = json.dumps({"body": text})
    assert json.loads(json.loads(await whole(nested))["body"]) == left


@given(
    st.lists(st.sampled_from(["secret", r"\u0073ecret", "\\", "u00", "73", r"\ud83d", r"\ude00", " ", r"\u200b", '"', "@example.com", "anna"]), max_size=8),
    st.lists(st.integers(0, 60), max_size=5),
)  # fmt: skip
async def test_streamed_as_whole(parts: list[str], places: list[int]) -> None:
    text = "".join(parts)
    cuts = sorted(min(place, len(text)) for place in places)
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert await streamed(chunks) == await whole(text)
