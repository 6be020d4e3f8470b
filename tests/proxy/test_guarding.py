"""A guarded client: every helper of the SDK passes the guard, and what is not the guard's stays as it was. What both doors
share is in test_app_openai.py."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from openai import AsyncAzureOpenAI, AzureOpenAI, ContentFilterFinishReasonError
from pydantic import BaseModel

from asking import HELLO, Guarded, Guarding, saying
from compiling import plan_of as plan_with_tone
from fakes import (
    RawUpstream,
    chat_answer,
    json_answer,
    replying,
    sends,
)
from guarding_setup import ANSWER, PLAN, SECRET, STOP, STREAM
from lockgate import Verdict, guard
from lockgate_proxy import guarded
from saying import plan_of

# --- Every helper of the SDK -----------------------------------------------------------------------------------------


async def test_the_copy_is_of_the_same_class_and_the_original_stays_unguarded(ask_by: Guarding) -> None:
    async with ask_by(replying(ANSWER)) as ask:
        assert type(ask.client) is type(ask.original)
        assert ask.client.api_key == ask.original.api_key
        assert (await ask.create()).choices[0].message.content == "the key is [KEY]"
        plain = await ask.call(ask.original.chat.completions.create, model="m", messages=saying("plugh"))
        assert plain.choices[0].message.content == SECRET


async def test_copies_of_it_are_guarded_too(ask_by: Guarding) -> None:
    async with ask_by(replying(ANSWER)) as ask:
        for copy in (ask.client.with_options(timeout=5), ask.client.copy(api_key="other")):
            got = await ask.call(copy.chat.completions.create, model="m", messages=saying("sk-12345678"))
            assert got.choices[0].message.content == "the key is [KEY]"
    bodies = [json.loads(request.body) for request in ask.upstream.requests]
    assert [body["messages"][0]["content"] for body in bodies] == ["[KEY]", "[KEY]"]
    assert [request.header("authorization") for request in ask.upstream.requests] == ["Bearer k", "Bearer other"]


async def test_raw_responses(ask_by: Guarding) -> None:
    async with ask_by(replying(ANSWER)) as ask:
        create = ask.client.chat.completions.with_raw_response.create
        raw = await ask.call(create, model="m", messages=HELLO)
        assert raw.headers["x-lockgate-action"] == "rewrite"
        assert raw.headers["x-lockgate-rule"] == "keys"
        assert raw.parse().choices[0].message.content == "the key is [KEY]"
        with pytest.raises(openai.BadRequestError) as caught:
            await ask.call(create, model="m", messages=saying("plugh"))
    assert caught.value.response.headers["x-lockgate-action"] == "refuse"


async def test_streaming_responses(ask_by: Guarding) -> None:
    async with ask_by(replying(ANSWER)) as ask:
        opened = ask.client.chat.completions.with_streaming_response.create(model="m", messages=HELLO)
        if ask.sync:

            def read() -> bytes:
                with opened as response:
                    return bytes(response.read())

            body = await asyncio.to_thread(read)
        else:
            async with opened as response:
                body = await response.read()
    assert json.loads(body)["choices"][0]["message"]["content"] == "the key is [KEY]"


class Found(BaseModel):
    key: str


async def test_parse(ask_by: Guarding) -> None:
    async with ask_by(replying(json_answer(chat_answer('{"key": "sk-abcd1234"}')))) as ask:
        got = await ask.call(ask.client.chat.completions.parse, model="m", messages=HELLO, response_format=Found)
    assert got.choices[0].message.parsed == Found(key="[KEY]")
    async with ask_by(replying(json_answer(chat_answer('{"key": "plugh"}')))) as ask:
        with pytest.raises(ContentFilterFinishReasonError):
            await ask.call(ask.client.chat.completions.parse, model="m", messages=HELLO, response_format=Found)


async def test_the_stream_helper(ask_by: Guarding) -> None:
    async with ask_by(replying(STREAM)) as ask:
        manager = ask.client.chat.completions.stream(model="m", messages=HELLO)
        if ask.sync:

            def read() -> Any:
                with manager as stream:
                    return stream.get_final_completion()

            got = await asyncio.to_thread(read)
        else:
            async with manager as stream:
                got = await stream.get_final_completion()
    assert got.choices[0].message.content == "the key is [KEY], "


async def test_azure_s_paths_and_keys(ask_by: Guarding) -> None:
    for by in (AzureOpenAI, AsyncAzureOpenAI):
        async with RawUpstream(replying(ANSWER)) as upstream:
            endpoint = upstream.url.removesuffix("/v1")
            given: dict[str, Any] = {"azure_endpoint": endpoint, "api_version": "2024-10-21", "api_key": "k"}
            client = guarded(by(azure_deployment="gpt", **given), PLAN)
            ask = Guarded(upstream, client, None)
            assert (await ask.create()).choices[0].message.content == "the key is [KEY]"
            await ask.call(client.close)
        request = upstream.requests[0]
        assert request.target == "/openai/deployments/gpt/chat/completions?api-version=2024-10-21"
        assert request.header("api-key") == "k"


# --- Verdicts --------------------------------------------------------------------------------------------------------


async def test_verdicts_are_told_when_the_call_is_over(ask_by: Guarding) -> None:
    told: list[Verdict] = []
    async with ask_by(replying(json_answer(chat_answer("aha")), STREAM), told=told.append) as ask:
        got = await ask.create()
        assert got.lockgate["flags"][0]["name"] == "notice"
        assert [(verdict.side, verdict.action.word) for verdict in told] == [
            ("prompt", "allow"),
            ("completion", "flag"),
        ]
        told.clear()
        await ask.iterate(await ask.create(stream=True))
        assert [verdict.action.word for verdict in told] == ["allow", "rewrite"]
        told.clear()
        with pytest.raises(openai.BadRequestError):
            await ask.create(messages=saying("plugh"))
        assert [verdict.action.word for verdict in told] == ["refuse"]


async def test_who_is_told_may_guard_something(ask_by: Guarding) -> None:
    checked: list[str] = []
    check = guard(PLAN)(checked.append)
    async with ask_by(replying(ANSWER), told=lambda verdict: check(f"sk-abcd1234 {verdict.side}")) as ask:
        await ask.create()
    assert checked == ["[KEY] prompt", "[KEY] completion"]


async def test_conditions_see_the_tags(ask_by: Guarding) -> None:
    plan = plan_of({**STOP, "when": "'public' in request.tags"})
    async with ask_by(replying(ANSWER), plan) as ask:
        await ask.create(messages=saying("plugh"))
    async with ask_by(replying(ANSWER), plan, tags=("public",)) as ask:
        with pytest.raises(openai.BadRequestError):
            await ask.create(messages=saying("plugh"))


async def test_a_guard_that_fails_is_not_asked_again(ask_by: Guarding) -> None:
    plan = plan_with_tone({"id": "rude", "use": {"tone": {}}, "on_error": "refuse", "side": "prompt"})
    async with ask_by(sends(), plan, max_retries=3) as ask:
        with pytest.raises(openai.InternalServerError) as caught:
            await ask.create(messages=saying("crash"))
        assert caught.value.code == "guardrail_unavailable"
        assert ask.upstream.connections == 0
