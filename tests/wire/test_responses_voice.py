from __future__ import annotations

import json
from typing import Any

import pytest
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent

from lockgate.wire.responses_voice import ResponsesVoice
from responding import call, events, message, output_text, response, thought

WHOLE = response(thought("so it is"), message(output_text("the text"), output_text("more")), call('{"a": 1}'))
EVENTS = events(WHOLE)


def refuse_after(count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    voice = ResponsesVoice("X", "m")
    before = EVENTS[:count]
    for event in before:
        voice.hear(event)
        voice.left(event)
    said = voice.refuse(0, "Not that.", {"id": "X"})
    own = [json.loads(data) for _, data in said]
    assert [name for name, _ in said] == [event["type"] for event in own]
    return before, own


@pytest.mark.parametrize("count", range(len(EVENTS)))
def test_a_refusal_fits_whatever_has_left(count: int) -> None:
    before, own = refuse_after(count)
    numbers = [event["sequence_number"] for event in [*before, *own]]
    assert numbers == list(range(len(numbers)))
    state: Any = ResponseStreamState(input_tools=[], text_format=omit)
    seen: list[Any] = []
    for event in [*before, *own]:
        typed: Any = construct_type(type_=ResponseStreamEvent, value=event)
        seen.extend(state.handle_event(typed))
    last = seen[-1].response
    assert (last.status, last.incomplete_details.reason) == ("incomplete", "content_filter")
    assert last.output[-1].content[-1].refusal == "Not that."
    assert last.lockgate == {"id": "X"}
    assert own[-1]["response"]["output"][-1] == own[-2]["item"]


@pytest.mark.parametrize("count", range(len(EVENTS)))
def test_what_was_begun_is_closed_with_what_has_left(count: int) -> None:
    before, own = refuse_after(count)
    parts: dict[tuple[Any, ...], str] = {}
    for event in [*before, *own]:
        place = (event.get("output_index"), event.get("content_index"), event.get("summary_index"))
        if event["type"].endswith(("text.delta", "refusal.delta")):
            parts[place] = parts.get(place, "") + event["delta"]
        if event["type"].endswith("part.done"):
            part = event["part"]
            assert part.get("text", part.get("refusal")) == parts.get(place, "")
    opened = [event for event in [*before, *own] if event["type"].endswith("part.added")]
    closed = [event for event in [*before, *own] if event["type"].endswith("part.done")]
    assert len(opened) == len(closed)


def test_a_call_that_was_cut_is_not_said_to_be_whole() -> None:
    count = next(i for i, event in enumerate(EVENTS) if event["type"].endswith("arguments.delta")) + 1
    _, own = refuse_after(count)
    assert not any(event.get("item", {}).get("type") == "function_call" for event in own)
    assert [item["type"] for item in own[-1]["response"]["output"]] == ["reasoning", "message", "message"]


def test_a_refusal_without_words() -> None:
    said = ResponsesVoice("X", "m").refuse(0, "", {})
    assert [name.removeprefix("response.") for name, _ in said] == [
        "created", "in_progress", "output_item.added", "output_item.done", "incomplete",
    ]  # fmt: skip


def test_a_failure_is_an_error_that_the_sdk_raises() -> None:
    voice = ResponsesVoice("X", "m")
    voice.left(EVENTS[0])
    name, data = voice.fail({"message": "It failed.", "code": "guardrail_unavailable"})
    event = json.loads(data)
    assert (name, event["type"], event["sequence_number"]) == ("error", "error", 1)
    assert (event["message"], event["error"]["code"]) == ("It failed.", "guardrail_unavailable")


def test_what_is_no_event_of_the_api_is_passed_over() -> None:
    voice = ResponsesVoice("X", "m")
    odds: list[Any] = [
        [],
        {"type": 1},
        {"type": "response.output_item.added", "item": "x"},
        {"type": "response.created"},
    ]
    for odd in odds:
        voice.hear(odd)
        voice.left(odd)
    assert voice.refuse(0, "No.", {})[0][0] == "response.created"
