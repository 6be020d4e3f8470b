"""The judge over HTTP, and a policy that asks it, between real sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakes import RawUpstream, chat_answer, json_answer, replying, sends
from judging import judged_by, violations
from lockgate.detectors.judging import JudgeError, run_judge
from lockgate.errors import PolicyError, SettingsError
from lockgate_proxy.judge import judge_of
from lockgate_proxy.serve import prepare
from lockgate_proxy.settings import Settings

KEY = "sk-of-the-judge"


def settings(url: str, **given: Any) -> Settings:
    return Settings.read(policy="default", upstream="https://host.test/v1", judge_url=url, judge_model="m", **given)


async def said(url: str, key: str = "", **given: Any) -> Any:
    judge = judge_of(settings(url, **given), key)
    assert judge is not None
    messages = [{"role": "user", "content": "the question, é \ud800"}]
    try:
        return await judge.judgement(messages, {"type": "object"}, lambda found: found, name="n", about=["x"])
    finally:
        await judge.close()


async def test_a_question_is_a_chat_completion() -> None:
    async with RawUpstream(replying(json_answer(chat_answer('{"a": 1}')))) as upstream:
        assert await said(upstream.url, KEY) == {"a": 1}
    [request] = upstream.requests
    assert (request.method, request.target) == ("POST", "/v1/chat/completions")
    assert request.header("authorization") == f"Bearer {KEY}"
    sent = json.loads(request.body)
    assert (sent["model"], sent["response_format"]["type"]) == ("m", "json_schema")


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        (replying(json_answer({"error": {"message": "the question"}}, status=b"500 Oops")), "error"),
        (replying(json_answer({}, status=b"502 Bad Gateway")), "502"),
        (replying(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<htm"), "200"),
        (sends(b"no HTTP"), "could not be asked"),
        (sends(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"), "could not be asked"),
        (replying(json_answer(["x"])), "200"),
    ],
    ids=range(6),
)
async def test_what_goes_wrong_is_said_without_the_question(script: Any, shown: str) -> None:
    async with RawUpstream(script) as upstream:
        with pytest.raises(JudgeError, match=shown) as raised:
            await said(upstream.url)
    assert "question" not in str(raised.value)


async def test_nobody_listens() -> None:
    with pytest.raises(JudgeError, match="unreachable"):
        await said("http://127.0.0.1:1/v1")


def test_settings_go_together(tmp_path: Any) -> None:
    for given, problem in [
        ({"judge_url": "https://j.test/v1"}, "judge_model"),
        ({"judge_model": "m"}, "judge_url"),
        ({"judge_key": "k"}, "judge_url"),
        ({"judge_url": "ftp://j.test", "judge_model": "m"}, "http"),
    ]:
        with pytest.raises(SettingsError, match=problem):
            Settings.read(policy="default", upstream="https://host.test/v1", **given)
    assert judge_of(Settings.read(policy="default", upstream="https://host.test/v1")) is None


def test_a_policy_that_asks_a_judge_does_not_start_without_one() -> None:
    with pytest.raises(PolicyError, match="judge_url"):
        prepare(Settings.read(policy="constitution", upstream="https://host.test/v1"))


def test_and_starts_with_one() -> None:
    try:
        ready = prepare(Settings.read(
            policy="constitution", upstream="https://host.test/v1", judge_url="https://j.test/v1", judge_model="m"
        ))  # fmt: skip
        assert ready.plan.judged
    finally:
        run_judge(None)


async def test_constitution_asks_one_question_for_all_its_rules() -> None:
    from lockgate import load_policy
    from lockgate.exchange import Exchange, Reading, Segment
    from lockgate.passage import Passage
    from lockgate.policy.compile import compile_policy

    plan = compile_policy(load_policy("constitution"))
    answer = Reading([Segment("/choices/0/message/content", "assistant", "text", "It sank in 1912.", 0)])
    with judged_by(lambda _: violations()) as model:
        verdict = await Passage(plan, Exchange("01", "chat")).answer(answer)
    assert len(model.asked) == 1
    assert not verdict.failures
