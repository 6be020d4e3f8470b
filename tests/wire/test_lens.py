from __future__ import annotations

from lockgate.exchange import Reading
from lockgate.wire.chat import ChatLens
from lockgate.wire.lens import Delta, Dialect, EventReading, RequestReading, choice_of, param_of


def test_the_chat_lens_is_a_dialect() -> None:
    lens: Dialect = ChatLens()
    assert lens.dialect == "chat"
    request = lens.read_request({"messages": [], "model": "m", "user": "u", "n": 3, "stream": True})
    assert (request.subject.model, request.subject.user, request.subject.tags) == ("m", "u", ())
    assert (request.stream, request.choices) == (True, 3)
    assert isinstance(lens.read_answer({"choices": []}), Reading)
    assert lens.read_event({"choices": []}) == EventReading()


def test_a_request_is_a_reading() -> None:
    reading = RequestReading()
    reading.unread("/a")
    reading.skip("/b", "why")
    assert (reading.skipped, reading.unknown) == ({"/a": "unread: unknown", "/b": "why"}, ["/a"])
    assert (reading.segments, reading.stream, reading.choices) == ([], False, 1)


def test_readings_share_nothing() -> None:
    one, other = EventReading(), EventReading()
    one.deltas.append(Delta(0, "/c", "/w", "text", "x"))
    one.skipped["/a"] = "why"
    assert other == EventReading()
    assert one.deltas[0].drop == ()


def test_the_param_names_what_can_be_dropped() -> None:
    assert param_of("/messages/2/content/0/text") == "messages[2]"
    assert param_of("/tools/1/function/description") == "tools[1]"
    assert param_of("/response_format/json_schema") == "response_format"
    assert param_of("/metadata/x") == "metadata"
    assert param_of("") is None


def test_the_choice_that_a_pointer_is_about() -> None:
    assert choice_of("/choices/3/message/x") == 3
    assert choice_of("/choices/3") == 3
    assert choice_of("/data/12/content") == 12
    assert [choice_of(where) for where in ("/choices/x/y", "/model", "", "/choices", "/choices/-1/x")] == [None] * 5
