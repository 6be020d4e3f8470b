from __future__ import annotations

from lockgate.exchange import Reading
from lockgate.wire.chat import ChatLens
from lockgate.wire.lens import Delta, EventReading, Lens, RequestReading


def test_the_chat_lens_is_a_lens() -> None:
    lens: Lens = ChatLens()
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
