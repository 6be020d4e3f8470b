"""What the chat API keeps, got through the whole proxy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import APIStatusError, AsyncOpenAI

from fakes import http, json_answer, replying
from proxied import proxied
from saying import patterns, plan_of, rule

KEY = patterns(KEY=r"sk-[a-z0-9]{8}")
REWRITE = plan_of(rule("keys", KEY, {"rewrite": "redact"}, side=["prompt", "completion"]))
REFUSE = plan_of(rule("keys", KEY, {"refuse": {"message": "No keys."}}, side=["prompt", "completion"]))
ONE = "/v1/chat/completions/chatcmpl-AbC"
USER = {"id": "m-0", "role": "user", "content": "my sk-abcd1234", "content_parts": None, "name": None}


def completion(content: str, **more: Any) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content},
        "logprobs": None,
        "finish_reason": "stop",
    }
    return {"id": "chatcmpl-AbC", "object": "chat.completion", "created": 7, "model": "m", "choices": [choice], **more}


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "first_id": None, "last_id": None, "has_more": False}


@pytest.mark.parametrize("path", [ONE, "/v1/chat/completions?limit=2&order=asc", f"{ONE}/messages"])
async def test_untouched_it_passes_byte_for_byte(path: str) -> None:
    body = b'\n{"data" : [],"choices":[ ], "x":1e3}\n'
    async with proxied(REWRITE, replying(http(body, b"Content-Type: application/json"))) as proxy:
        reply = await proxy.ask("GET", path, "Authorization: Bearer k")
        sent = proxy.requests[0]
    assert (reply.status, reply.body, reply.header("x-lockgate-action")) == (200, body, "allow")
    assert (sent.method, sent.target, sent.body, sent.header("authorization")) == ("GET", path, b"", "Bearer k")
    assert sent.header("content-length") is None


@pytest.mark.parametrize(
    ("path", "answer", "where"),
    [
        (ONE, completion("it is sk-abcd1234"), ("choices", 0, "message", "content")),
        (
            "/v1/chat/completions",
            listed(completion("it is sk-abcd1234")),
            ("data", 0, "choices", 0, "message", "content"),
        ),
        (f"{ONE}/messages", listed(USER), ("data", 0, "content")),
    ],
)
async def test_what_comes_back_is_guarded(path: str, answer: dict[str, Any], where: tuple[Any, ...]) -> None:
    async with proxied(REWRITE, replying(json_answer(answer))) as proxy:
        shown = (await proxy.ask("GET", path)).json
    for key in where:
        shown = shown[key]
    assert shown.endswith(" [KEY]")
    async with proxied(REFUSE, replying(json_answer(answer))) as proxy:
        reply = await proxy.ask("GET", path)
    assert (reply.status, reply.header("x-lockgate-action")) == (200, "refuse")
    assert b"sk-" not in reply.body
    assert b"No keys." in reply.body


async def test_of_a_list_only_the_item_concerned_is_refused() -> None:
    fine = completion("fine")
    async with proxied(
        REFUSE, replying(json_answer(listed(fine, completion("x", metadata={"k": "sk-abcd1234"}))))
    ) as proxy:
        shown = (await proxy.ask("GET", "/v1/chat/completions")).json
    assert shown["data"][0] == fine
    assert shown["data"][1]["choices"][0]["message"]["refusal"] == "No keys."
    assert "metadata" not in shown["data"][1]


async def test_metadata_of_a_refused_completion_goes_with_it() -> None:
    async with proxied(REFUSE, replying(json_answer(completion("x", metadata={"k": "sk-abcd1234"})))) as proxy:
        assert b"sk-" not in (await proxy.ask("GET", ONE)).body
        assert b"sk-" not in (await proxy.chat("hello")).body


async def test_new_metadata_are_a_prompt() -> None:
    body = json.dumps({"metadata": {"k": "my sk-abcd1234"}}).encode()
    async with proxied(REWRITE, replying(json_answer(completion("fine")))) as proxy:
        assert (await proxy.post(body, target=ONE)).status == 200
        assert json.loads(proxy.requests[0].body) == {"metadata": {"k": "my [KEY]"}}
    async with proxied(REFUSE, replying(json_answer(completion("fine")))) as proxy:
        reply = await proxy.post(body, target=ONE)
        assert (reply.status, reply.error["param"], proxy.requests) == (400, "metadata", [])


async def test_an_error_keeps_its_status() -> None:
    answer = json_answer({"error": {"message": "no such sk-abcd1234"}}, status=b"404 Not Found")
    async with proxied(REFUSE, replying(answer)) as proxy:
        reply = await proxy.ask("GET", ONE)
    assert (reply.status, reply.error["code"]) == (404, "content_filter")


async def test_the_sdk_reads_all_of_it() -> None:
    async with (
        proxied(REWRITE, replying(json_answer(listed(USER)))) as proxy,
        AsyncOpenAI(base_url=f"{proxy.base}/v1", api_key="k", max_retries=0) as client,
    ):
        page = await client.chat.completions.messages.list("chatcmpl-AbC")
        assert [message.content for message in page.data] == ["my [KEY]"]
        with pytest.raises(APIStatusError) as caught:
            await client.post("/responses/compact", cast_to=object, body={"input": "x"})
        assert (caught.value.status_code, caught.value.code) == (501, "not_supported")
