"""What a server may answer over HTTP. How calls go well, and how servers fail, is in test_kserve.py."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models.errors import BackendError
from lockgate_models.kserve import KserveBackend
from lockgate_models.oip import rest as rest_module
from lockgate_models.oip.rest import _read, _request
from oip_server import OUTPUTS, Model, RawHandler, rest

IDS = np.ones((1, 16), np.int64)


@contextmanager
def answering(*pieces: bytes, timeout: float = 30) -> Iterator[KserveBackend]:
    """A backend whose server answers every run after the trial with these bytes."""

    class Handler(RawHandler):
        script = iter(pieces * 2)

    with rest(Model(), handler=Handler) as model:
        backend = KserveBackend(model.url, OUTPUTS, timeout=timeout)
        yield backend
        backend.close()


def whole(body: bytes, status: str = "200 OK", *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (whole(b"not JSON, but a secret"), "is not one of the Open Inference Protocol"),
        (whole(b"[]"), "is not one of the Open Inference Protocol"),
        (whole(b'{"outputs": {}}', "200 OK", "inference-header-content-length: 99"), "is not one of the Open"),
        (whole(b'{"outputs": []}', "200 OK", "inference-header-content-length: -1"), "is not one of the Open"),
        (whole(b'{"outputs": []}', "200 OK", "inference-header-content-length: x"), "is not one of the Open"),
        (whole(b'{"outputs": []}'), "the server's answer has no labels"),
        (whole(b"", "302 Found", "location: http://127.0.0.1:9/"), "the server answered 302"),
        (whole(b"a secret", "403 Forbidden"), r"refuses the key \(it answered 403\)"),
        (whole(b"", "404 Not Found"), "has no such model"),
        (whole(b"a secret", "400 Bad Request"), "the server answered 400"),
        (whole(b"a secret", "500 A secret"), "the server answered 500"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", "the connection broke: RemoteProtocolError"),
        (b"a secret\r\n\r\n", "the connection broke: RemoteProtocolError"),
        (b"", "the connection broke: RemoteProtocolError"),
    ],
)
def test_an_answer_that_is_none_is_an_error_that_does_not_repeat_it(answer: bytes, says: str) -> None:
    with answering(answer) as backend, pytest.raises(BackendError, match=says) as caught:
        backend.run(IDS, IDS)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_server_that_answers_a_byte_at_a_time_meets_the_deadline() -> None:
    nap = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        for number in itertools.count():
            nap.wait(0.02)
            yield f"x-{number}: y\r\n".encode()

    class Handler(RawHandler):
        script = slowly()

    with rest(Model(), handler=Handler) as model:
        backend = KserveBackend(model.url, OUTPUTS, timeout=0.2)
        with pytest.raises(BackendError, match=r"no answer within 0\.2 s"):
            backend.run(IDS, IDS)
        backend.close()


def test_an_answer_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(whole(b" " * 5000)) as backend:
        monkeypatch.setattr(rest_module, "MOST", 4000)
        with pytest.raises(BackendError, match="has more than 4000 bytes"):
            backend.run(IDS, IDS)


def test_a_connection_that_broke_is_tried_once_more() -> None:
    good = json.dumps({
        "outputs": [
            {"name": "labels", "datatype": "FP32", "shape": [1, 5], "data": [0.5] * 5},
            {"name": "names", "datatype": "FP32", "shape": [1, 16, 5], "data": [0.0] * 80},
            {"name": "embedding", "datatype": "FP32", "shape": [1, 2], "data": [[1, 0]]},
        ]
    }).encode()  # fmt: skip

    class Handler(RawHandler):
        broken = False

        def do_POST(self) -> None:  # noqa: N802 - the name that the library calls
            if self.model.runs and not Handler.broken:
                Handler.broken = True
                self.close_connection = True
                return
            self.script = iter([whole(good)])
            super().do_POST()

    with rest(Model(), handler=Handler) as model:
        backend = KserveBackend(model.url, OUTPUTS, timeout=30)
        assert backend.run(IDS, IDS)["labels"].tolist() == [[0.5] * 5]
        assert Handler.broken
        backend.close()


def test_a_request_is_the_protocols() -> None:
    ids, mask = np.array([[2, 5], [7, 0]]), np.array([[1, 1], [1, 0]])
    headers, body = _request(ids, mask, ["labels"], binary=False)
    assert headers == {"content-type": "application/json"}
    assert json.loads(body) == {
        "inputs": [
            {"name": "input_ids", "shape": [2, 2], "datatype": "INT64", "data": [2, 5, 7, 0]},
            {"name": "attention_mask", "shape": [2, 2], "datatype": "INT64", "data": [1, 1, 1, 0]},
        ],
        "outputs": [{"name": "labels"}],
    }
    headers, body = _request(ids, mask, ["labels"], binary=True)
    head = int(headers["Inference-Header-Content-Length"])
    said = json.loads(body[:head])
    assert [each["parameters"] for each in said["inputs"]] == [{"binary_data_size": 32}] * 2
    assert said["outputs"] == [{"name": "labels", "parameters": {"binary_data": True}}]
    assert body[head:] == ids.astype("<i8").tobytes() + mask.astype("<i8").tobytes()


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
_OUTPUT = st.fixed_dictionaries(
    {
        "name": st.just("labels") | _JSON,
        "datatype": st.sampled_from(["FP32", "FP16", "INT64"]) | _JSON,
        "shape": st.lists(st.integers(-2, 3), max_size=3) | _JSON,
    },
    optional={
        "data": st.lists(st.floats(), max_size=4) | _JSON,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-9, 99) | _JSON}) | _JSON,
    },
)


@given(
    st.fixed_dictionaries({"outputs": st.lists(_OUTPUT, max_size=3) | _JSON}) | _JSON,
    st.binary(max_size=20),
    st.booleans(),
)
def test_no_answer_breaks_the_reader(said: Any, raw: bytes, has_length: bool) -> None:
    head = json.dumps(said).encode()
    try:
        found = _read(head + raw, str(len(head)) if has_length else None)
    except (
        BackendError,
        AttributeError,
        KeyError,
        OverflowError,
        TypeError,
        ValueError,
    ):  # `infer` makes the first of the others
        return
    assert all(values.dtype == np.float32 for values in found.values())
