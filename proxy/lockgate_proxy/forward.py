"""Every path that no lens reads: forwarded byte for byte, or refused, as the policy's `unguarded:` says; and counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from lockgate.errors import WireError
from lockgate.ids import new_id
from lockgate.policy.plan import Plan
from lockgate.policy.surfaces import surfaces_of
from lockgate_proxy import observe, problems
from lockgate_proxy.admit import ClientGone, Receive, Scope, Send
from lockgate_proxy.headers import answer_headers, request_headers, value_of
from lockgate_proxy.paths import meaning
from lockgate_proxy.upstream import Answer, UpstreamError
from lockgate_proxy.visit import Context, Visit, remember, report

BODILESS = frozenset({204, 304})  # their content-length, if any, is not of a body that follows


def passes(plan: Plan, scope: Scope) -> bool:
    """Whether the policy lets an unguarded request pass."""
    return plan.forwards(_surfaces(scope))


def _surfaces(scope: Scope) -> Sequence[str]:
    return surfaces_of(meaning(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"))


async def handle_unguarded(context: Context, scope: Scope, receive: Receive, send: Send) -> None:
    visit = Visit(context, send, new_id(), scope["path"], surface=_surfaces(scope)[0])
    begin = time.perf_counter()
    visit.seen = observe.begin(visit, scope)
    context.count("unguarded")
    try:
        if not passes(context.plan, scope):
            visit.outcome = "refused_path"
            context.count("unguarded_refused")
            await visit.refuse(problems.unguarded_refused())
        else:
            await _forward(visit, scope, receive)
    except WireError as error:
        visit.outcome = "invalid"
        await _fail(visit, problems.from_wire(error))
    except UpstreamError as error:
        visit.outcome = "upstream_error"
        await _fail(visit, problems.upstream_problem(error))
    except (ClientGone, asyncio.CancelledError):
        visit.left()
        raise
    except Exception as error:  # noqa: BLE001 - the client gets a clear answer, whatever broke
        report(visit, error)
        await _fail(visit, problems.internal())
    finally:
        visit.timings["total"] = time.perf_counter() - begin
        remember(visit)


async def _fail(visit: Visit, problem: problems.Problem) -> None:
    if visit.started:
        # The answer has begun and can't be taken back: it has to break, or it would look whole.
        raise ConnectionError("the upstream's answer was cut")
    await visit.refuse(problem)


async def _forward(visit: Visit, scope: Scope, receive: Receive) -> None:
    raw = scope["headers"]
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    sends = bool(value_of(raw, b"content-length")) or bool(value_of(raw, b"transfer-encoding"))
    headers = request_headers(raw, identity=False, keep_length=True)
    body = _body(receive, visit.context.settings.max_body) if sends else None
    if body is None:
        await receive()  # the empty body; from here on the client's leaving is noticed
    if visit.seen is not None:
        headers = visit.seen.call(visit, headers)
    full = (path + b"?" + query if query else path).decode("latin-1")
    answer = await visit.context.upstream.open(scope["method"], full, headers, body)
    try:
        await _answer(visit, scope, answer)
    finally:
        answer.close()


async def _body(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise WireError(f"the body is larger than {limit} bytes", status=413, code="request_too_large")
        if chunk:
            yield chunk
        if not message.get("more_body", False):
            return


async def _answer(visit: Visit, scope: Scope, answer: Answer) -> None:
    visit.status = answer.status
    visit.started = True
    length = answer.status not in BODILESS
    headers = [
        *answer_headers(answer.headers, length=length),
        (b"x-lockgate-id", visit.id.encode()),
        (b"x-lockgate-action", b"none"),
        (b"x-lockgate-coverage", b"unguarded"),
        (b"x-lockgate-surface", visit.surface.encode()),
    ]
    await visit.send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if scope["method"] != "HEAD":
        async for chunk in answer.chunks():
            await visit.send({"type": "http.response.body", "body": chunk, "more_body": True})
    visit.outcome = "forwarded"
    await visit.send({"type": "http.response.body", "body": b""})
