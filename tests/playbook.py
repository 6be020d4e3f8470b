"""Streams as transcripts: what the upstream says, and what the client gets of it, line by line.

    await play(
        policy,
        says(text("the key is sk-ab")),
        got(),
        says(text("cd1234.")),
        got(text("the key is [KEY]"), text(".")),
        ...
    )

`through_release` plays it with no I/O at all; `through_app` plays the same lines through the whole ASGI application,
one event at a time: the upstream says the next thing when the proxy asks for more. Events are compared byte by byte;
only the guard's own chunks (`refused`, `flagged`, `failed`) are compared by what they mean.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lockgate.errors import WireError
from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.policy.plan import Plan
from lockgate.verdict import Flag
from lockgate.wire.chat import ChatLens
from lockgate_proxy.admit import SERVER
from lockgate_proxy.app import make_app
from lockgate_proxy.headers import Headers
from lockgate_proxy.release import Release
from lockgate_proxy.settings import Settings
from lockgate_proxy.sse import Event, Splitter
from lockgate_proxy.upstream import Take, UpstreamError
from saying import choice

# --- What the guard itself says --------------------------------------------------------------------------------------


class Own(Protocol):
    """A chunk of the guard's own, as a transcript names it. `miss` says what is wrong with an event, "" if nothing."""

    def miss(self, event: bytes) -> str: ...


def _value(event: bytes) -> Any:
    lines = [line[6:] for line in event.split(b"\n") if line.startswith(b"data: ")]
    try:
        return json.loads(b"\n".join(lines))
    except ValueError:
        return {}


@dataclass(frozen=True)
class Refusal:
    """A choice's end by refusal. The words of a rule that has none of its own begin as `MESSAGE` does."""

    index: int
    message: str

    def miss(self, event: bytes) -> str:
        value = _value(event)
        [came] = value.get("choices") or [{}]
        said = came.get("delta", {}).get("refusal", "")
        message = said if self.message == MESSAGE and said.startswith(MESSAGE) else self.message
        mine = choice({"refusal": message} if message else {}, self.index, "content_filter")
        if came != mine or value.get("lockgate", {}).get("action") != "refuse":
            return f"no refusal of choice {self.index}"
        return "" if value["id"] == "chatcmpl-7" and value["model"] == "m" else "not of this stream"


@dataclass(frozen=True)
class Flagged:
    """The chunk with flags before a choice's finish."""

    names: tuple[str, ...]
    index: int

    def miss(self, event: bytes) -> str:
        value = _value(event)
        names = tuple(flag["name"] for flag in value.get("lockgate", {}).get("flags", ()))
        if value.get("choices") != [choice({}, self.index)] or names != self.names:
            return f"no chunk with the flags {self.names} for choice {self.index}"
        return "" if value["id"] == "chatcmpl-7" and value["model"] == "m" else "not of this stream"


@dataclass(frozen=True)
class Failed:
    """The error event that ends a stream without [DONE]."""

    code: str

    def miss(self, event: bytes) -> str:
        value = _value(event)
        fine = event.startswith(b"event: error\n") and value.get("error", {}).get("code") == self.code
        return "" if fine else f"no error event {self.code}"


MESSAGE = "This was stopped by a rule of this service."


def refused(index: int = 0, message: str = MESSAGE) -> Refusal:
    return Refusal(index, message)


def flagged(*names: str, index: int = 0) -> Flagged:
    return Flagged(names, index)


def failed(code: str = "guardrail_unavailable") -> Failed:
    return Failed(code)


# --- Lines of a transcript -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Says:
    pieces: tuple[bytes, ...]


@dataclass(frozen=True)
class Got:
    events: tuple[bytes | Own, ...]


@dataclass(frozen=True)
class Stops:
    how: str


Line = Says | Got | Stops


def says(*pieces: bytes) -> Says:
    """The upstream says this, each piece by itself."""
    return Says(pieces)


def got(*events: bytes | Own) -> Got:
    """All that the client got since the last such line."""
    return Got(events)


ENDS = Stops("ends")
"""The upstream's answer ends as it should."""
CUT = Stops("cut")
"""The upstream's connection breaks."""
LET_GO = Stops("let go")
"""Nothing more is wanted: the upstream's answer was closed, and the client's is over."""


class Player(Protocol):
    async def __call__(self, plan: Plan, *lines: Line, choices: int = 1, prompt_flags: Sequence[Flag] = ()) -> None: ...


def _compare(number: int, came: bytes, wanted: Sequence[bytes | Own]) -> None:
    rest = came
    for item in wanted:
        if isinstance(item, bytes):
            problem = "" if rest.startswith(item) else f"not {item!r}"
            size = len(item)
        else:
            size = rest.find(b"\n\n") + 2
            problem = item.miss(rest[:size])
        if problem:
            raise AssertionError(f"line {number}: {problem}\nbut {rest!r}\nof what came: {came!r}")
        rest = rest[size:]
    if rest:
        raise AssertionError(f"line {number}: nothing more was expected, but {rest!r}\nof what came: {came!r}")


# --- Played through the release alone --------------------------------------------------------------------------------


async def through_release(plan: Plan, *lines: Line, choices: int = 1, prompt_flags: Sequence[Flag] = ()) -> None:
    exchange = Exchange("01TEST", "chat", stream=True, choices=choices)
    stream = Passage(plan, exchange).stream()
    release = Release(stream, ChatLens(), choices=choices, note={"id": "01TEST"}, prompt_flags=list(prompt_flags))
    splitter = Splitter()
    out = b""
    over = False
    for number, line in enumerate(lines, 1):
        if isinstance(line, Got):
            # What breaks at the upstream is told by the caller of the release.
            wanted = [item for item in line.events if not (isinstance(item, Failed) and item.code != failed().code)]
            _compare(number, out, wanted)
            out = b""
        elif isinstance(line, Stops) and line.how == "let go":
            assert release.finished, f"line {number}: more is wanted of the upstream"
            over = True
        else:
            over = over or release.finished
            assert not over, f"line {number}: the stream is over"
            out += await _add(release, splitter, line)
            over = isinstance(line, Stops)
            if release.failed is not None:
                out += b'event: error\ndata: {"error":{"code":"guardrail_unavailable"}}\n\n'
    assert over, "the transcript has no end"
    assert not out, f"the transcript leaves out {out!r}"
    stream.close()


async def _add(release: Release, splitter: Splitter, line: Says | Stops) -> bytes:
    out: list[bytes] = []
    if isinstance(line, Says):
        for piece in line.pieces:
            for event in splitter.feed(piece):
                out.extend(await release.add(event))
                if release.finished:
                    return b"".join(out)
        return b"".join(out)
    for event in _last_events(splitter) if line.how == "ends" else ():
        out.extend(await release.add(event))
    out.extend(await release.end(cut=line.how == "cut"))
    return b"".join(out)


def _last_events(splitter: Splitter) -> list[Event]:
    events, rest = splitter.end(), splitter.flush()
    return [*events, *Splitter().feed(rest + b"\n\n")[:1]] if rest else events


# --- Played through the application ----------------------------------------------------------------------------------


@dataclass
class Lockstep:
    """An upstream that says what it is told to, when the proxy asks for it. It is its own answer."""

    headers: Headers = field(default_factory=lambda: [(b"content-type", b"text/event-stream")])
    status: int = 200
    closed: bool = False
    sent: list[bytes] = field(default_factory=list)
    _said: asyncio.Queue[bytes | Stops] = field(default_factory=asyncio.Queue)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _take: Take | None = None

    async def open(
        self, method: str, path: str, headers: Headers, body: bytes | AsyncIterator[bytes] | None = None
    ) -> Lockstep:
        assert isinstance(body, bytes)
        self.sent.append(body)
        return self

    async def say(self, piece: bytes | Stops, listener: asyncio.Task[None]) -> None:
        """Say it, and wait until the proxy asks for more, or is done. Whoever takes pieces is given it first."""
        if isinstance(piece, bytes) and self._take is not None and self._asked.is_set():
            left = self._take(piece)
            if left is None:
                return
            piece = left
        self._asked.clear()
        self._said.put_nowait(piece)
        await self.asked(listener)

    async def asked(self, listener: asyncio.Task[None]) -> None:
        asked = asyncio.ensure_future(self._asked.wait())
        async with asyncio.timeout(5):
            await asyncio.wait([asked, listener], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()

    async def chunks(self, take: Take | None = None) -> AsyncGenerator[bytes, None]:
        self._take = take
        while True:
            self._asked.set()
            piece = await self._said.get()
            if isinstance(piece, bytes):
                yield piece
            elif piece.how == "cut":
                raise UpstreamError("broken", "the upstream closed the connection within its answer", started=True)
            else:
                return

    async def read(self, limit: int) -> bytes:
        raise WireError("this upstream only streams")

    def close(self, abort: bool = True) -> Any:
        """For the answer: give up what was not read. For the upstream: close all connections."""
        self.closed = True
        return asyncio.sleep(0) if not abort else None


class _Server:
    """What our own server offers beyond ASGI."""

    def __init__(self, came: list[dict[str, Any]]) -> None:
        self._came = came
        self.gone: Callable[[], None] | None = None

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        self._came.append({"type": "http.response.start", "status": status, "headers": headers})
        self._came.append({"type": "http.response.body", "body": body})

    def ready(self) -> bool:
        return bool(self._came)  # the head has gone

    def write(self, part: bytes) -> None:
        assert part
        self._came.append({"type": "http.response.body", "body": part, "more_body": True})


async def through_server(plan: Plan, *lines: Line, choices: int = 1, prompt_flags: Sequence[Flag] = ()) -> None:
    """The application as its own server runs it: what can go straight to the client does."""
    await through_app(plan, *lines, choices=choices, prompt_flags=prompt_flags, straight=True)


async def through_app(
    plan: Plan, *lines: Line, choices: int = 1, prompt_flags: Sequence[Flag] = (), straight: bool = False
) -> None:
    assert not prompt_flags, "an application's prompt has its own flags"
    upstream = Lockstep()
    app = make_app(Settings.read(policy="test", upstream="http://upstream/v1"), plan, upstream=upstream)
    came: list[dict[str, Any]] = []
    scope = _scope(_Server(came) if straight else None)
    listener = asyncio.ensure_future(app(scope, _receiver(choices), _sender(came)))
    await upstream.asked(listener)
    for number, line in enumerate(lines, 1):
        if isinstance(line, Says):
            for piece in line.pieces:
                assert not listener.done(), f"line {number}: the stream is over"
                await upstream.say(piece, listener)
        elif isinstance(line, Got):
            _compare(number, b"".join(message.get("body", b"") for message in came), line.events)
            del came[1:]
        elif line.how == "let go":
            assert upstream.closed, f"line {number}: the upstream was not let go"
            assert listener.done(), f"line {number}: the client still waits"
        else:
            await upstream.say(line, listener)
    async with asyncio.timeout(5):
        await listener
    assert not any(message.get("body") for message in came), f"the transcript leaves out {came!r}"


async def whole_through_app(plan: Plan, pieces: Iterable[bytes], *, choices: int = 1) -> bytes:
    """All that the client gets of an upstream that says `pieces`, and ends."""
    upstream = Lockstep()
    app = make_app(Settings.read(policy="test", upstream="http://upstream/v1"), plan, upstream=upstream)
    came: list[dict[str, Any]] = []
    listener = asyncio.ensure_future(app(_scope(_Server(came)), _receiver(choices), _sender(came)))
    await upstream.asked(listener)
    everything: list[bytes | Stops] = [*pieces, ENDS]
    for piece in everything:
        if not listener.done():
            await upstream.say(piece, listener)
    await listener
    return b"".join(message.get("body", b"") for message in came)


def _scope(straight: _Server | None) -> dict[str, Any]:
    return {
        "extensions": {SERVER: straight} if straight is not None else {},
        "type": "http", "method": "POST", "path": "/v1/chat/completions", "raw_path": b"/v1/chat/completions",
        "query_string": b"", "headers": [(b"content-type", b"application/json")],
    }  # fmt: skip


def _receiver(choices: int) -> Any:
    asked = {"model": "m", "stream": True, "n": choices, "messages": [{"role": "user", "content": "hello"}]}
    left = [{"type": "http.request", "body": json.dumps(asked).encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        return left.pop() if left else await asyncio.get_running_loop().create_future()

    return receive


def _sender(came: list[dict[str, Any]]) -> Any:
    async def send(message: dict[str, Any]) -> None:
        came.append(message)

    return send
