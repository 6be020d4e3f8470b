from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from fakes import chat_chunk
from lockgate.wire.chunks import edit_piece, read_piece

CHUNK = chat_chunk({"content": "a secret"})
MODEL = ChatCompletionChunk.model_validate(CHUNK)
TEXT = "/choices/0/delta/content"


@pytest.mark.parametrize("piece", [CHUNK, MODEL], ids=["dict", "model"])
def test_a_chunk_s_texts(piece: Any) -> None:
    (delta,) = read_piece(piece).deltas
    assert (delta.channel, delta.where, delta.text) == ("/choices/0/message/content", TEXT, "a secret")
    edited = edit_piece(piece, {TEXT: "none"})
    assert type(edited) is type(piece)
    assert [delta.text for delta in read_piece(edited).deltas] == ["none"]
    assert read_piece(piece).deltas[0].text == "a secret"
    assert edit_piece(piece, {}) is piece


def test_a_text_is_a_piece() -> None:
    (delta,) = read_piece("a secret").deltas
    assert (delta.channel, delta.where, delta.text) == ("", "", "a secret")
    assert edit_piece("a secret", {"": "none"}) == "none"
    assert edit_piece("a secret", {}) == "a secret"
    assert (read_piece(None).deltas, read_piece(None).unknown) == ([], [])


def test_the_end_and_the_usage_are_chunks() -> None:
    assert read_piece(chat_chunk(finish="stop")).ended == [0]
    last = {**CHUNK, "choices": [], "usage": {"total_tokens": 3}}
    assert (read_piece(last).deltas, read_piece(last).unknown) == ([], [])


@pytest.mark.parametrize("piece", [5, b"x", {"role": "assistant", "content": "x"}, {"choices": "x"}, ["x"]], ids=repr)
def test_anything_else_is_unknown(piece: Any) -> None:
    reading = read_piece(piece)
    assert (reading.deltas, reading.unknown) == ([], [""])
