from __future__ import annotations

import json
from typing import Any

from lockgate_proxy.demo.answers import Call, Reply, Said, Script, fray, reply, tokens, usage

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "a question"}]}
TEXT = "Grüße an alle, 3.5 mal."


def events(given: Reply) -> list[dict[str, Any]]:
    lines = b"".join(given.parts).decode().split("\n\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def test_tokens_are_short_and_lose_nothing() -> None:
    for text in (TEXT, "  two\n\nlines ", "", "\u200b" * 9):
        assert "".join(tokens(text)) == text
        assert all(len(token.strip()) <= 4 for token in tokens(text))


def test_a_plain_answer_has_numbers_that_no_float_survives() -> None:
    given = reply(Script("a question", (Said(TEXT),)), ASK)
    body = b"".join(given.parts)
    assert json.loads(body)["choices"][0]["message"]["content"] == TEXT
    assert b'"queue_ns":9007199254740993' in body
    assert b'"cost":1.50E-3' in body
    assert given.status == 200
    assert given.pause is None


def test_a_stream_says_the_same_in_small_pieces_and_ends_properly() -> None:
    given = reply(Script("a question", (Said(TEXT),)), {**ASK, "stream": True})
    found = events(given)
    assert "".join(each["choices"][0]["delta"].get("content") or "" for each in found) == TEXT
    assert found[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [each["choices"][0]["finish_reason"] for each in found] == [None] * (len(found) - 1) + ["stop"]
    assert given.parts[-1] == b"data: [DONE]\n\n"
    assert all("usage" not in each for each in found)


def test_usage_is_a_chunk_of_its_own_where_it_is_asked_for() -> None:
    script = Script("a question", (Said(TEXT),))
    ask = {**ASK, "stream": True, "stream_options": {"include_usage": True}}
    found = events(reply(script, ask))
    assert [each["usage"] for each in found[:-1]] == [None] * (len(found) - 1)
    assert found[-1]["choices"] == []
    assert found[-1]["usage"] == json.loads(usage(script, ask))


def test_choices_come_in_turns() -> None:
    found = events(reply(Script("a question", (Said("one two"), Said("three"))), {**ASK, "stream": True, "n": 2}))
    order = [each["choices"][0]["index"] for each in found]
    assert order[:4] == [0, 1, 0, 1]
    for index, text in enumerate(("one two", "three")):
        mine = [each["choices"][0] for each in found if each["choices"][0]["index"] == index]
        assert "".join(choice["delta"].get("content") or "" for choice in mine) == text


def test_tool_calls_come_with_their_arguments_in_fragments() -> None:
    arguments = '{"to": "GB82 WEST 1234", "cents": 1}'
    script = Script("a question", (Said(calls=(Call("c0", "pay", arguments), Call("c1", "tell", "{}"))),))
    found = events(reply(script, {**ASK, "stream": True}))
    deltas = [call for each in found for call in each["choices"][0]["delta"].get("tool_calls", ())]
    assert [delta["id"] for delta in deltas if "id" in delta] == ["c0", "c1"]
    assert "".join(delta["function"]["arguments"] for delta in deltas if delta["index"] == 0) == arguments
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"
    plain = json.loads(b"".join(reply(script, ASK).parts))
    assert plain["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "pay", "arguments": arguments}


def test_log_probabilities_spell_the_text() -> None:
    script = Script("a question", (Said(TEXT),))
    plain = json.loads(b"".join(reply(script, {**ASK, "logprobs": True}).parts))
    spelled = plain["choices"][0]["logprobs"]["content"]
    assert "".join(token["token"] for token in spelled) == TEXT
    assert bytes(byte for token in spelled for byte in token["bytes"]).decode() == TEXT
    streamed = events(reply(script, {**ASK, "logprobs": True, "stream": True}))
    chunks = [each["choices"][0] for each in streamed if each["choices"][0]["logprobs"]]
    assert all(chunk["logprobs"]["content"][0]["token"] == chunk["delta"]["content"] for chunk in chunks)


def test_reasoning_stands_under_the_key_that_the_server_uses() -> None:
    for key in ("reasoning", "reasoning_content"):
        script = Script("a question", (Said("Yes.", reasoning="So it is.", reasoning_key=key),))
        assert json.loads(b"".join(reply(script, ASK).parts))["choices"][0]["message"][key] == "So it is."
        found = events(reply(script, {**ASK, "stream": True}))
        assert "".join(each["choices"][0]["delta"].get(key, "") for each in found) == "So it is."


def test_a_pause_stands_between_what_is_said_and_the_rest() -> None:
    given = reply(Script("a question", (Said("Now.", " Later."),)), {**ASK, "stream": True})
    assert given.pause is not None
    assert b"Now." in b"".join(given.parts[: given.pause])
    assert b"Lat" in b"".join(given.parts[given.pause :])


def test_a_cut_stream_has_neither_a_finish_nor_a_done() -> None:
    given = reply(Script("a question", (Said(TEXT),), cut=True), {**ASK, "stream": True})
    assert given.cut
    assert b"[DONE]" not in b"".join(given.parts)
    assert all(each["choices"][0]["finish_reason"] is None for each in events(given))


def test_a_frayed_stream_is_the_same_bytes_in_other_pieces() -> None:
    ask = {**ASK, "stream": True}
    given = reply(Script("a question", (Said(TEXT * 300),), frayed=True), ask)
    assert b": keep-alive\n\n" in b"".join(given.parts)
    assert any(not part.endswith(b"\n\n") for part in given.parts[:-1])
    assert fray(b"".join(given.parts)) == given.parts


def test_an_error_is_said_as_it_is() -> None:
    given = reply(Script("a question", error=(429, (("retry-after", "7"),), b"{}")), {**ASK, "stream": True})
    assert (given.status, given.parts) == (429, (b"{}",))
    assert ("retry-after", "7") in given.headers
