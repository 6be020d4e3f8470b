"""Token log probabilities, where a rule reads them: asked of the upstream if the client did not, kept for the rule, and
taken out of what the client gets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Exchange
from lockgate.policy.plan import Plan
from lockgate.settling import settled
from lockgate.wire.document import parse
from lockgate.wire.lens import Dialect
from lockgate.wire.splice import splice
from lockgate.wire.token_logprobs import Asked, Tokens, answer_tokens, asked, event_tokens, without
from lockgate_proxy.headers import BODY_DEPENDENT, Headers
from lockgate_proxy.headers import without as less
from lockgate_proxy.sse import Event, rebuild
from lockgate_proxy.upstream import Answer, Upstream

REFUSALS = frozenset({400, 403, 422})
"""What an upstream says of a member that it does not know, or a model does not have."""
_AGAIN = 600.0
_MOST = 1024


class Unable:
    """The models that were refused log probabilities of late: they are asked for them again after ten minutes. `clock`
    in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}

    def add(self, path: str, model: str) -> None:
        if len(self._until) >= _MOST:
            del self._until[next(iter(self._until))]
        self._until[path, model] = self._clock() + _AGAIN

    def has(self, path: str, model: str) -> bool:
        until = self._until.get((path, model))
        if until is not None and self._clock() >= until:
            del self._until[path, model]
            return False
        return until is not None


class Logprobs:
    """What one exchange does about them. `asked` is what is put into its request, and means that they are taken out of
    its answer; None where the client asked itself, or nobody can. `path` is the dialect's."""

    def __init__(self, exchange: Exchange, path: str, asked: Asked | None, unable: Unable) -> None:
        self._exchange = exchange
        self._path = path
        self._unable = unable
        self.asked = asked

    async def open(
        self, upstream: Upstream, method: str, target: str, headers: Headers, body: bytes | None, plain: bytes
    ) -> Answer:
        """Ask the upstream, for log probabilities too; once more, as the client did, where it refuses that. `plain` is
        the `body` less its content-encoding, which `headers` name. Raises as `Upstream.open`."""
        if self.asked is None:
            return await upstream.open(method, target, headers, body)
        answer = await upstream.open(method, target, less(headers, BODY_DEPENDENT), self.asked.put(plain))
        if answer.status not in REFUSALS:
            return answer
        answer.close()
        self.asked = None
        answer = await upstream.open(method, target, headers, body)
        if answer.status < 400:  # so it was that which it refused
            self._unable.add(self._path, self._exchange.subject.model)
        return answer

    def answer(self, body: bytes) -> tuple[bytes, Tokens | None]:
        """A plain answer as the client may see it, and its tokens; None where it can't be read."""
        try:
            document = parse(body, lenient=True)
        except WireError:
            return body, None
        return splice(body, without(document)) if self.asked is not None else body, answer_tokens(document)

    def event(self, event: Event) -> Event:
        """The same of a stream's event, whose tokens the exchange remembers."""
        if self._exchange.logprobs is None:
            self._exchange.logprobs = {}
        if not event.data or event.done:
            return event
        try:
            document = parse(event.data, lenient=True)
        except WireError:
            return event  # it is judged as what can't be read
        event_tokens(document, self._exchange.logprobs)
        values = without(document) if self.asked is not None else {}
        if not values:
            return event
        data = splice(event.data, values)
        return Event(rebuild(event, data), data)


def wanted(
    plan: Plan, exchange: Exchange, dialect: Dialect, document: Mapping[str, Any] | None, unable: Unable
) -> Logprobs | None:
    """None where no rule on the answer to this request reads log probabilities. `document` is the request as the client
    sent it."""
    if not plan.logprobs or plan.logprobs.isdisjoint(settled(plan.completion, exchange).active):
        return None
    ask = asked(dialect.path, document) if document is not None else None
    if ask is not None and unable.has(dialect.path, exchange.subject.model):
        ask = None
    return Logprobs(exchange, dialect.path, ask, unable)
