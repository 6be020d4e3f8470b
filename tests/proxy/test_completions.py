"""The completions API through the whole proxy, plain and streamed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError

from fakes import LAST_CHUNK, chunk, head, http, json_answer, replying
from lockgate.policy.plan import Plan
from proxied import Proxy, Reply, events_of, proxied
from saying import DONE, data, patterns, plan_of, rule

PATH = "/v1/completions"
KEY = patterns(KEY=r"sk-[a-z0-9]{8}")
BOTH = ["prompt", "completion"]
REWRITE = plan_of(rule("keys", KEY, {"rewrite": "redact"}, side=BOTH))
REFUSE = plan_of(rule("keys", KEY, {"refuse": {"message": "No keys."}}, side=BOTH))
POLITE = plan_of(rule("keys", KEY, {"refuse": {"message": "No keys.", "status": 200}}, side="prompt"))
FLAG = plan_of(rule("keys", KEY, {"flag": {"notice": "A key."}}))
RECORD = plan_of(rule("keys", KEY, "record", side=BOTH))
ODD = b' {"prompt" : ["sk-abcd1234 \\ud83d\\/"],"temperature":1e3, "model":"m" ,"suffix": "\\u00e9"} \n'
ODD_ANSWER = (
    b'\n{"choices":[{"text":"sk-abcd1234 \\ud83d\\/","index":0,"logprobs":null,"finish_reason":"stop"}],\t"x":-0.0}\n'
)


def choice(text: str, index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish, **more}


def answer(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    top = {"id": "cmpl-7", "object": "text_completion", "created": 1700000000, "model": "m"}
    return {**top, "choices": list(choices), **more}


def piece(text: str, index: int = 0, finish: str | None = None, **more: Any) -> bytes:
    return data(answer(choice(text, index, finish, **more)))


async def ask(proxy: Proxy, prompt: Any = "hello", **more: Any) -> Reply:
    return await proxy.post(json.dumps({"model": "m", "prompt": prompt, **more}).encode(), target=PATH)


async def streamed(plan: Plan, *events: bytes, **more: Any) -> Reply:
    async with proxied(plan, replying([head(), *map(chunk, events), LAST_CHUNK])) as proxy:
        return await ask(proxy, stream=True, **more)


async def test_untouched_it_passes_byte_for_byte() -> None:
    async with proxied(RECORD, replying(http(ODD_ANSWER, b"Content-Type: application/json"))) as proxy:
        reply = await proxy.post(ODD, target=PATH)
        assert (proxy.requests[0].body, proxy.requests[0].target) == (ODD, PATH)
    assert (reply.status, reply.body) == (200, ODD_ANSWER)
    said = piece("a sk-abcd1234 b") + b": hi\n\n" + piece("", finish="stop") + DONE
    assert (await streamed(RECORD, said)).body == said


async def test_a_prompt_is_edited_where_it_stands() -> None:
    async with proxied(REWRITE, replying(json_answer(answer(choice("hi"))))) as proxy:
        await ask(proxy, ["one", "my sk-abcd1234"], suffix="and sk-abcd5678")
        sent = json.loads(proxy.requests[0].body)
    assert sent == {"model": "m", "prompt": ["one", "my [KEY]"], "suffix": "and [KEY]"}


async def test_a_refused_prompt_names_its_place() -> None:
    async with proxied(REFUSE, replying()) as proxy:
        reply = await ask(proxy, ["one", "my sk-abcd1234"])
        assert (reply.status, reply.error["code"], reply.error["param"]) == (400, "content_filter", "prompt[1]")
        reply = await ask(proxy, "my sk-abcd1234")
        assert reply.error["param"] == "prompt"
        assert proxy.requests == []


async def test_a_prompt_is_refused_in_the_shape_of_an_answer() -> None:
    async with proxied(POLITE, replying()) as proxy:
        reply = await ask(proxy, ["sk-abcd1234", "b"])
        assert (reply.status, reply.header("x-lockgate-action")) == (200, "refuse")
        refused = [choice("", i, "content_filter", refusal="No keys.") for i in (0, 1)]
        assert (reply.json["object"], reply.json["choices"]) == ("text_completion", refused)
        assert reply.json["lockgate"]["rules"] == ["keys"]
        said = events_of((await ask(proxy, "sk-abcd1234", stream=True)).body)
        assert [event["choices"] for event in said[:-1]] == [[choice("", 0, "content_filter", refusal="No keys.")]]
        assert said[-1] == "[DONE]"


@pytest.mark.parametrize(("unknown", "status"), [("allow", 200), ("refuse", 400)])
async def test_tokens_are_judged_by_what_the_policy_says_of_the_unknown(unknown: str, status: int) -> None:
    async with proxied(plan_of(unknown=unknown), replying(json_answer(answer(choice("hi"))))) as proxy:
        assert (await ask(proxy, [1, 2, 3])).status == status


async def test_an_answer_is_edited_and_flagged() -> None:
    logprobs = {
        "tokens": ["it is ", "sk-abcd1234"],
        "token_logprobs": [-1, -2],
        "top_logprobs": None,
        "text_offset": [0, 6],
    }
    said = [
        choice("fine", 0, "stop", logprobs={**logprobs, "tokens": ["fi", "ne"]}),
        choice("it is sk-abcd1234", 1, "stop", logprobs=logprobs),
    ]
    for plan, text in ((REWRITE, "it is [KEY]"), (FLAG, "it is sk-abcd1234")):
        async with proxied(plan, replying(json_answer(answer(*said, usage={"total_tokens": 3})))) as proxy:
            reply = await ask(proxy, n=2, logprobs=1)
        shown = reply.json
        assert shown["choices"][0] == said[0]
        assert shown["choices"][1]["text"] == text
        assert (shown["choices"][1]["logprobs"] is None) == (plan is REWRITE)
        assert shown["usage"] == {"total_tokens": 3}
        assert [flag["choice"] for flag in shown.get("lockgate", {}).get("flags", ())] == ([1] if plan is FLAG else [])


async def test_of_two_choices_one_is_refused() -> None:
    said = answer(choice("fine", 0, "stop"), choice("sk-abcd1234", 1, "stop"))
    async with proxied(REFUSE, replying(json_answer(said))) as proxy:
        reply = await ask(proxy, n=2)
    assert (reply.status, reply.header("x-lockgate-action")) == (200, "refuse")
    assert reply.json["choices"] == [said["choices"][0], choice("", 1, "content_filter", refusal="No keys.")]


async def test_the_prompt_that_an_answer_echoes_is_read_with_it() -> None:
    async with proxied(REWRITE, replying(json_answer(answer(choice("my sk-abcd1234 is"))))) as proxy:
        assert (await ask(proxy, "my", echo=True)).json["choices"][0]["text"] == "my [KEY] is"


@pytest.mark.parametrize("size", [1, 2, 5, 40])
async def test_a_stream_is_edited_as_the_whole(size: int) -> None:
    text = "it is sk-abcd1234, and sk-abcd5678 too"
    events = [piece(text[i : i + size]) for i in range(0, len(text), size)]
    reply = await streamed(REWRITE, *events, piece("", finish="stop"), DONE)
    said = events_of(reply.body)
    assert "".join(event["choices"][0]["text"] for event in said[:-1]) == "it is [KEY], and [KEY] too"
    assert said[-2:] == [answer(choice("", finish="stop")), "[DONE]"]


async def test_log_probabilities_of_a_stream_go_with_the_text() -> None:
    def token(text: str) -> bytes:
        return piece(
            text, logprobs={"tokens": [text], "token_logprobs": [-1], "top_logprobs": [{}], "text_offset": [0]}
        )

    reply = await streamed(
        REWRITE, token("so "), token("sk-abcd"), token("1234"), token(" it is"), piece("", finish="stop"), DONE
    )
    assert [e["choices"][0]["logprobs"] is None for e in events_of(reply.body)[:-2]] == [False, True, True, False]
    assert b"abcd" not in reply.body


async def test_of_two_streamed_choices_one_is_refused() -> None:
    both = data(answer(choice("one ", 0), choice("two ", 1)))
    last = data(answer(choice("sk-abcd1234 and so", 1), choice("c", 0)))
    reply = await streamed(REFUSE, both, last, piece("", 0, "stop"), piece("more", 1), DONE, n=2)
    said = [c for event in events_of(reply.body)[:-1] for c in event["choices"]]
    assert [c["text"] for c in said if c["index"] == 0] == ["one ", "c", ""]
    mine = [c for c in said if c["index"] == 1]
    assert [c["text"] for c in mine if c["text"]] == ["two "]
    assert [c for c in mine if c["finish_reason"]] == [choice("", 1, "content_filter", refusal="No keys.")]
    assert b"sk-" not in reply.body
    assert b"more" not in reply.body
    assert reply.body.endswith(DONE)


async def test_a_stream_that_is_refused_ends() -> None:
    reply = await streamed(REFUSE, piece("so: "), piece("sk-abcd1234 "), piece("and"))
    said = events_of(reply.body)
    assert [event["choices"][0]["finish_reason"] for event in said[:-1]] == [None, "content_filter"]
    assert said[-1] == "[DONE]"


async def test_flags_of_a_stream_stand_before_its_end() -> None:
    said = events_of((await streamed(FLAG, piece("sk-abcd1234"), piece("", finish="stop"), DONE)).body)
    assert [event["choices"][0]["finish_reason"] for event in said[:-1]] == [None, None, "stop"]
    assert [flag["name"] for flag in said[1]["lockgate"]["flags"]] == ["notice"]
    assert said[1]["id"] == "cmpl-7"


def client_of(proxy: Proxy) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{proxy.base}/v1", api_key="k", max_retries=0)


async def test_the_sdk_reads_all_of_it() -> None:
    told = json_answer(answer(choice("sk-abcd1234", finish="stop")))
    async with proxied(REWRITE, replying(told)) as proxy, client_of(proxy) as client:
        said = await client.completions.create(model="m", prompt="hello")
        assert said.choices[0].text == "[KEY]"
    streams = replying([head(), chunk(piece("sk-abcd1234 ")), LAST_CHUNK])
    async with proxied(REFUSE, streams) as proxy, client_of(proxy) as client:
        stream = await client.completions.create(model="m", prompt="hello", stream=True)
        assert [c.choices[0].finish_reason async for c in stream] == ["content_filter"]
        with pytest.raises(BadRequestError, match="No keys"):
            await client.completions.create(model="m", prompt="sk-abcd1234")
