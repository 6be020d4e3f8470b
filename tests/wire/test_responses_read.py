from __future__ import annotations

import typing

import pytest
from openai.types.responses import Response
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from lockgate.errors import WireError
from lockgate.exchange import Reading, Segment
from lockgate.wire import responses_fields as fields
from lockgate.wire.responses_read import ECHO, read_answer, read_list, read_request, without_echo
from responding import message, output_text, response


def texts(reading: Reading) -> dict[str, tuple[str, str, str]]:
    return {s.where: (s.role, s.kind, s.text) for s in reading.segments}


def test_what_stands_beside_the_input() -> None:
    reading = read_request(
        {
            "model": "m",
            "stream": True,
            "user": "u1",
            "instructions": "Be kind.",
            "input": "hello",
            "prompt": {
                "id": "pmpt_1",
                "version": "2",
                "variables": {"city": "Bonn", "page": {"type": "input_text", "text": "a"}},
            },
            "text": {
                "verbosity": "low",
                "format": {"type": "json_schema", "name": "n", "schema": {"description": "d e"}},
            },
            "metadata": {"note": "for Ann"},
            "tools": [{"type": "function", "name": "look", "description": "Looks up.", "strict": True}],
        }
    )
    found = texts(reading)
    assert found["/instructions"] == ("system", "text", "Be kind.")
    assert found["/input"] == ("user", "text", "hello")
    assert found["/prompt/variables/city"] == ("user", "text", "Bonn")
    assert found["/prompt/variables/page/text"] == ("user", "text", "a")
    assert found["/text/format/schema/description"] == ("system", "tool_schema", "d e")
    assert found["/metadata/note"] == ("user", "text", "for Ann")
    assert found["/tools/0/description"] == ("system", "tool_schema", "Looks up.")
    assert found["/user"] == ("user", "identifier", "u1")
    assert reading.unseen == ["/prompt/id"]
    assert reading.unknown == []
    assert reading.stream
    assert (reading.subject.model, reading.subject.user) == ("m", "u1")


@pytest.mark.parametrize(("member", "value"), [("previous_response_id", "resp_1"), ("conversation", {"id": "conv_1"})])
def test_earlier_turns_are_unseen(member: str, value: object) -> None:
    reading = read_request({"input": "hello", member: value})
    assert reading.unseen == [f"/{member}"]
    assert reading.skipped[f"/{member}"].startswith("unseen: ")


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ([], ""),
        ({"input": 1}, "/input"),
        ({"input": ["text"]}, "/input/0"),
        ({"input": [{"role": "user", "content": 1}]}, "/input/0/content"),
        ({"input": [{"type": "message", "content": "a"}]}, "/input/0/role"),
        ({"input": [{"type": "function_call_output", "output": 1}]}, "/input/0/output"),
        ({"input": "a", "tools": {}}, "/tools"),
        ({"input": "a", "stream": "yes"}, "/stream"),
        ({"input": "a", "background": "yes"}, "/background"),
        ({"input": "a", "instructions": 1}, "/instructions"),
    ],
)
def test_what_can_t_be_a_request(document: object, where: str) -> None:
    with pytest.raises(WireError) as caught:
        read_request(document)
    assert (caught.value.where or "") == where


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("new", "x"),
        ("service_tier", "a whole sentence"),
        ("include", ["a b"]),
        ("tool_choice", {"name": "do this now"}),
    ],
)
def test_what_is_not_known_is_unread(member: str, value: object) -> None:
    assert read_request({"input": "a", member: value}).unknown == [f"/{member}"]


def test_an_answer() -> None:
    reading = read_answer(response(message(output_text("hi")), instructions="Be kind.", error={"message": "it broke"}))
    found = texts(reading)
    assert found["/output/0/content/0/text"] == ("assistant", "text", "hi")
    assert found["/instructions"] == ("assistant", "text", "Be kind.")
    assert found["/error/message"] == ("upstream", "text", "it broke")
    assert {segment.choice for segment in reading.segments} == {0}
    assert reading.unknown == []
    assert read_answer(response(added="x")).unknown == ["/added"]
    assert read_answer(response(safety="two words")).unknown == ["/safety"]


def test_an_answer_that_is_not_written_yet() -> None:
    assert read_answer(response(status="queued")).skipped["/output"] == fields.LATER
    assert "/output" not in read_answer(response()).skipped


def test_a_page_of_items() -> None:
    items = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}], "id": "msg_1"}]
    reading = read_list({"object": "list", "data": items, "first_id": "msg_1", "has_more": False, "note": "two words"})
    assert texts(reading) == {"/data/0/content/0/text": ("assistant", "text", "hi")}
    assert reading.unknown == ["/note"]


@pytest.mark.parametrize("read", [read_answer, read_list])
def test_what_can_t_be_an_answer(read: typing.Callable[[object], Reading]) -> None:
    with pytest.raises(WireError):
        read([])


def test_an_echo_is_the_same_text_at_the_same_place() -> None:
    skipped: dict[str, str] = {}
    segments = [Segment(where, "assistant", "text", "a") for where in ("/instructions", "/metadata/k", "/output/0")]
    left = without_echo(segments, {"/instructions": "a", "/metadata/k": "b", "/output/0": "a"}, skipped)
    assert [segment.where for segment in left] == ["/metadata/k", "/output/0"]
    assert skipped == {"/instructions": ECHO}


def test_every_member_that_the_sdk_knows_is_known() -> None:
    sent = typing.get_type_hints(ResponseCreateParamsBase).keys() | {"stream"}
    assert sent - fields.REQUEST_PLAIN - fields.REQUEST_TEXT - {*fields.IDENTIFIERS} - fields.UNSEEN.keys() == set()
    said = Response.model_fields.keys()
    known = fields.ANSWER_PLAIN.keys() | fields.ANSWER_TEXT | fields.ANSWER_SKIPPED.keys() | {*fields.IDENTIFIERS}
    assert said - known == set()
