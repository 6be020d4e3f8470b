"""`.parse()` with pydantic models, by the real client through the proxy: what it parses is what the guard let through."""

from __future__ import annotations

import json

import pytest
from openai import AsyncOpenAI, ContentFilterFinishReasonError
from pydantic import BaseModel

from asking import HELLO
from fakes import chat_answer, json_answer, replying
from proxied import proxied
from saying import patterns, plan_of, rule, words

PLAN = plan_of(
    rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}),
    rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}),
)


class Found(BaseModel):
    name: str
    key: str
    count: int


async def parsed(name: str, key: str) -> Found | None:
    said = json.dumps({"name": name, "key": key, "count": 3})
    async with proxied(PLAN, replying(json_answer(chat_answer(said)))) as proxy:
        async with AsyncOpenAI(base_url=f"{proxy.base}/v1", api_key="sk-test", max_retries=0, timeout=10) as client:
            got = await client.chat.completions.parse(model="m", messages=HELLO, response_format=Found)
        schema = json.loads(proxy.requests[0].body)["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["name", "key", "count"]
    return got.choices[0].message.parsed


@pytest.mark.parametrize("name", ["Ann", 'A "quoted" \\ name', "Zoë 😀"])
async def test_an_edited_answer_is_still_what_was_asked_for(name: str) -> None:
    assert await parsed(name, "it is sk-abcd1234") == Found(name=name, key="it is [KEY]", count=3)


async def test_a_refused_answer_is_no_broken_json() -> None:
    with pytest.raises(ContentFilterFinishReasonError):
        await parsed("plugh", "none")
