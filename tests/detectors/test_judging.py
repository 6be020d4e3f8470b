from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from judging import Model, Whole, judged_by
from lockgate.detectors.judging import JUDGES, Judge, JudgeError, client_judge, require_judge
from lockgate.detectors.protocol import OverloadError
from lockgate.errors import PolicyError

MESSAGES = [{"role": "user", "content": "the secret question"}]
SCHEMA = {"type": "object"}


def number(said: Any) -> int:
    if not isinstance(said, dict) or not isinstance(said.get("n"), int):
        raise ValueError("no number")  # noqa: TRY004 - what `read` raises
    found: int = said["n"]
    return found


async def ask(judge: Judge, about: str = "a") -> int:
    return await judge.judgement(MESSAGES, SCHEMA, number, name="number", about=[about])


def message(content: Any, finish: str | None = "stop", **more: Any) -> Whole:
    return Whole(
        choices=[{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}], **more
    )


async def test_a_question_goes_out_in_the_shape_of_the_api() -> None:
    model = Model(lambda _: {"n": 7})
    assert await ask(Judge(model, "m")) == 7
    assert model.asked == [
        {
            "model": "m",
            "messages": MESSAGES,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "number", "strict": True, "schema": SCHEMA},
            },
            "temperature": 0,
        }
    ]


@pytest.mark.parametrize(
    "said",
    [
        "no JSON",
        '{"n": 1} and more',
        '{"n": 1, "n": 2}',
        '{"n": NaN}',
        '{"m": 1}',
        "[" * 100_000,
        '{"n": 1' + " " * (1 << 20) + "}",
        message(None),
        message('{"n": 1}', "length"),
        message('{"n": 1}', None),
        Whole(choices=[]),
        Whole(choices="x"),
        Whole(),
        Whole(error={"message": "the secret question"}),
        Whole(choices=[{"message": {"refusal": "no", "content": None}, "finish_reason": "stop"}]),
    ],
    ids=range(15),
)
async def test_what_is_no_answer_is_a_failure_and_is_not_remembered(said: Any) -> None:
    model = Model(lambda _: said)
    judge = Judge(model, "m")
    for _ in range(2):
        with pytest.raises(JudgeError) as raised:
            await ask(judge)
        assert "secret" not in str(raised.value)
    assert len(model.asked) == 2
    assert judge.counts["failed"] == 2


async def test_the_same_is_asked_once_and_the_oldest_forgotten() -> None:
    model = Model(lambda _: {"n": 1})
    judge = Judge(model, "m", remembered=2)
    for about in ("a", "b", "a", "c", "a", "b"):
        await ask(judge, about)
    assert len(model.asked) == 4
    assert judge.counts["remembered"] == 2


async def test_no_more_is_asked_than_may_be_in_a_minute() -> None:
    now = 0.0
    judge = Judge(Model(lambda _: {"n": 1}), "m", per_minute=2, clock=lambda: now)
    await ask(judge, "a")
    await ask(judge, "b")
    with pytest.raises(OverloadError):
        await ask(judge, "c")
    await ask(judge, "a")  # it is remembered
    now = 30.0
    await ask(judge, "c")
    with pytest.raises(OverloadError):
        await ask(judge, "d")
    assert judge.counts["refused"] == 2


async def test_no_more_is_asked_at_once_than_may_be() -> None:
    gate = asyncio.Event()

    async def slow(_: Mapping[str, Any]) -> Mapping[str, Any]:
        await gate.wait()
        return message('{"n": 1}')

    judge = Judge(slow, "m", parallel=2)
    running = [asyncio.create_task(ask(judge, about)) for about in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(OverloadError):
        await ask(judge, "c")
    gate.set()
    assert await asyncio.gather(*running) == [1, 1]
    assert await ask(judge, "c") == 1


async def test_an_answer_that_does_not_come() -> None:
    async def never(_: Mapping[str, Any]) -> Mapping[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError

    judge = Judge(never, "m", timeout=0.01)
    with pytest.raises(TimeoutError):
        await ask(judge)
    assert judge.counts["failed"] == 1


async def test_a_model_that_takes_no_temperature_is_asked_without() -> None:
    def says(body: Mapping[str, Any]) -> Any:
        return Whole(error={"param": "temperature"}) if "temperature" in body else {"n": 1}

    model = Model(says)
    judge = Judge(model, "m")
    await ask(judge, "a")
    await ask(judge, "b")
    assert ["temperature" in body for body in model.asked] == [True, False, False]


async def test_an_error_of_a_client_says_nothing_of_the_question() -> None:
    async def broken(_: Mapping[str, Any]) -> Mapping[str, Any]:
        raise RuntimeError("the secret question")

    with pytest.raises(JudgeError) as raised:
        await ask(Judge(broken, "m"))
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


class _Answer:
    """What an SDK gives."""

    def model_dump(self) -> dict[str, Any]:
        return message('{"n": 3}')


class _Completions:
    def create(self, **body: Any) -> _Answer:
        assert body["model"] == "m"
        return _Answer()


class _AsyncCompletions:
    async def create(self, **body: Any) -> _Answer:
        assert body["model"] == "m"
        return _Answer()


class _Client:
    def __init__(self, completions: Any) -> None:
        self.chat = type("Chat", (), {"completions": completions})()


@pytest.mark.parametrize(
    "client", [_Client(_Completions()), _Client(_AsyncCompletions()), lambda _: message('{"n": 3}')]
)
async def test_a_client_of_anyone_s(client: Any) -> None:
    assert await ask(client_judge(client, "m")) == 3


def test_a_policy_that_needs_one_says_so() -> None:
    require_judge(False, hint="x")
    assert JUDGES.current is None
    with pytest.raises(PolicyError, match="none is configured"):
        require_judge(True, hint="x")
    with pytest.raises(JudgeError):
        JUDGES.need()
    with judged_by(lambda _: {}):
        require_judge(True, hint="x")
