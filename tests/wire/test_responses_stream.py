from __future__ import annotations

from typing import Any, get_args

import pytest
from openai.types.responses import ResponseStreamEvent

from lockgate.errors import WireError
from lockgate.wire.responses_read import read_answer
from lockgate.wire.responses_stream import drop_echo, read_event
from responding import call, cites, events, message, output_text, response, thought

AT = {
    "output_index": 1,
    "item_id": "i",
    "content_index": 0,
    "summary_index": 2,
    "command_index": 3,
    "sequence_number": 4,
}
PART = "/output/1/content/0"

PIECES = [
    ("output_text", "text", f"{PART}/text", "text"),
    ("refusal", "refusal", f"{PART}/refusal", "text"),
    ("reasoning_text", "text", f"{PART}/text", "reasoning"),
    ("reasoning_summary_text", "text", "/output/1/summary/2/text", "reasoning"),
    ("function_call_arguments", "arguments", "/output/1/arguments", "tool_call"),
    ("mcp_call_arguments", "arguments", "/output/1/arguments", "tool_call"),
    ("custom_tool_call_input", "input", "/output/1/input", "tool_call"),
    ("code_interpreter_call_code", "code", "/output/1/code", "tool_call"),
    ("shell_call_command", "command", "/output/1/action/commands/3", "tool_call"),
]


@pytest.mark.parametrize(("name", "member", "channel", "kind"), PIECES)
def test_a_text_in_pieces_and_whole(name: str, member: str, channel: str, kind: str) -> None:
    piece = read_event({"type": f"response.{name}.delta", **AT, "delta": "ab", "obfuscation": "xyz"})
    [delta] = piece.deltas
    assert (delta.channel, delta.where, delta.kind, delta.text, delta.again) == (channel, "/delta", kind, "ab", False)
    whole = read_event({"type": f"response.{name}.done", **AT, member: "abcd"})
    [delta] = whole.deltas
    assert (delta.channel, delta.where, delta.kind, delta.text, delta.again) == (
        channel,
        f"/{member}",
        kind,
        "abcd",
        True,
    )
    assert piece.unknown == whole.unknown == []


def test_every_text_of_a_stream_has_the_pointer_of_the_plain_answer() -> None:
    whole = response(thought("so"), message(output_text("the text", [cites(0, 3)])), call('{"a": 1}'))
    channels: dict[str, str] = {}
    for event in events(whole):
        reading = read_event(event)
        assert reading.unknown == []
        for delta in reading.deltas:
            channels[delta.channel] = delta.text if delta.again else channels.get(delta.channel, "") + delta.text
    assert channels == {segment.where: segment.text for segment in read_answer(whole).segments}


def test_the_last_event_ends_the_answer() -> None:
    ends = [read_event(event).ended for event in events(response())]
    assert ends == [[], [], [0]]
    assert read_event({"type": "response.failed", "response": response()}).ended == [0]


def test_log_probabilities_go_with_their_text() -> None:
    spelled = [{"token": "a", "logprob": 0}, {"token": "b", "logprob": 0}]
    event = {"type": "response.output_text.delta", **AT, "delta": "ab", "logprobs": spelled}
    [delta] = read_event(event).deltas
    assert delta.drop == ("/logprobs",)
    first, other = read_event({**event, "delta": "x"}).deltas
    assert (first.text, other.text, other.drop) == ("x", "ab", ("/logprobs",))


def test_a_citation_knows_its_text() -> None:
    event = {"type": "response.output_text.annotation.added", **AT, "annotation_index": 5, "annotation": cites(2, 9)}
    reading = read_event(event)
    [cite] = reading.cites
    assert (cite.channel, cite.reach, cite.number, cite.counted) == (f"{PART}/text", 9, 5, "/annotation_index")
    assert cite.moved([]) == {"/annotation/start_index": 2, "/annotation/end_index": 9}
    assert {delta.channel for delta in reading.deltas} == {f"{PART}/annotations/5/title", f"{PART}/annotations/5/url"}


def test_an_error() -> None:
    reading = read_event({"type": "error", "code": "server_error", "message": "it broke", "param": None})
    assert [(d.channel, d.text) for d in reading.deltas] == [
        ("/error/message", "it broke"),
        ("/error/code", "server_error"),
    ]


def test_the_output_of_a_shell() -> None:
    piece = read_event({"type": "response.shell_call_output_content.delta", **AT, "delta": {"stdout": "a"}})
    assert [(d.channel, d.where) for d in piece.deltas] == [("/output/1/output/3/stdout", "/delta/stdout")]
    done = read_event(
        {"type": "response.shell_call_output_content.done", **AT, "output": [{"stdout": "a", "stderr": ""}]}
    )
    assert [(d.channel, d.again) for d in done.deltas] == [("/output/1/output/0/stdout", True)]


@pytest.mark.parametrize(
    ("event", "unknown"),
    [
        ({"type": "response.newer.delta", "delta": "a"}, ["/type"]),
        ({"type": 1}, ["/type"]),
        ({"type": "response.output_text.delta", **AT, "delta": {"a": "b"}}, ["/delta"]),
        ({"type": "response.output_text.delta", **AT, "delta": "a", "more": "b"}, ["/more"]),
        ({"type": "response.web_search_call.completed", **AT, "status": "a sentence"}, ["/status"]),
        ({"type": "response.completed", "response": "text"}, ["/response"]),
    ],
)
def test_what_is_not_known_is_unread(event: dict[str, Any], unknown: list[str]) -> None:
    assert set(read_event(event).unknown) == set(unknown)


def test_what_is_no_object_can_t_be_an_event() -> None:
    with pytest.raises(WireError):
        read_event([])


def test_an_echo_is_not_looked_at_again() -> None:
    reading = read_event(
        {"type": "response.created", "response": response(instructions="Be kind.", metadata={"a": "b"})}
    )
    drop_echo(reading, {"/instructions": "Be kind.", "/metadata/a": "another"})
    channels = {delta.channel for delta in reading.deltas}
    assert {"/metadata", "/metadata/a"} <= channels
    assert "/instructions" not in channels
    assert reading.skipped["/instructions"].startswith("echo: ")


def test_every_event_that_the_sdk_knows_is_known() -> None:
    union: Any = ResponseStreamEvent
    for model in get_args(get_args(union)[0]):
        name = get_args(model.model_fields["type"].annotation)[0]
        event = {"type": name, **{key: _some(key) for key in model.model_fields if key != "type"}}
        assert read_event(event).unknown == [], name


def _some(key: str) -> Any:
    if key.endswith(("_index", "sequence_number")):
        return 0
    holders: dict[str, Any] = {
        "response": response(), "item": message(), "part": output_text("a"), "annotation": cites(0, 1),
        "logprobs": [], "output": [],
    }  # fmt: skip
    return holders.get(key, "a")
