"""`guarded(client, policy)`: the `openai` SDK's client, with the proxy's guard in its way out.

    client = guarded(OpenAI(), "default")

The seam is the SDK's HTTP client: every chat call passes it, whatever helper made it, retries and redirects included.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpx2

from lockgate.guard import PolicyLike, plan_for, warm
from lockgate.policy.plan import Plan
from lockgate.telemetry.spans import Tracing
from lockgate.verdict import Verdict
from lockgate_proxy.forward import handle_unguarded, passes
from lockgate_proxy.inprocess import AsyncExchange, SyncExchange, rebuilt, scope_of
from lockgate_proxy.routes import Handler, handler_for
from lockgate_proxy.settings import Settings
from lockgate_proxy.upstream import Upstream
from lockgate_proxy.visit import Caller, Context

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    Client = TypeVar("Client", bound=OpenAI | AsyncOpenAI)
else:
    Client = TypeVar("Client")

_NO_COMMENTS = 1e9  # seconds: there is no connection that would have to be kept alive


def guarded(
    client: Client,
    policy: PolicyLike,
    *,
    tags: Sequence[str] = (),
    on_verdict: Callable[[Verdict], object] | None = None,
) -> Client:
    """A copy of an `OpenAI` or `AsyncOpenAI` client (Azure's too) whose chat calls pass the guard.

    `client` itself stays as it is, and unguarded; both share its HTTP client, and closing one closes both. `policy` is
    what `guard` takes. Callers see what they would see through the proxy: a refused prompt is a `BadRequestError` with
    code `content_filter`, a refused answer ends with `content_filter`. `tags` are shown to conditions as
    `request.tags`; `on_verdict` is called with each verdict when its call is over, in the caller's thread.

    Raises PolicyError, also for a model that can't be run, and TypeError for what is no such client.
    """
    from openai import AsyncOpenAI, OpenAI

    if not isinstance(client, (OpenAI, AsyncOpenAI)):
        raise TypeError(f"guarded takes an OpenAI or AsyncOpenAI client, not {type(client).__name__}")
    plan = plan_for(policy)
    warm()
    seam = _Seam(plan, tuple(tags), on_verdict)
    own: Any = client._client  # noqa: SLF001 - there is no other way to the HTTP client that it was given
    same: dict[str, Any] = {
        "timeout": httpx2.Timeout(**own.timeout.as_dict()),
        "follow_redirects": own.follow_redirects,
        "max_redirects": own.max_redirects,
        "trust_env": False,  # the client's own transport knows the environment's proxies
    }
    through: Any
    if isinstance(client, AsyncOpenAI):
        through = httpx2.AsyncClient(transport=_AsyncTransport(seam, own), **same)
    else:
        through = httpx2.Client(transport=_Transport(seam, own), **same)
    return cast("Client", client.with_options(http_client=through))


class _Seam:
    """What all exchanges of a guarded client share."""

    def __init__(self, plan: Plan, tags: tuple[str, ...], on_verdict: Callable[[Verdict], object] | None) -> None:
        self.on_verdict = on_verdict
        settings = Settings.read(
            policy=plan.policy,
            upstream="http://localhost/v1",
            keepalive_comment=_NO_COMMENTS,
            moderations="forward",  # whoever holds a client has asked its model
        )
        # Each exchange puts its own upstream in.
        nowhere: Upstream = None  # type: ignore[assignment]
        self.context = Context(settings, plan, nowhere, Tracing(), caller=Caller(tags=tags))

    def handler(self, request: httpx2.Request) -> Handler | None:
        """None: what no lens reads, and the policy lets pass."""
        scope = scope_of(request)
        handler = handler_for(scope)
        if handler is handle_unguarded and passes(self.context.plan, scope):
            self.context.count("unguarded")
            return None
        return handler


class _Transport(httpx2.BaseTransport):
    def __init__(self, seam: _Seam, own: Any) -> None:
        self._seam = seam
        self._own = own

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        handler = self._seam.handler(request)
        if handler is not None:
            request.read()
            seam = self._seam
            return SyncExchange(seam.context, handler, self._own, request, seam.on_verdict).start()
        response = self._own.send(_as_it_is(self._own, request, request.stream), stream=True, follow_redirects=False)
        return _passed(response, _Through(response))

    def close(self) -> None:
        self._own.close()


class _AsyncTransport(httpx2.AsyncBaseTransport):
    def __init__(self, seam: _Seam, own: Any) -> None:
        self._seam = seam
        self._own = own

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        handler = self._seam.handler(request)
        if handler is not None:
            await request.aread()
            seam = self._seam
            return await AsyncExchange(seam.context, handler, self._own, request, seam.on_verdict).start()
        response = await self._own.send(
            _as_it_is(self._own, request, _later(request.stream)), stream=True, follow_redirects=False
        )
        return _passed(response, _AsyncThrough(response))

    async def aclose(self) -> None:
        await self._own.aclose()


def _as_it_is(own: Any, request: httpx2.Request, body: Any) -> Any:
    sends = "content-length" in request.headers or "transfer-encoding" in request.headers
    return rebuilt(own, request, request.headers.raw, body if sends else None)


async def _later(body: Any) -> AsyncIterator[bytes]:
    """A body that can be sent either way, as one that can only be sent by an async client: which asks for that."""
    async for piece in body:
        yield piece


def _passed(response: Any, stream: Any) -> httpx2.Response:
    return httpx2.Response(
        response.status_code, headers=response.headers.raw, stream=stream, extensions=response.extensions
    )


class _Through(httpx2.SyncByteStream):
    """The body of an answer that is passed on as it comes."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_raw()

    def close(self) -> None:
        self._response.close()


class _AsyncThrough(httpx2.AsyncByteStream):
    def __init__(self, response: Any) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._response.aiter_raw():
            yield piece

    async def aclose(self) -> None:
        await self._response.aclose()
