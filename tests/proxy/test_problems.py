from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate.errors import WireError
from lockgate.verdict import Action, Failure, Finding, RuleOutcome, Verdict
from lockgate_proxy import problems
from lockgate_proxy.problems import Problem
from lockgate_proxy.upstream import UpstreamError


def verdict(**given: Any) -> Verdict:
    base: dict[str, Any] = {"side": "prompt", "policy": "default", "policy_hash": "sha256:0123456789abcdef"}
    return Verdict(**{**base, **given})


def shown(problem: Problem) -> dict[str, Any]:
    """The error object, after checking what holds for all."""
    body = json.loads(problem.body)
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert set(error) - {"innererror"} == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    headers = dict(problem.headers)
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"content-length"] == str(len(problem.body)).encode()
    return error


def retried(problem: Problem) -> bool:
    """Whether the SDKs send the request again."""
    if problem.status in {408, 409, 429} or problem.status >= 500:
        return dict(problem.headers).get(b"x-should-retry") != b"false"
    return False


def test_bad_requests() -> None:
    error = shown(problems.bad_request("no model", "model", "missing"))
    assert error == {"message": "no model", "type": "invalid_request_error", "param": "model", "code": "missing"}
    assert problems.bad_request("x").status == 400


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (problems.from_wire(WireError("not JSON", where="byte 3")), 400, "invalid_json"),
        (problems.from_wire(WireError("big", status=413, code="request_too_large")), 413, "request_too_large"),
        (problems.too_large(1024), 413, "request_too_large"),
        (problems.not_found(), 404, "not_found"),
        (problems.method_not_allowed("POST"), 405, "method_not_allowed"),
        (problems.unguarded_refused(), 403, "unguarded_path"),
        (problems.not_here("a WebSocket"), 501, "not_supported"),
    ],
)
def test_the_clients_own_faults(problem: Problem, status: int, code: str) -> None:
    error = shown(problem)
    assert (problem.status, error["code"], error["type"]) == (status, code, "invalid_request_error")
    assert not retried(problem)


def test_the_place_is_named() -> None:
    error = shown(problems.from_wire(WireError("duplicate key", where="/messages/0")))
    assert error["message"] == "duplicate key (at /messages/0)"
    assert "1024" in shown(problems.too_large(1024))["message"]
    assert (b"allow", b"POST") in problems.method_not_allowed("POST").headers


def test_a_refused_prompt() -> None:
    refused = verdict(
        action=Action.REFUSE,
        message="I can't help with that.",
        rules=[RuleOutcome("words", Action.REFUSE, "applied"), RuleOutcome("pii", Action.FLAG, "applied")],
        findings=[Finding("words", "BANNED", 1.0, "/messages/2/content", (3, 9))],
    )
    problem = problems.refused_prompt(refused, "messages[2]", "01ID")
    assert problem.status == 400
    assert not retried(problem)
    assert shown(problem) == {
        "message": "I can't help with that.",
        "type": "invalid_request_error",
        "param": "messages[2]",
        "code": "content_filter",
        "innererror": {"code": "lockgate_policy", "policy": "default", "rules": ["words", "pii"], "id": "01ID"},
    }


def test_a_guard_that_failed() -> None:
    failed = verdict(
        unavailable=True,
        failures=[
            Failure("classifier", "timeout", rule="injection"),
            Failure("words", "crash", rule="other", on_error="flag"),
        ],
    )
    problem = problems.unavailable(failed, "01ID")
    error = shown(problem)
    assert (problem.status, error["code"]) == (503, "guardrail_unavailable")
    assert not retried(problem)
    assert error["innererror"]["rules"] == ["injection"]
    assert error["innererror"]["reasons"] == ["timeout"]


def test_overload_passes() -> None:
    overloaded = verdict(unavailable=True, failures=[Failure("classifier", "overload", rule="injection")])
    problem = problems.unavailable(overloaded, "01ID")
    assert problem.status == 503
    assert retried(problem)
    assert (b"retry-after", b"1") in problem.headers


@pytest.mark.parametrize(
    ("error", "status", "code", "again"),
    [
        (UpstreamError("unreachable", "m"), 502, "upstream_unreachable", True),
        (UpstreamError("timeout", "m"), 504, "upstream_timeout", True),
        (UpstreamError("broken", "m"), 502, "upstream_broken", True),
        (UpstreamError("broken", "m", started=True), 502, "upstream_broken", False),
        (UpstreamError("idle", "m", started=True), 504, "upstream_timeout", False),
        (UpstreamError("protocol", "m"), 502, "upstream_broken", False),
        (UpstreamError("too_large", "m", started=True), 502, "upstream_too_large", False),
    ],
)
def test_the_upstreams_faults(error: UpstreamError, status: int, code: str, again: bool) -> None:
    problem = problems.upstream_problem(error)
    body = shown(problem)
    assert (problem.status, body["code"], body["type"], body["message"]) == (status, code, "upstream_error", "m")
    assert retried(problem) is again


def test_our_own_fault() -> None:
    problem = problems.internal()
    assert (problem.status, shown(problem)["code"]) == (500, "internal_error")
    assert not retried(problem)
