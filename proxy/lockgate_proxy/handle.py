"""One exchange, in whatever API, from the door to the answer: admit, read, look, decide, act, forward, and back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from lockgate.errors import PolicyError, WireError
from lockgate.exchange import Exchange, Subject
from lockgate.ids import new_id
from lockgate.passage import Passage
from lockgate.telemetry.names import ADMIT, ANSWER, PROMPT
from lockgate.verdict import Action, Verdict
from lockgate.wire.document import parse
from lockgate.wire.edit import edit_document
from lockgate.wire.given import MEMBER, REASON, taken
from lockgate.wire.lens import Dialect, RequestReading
from lockgate_proxy import observe, problems
from lockgate_proxy.admit import ClientGone, Receive, Scope, Send, read_body, server_of
from lockgate_proxy.asker import country_of, language_of, tags_of
from lockgate_proxy.forward import BODILESS
from lockgate_proxy.headers import BODY_DEPENDENT, Headers, request_headers, value_of, without
from lockgate_proxy.logprobs import wanted
from lockgate_proxy.plain import answer_plain, synthetic_answer
from lockgate_proxy.streaming import answer_stream, synthetic_stream
from lockgate_proxy.upstream import UpstreamError
from lockgate_proxy.visit import Context, Visit, account, remember, report

_log = logging.getLogger("lockgate.proxy")

_EVENT_STREAM = b"text/event-stream"
_NAMELESS = frozenset({b"", b"text/plain", b"application/octet-stream"})
"""What a stream may be called by an upstream that does not know better: clients read it all the same."""

Answering = Callable[[Visit, Dialect, Scope, Receive], Awaitable[None]]
"""How an exchange that does not reach the upstream is answered. Raises WireError."""


async def handle(
    dialect: Dialect, context: Context, scope: Scope, receive: Receive, send: Send, answer: Answering | None = None
) -> None:
    """Guard one exchange, or `answer` it here. What goes wrong is answered here; only a lost client gets out, as a
    cancellation."""
    visit = Visit(context, send, new_id(), scope["path"], server=server_of(scope))
    begin = time.perf_counter()
    visit.seen = observe.begin(visit, scope, dialect)
    try:
        await (answer or _exchange)(visit, dialect, scope, receive)
    except WireError as error:
        visit.outcome = "invalid"
        await visit.refuse(problems.from_wire(error))
    except UpstreamError as error:
        visit.outcome = "upstream_error"
        await visit.refuse(problems.upstream_problem(error))
    except (ClientGone, asyncio.CancelledError):
        visit.left()
        raise
    except PolicyError as error:  # overlays that can't hold together: it quotes the policy, and nothing of the exchange
        _log.error("exchange %s is refused, since its policy can't be compiled: %s", visit.id, error)
        visit.outcome = "unavailable"
        context.count("guardrail_unavailable")
        await visit.refuse(problems.internal())
    except Exception as error:  # noqa: BLE001 - the client gets a clear answer, whatever broke
        report(visit, error)
        if visit.started:
            raise ConnectionError("the answer had begun and can't be taken back") from None
        await visit.refuse(problems.internal())
    finally:
        visit.timings["total"] = time.perf_counter() - begin
        remember(visit)


async def _exchange(visit: Visit, dialect: Dialect, scope: Scope, receive: Receive) -> None:
    context = visit.context
    raw_headers: Headers = scope["headers"]
    with context.tracing.span(ADMIT):
        body = await read_body(receive, raw_headers, context.settings.max_body)
        document = parse(body.plain) if body.plain or not dialect.stored else None
        given = taken(body.plain, document)
        if given is not None:
            document = given.document
        reading = dialect.read_request(document)
    exchange = _exchange_of(visit, dialect, reading, raw_headers)
    if given is not None:
        exchange.given = given.context
        reading.skipped |= {f"/{MEMBER}/context/{i}": REASON for i in range(len(given.context))}
    marker = context.audit.marker if context.audit is not None else None
    passage = visit.passage = Passage(context.plan, exchange, marker=marker, masker=context.masker, request=document)
    observe.chosen(context.metrics, passage.plan)
    with context.tracing.span(PROMPT) as span:
        verdict = await passage.prompt(reading)
        context.tracing.describe(span, verdict)
    visit.timings["prompt"] = verdict.timings["look"]
    account(visit, verdict)
    if verdict.action is Action.REFUSE:
        visit.outcome = "refused_prompt"
        await _refused(visit, dialect, verdict)
        return
    if verdict.unavailable:
        visit.outcome = "unavailable"
        context.count("guardrail_unavailable")
        await visit.refuse(problems.unavailable(verdict, visit.id), verdict)
        return
    sent, plain, headers = body.raw, body.plain, request_headers(raw_headers, identity=True)
    if verdict.edits or given is not None:
        plain = body.plain if given is None else given.body
        sent = plain = edit_document(plain, document, verdict.edits, dialect.dependants)
        headers = without(headers, BODY_DEPENDENT)
    visit.logprobs = wanted(passage.plan, exchange, dialect, document, context.unable)
    await _forward(visit, dialect.answering(exchange, verdict.edits), scope, headers, sent, plain, verdict)


def _exchange_of(visit: Visit, dialect: Dialect, reading: RequestReading, headers: Headers) -> Exchange:
    subject, caller, settings = reading.subject, visit.context.caller, visit.context.settings
    return Exchange(
        id=visit.id,
        dialect=dialect.dialect,
        subject=Subject(
            subject.model,
            subject.user,
            tuple(dict.fromkeys((*caller.tags, *tags_of(settings, headers)))),
            caller.tenant,
            country_of(settings, headers),
            language_of(settings, headers),
            caller.key,
        ),
        stream=reading.stream,
        choices=reading.choices,
    )


async def _forward(
    visit: Visit, dialect: Dialect, scope: Scope, headers: Headers, body: bytes, plain: bytes, verdict: Verdict
) -> None:
    context = visit.context
    assert visit.passage is not None
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    path = (raw_path + b"?" + query if query else raw_path).decode("latin-1")
    if visit.seen is not None:
        headers = visit.seen.call(visit, headers, visit.passage.exchange)
    begin = time.perf_counter()
    sent = body if body or scope["method"] == "POST" else None
    if visit.logprobs is None:
        answer = await context.upstream.open(scope["method"], path, headers, sent)
    else:
        answer = await visit.logprobs.open(context.upstream, scope["method"], path, headers, sent, plain)
    visit.timings["upstream"] = time.perf_counter() - begin
    try:
        kind = value_of(answer.headers, b"content-type").partition(b";")[0].strip().lower()
        with context.tracing.span(ANSWER) as span:
            streams = kind == _EVENT_STREAM or (
                kind in _NAMELESS and visit.passage.exchange.stream and answer.status < 300
            )
            if streams and answer.status not in BODILESS:
                await answer_stream(visit, dialect, answer, verdict)
            else:
                await answer_plain(visit, dialect, answer, verdict)
            if "completion" in visit.passage.verdicts:
                context.tracing.describe(span, visit.passage.verdicts["completion"])
    finally:
        answer.close()


async def _refused(visit: Visit, dialect: Dialect, verdict: Verdict) -> None:
    """A refused prompt: an error that names the message, or an answer that refuses, as the policy says."""
    if verdict.status == 400:
        await visit.refuse(problems.refused_prompt(verdict, dialect.param(verdict.where), visit.id), verdict)
    elif visit.passage is not None and visit.passage.exchange.stream:
        await synthetic_stream(visit, dialect, verdict)
    else:
        await synthetic_answer(visit, dialect, verdict)
