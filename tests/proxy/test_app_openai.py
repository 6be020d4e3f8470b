"""The real `openai` client, sync and async, through the proxy and guarded itself: what an application sees of both."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from asking import HELLO, WAYS, Way, asking
from fakes import LAST_CHUNK, chat_answer, chunk, hangs, head, json_answer, replying, sends
from proxied import proxied
from saying import DONE, USAGE, arguments, finish, patterns, plan_of, role, rule, said, text, words

BOTH = ["prompt", "completion"]
KEYS = rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}, side=BOTH)
STOP = rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}, side=BOTH)
PLAN = plan_of(KEYS, STOP)


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


async def test_plain(way: Way) -> None:
    async with asking(
        way, PLAN, replying(json_answer(chat_answer("the key is sk-abcd1234"), b"x-request-id: r1"))
    ) as ask:
        got = await ask.create()
    assert got.choices[0].message.content == "the key is [KEY]"
    assert got.usage.total_tokens == 2
    assert got._request_id == "r1"


async def test_a_stream(way: Way) -> None:
    said_ = [role(), text("the key is sk-ab"), text("cd1234, "), finish(), USAGE, DONE]
    chunks: list[Any] = []
    async with asking(way, PLAN, replying([head(), *map(chunk, said_), LAST_CHUNK])) as ask:
        await ask.stream(chunks.append, stream_options={"include_usage": True})
    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == "the key is [KEY], "
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens == 21


async def test_tools(way: Way) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"key": "sk-abcd1234"}'}}
    async with asking(way, PLAN, replying(json_answer(chat_answer(None, tool_calls=[call])))) as ask:
        got = await ask.create(tools=[{"type": "function", "function": {"name": "look", "parameters": {}}}])
    assert json.loads(got.choices[0].message.tool_calls[0].function.arguments) == {"key": "[KEY]"}


async def test_tools_in_a_stream(way: Way) -> None:
    begin = said(
        tool_calls=[{"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}]
    )
    parts = [role(), begin, arguments('{"key": "sk-ab'), arguments('cd1234", '), arguments('"n": 1}')]
    fragments: list[str] = []

    def seen(one: Any) -> None:
        fragments.extend(call.function.arguments for call in one.choices[0].delta.tool_calls or ())

    async with asking(
        way, PLAN, replying([head(), *map(chunk, [*parts, finish("tool_calls"), DONE]), LAST_CHUNK])
    ) as ask:
        await ask.stream(seen)
    assert json.loads("".join(fragments)) == {"key": "[KEY]", "n": 1}


async def test_two_choices_of_which_one_is_refused(way: Way) -> None:
    async with asking(way, PLAN, replying(json_answer(chat_answer("fine", "say plugh")))) as ask:
        got = await ask.create(n=2)
    assert [one.finish_reason for one in got.choices] == ["stop", "content_filter"]
    assert got.choices[0].message.content == "fine"
    assert got.choices[1].message.content is None
    assert got.choices[1].message.refusal == "Not that word."


async def test_two_streamed_choices_of_which_one_is_refused(way: Way) -> None:
    parts = [text("fine "), text("say plugh.", 1), text("more ", 1), text("indeed"), finish(), finish(index=1), DONE]
    spoken: dict[int, str] = {0: "", 1: ""}
    ends: dict[int, list[str]] = {0: [], 1: []}

    def seen(one: Any) -> None:
        for choice in one.choices:
            spoken[choice.index] += choice.delta.content or ""
            if choice.finish_reason:
                ends[choice.index].append(choice.finish_reason)

    async with asking(way, PLAN, replying([head(), *map(chunk, parts), LAST_CHUNK])) as ask:
        await ask.stream(seen, n=2)
    assert spoken == {0: "fine indeed", 1: ""}
    assert ends == {0: ["stop"], 1: ["content_filter"]}


@pytest.mark.parametrize("streams", [False, True])
async def test_a_refused_prompt(way: Way, streams: bool) -> None:
    async with asking(way, PLAN, sends()) as ask:
        with pytest.raises(openai.BadRequestError) as caught:
            await ask.create(messages=[*HELLO, {"role": "user", "content": "say plugh"}], stream=streams)
    assert caught.value.code == "content_filter"
    assert caught.value.param == "messages[1]"
    assert caught.value.type == "invalid_request_error"
    assert "Not that word." in str(caught.value)


async def test_a_refused_prompt_as_an_answer(way: Way) -> None:
    plan = plan_of(rule("stop", words("plugh"), {"refuse": {"message": "No.", "status": 200}}, side="prompt"))
    chunks: list[Any] = []
    async with asking(way, plan, sends()) as ask:
        got = await ask.create(messages=[{"role": "user", "content": "plugh"}])
        await ask.stream(chunks.append, messages=[{"role": "user", "content": "plugh"}])
    assert got.choices[0].message.refusal == "No."
    assert got.choices[0].message.content is None
    assert got.choices[0].finish_reason == "content_filter"
    assert chunks[-1].choices[0].delta.refusal == "No."
    assert chunks[-1].choices[0].finish_reason == "content_filter"


async def test_a_refused_stream_ends_without_an_error(way: Way) -> None:
    chunks: list[Any] = []
    async with asking(way, PLAN, hangs(head() + chunk(role() + text("I ") + text("say plugh.")))) as ask:
        await ask.stream(chunks.append)
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert chunks[-1].choices[0].delta.refusal == "Not that word."
    assert not any("plugh" in (one.choices[0].delta.content or "") for one in chunks)


async def test_a_cut_stream_raises(way: Way) -> None:
    chunks: list[Any] = []
    async with asking(way, PLAN, sends(head() + chunk(text("so far ")))) as ask:
        with pytest.raises(openai.APIError) as caught:
            await ask.stream(chunks.append)
    if way.door == "proxy":
        assert caught.value.code == "upstream_broken"
    else:
        assert type(caught.value) is openai.APIConnectionError
    assert [one.choices[0].delta.content for one in chunks] == ["so far "]


async def test_a_guard_that_fails_within_a_stream_raises(way: Way) -> None:
    plan = plan_of(
        rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="hold"),
        stream={"max_hold": 64, "hold_limit": 64},
    )
    async with asking(way, plan, hangs(head() + chunk(text("a" * 100)))) as ask:
        with pytest.raises(openai.APIError) as caught:
            await ask.stream(lambda _: None)
    assert caught.value.code == "guardrail_unavailable"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (b"401 Unauthorized", openai.AuthenticationError),
        (b"404 Not Found", openai.NotFoundError),
        (b"429 Too Many", openai.RateLimitError),
        (b"500 Oh", openai.InternalServerError),
    ],
)
async def test_the_upstream_s_errors(way: Way, status: bytes, kind: type[openai.APIStatusError]) -> None:
    value = {"error": {"message": "no", "type": "t", "param": "p", "code": "c"}}
    async with asking(way, PLAN, replying(json_answer(value, status=status))) as ask:
        with pytest.raises(kind) as caught:
            await ask.create()
    assert (caught.value.code, caught.value.param, caught.value.type) == ("c", "p", "t")


async def test_an_upstream_that_is_gone(way: Way) -> None:
    async with asking(way, PLAN, sends(), upstream="http://127.0.0.1:9/v1") as ask:
        with pytest.raises(openai.APIError) as caught:
            await ask.create()
    if way.door == "proxy":
        assert isinstance(caught.value, openai.InternalServerError)
        assert (caught.value.status_code, caught.value.code) == (502, "upstream_unreachable")
    else:
        assert type(caught.value) is openai.APIConnectionError


async def test_a_policy_s_refusal_is_asked_once_only() -> None:
    async with proxied(plan_of(STOP), replying(json_answer({"error": {"message": "say plugh"}}))) as proxy:
        async with AsyncOpenAI(base_url=f"{proxy.base}/v1", api_key="k", max_retries=3) as client:
            await client.chat.completions.create(model="m", messages=HELLO)
        assert len(proxy.requests) == 1


async def test_other_paths_and_the_key() -> None:
    async with proxied(PLAN, replying(json_answer({"object": "list", "data": []}))) as proxy:
        async with AsyncOpenAI(base_url=f"{proxy.base}/v1", api_key="sk-mine") as client:
            assert (await client.models.list()).data == []
        assert proxy.requests[0].header("authorization") == "Bearer sk-mine"
        assert proxy.requests[0].target == "/v1/models"
