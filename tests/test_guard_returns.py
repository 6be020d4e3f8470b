"""What a guarded function returns is told by what it is, however the function was written; and generators are talked to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Generator
from typing import Any

import pytest

from compiling import WORDS, plan_of
from lockgate import Guard, Refused, Verdict

REDACTS = plan_of({"id": "words", "use": WORDS, "then": {"rewrite": "redact"}})
REFUSES = plan_of({"id": "words", "use": WORDS, "then": {"refuse": {"message": "Not here."}}})


async def later(text: str) -> str:
    await asyncio.sleep(0)
    return f"secret {text}"


async def pieces(text: str) -> AsyncGenerator[str, None]:
    for piece in ("a sec", "ret ", text):
        yield piece


def returns_later(text: str) -> Awaitable[str]:
    return later(text)


def returns_pieces(text: str) -> AsyncGenerator[str, None]:
    return pieces(text)


def test_a_plain_function_that_returns_a_coroutine() -> None:
    told: list[Verdict] = []
    guarded: Any = Guard(REDACTS, on_verdict=told.append)(returns_later)
    assert asyncio.run(guarded("my secret")) == "[WORDS] my [WORDS]"
    assert [(verdict.side, verdict.action.word) for verdict in told] == [
        ("prompt", "rewrite"),
        ("completion", "rewrite"),
    ]
    refused: Any = Guard(REFUSES)(returns_later)
    with pytest.raises(Refused):
        asyncio.run(refused("x"))


def test_a_plain_function_that_returns_a_task() -> None:
    async def main() -> None:
        def begin(text: str) -> asyncio.Future[str]:
            return asyncio.ensure_future(later(text))

        guarded: Any = Guard(REDACTS)(begin)
        task = guarded("x")
        assert isinstance(task, asyncio.Task)
        assert await task == "[WORDS] x"

    asyncio.run(main())


@pytest.mark.parametrize("how", ["plain", "coroutine"])
def test_a_function_that_returns_an_async_generator(how: str) -> None:
    async def coroutine(text: str) -> AsyncGenerator[str, None]:
        await asyncio.sleep(0)
        return pieces(text)

    async def main(plan: Any) -> str:
        guarded: Any = Guard(plan)(coroutine if how == "coroutine" else returns_pieces)
        got = guarded("my secret")
        stream = await got if isinstance(got, Awaitable) else got
        return "".join([piece async for piece in stream])

    assert asyncio.run(main(REDACTS)) == "a [WORDS] my [WORDS]"
    with pytest.raises(Refused):
        asyncio.run(main(REFUSES))


def test_a_coroutine_that_returns_a_generator() -> None:
    async def coroutine() -> Generator[str, None, None]:
        return (piece for piece in ("a sec", "ret"))

    assert "".join(asyncio.run(Guard(REDACTS)(coroutine)())) == "a [WORDS]"


def chat() -> Generator[str, str, str]:
    """Says back what it is sent, and what is thrown at it."""
    said = "Hello. "
    while said != "bye":
        try:
            said = (yield f"{said} ") or "nothing"
        except KeyError as error:
            said = f"caught {error.args[0]}"
    return "a last secret"


async def chat_later() -> AsyncGenerator[str, str]:
    said = "Hello. "
    while said != "bye":
        try:
            said = (yield f"{said} ") or "nothing"
        except KeyError as error:
            said = f"caught {error.args[0]}"


def test_what_is_sent_and_thrown_reaches_a_generator() -> None:
    got = Guard(REDACTS)(chat)()
    assert next(got) == "Hello.  "
    assert got.send("one, ") == "one,  "
    assert got.send("a secret, ") == "a [WORDS],  "
    assert next(got) == "nothing "
    assert got.throw(KeyError("it")) == "caught it "
    with pytest.raises(StopIteration) as stopped:
        got.send("bye")
    assert stopped.value.value == "a last [WORDS]"


async def test_what_is_sent_and_thrown_reaches_an_async_generator() -> None:
    got = Guard(REDACTS)(chat_later)()
    assert await anext(got) == "Hello.  "
    assert await got.asend("a secret, ") == "a [WORDS],  "
    assert await anext(got) == "nothing "
    assert await got.athrow(KeyError("it")) == "caught it "
    with pytest.raises(StopAsyncIteration):
        await got.asend("bye")


def test_an_error_that_a_generator_does_not_catch_ends_it() -> None:
    got = Guard(REDACTS)(chat)()
    next(got)
    with pytest.raises(ValueError, match="other"):
        got.throw(ValueError("other"))
    assert list(got) == []


async def test_an_error_that_an_async_generator_does_not_catch_ends_it() -> None:
    got = Guard(REDACTS)(chat_later)()
    await anext(got)
    with pytest.raises(ValueError, match="other"):
        await got.athrow(ValueError("other"))
    assert [piece async for piece in got] == []


def test_what_a_generator_returns_is_guarded_too() -> None:
    def returns() -> Generator[str, None, str]:
        yield "fine"
        return "a secret"

    with pytest.raises(Refused):
        list(Guard(REFUSES)(returns)())
