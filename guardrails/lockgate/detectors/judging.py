"""A language model of the operator's choosing that is asked for judgements: one of it in a process.

There is no socket here. `ask` is given the body of a chat completion request, and gives the body of its answer; the
proxy has one over HTTP, and whoever uses the decorator gives a client of theirs, or a function. What comes back counts
only if it has the shape that was asked for: all else is a failure, and never "fine".
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from lockgate.detectors.protocol import OverloadError
from lockgate.errors import LockgateError, PolicyError

Ask = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""The body of a chat completion request → the body of its answer, or of the error that came in its place."""

T = TypeVar("T")

_MINUTE = 60.0
_LONGEST = 1 << 20  # characters of a judgement: more is none


class JudgeError(LockgateError):
    """The judge gave no judgement. The message holds nothing that it was asked, or said."""


class Judge:
    """`model` is its name there; `timeout` in seconds, for one question; `per_minute` how many questions it is asked at
    most, and `parallel` how many at once: beyond, OverloadError. `remembered` judgements are kept, by their questions'
    hash. `temperature` 0 is asked for, until the model says that it takes none."""

    def __init__(
        self,
        ask: Ask,
        model: str,
        *,
        timeout: float = 20.0,
        per_minute: int = 600,
        parallel: int = 32,
        remembered: int = 4096,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self._ask = ask
        self._timeout = timeout
        self._per_minute = per_minute
        self._parallel = parallel
        self._most = remembered
        self._clock = clock
        self._left = float(per_minute)
        self._since = clock()
        self._running = 0
        self._warm = True  # a temperature is sent
        self._known: OrderedDict[bytes, Any] = OrderedDict()
        self.counts = {"asked": 0, "remembered": 0, "failed": 0, "refused": 0}

    async def judgement(
        self,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Any],
        read: Callable[[Any], T],
        *,
        name: str,
        about: Sequence[Any],
    ) -> T:
        """What the judge says, as `read` makes it of a JSON document of `schema`; `read` raises ValueError for one that is
        not. `about` is what the question depends on: the same twice is asked once.

        Raises JudgeError, OverloadError, TimeoutError.
        """
        key = hashlib.blake2b(json.dumps([self.model, name, *about]).encode(), digest_size=16).digest()
        if key in self._known:
            self.counts["remembered"] += 1
            self._known.move_to_end(key)
            known: T = self._known[key]
            return known
        self._admit()
        self._running += 1
        try:
            async with asyncio.timeout(self._timeout):
                said = await self._answer(messages, schema, name)
            found = read(_document(said))
        except (ValueError, RecursionError):
            self.counts["failed"] += 1
            raise JudgeError("the judge's answer has not the shape that it was asked for") from None
        except BaseException:
            self.counts["failed"] += 1
            raise
        finally:
            self._running -= 1
        self._known[key] = found
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return found

    async def close(self) -> None:
        """Close what `ask` keeps open, if it can be closed."""
        close = getattr(self._ask, "close", None)
        if close is not None:
            await close()

    def _admit(self) -> None:
        """Count a question against what may be asked in a minute, and at once."""
        now = self._clock()
        self._left = min(self._per_minute, self._left + (now - self._since) * self._per_minute / _MINUTE)
        self._since = now
        if self._left < 1 or self._running >= self._parallel:
            self.counts["refused"] += 1
            raise OverloadError("the judge is asked more than it may be")
        self._left -= 1
        self.counts["asked"] += 1

    async def _answer(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any], name: str) -> str:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(messages),
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": name, "strict": True, "schema": schema},
            },
        }
        answer = await self._once({**body, "temperature": 0} if self._warm else body)
        if self._warm and _about_temperature(answer):
            self._warm = False
            answer = await self._once(body)
        return _content(answer)

    async def _once(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            answer = await self._ask(body)
        except (LockgateError, TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 - a client of anyone's; what it says may quote the question
            param = getattr(error, "param", None)
            if param == "temperature":
                return {"error": {"param": param}}
            raise JudgeError(f"the judge could not be asked: {type(error).__name__}") from None
        if not isinstance(answer, Mapping):
            raise JudgeError("the judge's answer is no JSON object")
        return answer


def _about_temperature(answer: Mapping[str, Any]) -> bool:
    error = answer.get("error")
    return isinstance(error, Mapping) and error.get("param") == "temperature"


def _content(answer: Mapping[str, Any]) -> str:
    """The text of a whole answer. Raises JudgeError for an error, a refusal, and what was cut."""
    if answer.get("error") is not None:
        raise JudgeError("the judge answered with an error")
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(content, str) or choice.get("finish_reason") != "stop":
        raise JudgeError("the judge did not answer, or not to the end")
    return content


def _document(text: str) -> Any:
    """Raises ValueError for what is no JSON, names a key twice, or has numbers that are none."""
    if len(text) > _LONGEST:
        raise ValueError("too long")
    return json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


class Judges:
    """This process's judge."""

    def __init__(self) -> None:
        self.current: Judge | None = None

    def need(self) -> Judge:
        """Raises JudgeError where there is none."""
        if self.current is None:
            raise JudgeError("no judge is configured")
        return self.current


JUDGES = Judges()


def run_judge(judge: Judge | None) -> None:
    """Whom this process asks for judgements from now on."""
    JUDGES.current = judge


def require_judge(wanted: bool, *, hint: str) -> None:
    """Raises PolicyError where a policy asks for judgements and nobody is there to give them."""
    if wanted and JUDGES.current is None:
        raise PolicyError("the policy asks a judge, and none is configured", hint=hint)


def client_judge(client: Any, model: str, **options: Any) -> Judge:
    """A judge behind an OpenAI client (`OpenAI`, `AsyncOpenAI`, or one that has `chat.completions.create`), or behind a
    function: body of a chat completion request → body of its answer, async or not. `options` are `Judge`'s."""
    chat = getattr(client, "chat", None)
    call = client if chat is None else chat.completions.create

    async def ask(body: Mapping[str, Any]) -> Mapping[str, Any]:
        def send() -> Any:
            return call(body) if chat is None else call(**body)

        answer = send() if _is_async(call) else await asyncio.to_thread(send)
        if inspect.isawaitable(answer):
            answer = await answer
        found: Mapping[str, Any] = answer.model_dump() if hasattr(answer, "model_dump") else answer
        return found

    return Judge(ask, model, **options)


def _is_async(call: Any) -> bool:
    plain = inspect.unwrap(call)
    return inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(getattr(plain, "__call__", None))  # noqa: B004 - its method is asked about
