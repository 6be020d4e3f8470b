"""The decorator: the same engine as the proxy's, around a Python function.

    @guard("policies/strict.yaml")
    def ask(question: str) -> str: ...

Works on plain functions, coroutines, generators and async generators. Every argument that holds text (a text, chat
messages, any container) is the prompt; what is returned, or yielded piece by piece, is the completion. A refusal raises
`Refused`, a guard that failed closed raises `GuardUnavailable`; everything else gives the edited value.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, ParamSpec, TypeVar

from lockgate.background import BACKGROUND
from lockgate.engine import Engine
from lockgate.errors import GuardUnavailable, Refused
from lockgate.exchange import Exchange, Reading, Side, Subject
from lockgate.ids import new_id
from lockgate.passage import Passage, Stream
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Action, Verdict
from lockgate.wire.pointer import escape
from lockgate.wire.values import edit_value, is_text, read_value

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

PolicyLike = str | os.PathLike[str] | Policy | Plan

_CHANNEL = ""  # the pointer of a bare text


class Guard:
    """A policy, ready to guard functions and values.

    `policy` is a path, the name of a policy that comes with Lockgate, a `Policy`, or a `Plan`. `prompt` names the
    arguments that are the prompt (all that hold text unless said). `tags` and `model` are shown to conditions as
    `request.tags` and `request.model`. `on_verdict` is called with every verdict, flags included.
    """

    def __init__(
        self,
        policy: PolicyLike,
        *,
        prompt: str | Sequence[str] | None = None,
        tags: Sequence[str] = (),
        model: str = "",
        on_verdict: Callable[[Verdict], object] | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.plan = plan_for(policy)
        self._prompt = (prompt,) if isinstance(prompt, str) else None if prompt is None else tuple(prompt)
        self._subject = Subject(model=model, tags=tuple(tags))
        self._on_verdict = on_verdict
        self._engine = engine or Engine()

    # The verdict alone.

    async def acheck(self, value: Any, *, side: Side = "prompt") -> Verdict:
        """What the policy says of `value`: a text, chat messages, or any container of texts. Raises nothing."""
        reading = Reading()
        read_value(reading, _CHANNEL, value, "user" if side == "prompt" else "assistant", _choice(side))
        passage = self._passage()
        return await (passage.prompt(reading) if side == "prompt" else passage.answer(reading))

    def check(self, value: Any, *, side: Side = "prompt") -> Verdict:
        """`acheck`, for callers that are not async."""
        return BACKGROUND.run(self.acheck(value, side=side))

    def edited(self, value: T, verdict: Verdict) -> T:
        """`value` as `verdict` (of `check`) lets it through. Raises Refused and GuardUnavailable."""
        _raise(verdict)
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
            if inspect.isgenerator(value):
                passage.exchange.stream = True
                return self._streamed(passage, value)
            return self._release(value, BACKGROUND.run(passage.answer(_said(value))))

        return call

    def _coroutine(self, function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            passage = self._passage()
            bound, reading = self._read(signature, args, kwargs)
            self._admit(bound, await passage.prompt(reading))
            value = await function(*bound.args, **bound.kwargs)
            return self._release(value, await passage.answer(_said(value)))

        return call

    def _generator(self, function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Iterator[Any]:
            passage = self._passage(stream=True)
            bound, reading = self._read(signature, args, kwargs)
            self._admit(bound, BACKGROUND.run(passage.prompt(reading)))
            yield from self._streamed(passage, function(*bound.args, **bound.kwargs))

        return call

    def _streamed(self, passage: Passage, source: Generator[Any, Any, Any]) -> Iterator[Any]:
        pieces = Pieces(passage.stream())
        try:
            for piece in source:
                with self._telling():
                    cleared = BACKGROUND.run(pieces.add(piece))
                yield from cleared
            with self._telling():
                rest, verdict = BACKGROUND.run(pieces.end())
            self._tell(verdict)
            yield from rest
        finally:
            source.close()

    def _async_generator(self, function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            passage = self._passage(stream=True)
            bound, reading = self._read(signature, args, kwargs)
            self._admit(bound, await passage.prompt(reading))
            source = function(*bound.args, **bound.kwargs)
            pieces = Pieces(passage.stream())
            try:
                async for piece in source:
                    with self._telling():
                        cleared = await pieces.add(piece)
                    for one in cleared:
                        yield one
                with self._telling():
                    rest, verdict = await pieces.end()
                self._tell(verdict)
                for one in rest:
                    yield one
            finally:
                await source.aclose()

        return call

    # The steps. What calls `on_verdict` runs in the caller's thread: it may guard something itself.

    def _passage(self, *, stream: bool = False) -> Passage:
        return Passage(self.plan, Exchange(new_id(), "text", self._subject, stream), self._engine)

    def _read(
        self, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[inspect.BoundArguments, Reading]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        reading = Reading()
        for where, holder, key in self._prompts(bound):
            read_value(reading, where, holder[key], "user")
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
                if is_text(holder[key]) if self._prompt is None else name in self._prompt:
                    yield f"{where}/{escape(str(key))}", holder, key

    def _require_names(self, signature: inspect.Signature, function: Callable[..., Any]) -> None:
        for name in self._prompt or ():
            if name not in signature.parameters:
                known = ", ".join(signature.parameters)
                raise TypeError(f"{function.__name__} has no argument {name!r} to guard; it has: {known}")

    def _admit(self, bound: inspect.BoundArguments, verdict: Verdict) -> None:
        self._tell(verdict)
        _raise(verdict)
        for where, holder, key in self._prompts(bound):
            holder[key] = edit_value(holder[key], verdict.edits, base=where)

    def _release(self, value: Any, verdict: Verdict) -> Any:
        self._tell(verdict)
        _raise(verdict)
        return edit_value(value, verdict.edits)

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


def guard(
    policy: PolicyLike,
    *,
    prompt: str | Sequence[str] | None = None,
    tags: Sequence[str] = (),
    model: str = "",
    on_verdict: Callable[[Verdict], object] | None = None,
) -> Guard:
    """A decorator that guards a function by `policy`. See `Guard` for the arguments."""
    return Guard(policy, prompt=prompt, tags=tags, model=model, on_verdict=on_verdict)


class Pieces:
    """A streamed text, piece by piece. What is not a text is an unknown part, judged by the policy's `unknown:`."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._queue: list[tuple[Any, int, int]] = []
        self._fed = False

    async def add(self, piece: Any) -> list[Any]:
        """Take one piece; give the pieces that may leave. Raises Refused and GuardUnavailable."""
        if isinstance(piece, str):
            self._fed = True
            if self._stream.feed(0, _CHANNEL, "text", piece):
                await self._stream.settle()
            end = self._stream.gate(_CHANNEL).length
            self._queue.append((piece, end - len(piece), end))
        else:
            if piece is not None:
                self._stream.skip({_CHANNEL: "unread: unknown"}, [_CHANNEL])
            self._queue.append((piece, -1, -1))
        out = self._pop()
        if self._stream.tripped and (self._stream.refused(0) or self._stream.closed(0)):
            if out:
                # What is cleared is the caller's; the refusal is raised by the next call.
                return out
            await self._stream.end(0)
            _raise(self._stream.close())
        return out

    async def end(self) -> tuple[list[Any], Verdict]:
        """The text is over: the rest, and the verdict."""
        await self._stream.end(0)
        out = self._pop()
        verdict = self._stream.close()
        _raise(verdict)
        return out, verdict

    def _pop(self) -> list[Any]:
        out: list[Any] = []
        gate = self._stream.gate(_CHANNEL) if self._fed else None
        while self._queue:
            piece, start, end = self._queue[0]
            if end >= 0 and gate is not None:
                if gate.cleared < end:
                    break
                edited = gate.edited(piece, start, end)
                piece = piece if edited is None else edited
            elif self._stream.unknown_refused:
                break
            self._queue.pop(0)
            if piece != "":
                out.append(piece)
        return out


def _choice(side: Literal["prompt", "completion"]) -> int | None:
    return None if side == "prompt" else 0


def _said(value: Any) -> Reading:
    reading = Reading()
    read_value(reading, _CHANNEL, value, "assistant", 0)
    return reading


def _raise(verdict: Verdict) -> None:
    if verdict.action is Action.REFUSE:
        raise Refused(verdict)
    if verdict.unavailable:
        raise GuardUnavailable(verdict)


def plan_for(policy: PolicyLike) -> Plan:
    """The plan of a policy in any form. Raises PolicyError."""
    if isinstance(policy, Plan):
        return policy
    return compile_policy(policy if isinstance(policy, Policy) else load_policy(find_policy(policy)))
