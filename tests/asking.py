"""The `openai` clients as an application has them, through either door: what one sees, the other must see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from openai import AsyncOpenAI, OpenAI

from fakes import RawUpstream, Script
from lockgate.policy.plan import Plan
from lockgate_proxy import guarded
from proxied import proxied

Guarding = Callable[..., Any]

HELLO: list[Any] = [{"role": "user", "content": "hello"}]


def saying(content: str) -> list[Any]:
    return [{"role": "user", "content": content}]


class Way(NamedTuple):
    """How the model is asked: by the plain client or the async one, through the proxy or by a guarded client."""

    sync: bool
    door: str

    def __str__(self) -> str:
        return f"{'sync' if self.sync else 'async'}-{self.door}"


WAYS = [Way(sync, door) for door in ("proxy", "guarded") for sync in (True, False)]


class Asker:
    """The two clients behind one face: each call gives what the SDK gives, or raises what it raises."""

    def __init__(self, client: OpenAI | AsyncOpenAI) -> None:
        self._sync = client if isinstance(client, OpenAI) else None
        self._async = client if isinstance(client, AsyncOpenAI) else None

    async def close(self) -> None:
        if self._async is not None:
            await self._async.close()
        elif self._sync is not None:
            self._sync.close()

    async def create(self, **asked: Any) -> Any:
        asked = {"model": "m", "messages": HELLO, **asked}
        if self._async is not None:
            return await self._async.chat.completions.create(**asked)
        assert self._sync is not None
        create: Any = self._sync.chat.completions.create
        return await asyncio.to_thread(create, **asked)

    async def stream(self, seen: Callable[[Any], None], **asked: Any) -> None:
        """Every chunk is given to `seen`."""
        if self._async is not None:
            async for one in await self.create(stream=True, **asked):
                seen(one)
            return

        def read() -> None:
            assert self._sync is not None
            for one in self._sync.chat.completions.create(**{"model": "m", "messages": HELLO, "stream": True, **asked}):
                seen(one)

        await asyncio.to_thread(read)


@asynccontextmanager
async def asking(way: Way, plan: Plan, script: Script, **given: Any) -> AsyncIterator[Asker]:
    """An asker whose upstream does as `script` says; `upstream` puts another URL in its place."""
    by = OpenAI if way.sync else AsyncOpenAI
    if way.door == "proxy":
        async with proxied(plan, script, **given) as proxy:
            asker = Asker(by(base_url=f"{proxy.base}/v1", api_key="sk-test", max_retries=0, timeout=10))
            try:
                yield asker
            finally:
                await asker.close()
        return
    async with RawUpstream(script) as upstream:
        client = by(base_url=given.get("upstream", upstream.url), api_key="sk-test", max_retries=0, timeout=10)
        asker = Asker(guarded(client, plan))
        try:
            yield asker
        finally:
            await asker.close()


class Guarded:
    """A guarded client of either kind: `call` runs a call of the SDK, and waits for what it gives."""

    def __init__(self, upstream: RawUpstream, client: Any, original: Any) -> None:
        self.upstream = upstream
        self.client = client
        self.original = original
        self.sync = isinstance(client, OpenAI)

    async def call(self, act: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if self.sync:
            return await asyncio.to_thread(act, *given, **named)
        return await act(*given, **named)

    async def create(self, **asked: Any) -> Any:
        return await self.call(self.client.chat.completions.create, **{"model": "m", "messages": HELLO, **asked})

    async def iterate(self, things: Any, most: int | None = None) -> list[Any]:
        """What comes out of an iterator or async iterator of the SDK."""
        out: list[Any] = []
        if self.sync:

            def read() -> None:
                for thing in things:
                    out.append(thing)
                    if len(out) == most:
                        break

            await asyncio.to_thread(read)
        else:
            async for thing in things:
                out.append(thing)
                if len(out) == most:
                    break
        return out


@asynccontextmanager
async def guarding(
    sync: bool, script: Script, plan: Plan, told: Any = None, tags: tuple[str, ...] = (), **given: Any
) -> AsyncIterator[Guarded]:
    """A guarded client of either kind, in front of an upstream that does as the script says."""
    by: Any = OpenAI if sync else AsyncOpenAI
    async with RawUpstream(script) as upstream:
        original = by(**{"base_url": upstream.url, "api_key": "k", "max_retries": 0, "timeout": 10, **given})
        client = guarded(original, plan, on_verdict=told, tags=tags)
        found = Guarded(upstream, client, original)
        try:
            yield found
        finally:
            await found.call(client.close)
