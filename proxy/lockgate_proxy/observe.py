"""What telemetry sees of an exchange: its span, the span of the call to the upstream, and what both leave in metrics.

Nothing of this is made where neither spans nor metrics are asked for: then `begin` gives None, and every place that
would tell something asks for None first.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry import context as otel
from opentelemetry import trace
from pydantic_core import from_json

from lockgate.telemetry import names
from lockgate.telemetry.metrics import OTHER, Labels, Metrics, Usage
from lockgate.telemetry.spans import TRACE_HEADERS, bounded, incoming, outgoing
from lockgate_proxy.headers import Headers, without

if TYPE_CHECKING:
    from lockgate.exchange import Exchange
    from lockgate.policy.plan import Plan
    from lockgate.wire.lens import Dialect
    from lockgate_proxy.admit import Scope
    from lockgate_proxy.sse import Event
    from lockgate_proxy.upstream import Take
    from lockgate_proxy.visit import Visit

UNGUARDED: Final = "unguarded"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
_LOST = frozenset({"client_gone", "cancelled"})
_LAST_EVENTS = 4  # the finish, the usage and [DONE], and one to spare; and one more for each choice
_MOST_CHOICES = 16
_WORD = re.compile(r"[!-~]{1,128}")
"""What an upstream may call an answer, its model and its end: a word, so that no text comes that way."""
_USAGE = (
    names.INPUT_TOKENS, names.OUTPUT_TOKENS, names.CACHE_READ, names.CACHE_CREATION, names.REASONING_TOKENS
)  # fmt: skip
"""As the fields of `Usage`."""
_NO_USAGE = Usage()
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Peer:
    """The upstream as telemetry names it: its provider, a word of the operator's, its address and port."""

    provider: str = "openai"
    address: str = ""
    port: int = 0

    @classmethod
    def of(cls, url: str, provider: str) -> Peer:
        parts = urlsplit(url)
        return cls(provider, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0))


def expect(metrics: Metrics, plan: Plan) -> None:
    """Tell metrics of a policy that comes into force."""
    rules = {rule.id: rule for side in (plan.prompt, plan.completion) for rule in side.rules}
    metrics.expect(plan.policy, plan.hash, [(rule.id, rule.detectors, rule.on_error) for rule in rules.values()])


def chosen(metrics: Metrics | None, plan: Plan) -> None:
    """An exchange has this plan: a key's own, perhaps, or one under overlays."""
    if metrics is not None and (plan.policy, plan.hash) not in metrics.policies:
        expect(metrics, plan)


def begin(visit: Visit, scope: Scope, dialect: Dialect | None = None) -> Seen | None:
    """The exchange begins. None where nobody wants to know."""
    context = visit.context
    if context.metrics is None and not context.tracing.on:
        return None
    return Seen(visit, scope, dialect)


class Seen:
    """One exchange, as telemetry sees it. `end` must follow, in the same task."""

    __slots__ = (
        "_began_looking", "_call", "_called", "_choices", "_dialect", "_first_chunk", "_last", "_looked", "_method", "_opening", "_operation",
        "_peer", "_route", "_said", "_span", "_token",
    )  # fmt: skip

    def __init__(self, visit: Visit, scope: Scope, dialect: Dialect | None) -> None:
        context = visit.context
        method = scope["method"]
        self._method = method if method in _METHODS else "_OTHER"
        self._dialect = dialect
        self._operation = "" if dialect is None else dialect.operation
        self._route = UNGUARDED if dialect is None else dialect.dialect
        self._peer = context.peer
        self._span: trace.Span | None = None
        self._call: trace.Span | None = None
        self._called: float | None = None
        self._first_chunk: float | None = None
        self._looked = self._began_looking = 0.0
        self._choices = 1
        self._opening: bytes | None = None
        self._last: deque[bytes] = deque(maxlen=_LAST_EVENTS)
        self._said: dict[str, Any] = {}
        metrics, plan = context.metrics, context.plan
        if metrics is not None:
            metrics.in_flight += 1
            chosen(metrics, plan)
        if context.tracing.on:
            template = "" if dialect is None else f"/v1{dialect.path}"
            attributes = {names.METHOD: self._method, names.SCHEME: scope.get("scheme", "http"), names.ID: visit.id}
            if template:
                attributes[names.ROUTE] = template
            name = f"{self._verb} {template}" if template else self._verb
            self._span = context.tracing.begin(name, trace.SpanKind.SERVER, attributes, incoming(scope["headers"]))
            assert self._span is not None
            self._token = otel.attach(trace.set_span_in_context(self._span))

    @property
    def _verb(self) -> str:
        return "HTTP" if self._method == "_OTHER" else self._method

    def call(self, visit: Visit, headers: Headers, exchange: Exchange | None = None) -> Headers:
        """The upstream is asked: the headers to ask it with, which carry our trace where there is one.

        `exchange` is what it is asked for; without one it is a path that nobody reads.
        """
        self._called = time.perf_counter()
        if exchange is not None:
            self._choices = min(max(exchange.choices, 1), _MOST_CHOICES)
            if self._choices > 1:
                self._last = deque(maxlen=_LAST_EVENTS + self._choices)
        if self._span is None:
            return headers
        if not self._span.is_recording():
            return [*without(headers, TRACE_HEADERS), *outgoing(self._span)]
        tracing = visit.context.tracing
        attributes: dict[str, str | int | float | bool | tuple[str, ...]] = {
            names.ADDRESS: self._peer.address,
            names.PORT: self._peer.port,
        }
        name = self._verb
        if exchange is None or not self._operation:
            attributes[names.METHOD] = self._method
        else:
            operation = self._operation
            model = exchange.subject.model
            shown = tracing.models.learn(model)
            name = operation if shown == OTHER else f"{operation} {shown}"
            attributes |= {
                names.OPERATION: operation,
                names.PROVIDER: self._peer.provider,
                names.MODEL: bounded(model),
                names.STREAM: exchange.stream,
            }
            if exchange.choices != 1:
                attributes[names.CHOICES] = exchange.choices
        self._call = tracing.begin(name, trace.SpanKind.CLIENT, attributes)
        assert self._call is not None
        return [*without(headers, TRACE_HEADERS), *outgoing(self._call)]

    def answer(self, document: Any) -> None:
        """A plain answer has come."""
        if isinstance(document, dict):
            self._read(document)

    def events(self, events: Sequence[Event]) -> None:
        """Events of a streamed answer have come, and are looked at from now on."""
        self._began_looking = time.perf_counter()
        for event in events:
            if event.data is not None:
                self._came(event.data)

    def looked(self) -> None:
        """Those events have been looked at."""
        self._looked += time.perf_counter() - self._began_looking

    def watching(self, take: Take) -> Take:
        """`take`, and what it takes is seen: each piece is one whole event as it came."""

        def watched(piece: bytes) -> bytes | None:
            self._began_looking = time.perf_counter()
            left = take(piece)
            if left is not piece:
                self.looked()
                self._came(piece)
            return left

        return watched

    def _came(self, data: bytes) -> None:
        if self._opening is None:
            self._opening = data
            self._first_chunk = self._began_looking - (self._called or self._began_looking)
        self._last.append(data)

    def end(self, visit: Visit) -> None:
        """The exchange has ended, and its outcome, status and timings are known."""
        if self._opening is not None:
            self._read_events()
        usage = _usage(self._said.get("usage"))
        error = self._error(visit)
        self._count(visit, usage, error)
        if self._call is not None:
            self._end_call(self._call, visit, usage, error)
        if self._span is not None:
            self._end_exchange(self._span, visit)
            otel.detach(self._token)

    def _error(self, visit: Visit) -> str:
        """What went wrong with the call to the upstream; "" if nothing did."""
        if self._called is None:
            return ""
        if visit.outcome == "upstream_error":
            return visit.error or "upstream_error"
        if visit.outcome in _LOST:
            return "cancelled"
        answered = visit.outcome in ("answered", "forwarded", "refused_answer")
        return str(visit.status) if answered and visit.status >= 400 else ""

    def _count(self, visit: Visit, usage: Usage, error: str) -> None:
        metrics = visit.context.metrics
        if metrics is None:
            return
        metrics.in_flight -= 1
        timings = visit.timings
        if self._first_chunk is not None:
            timings = {**timings, "first_chunk": self._first_chunk, "answer": self._looked}
        metrics.ended(self._route, visit.outcome, visit.status, timings)
        passage = visit.passage
        if passage is not None:
            metrics.judged(passage.verdicts)
        if self._called is None:
            return
        if error == "429" or not (error in {"", "cancelled"} or error.startswith("4")):
            metrics.upstream_error(self._route, error)
        if passage is not None and self._operation:
            model = passage.exchange.subject.model
            peer = self._peer
            answered = not error and visit.outcome in ("answered", "refused_answer")
            label = metrics.models.learn(model) if answered else metrics.models.known(model)
            call: Labels = (self._operation, peer.provider, label, peer.address, str(peer.port))
            seconds = time.perf_counter() - self._called
            metrics.called(call, seconds, error=error, first_chunk=self._first_chunk, usage=usage)

    def _end_call(self, span: trace.Span, visit: Visit, usage: Usage, error: str) -> None:
        said = self._said
        shown: dict[str, str | int | float | tuple[str, ...]] = {}
        for key, name in (("id", names.RESPONSE_ID), ("model", names.RESPONSE_MODEL)):
            if isinstance(said.get(key), str) and _WORD.fullmatch(said[key]):
                shown[name] = said[key]
        reasons = said.get("reasons")
        if reasons:
            shown[names.FINISH_REASONS] = tuple(reasons[index] for index in sorted(reasons))
        if self._first_chunk is not None:
            shown[names.FIRST_CHUNK] = self._first_chunk
        counts = zip(_USAGE, usage, strict=True)
        shown |= {name: count for name, count in counts if count is not None}
        if visit.passage is None and visit.outcome == "forwarded":
            shown[names.STATUS] = visit.status
        if error:
            shown[names.ERROR] = error
            span.set_status(trace.StatusCode.ERROR)
        span.set_attributes(shown)
        span.end()

    def _end_exchange(self, span: trace.Span, visit: Visit) -> None:
        if span.is_recording():
            shown: dict[str, str | int] = {names.OUTCOME: visit.outcome}
            if visit.status:
                shown[names.STATUS] = visit.status
            if visit.passage is not None:
                shown[names.MODEL] = bounded(visit.passage.exchange.subject.model)
            if "most_held" in visit.timings:
                shown[names.HELD] = int(visit.timings["most_held"])
            if visit.status >= 500 or visit.outcome in ("internal_error", "upstream_error"):
                shown[names.ERROR] = visit.error or visit.outcome
                span.set_status(trace.StatusCode.ERROR)
            span.set_attributes(shown)
        span.end()

    def _read(self, document: Mapping[str, Any]) -> None:
        said, told = self._said, document if self._dialect is None else self._dialect.told(document)
        for key in ("id", "model", "usage"):
            value = told.get(key)
            if value is not None:
                said[key] = value
        choices = document.get("choices")
        if not isinstance(choices, list):
            return
        for choice in choices[:_MOST_CHOICES]:
            reason = choice.get("finish_reason") if isinstance(choice, dict) else None
            if isinstance(reason, str):
                index = choice.get("index")
                shown = reason if _WORD.fullmatch(reason) else OTHER
                said.setdefault("reasons", {})[index if isinstance(index, int) else 0] = shown

    def _read_events(self) -> None:
        """A stream's first event and its last ones say the same as a whole answer."""
        assert self._opening is not None
        for data in (self._opening, *self._last):
            try:
                document = from_json(data.removeprefix(b"data:"))
            except ValueError:
                continue  # [DONE], or what nobody can read
            self.answer(document)


def _usage(found: Any) -> Usage:
    if not isinstance(found, dict):
        return _NO_USAGE
    prompt, completion = found.get("prompt_tokens_details"), found.get("completion_tokens_details")
    return Usage(
        _tokens(found.get("prompt_tokens")),
        _tokens(found.get("completion_tokens")),
        _tokens(prompt.get("cached_tokens")) if isinstance(prompt, dict) else None,
        _tokens(prompt.get("cache_write_tokens")) if isinstance(prompt, dict) else None,
        _tokens(completion.get("reasoning_tokens")) if isinstance(completion, dict) else None,
    )


def _tokens(count: Any) -> int | None:
    return count if type(count) is int and 0 <= count < 2**53 else None
