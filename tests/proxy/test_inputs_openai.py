"""Embeddings and models as the `openai` client sees them through the proxy."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from fakes import Script, http, json_answer, replying
from proxied import Proxy, proxied
from saying import plan_of, rule, words

PLAN = plan_of(
    rule("stop", words("plugh"), {"refuse": {"status": 200}}, side=["prompt", "completion"]),
    rule("mask", words("xyzzy"), {"rewrite": "mask"}, side="prompt"),
)
VECTOR = [0.5, -0.0, 1e-45]
PACKED = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()


def embedding(vector: str) -> bytes:
    """An answer spelled as no serialiser of ours would."""
    return (
        b'{ "object":"list","data" : [{"object":"embedding", "index":0,"embedding":%b}],\n "model":"m\\u002d1",'
        b'"usage":{"prompt_tokens":1,"total_tokens":1}}' % vector.encode()
    )


async def asked(script: Script, act: Any, **given: Any) -> tuple[Any, Proxy]:
    async with (
        proxied(given.pop("plan", PLAN), script, **given) as proxy,
        AsyncOpenAI(base_url=f"{proxy.base}/v1", api_key="k", max_retries=0, timeout=10) as client,
    ):
        return await act(client), proxy


async def test_vectors_come_in_base64_unless_asked_otherwise() -> None:
    said, proxy = await asked(
        replying(http(embedding(f'"{PACKED}"'), b"Content-Type: application/json")),
        lambda client: client.embeddings.create(model="m", input=["a text", "another"]),
    )
    assert json.loads(proxy.requests[0].body)["encoding_format"] == "base64"
    assert said.data[0].embedding == pytest.approx(VECTOR)


@pytest.mark.parametrize("vector", [f'"{PACKED}"', "[0.50, -0.0,1e-45, 12345678901234567890]"])
async def test_the_answer_is_not_touched(vector: str) -> None:
    raw, _ = await asked(
        replying(http(embedding(vector), b"Content-Type: application/json")),
        lambda client: client.embeddings.with_raw_response.create(
            model="m", input="say xyzzy", encoding_format="float"
        ),
    )
    assert raw.content == embedding(vector)
    assert raw.headers["x-lockgate-action"] == "rewrite"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("say xyzzy", "say *****"),
        (["one", "xyzzy"], ["one", "*****"]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        ([1, 2], [1, 2]),
    ],
)
async def test_what_is_embedded_is_a_prompt(given: Any, sent: Any) -> None:
    _, proxy = await asked(
        replying(json_answer(json.loads(embedding(f'"{PACKED}"')))),
        lambda client: client.embeddings.create(model="m", input=given),
    )
    assert json.loads(proxy.requests[0].body)["input"] == sent


async def test_tokens_are_judged_as_unknown() -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await asked(
            replying(json_answer({})),
            lambda client: client.embeddings.create(model="m", input=[1, 2]),
            plan=plan_of(unknown="refuse"),
        )
    assert caught.value.code == "content_filter"


async def test_a_refusal_is_an_error_whatever_its_status() -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await asked(replying(json_answer({})), lambda client: client.embeddings.create(model="m", input=["a", "plugh"]))
    assert (caught.value.code, caught.value.param) == ("content_filter", "input[1]")


async def test_an_error_of_the_upstreams_is_looked_at() -> None:
    answer = json_answer({"error": {"message": "no plugh here", "type": "x"}}, status=b"404 Not Found")
    with pytest.raises(openai.NotFoundError) as caught:
        await asked(replying(answer), lambda client: client.embeddings.create(model="m", input="a"))
    assert caught.value.code == "content_filter"


MODEL = {"id": "org/model:latest", "object": "model", "created": 1, "owned_by": "org"}


async def test_models_are_listed() -> None:
    said, proxy = await asked(
        replying(json_answer({"object": "list", "data": [MODEL]})), lambda client: client.models.list()
    )
    assert [one.id for one in said.data] == ["org/model:latest"]
    assert proxy.requests[0].target == "/v1/models"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("gpt-5-mini", "/v1/models/gpt-5-mini"),
        ("org/model:latest", "/v1/models/org%2Fmodel:latest"),
        ("ft:gpt-5:org::ab cd", "/v1/models/ft:gpt-5:org::ab%20cd"),
    ],
)
async def test_a_models_name_reaches_the_upstream_as_it_was_written(name: str, target: str) -> None:
    said, proxy = await asked(replying(json_answer(MODEL)), lambda client: client.models.retrieve(name))
    assert said.id == MODEL["id"]
    assert proxy.requests[0].target == target
