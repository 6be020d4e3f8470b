from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import WireError
from lockgate.wire.document import parse
from lockgate.wire.given import taken


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b'{"lockgate":{"context":"a"},"n":1}', b'{"n":1}'),
        (b'{"n":1, "lockgate" : {"context":["a"]} , "m":2}', b'{"n":1, "m":2}'),
        (b'{"n":1 , "lockgate":{"context":["a"]}\n}', b'{"n":1 \n}'),
        (b'{ "lockgate": {} }', b"{ }"),
        (b'{"\\u006cockgate":{"context":["a"]},"n":"lockgate"}', b'{"n":"lockgate"}'),
        (b'{"n":{"lockgate":1},"lockgate":{}}', b'{"n":{"lockgate":1}}'),
    ],
)
def test_only_what_is_said_to_the_guard_is_taken_out(body: bytes, left: bytes) -> None:
    found = taken(body, parse(body))
    assert found is not None
    assert found.body == left
    assert found.document == json.loads(left)


def test_a_request_that_says_nothing_to_it_is_not_touched() -> None:
    for body in (b'{"n":1}', b'{"x":{"lockgate":{}}}', b"[]"):
        assert taken(body, json.loads(body)) is None


@given(
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=4),
    st.integers(0, 4),
    st.sampled_from([None, 1]),
)
def test_the_rest_is_what_it_was(others: dict[str, object], at: int, indent: int | None) -> None:
    others.pop("lockgate", None)
    items = list(others.items())
    items.insert(at, ("lockgate", {"context": ["x"]}))
    body = json.dumps(dict(items), indent=indent).encode()
    found = taken(body, json.loads(body))
    assert found is not None
    assert json.loads(found.body) == others
    assert found.context == ("x",)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([], "invalid_type"),
        ({"context": 1}, "invalid_type"),
        ({"context": ["a", 1]}, "invalid_type"),
        ({"contexts": ["a"]}, "unknown_parameter"),
    ],
)
def test_what_can_not_be_read_is_an_error(said: object, code: str) -> None:
    body = json.dumps({"lockgate": said}).encode()
    with pytest.raises(WireError, match="lockgate") as caught:
        taken(body, json.loads(body))
    assert caught.value.code == code
