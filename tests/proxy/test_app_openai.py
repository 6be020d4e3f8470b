"""The real `openai` client, sync and async, through the proxy: what an application sees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from fakes import LAST_CHUNK, Script, chat_answer, chunk, hangs, head, json_answer, replying, sends
from lockgate.policy.plan import Plan
from proxied import Proxy, proxied
from saying import DONE, USAGE, arguments, finish, patterns, plan_of, role, rule, said, text, words

BOTH = ["prompt", "completion"]
KEYS = rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}, side=BOTH)
STOP = rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}, side=BOTH)
PLAN = plan_of(KEYS, STOP)
HELLO: list[Any] = [{"role": "user", "content": "hello"}]


class Asker:
    """The two clients behind one face: each call gives what the SDK gives, or raises what it raises."""

    def __init__(self, proxy: Proxy, *, sync: bool) -> None:
        given: dict[str, Any] = {"base_url": f"{proxy.base}/v1", "api_key": "sk-test", "max_retries": 0, "timeout": 10}
        self._sync = OpenAI(**given) if sync else None
        self._async = None if sync else AsyncOpenAI(**given)

    async def close(self) -> None:
        if self._async is not None:
            await self._async.close()
        elif self._sync is not None:
            self._sync.close()

    async def create(self, **asked: Any) -> Any:
        asked = {"model": "m", "messages": HELLO, **asked}
        if self._async is not None:
            return await self._async.chat.completions.create(**asked)
        assert self._sync is not None
        create: Any = self._sync.chat.completions.create
        return await asyncio.to_thread(create, **asked)

    async def stream(self, seen: Callable[[Any], None], **asked: Any) -> None:
        """Every chunk is given to `seen`."""
        if self._async is not None:
            async for one in await self.create(stream=True, **asked):
                seen(one)
            return

        def read() -> None:
            assert self._sync is not None
            for one in self._sync.chat.completions.create(**{"model": "m", "messages": HELLO, "stream": True, **asked}):
                seen(one)

        await asyncio.to_thread(read)


@pytest.fixture(params=[True, False], ids=["sync", "async"])
def sync(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@asynccontextmanager
async def asking(sync: bool, plan: Plan, script: Script, **settings: Any) -> AsyncIterator[Asker]:
    async with proxied(plan, script, **settings) as proxy:
        asker = Asker(proxy, sync=sync)
        try:
            yield asker
        finally:
            await asker.close()


async def test_plain(sync: bool) -> None:
    async with asking(
        sync, PLAN, replying(json_answer(chat_answer("the key is sk-abcd1234"), b"x-request-id: r1"))
    ) as ask:
        got = await ask.create()
    assert got.choices[0].message.content == "the key is [KEY]"
    assert got.usage.total_tokens == 2
    assert got._request_id == "r1"


async def test_a_stream(sync: bool) -> None:
    said_ = [role(), text("the key is sk-ab"), text("cd1234, "), finish(), USAGE, DONE]
    chunks: list[Any] = []
    async with asking(sync, PLAN, replying([head(), *map(chunk, said_), LAST_CHUNK])) as ask:
        await ask.stream(chunks.append, stream_options={"include_usage": True})
    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == "the key is [KEY], "
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens == 21


async def test_tools(sync: bool) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"key": "sk-abcd1234"}'}}
    async with asking(sync, PLAN, replying(json_answer(chat_answer(None, tool_calls=[call])))) as ask:
        got = await ask.create(tools=[{"type": "function", "function": {"name": "look", "parameters": {}}}])
    assert json.loads(got.choices[0].message.tool_calls[0].function.arguments) == {"key": "[KEY]"}


async def test_tools_in_a_stream(sync: bool) -> None:
    begin = said(
        tool_calls=[{"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}]
    )
    parts = [role(), begin, arguments('{"key": "sk-ab'), arguments('cd1234", '), arguments('"n": 1}')]
    fragments: list[str] = []

    def seen(one: Any) -> None:
        fragments.extend(call.function.arguments for call in one.choices[0].delta.tool_calls or ())

    async with asking(
        sync, PLAN, replying([head(), *map(chunk, [*parts, finish("tool_calls"), DONE]), LAST_CHUNK])
    ) as ask:
        await ask.stream(seen)
    assert json.loads("".join(fragments)) == {"key": "[KEY]", "n": 1}


async def test_two_choices_of_which_one_is_refused(sync: bool) -> None:
    async with asking(sync, PLAN, replying(json_answer(chat_answer("fine", "say plugh")))) as ask:
        got = await ask.create(n=2)
    assert [one.finish_reason for one in got.choices] == ["stop", "content_filter"]
    assert got.choices[0].message.content == "fine"
    assert got.choices[1].message.content is None
    assert got.choices[1].message.refusal == "Not that word."


async def test_two_streamed_choices_of_which_one_is_refused(sync: bool) -> None:
    parts = [text("fine "), text("say plugh.", 1), text("more ", 1), text("indeed"), finish(), finish(index=1), DONE]
    spoken: dict[int, str] = {0: "", 1: ""}
    ends: dict[int, list[str]] = {0: [], 1: []}

    def seen(one: Any) -> None:
        for choice in one.choices:
            spoken[choice.index] += choice.delta.content or ""
            if choice.finish_reason:
                ends[choice.index].append(choice.finish_reason)

    async with asking(sync, PLAN, replying([head(), *map(chunk, parts), LAST_CHUNK])) as ask:
        await ask.stream(seen, n=2)
    assert spoken == {0: "fine indeed", 1: ""}
    assert ends == {0: ["stop"], 1: ["content_filter"]}


@pytest.mark.parametrize("streams", [False, True])
async def test_a_refused_prompt(sync: bool, streams: bool) -> None:
    async with asking(sync, PLAN, sends()) as ask:
        with pytest.raises(openai.BadRequestError) as caught:
            await ask.create(messages=[*HELLO, {"role": "user", "content": "say plugh"}], stream=streams)
    assert caught.value.code == "content_filter"
    assert caught.value.param == "messages[1]"
    assert caught.value.type == "invalid_request_error"
    assert "Not that word." in str(caught.value)


async def test_a_refused_prompt_as_an_answer(sync: bool) -> None:
    plan = plan_of(rule("stop", words("plugh"), {"refuse": {"message": "No.", "status": 200}}, side="prompt"))
    chunks: list[Any] = []
    async with asking(sync, plan, sends()) as ask:
        got = await ask.create(messages=[{"role": "user", "content": "plugh"}])
        await ask.stream(chunks.append, messages=[{"role": "user", "content": "plugh"}])
    assert got.choices[0].message.refusal == "No."
    assert got.choices[0].message.content is None
    assert got.choices[0].finish_reason == "content_filter"
    assert chunks[-1].choices[0].delta.refusal == "No."
    assert chunks[-1].choices[0].finish_reason == "content_filter"


async def test_a_refused_stream_ends_without_an_error(sync: bool) -> None:
    chunks: list[Any] = []
    async with asking(sync, PLAN, hangs(head() + chunk(role() + text("I ") + text("say plugh.")))) as ask:
        await ask.stream(chunks.append)
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert chunks[-1].choices[0].delta.refusal == "Not that word."
    assert not any("plugh" in (one.choices[0].delta.content or "") for one in chunks)


async def test_a_cut_stream_raises(sync: bool) -> None:
    chunks: list[Any] = []
    async with asking(sync, PLAN, sends(head() + chunk(text("so far ")))) as ask:
        with pytest.raises(openai.APIError) as caught:
            await ask.stream(chunks.append)
    assert caught.value.code == "upstream_broken"
    assert [one.choices[0].delta.content for one in chunks] == ["so far "]


async def test_a_guard_that_fails_within_a_stream_raises(sync: bool) -> None:
    plan = plan_of(
        rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="hold"),
        stream={"max_hold": 64, "hold_limit": 64},
    )
    async with asking(sync, plan, hangs(head() + chunk(text("a" * 100)))) as ask:
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
async def test_the_upstream_s_errors(sync: bool, status: bytes, kind: type[openai.APIStatusError]) -> None:
    value = {"error": {"message": "no", "type": "t", "param": "p", "code": "c"}}
    async with asking(sync, PLAN, replying(json_answer(value, status=status))) as ask:
        with pytest.raises(kind) as caught:
            await ask.create()
    assert (caught.value.code, caught.value.param, caught.value.type) == ("c", "p", "t")


async def test_an_upstream_that_is_gone(sync: bool) -> None:
    async with asking(sync, PLAN, sends(), upstream="http://127.0.0.1:9/v1") as ask:
        with pytest.raises(openai.InternalServerError) as caught:
            await ask.create()
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_unreachable"


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
