"""An exchange of the proxy within a program: no socket of ours, and the program's own HTTP client as the upstream.

The handlers are those of the proxy, so what they answer is the same, byte for byte. Two things differ: what goes wrong
in the program's own client (no connection, a time-out, a cut answer) is raised as that client raises it, and nothing
waits for a client that left: its call is closed.

`AsyncExchange` runs on the caller's event loop. `SyncExchange` runs the guard on the background loop, and the HTTP
client in the caller's own thread, which lends it while it waits for a piece of the answer: so there is one thread for
all callers, nothing is read ahead, and a time-out or a key-board interrupt works as ever.
"""

from __future__ import annotations

import asyncio
import queue
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from typing import Any, Self

import httpx2

from lockgate.background import BACKGROUND
from lockgate.verdict import Verdict
from lockgate_proxy.admit import Scope
from lockgate_proxy.headers import Headers
from lockgate_proxy.routes import Handler
from lockgate_proxy.upstream import Answer, Take, UpstreamError
from lockgate_proxy.visit import Context

Perform = Callable[[Callable[[], Any]], Awaitable[Any]]
Told = Callable[[Verdict], object]


def scope_of(request: httpx2.Request) -> Scope:
    """The request as a server would have received it."""
    return {
        "type": "http",
        "method": request.method,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
    }


def rebuilt(client: Any, request: httpx2.Request, headers: Headers, content: Any) -> Any:
    """The request as the program's own client would have made it: with its headers, cookies and parameters."""
    return client.build_request(
        request.method,
        str(request.url),
        headers=headers,
        content=content,
        params=str(request.url.params) if client.params else None,
        extensions=request.extensions,
    )


class OwnClient:
    """An `Upstream` for one request: the program's own client. `perform` calls what it is given where that client may
    be called. `failure` is what the client raised; `parts` must be closed when the exchange is over, in their order."""

    def __init__(self, client: Any, request: httpx2.Request, perform: Perform) -> None:
        self._client = client
        self._request = request
        self._perform = perform
        self.parts: list[Any] = []
        self.failure: Exception | None = None

    async def open(
        self,
        method: str,  # noqa: ARG002 - the request has it
        path: str,  # noqa: ARG002 - the request has it
        headers: Headers,
        body: bytes | AsyncIterator[bytes] | None = None,
    ) -> Answer:
        request = rebuilt(self._client, self._request, headers, body)
        # A redirect is an answer, as anywhere here: the SDK's side follows it, and what is sent there is guarded again.
        response = await self.attempt(lambda: self._client.send(request, stream=True, follow_redirects=False))
        pieces = response.aiter_raw() if hasattr(self._client, "aclose") else response.iter_raw()
        self.parts = [pieces, response]
        return _OwnAnswer(self, response, pieces)

    async def attempt(self, act: Callable[[], Any]) -> Any:
        """Raises UpstreamError for whatever `act` raises."""
        try:
            return await self._perform(act)
        except Exception as error:  # noqa: BLE001 - it is raised again, to the caller
            self.failure = error
            raise UpstreamError("broken", "the program's own client failed", started=bool(self.parts)) from None

    async def close(self) -> None:
        """The client is the program's."""


class _OwnAnswer:
    def __init__(self, owner: OwnClient, response: Any, pieces: Any) -> None:
        self.status = int(response.status_code)
        self.headers: Headers = list(response.headers.raw)
        self._owner = owner
        self._pieces = pieces

    async def chunks(self, take: Take | None = None) -> AsyncGenerator[bytes, None]:  # noqa: ARG002 - need not be asked
        following: Any = anext if hasattr(self._pieces, "__anext__") else next
        while (piece := await self._owner.attempt(lambda: following(self._pieces, None))) is not None:
            yield piece

    async def read(self, limit: int) -> bytes:
        body = bytearray()
        async for piece in self.chunks():
            body += piece
            if len(body) > limit:
                raise UpstreamError("too_large", f"the answer is larger than {limit} bytes", started=True)
        return bytes(body)

    def close(self, abort: bool = True) -> None:
        """Whoever runs the exchange closes the answer, when it is over: that is at once."""


class _Exchange(ABC):
    """What both kinds share. `told` gets the verdicts, in the caller's own thread, when the exchange is over."""

    def __init__(
        self, context: Context, handler: Handler, client: Any, request: httpx2.Request, told: Told | None
    ) -> None:
        self._upstream = OwnClient(client, request, self._perform)
        self._verdicts: list[Verdict] = []
        self._told = told
        self._context = replace(context, upstream=self._upstream, on_verdict=self._verdicts.append)
        self._handler = handler
        self._scope = scope_of(request)
        self._body: bytes | None = request.content
        self._failure: Exception | None = None
        self._over = False

    @abstractmethod
    async def _perform(self, act: Callable[[], Any]) -> Any:
        """Let the client's own HTTP do `act`, where it belongs: on the loop, or in the caller's thread."""

    @abstractmethod
    async def _put(self, message: Scope) -> None:
        """Hand a part of the answer to whoever made the call."""

    async def _run(self) -> None:
        try:
            await self._handler(self._context, self._scope, self._receive, self._send)
        except Exception:  # noqa: BLE001 - a server would cut the connection
            self._failure = httpx2.RemoteProtocolError("the guard failed within the answer; the log says why")

    async def _receive(self) -> Scope:
        if self._body is None:  # the client stays until its call is closed
            await asyncio.get_running_loop().create_future()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def _send(self, message: Scope) -> None:
        if self._upstream.failure is not None:
            if message["type"] == "http.response.start" or message.get("body", b"").startswith(b"event: error\n"):
                self._failure = self._upstream.failure
            if self._failure is not None:
                return  # the failure itself is raised, in place of our words for it
        if message["type"] == "http.response.start" or message.get("body"):
            await self._put(message)

    def _end(self) -> None:
        """Nothing more comes. Raises what was kept for this moment, once."""
        self._over = True
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    @staticmethod
    def _answer(message: Scope | None, stream: Any) -> httpx2.Response:
        if message is None:
            raise httpx2.RemoteProtocolError("the guard gave no answer")
        return httpx2.Response(message["status"], headers=message["headers"], stream=stream)

    def _tell(self) -> None:
        verdicts, self._verdicts[:] = list(self._verdicts), []
        for verdict in verdicts:
            if self._told is not None:
                self._told(verdict)


class AsyncExchange(_Exchange, httpx2.AsyncByteStream, AsyncIterator[bytes]):
    """One exchange on the caller's loop; itself the body of its answer."""

    _task: asyncio.Task[None]

    async def start(self) -> httpx2.Response:
        """The answer, its body still to be read."""
        self._queue: asyncio.Queue[Scope | None] = asyncio.Queue(1)
        self._task = asyncio.get_running_loop().create_task(self._go())
        try:
            return self._answer(await self._next(), self)
        except BaseException:
            await self.aclose()
            raise

    async def _go(self) -> None:
        try:
            await self._run()
        finally:
            with suppress(Exception):  # the answer is given up; how its connection takes that is nobody's concern
                for part in self._upstream.parts:
                    await part.aclose()
        await self._queue.put(None)

    async def _perform(self, act: Callable[[], Any]) -> Any:
        return await act()

    async def _put(self, message: Scope) -> None:
        await self._queue.put(message)

    async def _next(self) -> Scope | None:
        message = None if self._over else await self._queue.get()
        if message is None:
            self._end()
        return message

    def __aiter__(self) -> Self:
        # No generator: those that are left at a [DONE] would be closed by the loop, each in the middle of another.
        return self

    async def __anext__(self) -> bytes:
        try:
            message = await self._next()
        except BaseException:
            await self.aclose()
            raise
        if message is None:
            raise StopAsyncIteration
        return bytes(message["body"])

    async def aclose(self) -> None:
        self._over = True
        self._task.cancel()
        await asyncio.wait([self._task])
        self._tell()


class SyncExchange(_Exchange, httpx2.SyncByteStream):
    """One exchange on the background loop; itself the body of its answer."""

    _task: asyncio.Task[None]

    def start(self) -> httpx2.Response:
        """The answer, its body still to be read."""
        self._loop = BACKGROUND.loop()
        self._queue: queue.SimpleQueue[Scope | _Job | None] = queue.SimpleQueue()
        self._loop.call_soon_threadsafe(self._begin, context=copy_context())
        try:
            return self._answer(self._next(), self)
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(lambda _: self._queue.put(None))

    def _cancel(self) -> None:
        self._task.cancel()

    async def _perform(self, act: Callable[[], Any]) -> Any:
        job = _Job(act, self._loop)
        self._queue.put(job)
        return await job.done

    async def _put(self, message: Scope) -> None:
        self._queue.put(message)

    def _next(self) -> Scope | None:
        while not self._over:
            message = self._queue.get()
            if isinstance(message, _Job):
                message.run()
                continue
            if message is not None:
                return message
            self._finish()
            self._end()
        return None

    def __iter__(self) -> Iterator[bytes]:
        try:
            while (message := self._next()) is not None:
                yield message["body"]
        finally:
            self.close()

    def close(self) -> None:
        if not self._over:
            # A forked child has the exchange, but not the loop that it runs on.
            if self._loop is BACKGROUND.loop():
                self._loop.call_soon_threadsafe(self._cancel)
                while self._queue.get() is not None:
                    pass
            self._finish()
        self._tell()

    def _finish(self) -> None:
        self._over = True
        with suppress(Exception):  # as above
            for part in self._upstream.parts:
                part.close()


class _Job:
    """Something for the caller's thread to do, and for the loop to wait for."""

    def __init__(self, act: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self._act = act
        self._loop = loop
        self.done: asyncio.Future[Any] = loop.create_future()

    def run(self) -> None:
        try:
            result = self._act()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            self._loop.call_soon_threadsafe(self._settle, None, error)
        else:
            self._loop.call_soon_threadsafe(self._settle, result, None)

    def _settle(self, result: Any, error: Exception | None) -> None:
        if self.done.cancelled():
            return
        if error is not None:
            self.done.set_exception(error)
        else:
            self.done.set_result(result)
