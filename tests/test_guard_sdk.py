"""The decorator on functions that take and return the `openai` SDK's objects and streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
from openai.types.chat import ChatCompletion, ChatCompletionMessage, ParsedChatCompletion
from pydantic import BaseModel

from compiling import WORDS, plan_of
from fakes import (
    LAST_CHUNK,
    RawUpstream,
    Script,
    chat_answer,
    chat_chunk,
    chat_events,
    chunk,
    hangs,
    head,
    json_answer,
    replying,
)
from lockgate import Action, Guard, Refused, Verdict
from lockgate.policy.plan import Plan
from lockgate.verdict import Finding

REDACTS = plan_of({"id": "words", "use": WORDS, "then": {"rewrite": "redact"}})
REFUSES = plan_of({"id": "words", "use": WORDS, "then": {"refuse": {"message": "Not here."}}})
STRICT = plan_of({"id": "words", "use": WORDS, "then": {"rewrite": "redact"}}, unknown="refuse")
HELLO: list[Any] = [{"role": "user", "content": "hello"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"q": "secret"}'}}


class Found(BaseModel):
    key: str


class Ask(BaseModel):
    question: str
    notes: list[str] = []


Calls = Callable[..., Any]


@pytest.fixture(params=[True, False], ids=["plain", "async"])
def calls(request: pytest.FixtureRequest) -> Calls:
    """Guards a function that calls an upstream which does as `script` says, calls it, and gives what it gives. A stream is
    read to `most` chunks. `call` is told the SDK's completions."""

    async def run(
        script: Script, plan: Plan, call: Callable[[Any], Any], most: int | None, told: list[Verdict] | None
    ) -> Any:
        on_verdict = None if told is None else told.append
        guarding = Guard(plan, on_verdict=on_verdict)
        async with RawUpstream(script) as upstream:
            given: dict[str, Any] = {"base_url": upstream.url, "api_key": "k", "max_retries": 0}
            if request.param:

                def plainly() -> Any:
                    with OpenAI(**given) as client:

                        @guarding
                        def ask(question: str) -> Any:
                            return call(client.chat.completions)

                        got = ask("?")
                        if not hasattr(got, "__next__"):
                            return got
                        with got as stream:
                            return [one for one, _ in zip(stream, range(most or 1000), strict=False)]

                return await asyncio.to_thread(plainly)

            @guarding
            async def ask(question: str) -> Any:
                return await call(client.chat.completions)

            async with AsyncOpenAI(**given) as client:
                got = await ask("?")
                if not hasattr(got, "__anext__"):
                    return got
                out = []
                async with got as stream:
                    async for one in stream:
                        out.append(one)
                        if len(out) == most:
                            break
                return out

    def calls(script: Script, plan: Plan, call: Any = None, most: int | None = None, told: Any = None) -> Any:
        create = call or (lambda completions: completions.create(model="m", messages=HELLO))
        return asyncio.run(run(script, plan, create, most, told))

    return calls


def test_an_answer(calls: Calls) -> None:
    told: list[Verdict] = []
    got = calls(replying(json_answer(chat_answer("a secret", "fine", tool_calls=[CALL]))), STRICT, told=told)
    assert type(got) is ChatCompletion
    got = cast("Any", got)
    assert [choice.message.content for choice in got.choices] == ["a [WORDS]", "fine"]
    assert json.loads(got.choices[1].message.tool_calls[0].function.arguments) == {"q": "[WORDS]"}
    assert got.usage.total_tokens == 2
    assert [(finding.where, finding.choice) for finding in told[1].findings] == [
        ("/choices/0/message/content", 0),
        ("/choices/0/message/tool_calls/0/function/arguments", 0),
        ("/choices/1/message/tool_calls/0/function/arguments", 1),
    ]


def test_an_answer_that_is_refused(calls: Calls) -> None:
    with pytest.raises(Refused, match="Not here") as raised:
        calls(replying(json_answer(chat_answer("fine", "a secret"))), REFUSES)
    assert raised.value.verdict.refused_choices == {1: "Not here."}


def test_what_was_parsed_follows_its_text(calls: Calls) -> None:
    def parse(completions: Any) -> Any:
        return completions.parse(model="m", messages=HELLO, response_format=Found)

    got = calls(replying(json_answer(chat_answer('{"key": "a secret"}'))), STRICT, parse)
    assert isinstance(got, ParsedChatCompletion)
    assert got.choices[0].message.parsed == Found(key="a [WORDS]")
    assert json.loads(got.choices[0].message.content or "") == {"key": "a [WORDS]"}


def test_a_raw_response_can_not_be_read(calls: Calls) -> None:
    def raw(completions: Any) -> Any:
        return completions.with_raw_response.create(model="m", messages=HELLO)

    with pytest.raises(Refused, match="has a part that this policy can't check"):
        calls(replying(json_answer(chat_answer("a secret"))), STRICT, raw)


def streaming(completions: Any) -> Any:
    return completions.create(model="m", messages=HELLO, stream=True)


def test_a_stream(calls: Calls) -> None:
    told: list[Verdict] = []
    events = chat_events("a sec", "ret and", " more ")
    out = calls(replying([head(), *map(chunk, events), LAST_CHUNK]), STRICT, streaming, told=told)
    assert "".join(one.choices[0].delta.content or "" for one in out) == "a [WORDS] and more "
    assert out[-1].choices[0].finish_reason == "stop"
    assert [(verdict.side, verdict.action) for verdict in told] == [
        ("prompt", Action.ALLOW), ("completion", Action.REWRITE)]  # fmt: skip


def test_a_stream_s_tool_calls_and_choices(calls: Calls) -> None:
    def call(fragment: str) -> Any:
        return {"tool_calls": [{"index": 0, "function": {"arguments": fragment}}]}

    values = [
        chat_chunk({"content": "a sec"}), chat_chunk(call('{"q": "sec'), index=1), chat_chunk({"content": "ret. "}),
        chat_chunk(call('ret"}'), index=1), chat_chunk(finish="stop"), chat_chunk(finish="tool_calls", index=1),
    ]  # fmt: skip
    events = [b"data: " + json.dumps(value).encode() + b"\n\n" for value in values]
    out = calls(replying([head(), chunk(b"".join(events) + b"data: [DONE]\n\n"), LAST_CHUNK]), STRICT, streaming)
    spoken = "".join(c.delta.content or "" for one in out for c in one.choices)
    asked = "".join(t.function.arguments for one in out for c in one.choices for t in c.delta.tool_calls or ())
    assert (spoken, json.loads(asked)) == ("a [WORDS]. ", {"q": "[WORDS]"})


def test_a_stream_that_is_refused(calls: Calls) -> None:
    with pytest.raises(Refused, match="Not here"):
        calls(hangs(head(), chunk(b"".join(chat_events("fine. ", "a secret. ", done=False)))), REFUSES, streaming)


def test_a_stream_that_is_left_early(calls: Calls) -> None:
    out = calls(hangs(head(), chunk(b"".join(chat_events("One. ", "Two. ", done=False)))), REFUSES, streaming, most=2)
    assert len(out) == 2


def test_a_stream_that_nobody_reads_is_closed() -> None:
    class Source:
        response = "its response"
        closed = False

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            raise AssertionError

        def close(self) -> None:
            self.closed = True

    source = Source()
    got: Any = Guard(REDACTS)(lambda: source)()
    assert got.response == "its response"
    with got:
        pass
    assert source.closed


def test_streams_are_told_by_what_they_have() -> None:
    for kind in (Stream, AsyncStream):
        assert {"response"} <= kind.__annotations__.keys()
        assert hasattr(kind, "close")


# --- What a function gets --------------------------------------------------------------------------------------------


def taken(plan: Plan, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """What a guarded function gets."""
    got: list[Any] = []

    @Guard(plan)
    def take(*args: Any, **kwargs: Any) -> None:
        got.extend((args, kwargs))

    take(*args, **kwargs)
    return got[0], got[1]


def test_messages_of_both_kinds_in_one_list() -> None:
    said = ChatCompletionMessage.model_validate({"role": "assistant", "content": "a secret", "tool_calls": [CALL]})
    messages = [{"role": "user", "content": "secret"}, said, {"role": "tool", "tool_call_id": "c1", "content": "x"}]
    (got,), _ = taken(STRICT, messages)
    assert got[0]["content"] == "[WORDS]"
    assert type(got[1]) is ChatCompletionMessage
    answered: Any = got[1]
    assert (answered.content, answered.tool_calls[0].function.arguments) == ("a [WORDS]", '{"q": "[WORDS]"}')
    assert got[2] is not messages[2]
    assert said.content == "a secret"


def test_requests_as_models_and_as_keywords() -> None:
    (got,), _ = taken(STRICT, Ask(question="a secret", notes=["secret"]))
    assert got == Ask(question="a [WORDS]", notes=["[WORDS]"])
    whole = plan_of({"id": "words", "use": WORDS, "where": {"kind": "tool_schema"}, "then": {"rewrite": "redact"}})
    tool = {"type": "function", "function": {"name": "look", "description": "a secret"}}
    _, given = taken(whole, messages=[{"role": "user", "content": "secret"}], tools=[tool], model="m")
    assert given["tools"][0]["function"]["description"] == "a [WORDS]"
    assert given["messages"] == [{"role": "user", "content": "secret"}]


def test_an_answer_as_an_argument() -> None:
    answer = ChatCompletion.model_validate(chat_answer("a secret"))
    (got,), _ = taken(STRICT, answer)
    assert got.choices[0].message.content == "a [WORDS]"


def test_the_model_whose_method_it_is_stays_itself() -> None:
    class Bot(BaseModel):
        name: str

        @Guard(REDACTS)
        def ask(self, question: str) -> tuple[int, str]:
            return id(self), question

    bot = Bot(name="secret")
    assert bot.ask("secret") == (id(bot), "[WORDS]")


def test_findings_say_where_in_a_model() -> None:
    verdict = Guard(REDACTS).check({"ask": Ask(question="x", notes=["y", "secret"])})
    finding: Finding = verdict.findings[0]
    assert finding.where == "/ask/notes/1"
    assert "/ask" not in verdict.coverage.scanned  # the names of its fields are nobody's words
