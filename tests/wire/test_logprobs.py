from __future__ import annotations

from typing import Any

import pytest

from lockgate.exchange import Reading, Segment
from lockgate.wire.logprobs import read_logprobs, spell

AT = "/choices/0/logprobs"


def read(logprobs: dict[str, Any], message: dict[str, Any]) -> Reading:
    reading = Reading()
    read_logprobs(reading, AT, logprobs, message, 0)
    return reading


def tokens(*texts: str) -> list[dict[str, Any]]:
    return [{"token": text, "logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": []} for text in texts]


@pytest.mark.parametrize("key", ["content", "refusal"])
def test_those_that_spell_the_text_are_covered_by_it(key: str) -> None:
    reading = read({key: tokens("se", "cret")}, {key: "secret"})
    assert reading.segments == []
    assert list(reading.skipped) == [f"{AT}/{key}"]
    assert reading.unknown == []


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        ({"content": "harmless"}, ["se", "cret"]),
        ({"content": "secret "}, ["se", "cret"]),
        ({"content": None}, ["secret"]),
        ({}, ["secret"]),
        ({"content": [{"type": "text", "text": "secret"}]}, ["secret"]),
    ],
)
def test_those_that_spell_something_else_are_read(message: dict[str, Any], texts: list[str]) -> None:
    reading = read({"content": tokens(*texts)}, message)
    assert reading.segments == [Segment(f"{AT}/content", "assistant", "text", "".join(texts), 0)]


@pytest.mark.parametrize(
    ("logprobs", "unknown"),
    [
        ({"content": None, "refusal": None}, []),
        ({"content": []}, []),
        ({"content": "secret"}, [f"{AT}/content"]),
        ({"content": {"token": "secret"}}, [f"{AT}/content"]),
        ({"tokens": ["secret"], "token_logprobs": [-1]}, [f"{AT}/tokens", f"{AT}/token_logprobs"]),
        ({"a/b": 1}, [f"{AT}/a~1b"]),
    ],
)
def test_other_shapes_are_on_record(logprobs: dict[str, Any], unknown: list[str]) -> None:
    reading = read(logprobs, {"content": ""})
    assert reading.unknown == unknown
    assert reading.segments == []


def test_tokens_that_are_none_spell_nothing() -> None:
    assert spell([{"token": "a"}, {"token": None}, {}, "b", None, {"token": ["c"]}, {"token": "d"}]) == "ad"
