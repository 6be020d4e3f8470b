"""The decorator: the same engine as the proxy's, around a Python function.

    @guard("policies/strict.yaml")
    def ask(question: str) -> str: ...

Works on plain functions, coroutines, generators and async generators. Every argument that holds text (a text, chat
messages, any container) is the prompt; what is returned, or yielded piece by piece, is the completion. A refusal raises
`Refused`, a guard that failed closed raises `GuardUnavailable`; everything else gives the edited value.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, ParamSpec, TypeVar

from lockgate.background import BACKGROUND
from lockgate.detectors.judging import require_judge
from lockgate.engine import Engine
from lockgate.errors import GuardUnavailable, Refused
from lockgate.exchange import Exchange, Reading, Side, Subject
from lockgate.ids import new_id
from lockgate.masks import PROCESS, Masker
from lockgate.passage import Passage
from lockgate.pieces import AsyncGuardedStream, GuardedStream, Pieces, raise_for
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Verdict
from lockgate.wire.chunks import CHANNEL
from lockgate.wire.pointer import escape, tokens
from lockgate.wire.values import edit_value, is_text, read_argument, read_value

_log = logging.getLogger("lockgate")

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_OWN = frozenset({"self", "cls"})  # whose method it is: no prompt, though a model may hold texts

PolicyLike = str | os.PathLike[str] | Policy | Plan


class Guard:
    """A policy, ready to guard functions and values.

    `policy` is a path, the name of a policy that comes with Lockgate, a `Policy`, or a `Plan`. `prompt` names the
    arguments that are the prompt (all that hold text unless said), `context` those that hold documents: what is answered
    should rest on them. `tags` and `model` are shown to conditions as
    `request.tags` and `request.model`. `on_verdict` is called with every verdict, flags included. `mask_key` is the key of hashes and
    pseudonyms, by default LOCKGATE_MASK_KEY of the environment; without one they last as long as the process.

    `country` and `language` are the asker's, for principles that hold in some places only.

    Models that the policy asks are loaded here. Raises PolicyError, also where they can't be run, and where the policy asks
    a judge and none was given by `run_judge`.
    """

    def __init__(
        self,
        policy: PolicyLike,
        *,
        prompt: str | Sequence[str] | None = None,
        context: str | Sequence[str] = (),
        tags: Sequence[str] = (),
        model: str = "",
        on_verdict: Callable[[Verdict], object] | None = None,
        engine: Engine | None = None,
        mask_key: bytes | None = None,
        country: str = "",
        language: str = "",
    ) -> None:
        self.plan = plan_for(policy)
        warm()
        require_judge(self.plan.judged, hint="call lockgate.run_judge(lockgate.client_judge(client, model=NAME)) first")
        self._prompt = (prompt,) if isinstance(prompt, str) else None if prompt is None else tuple(prompt)
        self._context = (context,) if isinstance(context, str) else tuple(context)
        self._subject = Subject(model=model, tags=tuple(tags), country=country, language=language)
        self._on_verdict = on_verdict
        self._engine = engine or Engine()
        key = mask_key or os.environ.get("LOCKGATE_MASK_KEY", "").encode()
        self._masker = Masker(key) if key else PROCESS
        if any(plan.masks for plan in self.plan.every) and not key:
            _log.warning("no mask key is given: after a restart, values have other masks, and prompt caches miss")

    # The verdict alone.

    async def acheck(self, value: Any, *, side: Side = "prompt") -> Verdict:
        """What the policy says of `value`: a text, chat messages, or any container of texts. Raises nothing."""
        reading = Reading()
        read_value(reading, CHANNEL, value, "user" if side == "prompt" else "assistant", _choice(side))
        passage = self._passage()
        return await (passage.prompt(reading) if side == "prompt" else passage.answer(reading))

    def check(self, value: Any, *, side: Side = "prompt") -> Verdict:
        """`acheck`, for callers that are not async."""
        return BACKGROUND.run(self.acheck(value, side=side))

    def edited(self, value: T, verdict: Verdict) -> T:
        """`value` as `verdict` (of `check`) lets it through. Raises Refused and GuardUnavailable."""
        raise_for(verdict)
        result: T = edit_value(value, verdict.edits)
        return result

    # Around a function.

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Wrap `function`. Its kind (async, generator, …) stays as it is."""
        signature = inspect.signature(function)
        self._require_names(signature, function)
        wrapper: Any
        if inspect.isasyncgenfunction(function):
            wrapper = self._async_generator(function, signature)
        elif inspect.iscoroutinefunction(function):
            wrapper = self._coroutine(function, signature)
        elif inspect.isgeneratorfunction(function):
            wrapper = self._generator(function, signature)
        else:
            wrapper = self._plain(function, signature)
        wrapped: Callable[P, R] = functools.update_wrapper(wrapper, function)
        return wrapped

    def _plain(self, function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            passage = self._passage()
            bound, reading = self._read(signature, args, kwargs)
            self._admit(bound, BACKGROUND.run(passage.prompt(reading)))
            value = function(*bound.args, **bound.kwargs)
            if inspect.isawaitable(value):
                guarded = self._awaited(passage, value)
                return asyncio.ensure_future(guarded) if asyncio.isfuture(value) else guarded
            streamed = self._as_stream(passage, value)
            if streamed is not None:
                return streamed
            return self._release(value, passage, BACKGROUND.run(passage.answer(_said(value))))

        return call

    def _coroutine(self, function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            passage = self._passage()
            bound, reading = self._read(signature, args, kwargs)
            self._admit(bound, await passage.prompt(reading))
            return await self._awaited(passage, function(*bound.args, **bound.kwargs))

        return call

    async def _awaited(self, passage: Passage, coroutine: Awaitable[Any]) -> Any:
        value = await coroutine
        streamed = self._as_stream(passage, value)
        if streamed is not None:
            return streamed
        return self._release(value, passage, await passage.answer(_said(value)))

    def _generator(self, function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            passage = self._passage(stream=True)
            bound, reading = self._read(signature, args, kwargs)
            self._admit(bound, BACKGROUND.run(passage.prompt(reading)))
            return (yield from self._streamed(passage, function(*bound.args, **bound.kwargs)))

        return call

    def _async_generator(self, function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            passage = self._passage(stream=True)
            bound, reading = self._read(signature, args, kwargs)
            self._admit(bound, await passage.prompt(reading))
            pieces = self._async_streamed(passage, function(*bound.args, **bound.kwargs))
            # As `yield from` would do it: what is sent and thrown goes on to the function.
            step: Callable[[], Awaitable[Any]] = partial(anext, pieces)
            try:
                while True:
                    try:
                        piece = await step()
                    except StopAsyncIteration:
                        return
                    try:
                        step = partial(pieces.asend, (yield piece))
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # noqa: BLE001 - it is the function's to handle
                        step = partial(pieces.athrow, error)
            finally:
                await pieces.aclose()

        return call

    # What streams, by what it is: a function need not be a generator to return one.

    def _as_stream(self, passage: Passage, value: Any) -> Any:
        """What a caller gets in place of a generator or an SDK's stream; None for any other value."""
        passage.exchange.stream = True
        if inspect.isgenerator(value):
            return self._streamed(passage, value)
        if inspect.isasyncgen(value):
            return self._async_streamed(passage, value)
        if hasattr(value, "response") and hasattr(value, "close"):
            if hasattr(value, "__next__"):
                return GuardedStream(value, self._streamed(passage, value))
            if hasattr(value, "__anext__"):
                return AsyncGuardedStream(value, self._async_streamed(passage, value))
        passage.exchange.stream = False
        return None

    def _streamed(self, passage: Passage, source: Any) -> Generator[Any, Any, Any]:
        """The pieces of a generator or an SDK's stream. What is sent or thrown at a piece reaches the source when it is
        asked for its next; what a generator returns is guarded as an answer of its own."""
        pieces = Pieces(passage.stream(), passage.exchange if passage.plan.logprobs else None)
        step: Callable[[], Any] = partial(next, source)
        try:
            while True:
                try:
                    piece = step()
                except StopIteration as stop:
                    result = stop.value
                    break
                step = partial(next, source)
                with self._telling():
                    cleared = BACKGROUND.run(pieces.add(piece))
                for one in cleared:
                    try:
                        sent = yield one
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # noqa: BLE001 - it is the source's to handle
                        step = partial(getattr(source, "throw", _thrown), error)
                    else:
                        step = partial(source.send, sent) if sent is not None else step
            with self._telling():
                rest, verdict = BACKGROUND.run(pieces.end())
            self._tell(verdict)
            yield from rest
            if result is None:
                return None
            last = self._passage(stream=True)
            return self._release(result, last, BACKGROUND.run(last.answer(_said(result))))
        finally:
            source.close()

    async def _async_streamed(self, passage: Passage, source: Any) -> AsyncGenerator[Any, Any]:
        pieces = Pieces(passage.stream(), passage.exchange if self.plan.logprobs else None)
        step: Callable[[], Awaitable[Any]] = partial(anext, source)
        try:
            while True:
                try:
                    piece = await step()
                except StopAsyncIteration:
                    break
                step = partial(anext, source)
                with self._telling():
                    cleared = await pieces.add(piece)
                for one in cleared:
                    try:
                        sent = yield one
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # noqa: BLE001 - it is the source's to handle
                        step = partial(getattr(source, "athrow", _thrown_later), error)
                    else:
                        step = partial(source.asend, sent) if sent is not None else step
            with self._telling():
                rest, verdict = await pieces.end()
            self._tell(verdict)
            for one in rest:
                yield one
        finally:
            await (source.aclose() if hasattr(source, "aclose") else source.close())

    # The steps. What calls `on_verdict` runs in the caller's thread: it may guard something itself.

    def _passage(self, *, stream: bool = False) -> Passage:
        return Passage(self.plan, Exchange(new_id(), "text", self._subject, stream), self._engine, masker=self._masker)

    def _read(
        self, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[inspect.BoundArguments, Reading]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        reading = Reading()
        prompts = list(self._prompts(bound))
        chat = any(key == "messages" for _, _, key in prompts)
        for where, holder, key in prompts:
            before = len(reading.segments)
            if chat:
                read_argument(reading, where, str(key), holder[key])
            else:
                read_value(reading, where, holder[key], "user")
            if tokens(where)[0] in self._context:
                for segment in reading.segments[before:]:
                    segment.kind = "document" if segment.kind == "text" else segment.kind
        return bound, reading

    def _prompts(self, bound: inspect.BoundArguments) -> Iterator[tuple[str, Any, Any]]:
        """(pointer, holder, key) of each argument that is the prompt; those of ``*args`` and ``**kwargs`` one by one."""
        for name, parameter in bound.signature.parameters.items():
            holder: Any = bound.arguments
            where = ""
            keys: Sequence[Any] = [name]
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                holder[name] = list(holder[name])
                holder = holder[name]
                where, keys = f"/{escape(name)}", range(len(holder))
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                holder = holder[name]
                where, keys = f"/{escape(name)}", list(holder)
            for key in keys:
                if (
                    name not in _OWN and is_text(holder[key])
                    if self._prompt is None
                    else name in (*self._prompt, *self._context)
                ):
                    yield f"{where}/{escape(str(key))}", holder, key

    def _require_names(self, signature: inspect.Signature, function: Callable[..., Any]) -> None:
        for name in (*(self._prompt or ()), *self._context):
            if name not in signature.parameters:
                known = ", ".join(signature.parameters)
                raise TypeError(f"{function.__name__} has no argument {name!r} to guard; it has: {known}")

    def _admit(self, bound: inspect.BoundArguments, verdict: Verdict) -> None:
        self._tell(verdict)
        raise_for(verdict)
        for where, holder, key in self._prompts(bound):
            holder[key] = edit_value(holder[key], verdict.edits, base=where)

    def _release(self, value: Any, passage: Passage, verdict: Verdict) -> Any:
        self._tell(verdict)
        raise_for(verdict)
        return edit_value(value, passage.edits(verdict))

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tells of a verdict that stops a stream."""
        try:
            yield
        except (Refused, GuardUnavailable) as stopped:
            self._tell(stopped.verdict)
            raise

    def _tell(self, verdict: Verdict) -> None:
        if self._on_verdict is not None:
            self._on_verdict(verdict)


guard = Guard
"""A decorator that guards a function by a policy."""


def warm() -> None:
    """Load, in this process, the models that policies have named; what is loaded stays. For a process that was forked
    from one which had them: sessions don't survive that. Raises PolicyError for one that can't be run."""
    from lockgate.detectors.model import MODELS

    MODELS.ready()


def _thrown(error: BaseException) -> Any:
    raise error


async def _thrown_later(error: BaseException) -> Any:
    raise error


def _choice(side: Literal["prompt", "completion"]) -> int | None:
    return None if side == "prompt" else 0


def _said(value: Any) -> Reading:
    reading = Reading()
    read_value(reading, CHANNEL, value, "assistant", 0)
    return reading


def plan_for(policy: PolicyLike) -> Plan:
    """The plan of a policy in any form. Raises PolicyError."""
    if isinstance(policy, Plan):
        return policy
    if not isinstance(policy, Policy | str | os.PathLike):
        raise TypeError(f'a policy is wanted, as in @guard("default"), not {type(policy).__name__}')
    return compile_policy(policy if isinstance(policy, Policy) else load_policy(find_policy(policy)))
