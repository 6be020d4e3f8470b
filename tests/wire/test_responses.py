"""The Responses API through the proxy, asked by the real `openai` client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from fakes import LAST_CHUNK, Script, chunk, head, http, json_answer, replying, sends
from lockgate.errors import WireError
from lockgate.exchange import Exchange, Segment
from lockgate.policy.plan import Plan
from lockgate.verdict import Edit
from lockgate.wire.responses import InputTokens, ResponsesLens, StoredItems, StoredResponse
from proxied import proxied
from responding import call, cites, events, message, output_text, response, thought, wire
from saying import patterns, plan_of, rule, words

BOTH = ["prompt", "completion"]
KEYS = rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact", "flag": {"notice": "A key."}}, side=BOTH)
STOP = rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}, side=BOTH)
MILD = rule("mild", words("xyzzy"), {"refuse": {"message": "Not here.", "status": 200}}, side=["prompt"])
PLAN = plan_of(KEYS, STOP, MILD)


@asynccontextmanager
async def asked(script: Script, plan: Plan = PLAN) -> AsyncIterator[tuple[AsyncOpenAI, Any]]:
    async with proxied(plan, script) as running:
        client = AsyncOpenAI(base_url=f"{running.base}/v1", api_key="k", max_retries=0)
        async with client:
            yield client, running


def streaming(whole: dict[str, Any], size: int = 5) -> Script:
    return replying([head(), *(chunk(wire(event)) for event in events(whole, size)), LAST_CHUNK])


async def test_plain() -> None:
    whole = response(
        thought("sk-abcd1234"), message(output_text("it is sk-abcd1234!", [cites(17, 18)])), call('"sk-abcd1234"')
    )
    async with asked(replying(json_answer(whole))) as (client, running):
        got: Any = await client.responses.create(model="m", instructions="Be kind.", input="my key: sk-zzzz9999")
        assert json.loads(running.upstream.requests[-1].body)["input"] == "my key: [KEY]"
    assert got.output_text == "it is [KEY]!"
    assert got.output[0].summary[0].text == "[KEY]"
    assert got.output[2].arguments == '"[KEY]"'
    assert got.output[1].content[0].annotations[0].start_index == 11
    assert got.lockgate["flags"][0]["name"] == "notice"


async def test_a_refused_prompt() -> None:
    async with asked(replying(json_answer(response()))) as (client, _):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(model="m", input=[{"role": "user", "content": "say plugh"}])
    assert (caught.value.code, caught.value.param) == ("content_filter", "input[0]")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_refused_in_an_answer(stream: bool) -> None:
    async with asked(replying(json_answer(response()))) as (client, running):
        got: Any = await client.responses.create(model="m", input="say xyzzy", stream=stream)
        if stream:
            got = [event async for event in got][-1].response
        assert running.upstream.requests == []
    assert (got.status, got.incomplete_details.reason) == ("incomplete", "content_filter")
    assert got.output[0].content[0].refusal == "Not here."


async def test_a_refused_answer() -> None:
    async with asked(replying(json_answer(response(message(output_text("plugh")))))) as (client, _):
        got: Any = await client.responses.create(model="m", input="hello")
    assert (got.status, got.incomplete_details.reason, got.output_text) == ("incomplete", "content_filter", "")
    assert got.output[0].content[0].refusal == "Not that word."
    assert got.lockgate["rules"] == ["stop"]


async def test_a_stream() -> None:
    whole = response(thought("hm"), message(output_text("it is sk-abcd1234!")), call('"sk-abcd1234"'))
    async with asked(streaming(whole)) as (client, _), client.responses.stream(model="m", input="hello") as stream:
        said = [event async for event in stream]
        final: Any = await stream.get_final_response()
    assert "".join(event.delta for event in said if event.type == "response.output_text.delta") == "it is [KEY]!"
    assert final.output_text == "it is [KEY]!"
    assert final.output[2].arguments == '"[KEY]"'
    assert final.lockgate["flags"][0]["text"] == "A key."


async def test_a_refusal_in_a_stream() -> None:
    whole = response(message(output_text("the word is plugh, I say")))
    async with asked(streaming(whole)) as (client, _), client.responses.stream(model="m", input="hello") as stream:
        said: list[Any] = [event async for event in stream]
    assert said[-1].type == "response.incomplete"
    assert said[-1].response.output[0].content[-1].refusal == "Not that word."
    assert said[-1].response.output[0].content[0].text.startswith("the word")
    assert [event.sequence_number for event in said] == list(range(len(said)))


class Answer(BaseModel):
    key: str


async def test_parsed() -> None:
    async with asked(replying(json_answer(response(message(output_text('{"key": "sk-abcd1234"}')))))) as (client, _):
        got = await client.responses.parse(model="m", input="hello", text_format=Answer)
    assert got.output_parsed == Answer(key="[KEY]")


async def test_bytes_that_no_rule_edits() -> None:
    body = json.dumps(response(message(output_text("all is well"))), indent=1).encode()
    whole = response(message(output_text("all is well")))
    async with asked(replying(http(body, b"Content-Type: application/json"))) as (client, _):
        raw = await client.responses.with_raw_response.create(model="m", input="hello")
        assert raw.content == body
    async with asked(streaming(whole)) as (client, _):
        answer = await client.responses.with_raw_response.create(model="m", input="hello", stream=True)
        assert await answer.http_response.aread() == b"".join(map(wire, events(whole, 5)))


async def test_an_upstream_that_breaks_off() -> None:
    said = events(response(message(output_text("all is well"))))[:6]
    async with asked(sends(head(), *(chunk(wire(event)) for event in said))) as (client, _):
        stream = await client.responses.create(model="m", input="hello", stream=True)
        with pytest.raises(openai.APIError) as caught:
            [event async for event in stream]
    assert caught.value.code == "upstream_broken"


def test_an_answer_repeats_what_was_sent() -> None:
    exchange = Exchange("X", "responses", prompt=[Segment("/instructions", "system", "text", "my key")])
    lens = ResponsesLens().answering(exchange, [Edit("/instructions", (3, 6), "[KEY]")])
    whole = response(instructions="my [KEY]")
    assert "/instructions" not in {segment.where for segment in lens.read_answer(whole).segments}
    assert "/instructions" not in {
        d.channel for d in lens.read_event({"type": "response.created", "response": whole}).deltas
    }
    other = response(instructions="my key")
    assert "/instructions" in {segment.where for segment in lens.read_answer(other).segments}


def test_nothing_of_a_refused_answer_stays_but_keep_alives() -> None:
    lens = ResponsesLens()
    assert lens.strip({"type": "keepalive"}, {0}) == {}
    assert lens.strip({"type": "response.created"}, {0}) is None
    assert lens.strip({"type": "response.created"}, set()) == {}


def test_what_telemetry_reads() -> None:
    assert ResponsesLens().told({"type": "response.completed", "response": {"id": "r"}}) == {"id": "r"}
    assert ResponsesLens().told({"id": "r"}) == {"id": "r"}


def test_a_page_of_items_has_nothing_to_refuse_by_itself() -> None:
    page = {"object": "list", "data": [message(output_text("hi"))]}
    assert [segment.text for segment in StoredItems().read_answer(page).segments] == ["hi"]
    assert StoredItems().choices(page) == InputTokens().choices({"input_tokens": 1}) == 0


def test_what_a_stored_response_is_asked_with() -> None:
    assert StoredResponse().read_request(None).segments == []
    assert StoredResponse().read_request({"a": 1}).unknown == ["/a"]
    with pytest.raises(WireError):
        StoredResponse().read_request([])


async def test_what_was_said_in_the_background_is_guarded_when_it_is_fetched() -> None:
    queued = response(status="queued", background=True)
    whole = response(message(output_text("it is sk-abcd1234!")), background=True)
    page = {
        "object": "list",
        "data": [{"id": "msg_0", "type": "message", "role": "user", "content": "sk-abcd1234"}],
        "has_more": False,
    }
    answers = replying(json_answer(queued), json_answer(whole), json_answer(page))
    async with asked(answers) as (client, running):
        first = await client.responses.create(model="m", input="hello", background=True)
        got = await client.responses.retrieve(first.id)
        items: Any = await client.responses.input_items.list(first.id)
    assert (first.status, got.output_text) == ("queued", "it is [KEY]!")
    assert items.data[0].content == "[KEY]"
    assert [request.target for request in running.upstream.requests[1:]] == [
        "/v1/responses/resp_1", "/v1/responses/resp_1/input_items",
    ]  # fmt: skip


async def test_tokens_are_counted_of_what_may_be_sent() -> None:
    async with asked(replying(json_answer({"object": "response.input_tokens", "input_tokens": 3}))) as (
        client,
        running,
    ):
        got = await client.responses.input_tokens.count(model="m", input="my key: sk-zzzz9999")
        assert json.loads(running.upstream.requests[-1].body)["input"] == "my key: [KEY]"
    assert got.input_tokens == 3
