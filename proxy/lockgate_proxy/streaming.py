"""A streamed answer: events in, through the gates, events out; comments while text is held."""

from __future__ import annotations

import asyncio

from lockgate.errors import WireError
from lockgate.verdict import Verdict
from lockgate.wire.lens import Dialect
from lockgate_proxy import problems
from lockgate_proxy.bodies import StreamDecoder, is_identity
from lockgate_proxy.headers import Headers, answer_headers, value_of, without
from lockgate_proxy.release import Release
from lockgate_proxy.sse import COMMENT, DONE, Event, Splitter, own_event
from lockgate_proxy.upstream import Answer, Take, UpstreamError
from lockgate_proxy.visit import Visit, account, report

_BYTES = 64  # that events may take while they wait, for each character that may be held
_FRAMING = frozenset({b"content-encoding", b"content-length"})


class _Writer:
    """The client's end of the stream. Sends a comment when text is held for long, so that nobody hangs up."""

    def __init__(self, visit: Visit, release: Release, every: float) -> None:
        self._visit = visit
        self._release = release
        self._every = every
        self._clock = asyncio.get_running_loop().time
        self._last = self._clock()
        self._task: asyncio.Task[None] | None = None

    async def write(self, parts: list[bytes]) -> None:
        if not parts:
            return
        self._last = self._clock()
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        await self._visit.send({"type": "http.response.body", "body": body, "more_body": True})

    def write_now(self, parts: list[bytes]) -> None:
        """Write without waiting. Only where the visit's server is ready."""
        self._last = self._clock()
        assert self._visit.server is not None
        self._visit.server.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def watch(self) -> None:
        """Look after the client from here on: text is held."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep_alive())

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(max(self._every - (self._clock() - self._last), 0.001))
            if not self._release.holds:
                self._last = self._clock()
            elif self._clock() - self._last >= self._every:
                await self.write([COMMENT])

    async def finish(self) -> None:
        self.close()
        await self._visit.send({"type": "http.response.body", "body": b""})

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None


async def answer_stream(visit: Visit, dialect: Dialect, answer: Answer, prompt: Verdict) -> None:
    """Pass the stream on as the policy lets it through. `x-lockgate-*` headers carry the prompt's verdict."""
    assert visit.passage is not None
    context = visit.context
    stream = visit.passage.stream()
    release = Release(
        stream,
        dialect,
        choices=visit.passage.exchange.choices,
        note=visit.note(prompt),
        prompt_flags=list(prompt.flags),
        limit=visit.plan.hold_limit * _BYTES,
    )
    reader = _Reader(visit, answer)  # raises while the answer can still be another one
    headers = without(answer_headers(answer.headers), _FRAMING)
    visit.status = answer.status
    visit.started = True
    visit.outcome = "cancelled"
    await visit.send(
        {"type": "http.response.start", "status": answer.status, "headers": [*headers, *visit.own_headers(prompt)]}
    )
    writer = _Writer(visit, release, context.settings.keepalive_comment)
    try:
        await _pump(visit, answer, reader, release, writer)
    except Exception as error:  # noqa: BLE001 - whatever broke here, nothing that is held may leave
        report(visit, error)
        answer.close()
        await writer.write([own_event(*release.voice.fail(problems.internal().error))])
        await writer.finish()
    finally:
        writer.close()
        verdict = stream.close()
        account(visit, verdict)
        visit.timings["most_held"] = stream.most_held
        visit.marks = stream.marks()
        if verdict.refused_choices and visit.outcome in ("cancelled", "answered"):
            visit.outcome = "refused_answer"


async def _pump(visit: Visit, answer: Answer, reader: _Reader, release: Release, writer: _Writer) -> None:
    broken: UpstreamError | WireError | None = None
    last: list[bytes] = []
    seen = visit.seen
    try:
        async for piece in answer.chunks(_shortcut(visit, reader, release, writer)):
            events = reader.feed(piece) if piece else []
            if seen is not None:
                seen.events(events)
            leaving = await (release.settle() if release.waits else _pass(events, release))
            if seen is not None:
                seen.looked()
            await writer.write(leaving)
            if release.finished:
                break
            if release.holds:
                writer.watch()
        else:
            last = await _pass(reader.end(), release)
    except (UpstreamError, WireError) as error:
        broken = error
    last.extend(await release.end(cut=broken is not None))
    await writer.write(last if release.finished else reader.as_it_ended(last))
    if release.failed is not None:
        visit.outcome = "unavailable"
        visit.context.count("guardrail_unavailable")
        await writer.write([own_event(*release.voice.fail(problems.unavailable(release.failed, visit.id).error))])
    elif release.finished:
        visit.outcome = "refused_answer"
    elif broken is not None:
        # Never a [DONE] that did not come: the client has to see that this answer is not whole.
        visit.outcome = "upstream_error"
        problem = problems.upstream_problem(broken) if isinstance(broken, UpstreamError) else problems.from_wire(broken)
        visit.error = str(problem.error["code"])
        await writer.write([own_event(*release.voice.fail(problem.error))])
    else:
        visit.outcome = "answered"
    if release.finished:
        answer.close()
    await writer.finish()


def _shortcut(visit: Visit, reader: _Reader, release: Release, writer: _Writer) -> Take | None:
    """How a piece that is one ordinary event goes by, the moment it comes: nearly all of them are."""
    server = visit.server
    if server is None:
        return None
    pass_by, ready, write, watch = release.pass_by, server.ready, writer.write_now, writer.watch

    def take(piece: bytes) -> bytes | None:
        if not (reader.between and ready()):
            return piece
        leaving = pass_by(piece)
        if leaving is None:
            return b"" if release.waits else piece
        if leaving:
            write(leaving)
        if release.holds:
            watch()
        return None

    return take if visit.seen is None else visit.seen.watching(take)


async def _pass(events: list[Event], release: Release) -> list[bytes]:
    out: list[bytes] = []
    for event in events:
        leaving = release.add_now(event)
        out.extend(await release.settle() if leaving is None else leaving)
        if release.finished:
            break
    return out


class _Reader:
    """Bytes → events, decoded where the upstream compresses although it was asked not to."""

    def __init__(self, visit: Visit, answer: Answer) -> None:
        encoding = value_of(answer.headers, b"content-encoding")
        limit = visit.context.settings.max_answer
        self._decoder = None if is_identity(encoding) else StreamDecoder(encoding, limit)
        self._splitter = Splitter()
        self._logprobs = visit.logprobs
        self._last: Event | None = None
        self._added = 0
        self.between = False  # what comes next is the beginning of an event, as it came

    def feed(self, piece: bytes) -> list[Event]:
        events = self._splitter.feed(piece if self._decoder is None else self._decoder.feed(piece))
        self.between = self._decoder is None and self._splitter.between
        return events if self._logprobs is None else [*map(self._logprobs.event, events)]

    def end(self) -> list[Event]:
        if self._decoder is not None:
            self._decoder.finish()
        events = self._splitter.end()
        rest = self._splitter.flush()
        if rest:
            # An event without its blank line: clients may read it, so it is looked at like any other, as if it had one.
            self._added = 1 if rest.endswith(b"\n") else 2
            whole = Splitter()
            last, *_ = [*whole.feed(rest + b"\n" * self._added), *whole.end()]
            events.append(last)
        if self._logprobs is not None:
            events = [*map(self._logprobs.event, events)]
        if rest:
            self._last = events[-1]
        return events

    def as_it_ended(self, parts: list[bytes]) -> list[bytes]:
        """The last parts, without the blank line that `end` added, where nothing follows it."""
        if self._last is not None and parts and parts[-1] is self._last.raw:
            return [*parts[:-1], self._last.raw[: -self._added]]
        return parts


async def synthetic_stream(visit: Visit, dialect: Dialect, verdict: Verdict) -> None:
    """A refused prompt in the shape of a stream, where the policy says `status: 200`."""
    assert visit.passage is not None
    said = dialect.refusal_stream(visit.passage.exchange, verdict.message, visit.note(verdict))
    parts = [own_event(*each) for each in said]
    if dialect.done:
        parts.append(DONE)
    headers: Headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
    await visit.respond(200, [*headers, *visit.own_headers(verdict)], b"".join(parts))
