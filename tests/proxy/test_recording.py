from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate.errors import SettingsError, WireError
from lockgate.explain import Recorded
from lockgate_proxy.recording import placed, read_recording

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Grüße"}]}
ANSWER = {"choices": [{"index": 0, "message": {"content": "hi"}}]}
CHUNK = {"choices": [{"index": 0, "delta": {"content": "hi"}}]}
STREAM = f": hello\n\ndata: {json.dumps(CHUNK)}\n\ndata: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n"


def read(value: Any) -> Recorded:
    body = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return read_recording("x.json", body.encode())


def parts(recorded: Recorded) -> tuple[Any, Any, Any]:
    """What there is, as JSON values."""
    events = recorded.events
    return (
        recorded.request and json.loads(recorded.request),
        recorded.answer and json.loads(recorded.answer),
        events and [json.loads(event) for event in events],
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (REQUEST, (REQUEST, None, None)),
        (REQUEST["messages"], ({"messages": REQUEST["messages"]}, None, None)),
        (ANSWER, (None, ANSWER, None)),
        ({"error": {"message": "no"}}, (None, {"error": {"message": "no"}}, None)),
        (STREAM, (None, None, [CHUNK, CHUNK])),
        (f"\ufeffdata: {json.dumps(CHUNK)}", (None, None, [CHUNK])),
        (f"event: x\r\ndata: {json.dumps(CHUNK)}\r\n\r\n", (None, None, [CHUNK])),
        ([CHUNK, CHUNK], (None, None, [CHUNK, CHUNK])),
        ([CHUNK, STREAM, "data: [DONE]\n\n"], (None, None, [CHUNK, CHUNK, CHUNK])),
        ({"request": REQUEST, "response": ANSWER}, (REQUEST, ANSWER, None)),
        ({"request": REQUEST, "response": STREAM}, (REQUEST, None, [CHUNK, CHUNK])),
        ({"request": REQUEST, "response": [CHUNK]}, (REQUEST, None, [CHUNK])),
        ({"request": REQUEST, "response": None}, (REQUEST, None, None)),
        ({"request": REQUEST}, (REQUEST, None, None)),
        ({"response": ANSWER}, (None, ANSWER, None)),
    ],
)
def test_each_form_is_read(value: Any, expected: tuple[Any, Any, Any]) -> None:
    assert parts(read(value)) == expected


def test_a_request_keeps_its_bytes() -> None:
    body = b'{ "messages": [],  "seed": 1e2 }'
    assert read_recording("x", body).request is body


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "x.json:1: the file is empty"),
        ("{\n\n  nope", "x.json:3: "),
        ('{"a": 1,\n "a": 2}', "the JSON has the same key twice"),
        ('{"model": "m"}', "x.json:1: it must be a chat request"),
        ("[1]", "x.json:1: this is no chunk of a stream (at /0)"),
        ("[]", "the stream has no event with data"),
        ("7", "it must be a chat request"),
        ("Dear Anna,\nthe card is 4111", "x.json:1: it must be a chat request"),
        ("HTTP/1.1 200 OK\n\n{}", "x.json:1: it must be a chat request"),
        ("data: [DONE]\n\n", "the stream has no event with data"),
        ('{"request": 1}', "`request` must be a chat request (at /request)"),
        ('{"request": {"messages": []}, "reponse": 1}', "beside `request` and `response` there is 'reponse'"),
        ('{"response": "hello"}', "`response` must be an answer, a recorded stream, or a list of its chunks"),
        ('{"response": []}', "(at /response)"),
        ('{"response": null}', "it must be a chat request"),
        ('{"response": [{"choices": []},\n\n4]}', "x.json:3: this is no chunk of a stream (at /response/1)"),
        ('{\n"request": {"messages": []},\n"other": 1}', "x.json:3: beside `request` and `response` there is 'other'"),
    ],
)
def test_what_is_none_is_said_with_its_place(value: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(value)
    assert says in str(caught.value)
    assert str(caught.value).startswith("x.json:")


def test_another_encoding_is_an_error_of_its_line() -> None:
    with pytest.raises(SettingsError, match=r"^x\.json:2: the file is not UTF-8$"):
        read_recording("x.json", b'{\n"a": "\xff"}')


@pytest.mark.parametrize(
    ("body", "where", "line"),
    [
        ('{"messages":\n[{"role": "user"},\n{"role": 1}]}', "/messages/1/role", 3),
        ('{"messages":\n[{"role": "user"},\n{}]}', "/messages/1/role", 3),
        ('{"request":\n{"messages":\n1}}', "/messages", 3),
        ("[\n1]", "/messages", 1),
        ("data: {}\n\n", "", 1),
    ],
)
def test_a_problem_has_the_line_of_what_it_points_to(body: str, where: str, line: int) -> None:
    assert str(placed(WireError("wrong", where=where), "x", body.encode())).startswith(f"x:{line}: wrong")
