"""Refused prompts: an error that names the message, or an answer that refuses; and what can't be read at all."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from fakes import chat_answer, json_answer, replying
from lockgate.policy.plan import Plan
from proxied import CHAT, HELLO, events_of, proxied, request
from saying import plan_of, rule, words

FINE = replying(json_answer(chat_answer("hi")))


def stop(**refuse: Any) -> Plan:
    then = {"refuse": {"message": "Not that word.", **refuse}}
    return plan_of(rule("stop", words("plugh"), then, side="prompt"))


def call(name: str = "look", text: str = "{}") -> dict[str, Any]:
    function = {"id": "c", "type": "function", "function": {"name": name, "arguments": text}}
    return {"role": "assistant", "content": None, "tool_calls": [function]}


def tool(**changed: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {}, **changed}}


def schema(value: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": value}}}


USER = {"role": "user", "content": "hello"}
WORD = "say plugh now"
PLACES: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "user": ([USER, {"role": "user", "content": WORD}], {}, "messages[1]"),
    "an earlier message": ([{"role": "user", "content": WORD}, USER, USER], {}, "messages[0]"),
    "system": ([{"role": "system", "content": WORD}, USER], {}, "messages[0]"),
    "developer": ([{"role": "developer", "content": WORD}, USER], {}, "messages[0]"),
    "assistant": ([USER, {"role": "assistant", "content": WORD}, USER], {}, "messages[1]"),
    "assistant's reasoning": ([USER, {"role": "assistant", "reasoning_content": WORD}], {}, "messages[1]"),
    "assistant's other reasoning": ([USER, {"role": "assistant", "reasoning": WORD}], {}, "messages[1]"),
    "assistant's refusal": ([USER, {"role": "assistant", "refusal": WORD}], {}, "messages[1]"),
    "tool result": ([call(), {"role": "tool", "tool_call_id": "c", "content": WORD}], {}, "messages[1]"),
    "tool result in parts": (
        [call(), {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": WORD}]}],
        {},
        "messages[1]",
    ),
    "function result": ([{"role": "function", "name": "f", "content": WORD}], {}, "messages[0]"),
    "call's arguments": ([USER, call(text=json.dumps({"q": WORD}))], {}, "messages[1]"),
    "call's name": ([USER, call(name="plugh")], {}, "messages[1]"),
    "custom call": (
        [{"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "x", "input": WORD}}]}],
        {},
        "messages[0]",
    ),
    "older call": ([{"role": "assistant", "function_call": {"name": "x", "arguments": WORD}}], {}, "messages[0]"),
    "part": (
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": WORD}],
            }
        ],
        {},
        "messages[0]",
    ),
    "refusal part": ([{"role": "assistant", "content": [{"type": "refusal", "refusal": WORD}]}], {}, "messages[0]"),
    "file's name": (
        [{"role": "user", "content": [{"type": "file", "file": {"filename": WORD, "file_data": "x"}}]}],
        {},
        "messages[0]",
    ),
    "name": ([{"role": "user", "name": "plugh", "content": "hi"}], {}, "messages[0]"),
    "unknown role": ([{"role": "critic", "content": WORD}], {}, "messages[0]"),
    "tool's description": ([USER], {"tools": [tool(), tool(description=WORD)]}, "tools[1]"),
    "tool's name": ([USER], {"tools": [tool(name="plugh")]}, "tools[0]"),
    "tool's parameter": ([USER], {"tools": [tool(parameters={"properties": {"plugh": {}}})]}, "tools[0]"),
    "tool's enum": ([USER], {"tools": [tool(parameters={"enum": ["a", WORD]})]}, "tools[0]"),
    "custom tool": ([USER], {"tools": [{"type": "custom", "custom": {"name": "x", "description": WORD}}]}, "tools[0]"),
    "older function": ([USER], {"functions": [{"name": "x", "description": WORD}]}, "functions[0]"),
    "schema": ([USER], schema({"properties": {"a": {"description": WORD}}}), "response_format"),
    "schema's key": ([USER], schema({"properties": {"plugh": {}}}), "response_format"),
    "stop": ([USER], {"stop": ["a", WORD]}, "stop[1]"),
    "metadata": ([USER], {"metadata": {"note": WORD}}, "metadata"),
    "prediction": ([USER], {"prediction": {"type": "content", "content": WORD}}, "prediction"),
    "web search": ([USER], {"web_search_options": {"user_location": {"city": WORD}}}, "web_search_options"),
}


class TestRefused:
    @pytest.mark.parametrize("place", PLACES)
    async def test_wherever_it_stands(self, place: str) -> None:
        messages, more, param = PLACES[place]
        async with proxied(stop(), FINE) as proxy:
            reply = await proxy.post(json.dumps({"model": "m", "messages": messages, **more}).encode())
            assert proxy.upstream.connections == 0
        assert reply.status == 400
        assert reply.error == {
            "message": "Not that word.",
            "type": "invalid_request_error",
            "param": param,
            "code": "content_filter",
            "innererror": {
                "code": "lockgate_policy", "policy": "test", "rules": ["stop"], "found": ["content"],
                "id": reply.header("x-lockgate-id"),
            },
        }  # fmt: skip
        assert reply.header("content-type") == "application/json"
        assert reply.header("x-lockgate-action") == "refuse"
        assert reply.header("x-lockgate-rule") == "stop"
        assert b"plugh" not in reply.body
        assert not any("plugh" in value for _, value in reply.headers)

    async def test_in_a_stream_too(self) -> None:
        async with proxied(stop(), FINE) as proxy:
            reply = await proxy.chat(WORD, stream=True)
        assert reply.status == 400
        assert reply.error["code"] == "content_filter"

    async def test_with_200_as_an_answer(self) -> None:
        async with proxied(stop(status=200), FINE) as proxy:
            reply = await proxy.chat(WORD, n=2)
            assert proxy.upstream.connections == 0
        assert reply.status == 200
        assert reply.json["object"] == "chat.completion"
        assert reply.json["model"] == "m"
        message = {"role": "assistant", "content": None, "refusal": "Not that word."}
        assert reply.json["choices"] == [
            {"index": i, "message": message, "logprobs": None, "finish_reason": "content_filter"} for i in (0, 1)
        ]
        assert reply.json["lockgate"]["action"] == "refuse"
        assert reply.header("x-lockgate-action") == "refuse"

    async def test_with_200_as_a_stream(self) -> None:
        async with proxied(stop(status=200), FINE) as proxy:
            reply = await proxy.chat(WORD, n=2, stream=True)
        assert reply.status == 200
        assert (reply.header("content-type") or "").startswith("text/event-stream")
        *chunks, done = events_of(reply.body)
        assert done == "[DONE]"
        said = [(c["choices"][0]["index"], c["choices"][0]["delta"], c["choices"][0]["finish_reason"]) for c in chunks]
        assert said == [
            (0, {"role": "assistant", "content": ""}, None), (0, {"refusal": "Not that word."}, "content_filter"),
            (1, {"role": "assistant", "content": ""}, None), (1, {"refusal": "Not that word."}, "content_filter"),
        ]  # fmt: skip
        assert {c["object"] for c in chunks} == {"chat.completion.chunk"}

    async def test_a_200_for_very_many_choices_stays_small(self) -> None:
        async with proxied(stop(status=200), FINE) as proxy:
            reply = await proxy.chat(WORD, n=10**9)
        assert len(reply.json["choices"]) == 128

    async def test_a_guard_that_fails_closed(self) -> None:
        plan = plan_of(rule("odd", words("plugh"), "refuse", when="request.tags[3] == 'x'", side="prompt"))
        async with proxied(plan, FINE) as proxy:
            reply = await proxy.chat(WORD)
            assert proxy.upstream.connections == 0
            assert proxy.context.counts["guardrail_unavailable"] == 1
        assert reply.status == 503
        assert reply.error["code"] == "guardrail_unavailable"
        assert reply.header("x-should-retry") == "false"

    async def test_a_guard_that_fails_open(self) -> None:
        odd = rule("odd", words("plugh"), "refuse", when="request.tags[3] == 'x'", side="prompt", on_error="allow")
        async with proxied(plan_of(odd), FINE) as proxy:
            reply = await proxy.chat(WORD)
            assert proxy.context.counts["failed_open"] == 1
        assert reply.status == 200
        assert reply.header("x-lockgate-failed-open") == "1"


class TestUnknown:
    PARTS: tuple[dict[str, Any], ...] = (
        {"messages": [{"role": "user", "content": [{"type": "hologram", "hologram": "x"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "subtext": "y"}]}]},
        {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
        {"messages": [{"role": "user", "content": "x", "aside": "y"}]},
        {"messages": [{"role": "critic", "content": "x"}]},
        {"messages": [USER], "documents": [{"text": "x"}]},
    )

    @pytest.mark.parametrize("body", PARTS)
    async def test_refused(self, body: dict[str, Any]) -> None:
        async with proxied(plan_of(unknown="refuse"), FINE) as proxy:
            reply = await proxy.post(json.dumps(body).encode())
            assert proxy.upstream.connections == 0
        assert reply.status == 400
        assert reply.error["code"] == "content_filter"
        assert reply.error["param"] == ("documents" if "documents" in body else "messages[0]")
        assert reply.header("x-lockgate-rule") == "unknown"

    @pytest.mark.parametrize("body", PARTS)
    async def test_flagged(self, body: dict[str, Any]) -> None:
        async with proxied(plan_of(unknown="flag"), FINE) as proxy:
            reply = await proxy.post(json.dumps(body).encode())
        assert reply.status == 200
        assert [flag["name"] for flag in reply.json["lockgate"]["flags"]] == ["unverified"]

    @pytest.mark.parametrize("body", PARTS)
    async def test_allowed_and_counted(self, body: dict[str, Any]) -> None:
        sent = json.dumps(body).encode()
        async with proxied(plan_of(), FINE) as proxy:
            reply = await proxy.post(sent)
            assert proxy.requests[0].body == sent
            assert proxy.context.counts["unread"] == 1
        assert reply.json == chat_answer("hi")


def body(**more: Any) -> bytes:
    return json.dumps({**HELLO, **more}).encode()


BAD: dict[str, tuple[bytes, str, int]] = {
    "nothing": (b"", "invalid_json", 400),
    "spaces": (b"  \n", "invalid_json", 400),
    "no JSON": (b"hello", "invalid_json", 400),
    "cut JSON": (body()[:-4], "invalid_json", 400),
    "two documents": (body() + body(), "invalid_json", 400),
    "a comma too many": (body()[:-1] + b",}", "invalid_json", 400),
    "a comment": (b"/* */" + body(), "invalid_json", 400),
    "a list": (b"[" + body() + b"]", "invalid_type", 400),
    "null": (b"null", "invalid_type", 400),
    "a duplicate key": (body()[:-1] + b', "model": "n"}', "duplicate_key", 400),
    "a duplicate key, escaped": (body()[:-1] + b', "mo\\u0064el": "n"}', "duplicate_key", 400),
    "a duplicate key far down": (
        b'{"messages": [{"role": "user", "content": "a", "content": "b"}]}', "duplicate_key", 400
    ),
    "a duplicate key beside a lone surrogate": (b'{"messages": [], "a": "\\ud83d", "a": 1}', "duplicate_key", 400),
    "NaN": (body()[:-1] + b', "top_p": NaN}', "invalid_number", 400),
    "Infinity": (body()[:-1] + b', "top_p": -Infinity}', "invalid_number", 400),
    "NaN beside a lone surrogate": (b'{"messages": [], "a": "\\ud83d", "b": NaN}', "invalid_number", 400),
    "a number with very many digits": (b'{"messages": [], "seed": ' + b"9" * 5000 + b', "a": "\\ud83d"}', "", 400),
    "invalid UTF-8": (body().replace(b"hello", b"h\xff"), "invalid_encoding", 400),
    "an encoded surrogate": (body().replace(b"hello", b"\xed\xa0\xbd"), "invalid_encoding", 400),
    "a byte-order mark": (b"\xef\xbb\xbf" + body(), "invalid_json", 400),
    "UTF-16": (body().decode().encode("utf-16"), "invalid_encoding", 400),
    "UTF-16 without a mark": (body().decode().encode("utf-16-le"), "invalid_json", 400),
    "a raw control character": (body().replace(b"hello", b"h\x01"), "invalid_json", 400),
    "a raw NUL": (body().replace(b"hello", b"h\x00"), "invalid_json", 400),
    "deep nesting": (b'{"messages": [], "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep", 400),
    "deep nesting of objects": (b'{"messages": [], "a": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "too_deep", 400),
    "no messages": (b'{"model": "m"}', "invalid_type", 400),
    "messages as a text": (body(messages="hello"), "invalid_type", 400),
    "a message as a text": (body(messages=["hello"]), "invalid_type", 400),
    "a message without a role": (body(messages=[{"content": "x"}]), "invalid_type", 400),
    "content as a number": (body(messages=[{"role": "user", "content": 5}]), "invalid_type", 400),
    "content as an object": (body(messages=[{"role": "user", "content": {"text": "x"}}]), "invalid_type", 400),
    "a part as a text": (body(messages=[{"role": "user", "content": ["x"]}]), "invalid_type", 400),
    "a part's text as a list": (
        body(messages=[{"role": "user", "content": [{"type": "text", "text": ["x"]}]}]), "invalid_type", 400
    ),
    "arguments as an object": (
        body(messages=[{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}]),
        "invalid_type", 400,
    ),
    "calls as an object": (body(messages=[{"role": "assistant", "tool_calls": {}}]), "invalid_type", 400),
    "tools as an object": (body(tools={}), "invalid_type", 400),
    "a tool as a text": (body(tools=["x"]), "invalid_type", 400),
    "stream as a text": (body(stream="true"), "invalid_type", 400),
    "stream as a number": (body(stream=1), "invalid_type", 400),
    "n as a text": (body(n="2"), "invalid_type", 400),
    "n as nothing": (body(n=0), "invalid_type", 400),
    "n as a switch": (body(n=True), "invalid_type", 400),
}  # fmt: skip


class TestBadInput:
    @pytest.mark.parametrize("case", BAD)
    async def test_is_told_and_does_not_reach_the_upstream(self, case: str) -> None:
        sent, code, status = BAD[case]
        async with proxied(plan_of(), FINE) as proxy:
            reply = await proxy.post(sent)
            assert proxy.upstream.connections == 0
            assert (await proxy.chat("still there?")).status == 200
        assert reply.status == status
        assert reply.error["type"] == "invalid_request_error"
        assert not code or reply.error["code"] == code
        assert reply.header("x-lockgate-id")

    async def test_no_text_of_it_is_shown(self) -> None:
        async with proxied(plan_of(), FINE) as proxy:
            for sent in (b'{"plugh" plugh}', b'{"messages": [], "plugh": 1, "plugh": 2}', b'{"messages": "plugh"}'):
                assert b"plugh" not in (await proxy.post(sent)).body

    @pytest.mark.parametrize(
        ("packed", "encoding", "status", "code"),
        [
            (body(), "br", 415, "unsupported_encoding"),
            (body(), "zstd", 415, "unsupported_encoding"),
            (body(), "gzip, br", 415, "unsupported_encoding"),
            (body(), "gzip", 400, "invalid_encoding"),
            (gzip.compress(body())[:-5], "gzip", 400, "invalid_encoding"),
            (gzip.compress(b"{" + b" " * 5_000_000), "gzip", 413, "request_too_large"),
        ],
    )
    async def test_encodings(self, packed: bytes, encoding: str, status: int, code: str) -> None:
        async with proxied(plan_of(), FINE, max_body=1_000_000) as proxy:
            reply = await proxy.post(packed, f"Content-Encoding: {encoding}")
            assert proxy.upstream.connections == 0
        assert (reply.status, reply.error["code"]) == (status, code)

    @pytest.mark.parametrize("charset", ["utf-7", "UTF-16", '"utf-16le"', "iso-2022-jp", "latin-1"])
    async def test_another_charset_would_be_read_in_two_ways(self, charset: str) -> None:
        ask = request("POST", CHAT, f"Content-Type: application/json; charset={charset}", body=body())
        async with proxied(plan_of(), FINE) as proxy:
            reply = await proxy.raw(ask)
            assert proxy.upstream.connections == 0
        assert (reply.status, reply.error["code"]) == (415, "unsupported_encoding")

    @pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "us-ascii"])
    async def test_these_are_one(self, charset: str) -> None:
        ask = request("POST", CHAT, f"Content-Type: application/json; charset={charset}", body=body())
        async with proxied(plan_of(), FINE) as proxy:
            assert (await proxy.raw(ask)).status == 200
