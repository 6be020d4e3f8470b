"""Answers that are ours: refusals and errors, in the shape that OpenAI's clients read.

    {"error": {"message", "type", "param", "code", "innererror"?}}

The status decides what an SDK does: it raises on 4xx, and retries 408, 409, 429 and 5xx unless `x-should-retry` says
otherwise. So a policy's refusal is a 400 (never 5xx or 429), and a guard that failed is a 503 that is not retried.
No message holds any text of the exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from lockgate.errors import WireError
from lockgate.verdict import Verdict
from lockgate_proxy.headers import Headers
from lockgate_proxy.upstream import UpstreamError

_JSON = (b"content-type", b"application/json")
_NO_RETRY = (b"x-should-retry", b"false")
_CHALLENGE = (b"www-authenticate", b"Bearer")
_OVERLOAD_RETRY = (b"retry-after", b"1")  # seconds
_RETRY = frozenset({b"retry-after", b"retry-after-ms", b"x-should-retry", b"x-request-id"})
_GATEWAY: dict[str, tuple[int, str]] = {
    "unreachable": (502, "upstream_unreachable"),
    "timeout": (504, "upstream_timeout"),
    "idle": (504, "upstream_timeout"),
    "broken": (502, "upstream_broken"),
    "protocol": (502, "upstream_broken"),
    "too_large": (502, "upstream_too_large"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer that is ours. `error` is the object that the client gets under ``error``."""

    status: int
    error: dict[str, Any]
    extra: Headers = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return to_json({"error": self.error})

    @property
    def headers(self) -> Headers:
        return [_JSON, (b"content-length", str(len(self.body)).encode()), *self.extra]


def bad_request(message: str, param: str | None = None, code: str | None = None, *, status: int = 400) -> Problem:
    return Problem(status, _error(message, "invalid_request_error", param, code))


def from_wire(error: WireError) -> Problem:
    """What a client is told of a document that can't be read."""
    return bad_request(str(error), None, error.code, status=error.status)


def too_large(limit: int) -> Problem:
    return bad_request(f"the body is larger than {limit} bytes", code="request_too_large", status=413)


def not_found(message: str = "there is nothing at this path") -> Problem:
    return bad_request(message, code="not_found", status=404)


def method_not_allowed(allowed: str) -> Problem:
    problem = bad_request(f"this path answers {allowed} only", code="method_not_allowed", status=405)
    return Problem(problem.status, problem.error, [(b"allow", allowed.encode())])


def unauthorized() -> Problem:
    """No client key, or none that is known: the same words for both, since the difference helps only strangers."""
    message = "no valid API key came with the request: send one that this proxy knows, as a bearer token"
    return Problem(401, _error(message, "invalid_request_error", None, "invalid_api_key"), [_CHALLENGE])


def unguarded_refused() -> Problem:
    """A path that no lens reads, under a policy that says `unguarded: refuse`."""
    message = "this path is not guarded, and the policy refuses what is not guarded"
    return bad_request(message, code="unguarded_path", status=403)


def not_here(what: str) -> Problem:
    """A way to use the API that can't be guarded yet."""
    message = f"{what} can't be guarded yet, and is not passed on"
    return Problem(501, _error(message, "invalid_request_error", None, "not_supported"), [_NO_RETRY])


def refused_prompt(verdict: Verdict, param: str | None, exchange: str) -> Problem:
    """The policy refused the prompt. `param` names the message, so that a client can drop it; `exchange` is its id."""
    error = _error(verdict.message, "invalid_request_error", param, "content_filter")
    error["innererror"] = {
        "code": "lockgate_policy",
        "policy": verdict.policy,
        "rules": verdict.applied,
        **verdict.told,
        "id": exchange,
    }
    return Problem(400, error)


def refused_error(verdict: Verdict, status: int, headers: Headers, exchange: str) -> Problem:
    """The upstream's answer was an error, and the policy refused its words. Its status stays, with what an SDK reads to
    know whether to try again."""
    refused = refused_prompt(verdict, None, exchange)
    kept = [(key.lower(), value) for key, value in headers if key.lower() in _RETRY]
    return Problem(status, {**refused.error, "type": "upstream_error"}, kept)


def unavailable(verdict: Verdict, exchange: str) -> Problem:
    """The guard failed, and the policy fails closed: nothing is said about the text.

    A retry meets the same failure, unless it was overload, which passes.
    """
    message = "the guard could not reach a verdict, and the policy fails closed"
    error = _error(message, "guardrail_error", None, "guardrail_unavailable")
    closed = [f for f in verdict.failures if f.on_error == "refuse"]
    error["innererror"] = {
        "code": "lockgate_failure",
        "policy": verdict.policy,
        "rules": list(dict.fromkeys(f.rule for f in closed if f.rule)),
        "reasons": sorted({f.reason for f in closed}),
        "id": exchange,
    }
    overload = any(f.reason == "overload" for f in closed)
    return Problem(503, error, [_OVERLOAD_RETRY if overload else _NO_RETRY])


def moderations_unavailable(exchange: str, *, passing: bool = False) -> Problem:
    """Moderations are to be answered here, and the model can't: nothing is said about the texts. `passing`: it has too
    much to do, and a retry may find it free."""
    message = "the model that answers moderations has too much to do; try again"
    if not passing:
        message = "the model that answers moderations can't be used; the proxy's log says why"
    error = _error(message, "guardrail_error", None, "moderations_unavailable")
    error["innererror"] = {"code": "lockgate_failure", "id": exchange}
    return Problem(503, error, [_OVERLOAD_RETRY if passing else _NO_RETRY])


def upstream_problem(error: UpstreamError) -> Problem:
    """The upstream did not answer as it should.

    An SDK may retry where nothing came back; not once an answer had begun, which was made and billed, and not
    where the same would come again.
    """
    status, code = _GATEWAY[error.kind]
    futile = error.started or error.kind in {"protocol", "too_large"}
    return Problem(status, _error(str(error), "upstream_error", None, code), [_NO_RETRY] if futile else [])


def internal() -> Problem:
    """Something here is broken; the log has what."""
    message = "the proxy failed on this exchange; its log says why"
    return Problem(500, _error(message, "server_error", None, "internal_error"), [_NO_RETRY])


def _error(message: str, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"message": message, "type": kind, "param": param, "code": code}
