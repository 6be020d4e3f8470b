"""A stream of Python values on its way through the guard, piece by piece."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any, NamedTuple, Self

from lockgate.errors import GuardUnavailable, Refused
from lockgate.exchange import Exchange
from lockgate.passage import Stream
from lockgate.verdict import Action, Verdict
from lockgate.wire.chunks import edit_piece, read_piece, with_tokens
from lockgate.wire.lens import Delta


def raise_for(verdict: Verdict) -> None:
    """Raises Refused or GuardUnavailable, where `verdict` stops what it is about."""
    if verdict.action is Action.REFUSE:
        raise Refused(verdict)
    if verdict.unavailable:
        raise GuardUnavailable(verdict)


class Pieces:
    """A stream, piece by piece: texts, or the chunks of an SDK. What is neither is an unknown part, judged by the
    policy's `unknown:`. `exchange`: what is to know the log probabilities that chunks tell."""

    def __init__(self, stream: Stream, exchange: Exchange | None = None) -> None:
        self._stream = stream
        self._exchange = exchange
        self._queue: deque[_Piece] = deque()
        self._choices = {0}

    async def add(self, piece: Any) -> list[Any]:
        """Take one piece; give the pieces that may leave. Raises Refused and GuardUnavailable."""
        event = read_piece(piece)
        if self._exchange is not None:
            self._exchange.logprobs = with_tokens(self._exchange.logprobs, piece)
        if event.skipped:
            self._stream.skip(event.skipped, event.unknown)
        held = _Piece(piece, [], bool(event.unknown))
        due = False
        for delta in event.deltas:
            self._choices.add(delta.choice)
            due |= self._stream.feed(delta.choice, delta.channel, delta.kind, delta.text, fixed=delta.fixed)
            end = self._stream.gate(delta.channel).length
            held.parts.append((delta, end - len(delta.text), end))
        self._choices.update(event.ended)
        if due:
            await self._stream.settle()
        self._queue.append(held)
        out = self._pop()
        if self._stream.tripped and any(self._stream.refused(c) or self._stream.closed(c) for c in self._choices):
            if out:
                # What is cleared is the caller's; the refusal is raised by the next call.
                return out
            await self._decide()
            raise_for(self._stream.close())
        return out

    async def end(self) -> tuple[list[Any], Verdict]:
        """The stream is over: the rest, and the verdict."""
        await self._decide()
        out = self._pop()
        verdict = self._stream.close()
        raise_for(verdict)
        return out, verdict

    async def _decide(self) -> None:
        # Only here: a chunk that says that its choice ends may be wrong.
        for choice in sorted(self._choices):
            await self._stream.end(choice)

    def _pop(self) -> list[Any]:
        out: list[Any] = []
        while self._queue:
            held = self._queue[0]
            if held.unknown and self._stream.unknown_refused:
                break
            texts: dict[str, str | None] = {}
            for delta, start, end in held.parts:
                gate = self._stream.gate(delta.channel)
                if gate.cleared < end:
                    return out
                edited = gate.edited(delta.text, start, end)
                if edited is not None:
                    texts.update(dict.fromkeys(delta.drop))
                    if not delta.channel.startswith(f"/choices/{delta.choice}/logprobs"):
                        texts[delta.where] = edited
            self._queue.popleft()
            piece = edit_piece(held.piece, texts)
            if piece != "":
                out.append(piece)
        return out


class _Piece(NamedTuple):
    """A piece on its way out. `parts` are its texts, each with its [start, end) in its channel."""

    piece: Any
    parts: list[tuple[Delta, int, int]]
    unknown: bool


class GuardedStream:
    """What a guarded function gives in place of an SDK's stream: the same pieces, guarded."""

    def __init__(self, stream: Any, pieces: Generator[Any, Any, Any]) -> None:
        self._pieces = pieces
        self._stream = stream
        self.response = stream.response

    def __iter__(self) -> Iterator[Any]:
        return self._pieces

    def __next__(self) -> Any:
        return next(self._pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._pieces.close()
        self._stream.close()  # nothing was asked of it yet: the pieces know nothing of it


class AsyncGuardedStream:
    """`GuardedStream`, for an SDK's asynchronous stream."""

    def __init__(self, stream: Any, pieces: AsyncGenerator[Any, Any]) -> None:
        self._pieces = pieces
        self._stream = stream
        self.response = stream.response

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._pieces

    async def __anext__(self) -> Any:
        return await anext(self._pieces)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._pieces.aclose()
        await self._stream.close()  # as above
