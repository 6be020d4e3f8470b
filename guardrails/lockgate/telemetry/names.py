"""Every name that telemetry uses: spans, attributes, events and metrics. docs/telemetry.md has them all.

`gen_ai.*`, `http.*`, `server.*` and `error.type` are OpenTelemetry's own conventions; `lockgate.*` are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

SCOPE: Final = "lockgate"

# Stations, as in docs/architecture.md: spans within the exchange's.
ADMIT: Final = "lockgate.admit"
PROMPT: Final = "lockgate.prompt"
ANSWER: Final = "lockgate.answer"

# Attributes of ours.
ID: Final = "lockgate.id"
OUTCOME: Final = "lockgate.outcome"
ACTION: Final = "lockgate.action"
RULES: Final = "lockgate.rules"
RULE: Final = "lockgate.rule"
PRINCIPLES: Final = "lockgate.principles"
PERMITTED: Final = "lockgate.permitted"
POLICY: Final = "lockgate.policy.name"
POLICY_HASH: Final = "lockgate.policy.hash"
POLICY_COMMIT: Final = "lockgate.policy.commit"
FAILED_OPEN: Final = "lockgate.failed_open"
FAILURES: Final = "lockgate.failures"
FINDINGS: Final = "lockgate.findings"
SCANNED: Final = "lockgate.coverage.scanned"
SKIPPED: Final = "lockgate.coverage.skipped"
UNREAD: Final = "lockgate.coverage.unread"
HELD: Final = "lockgate.stream.held"

# Attributes of the conventions.
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
MODEL: Final = "gen_ai.request.model"
STREAM: Final = "gen_ai.request.stream"
CHOICES: Final = "gen_ai.request.choice.count"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - it is a name
METHOD: Final = "http.request.method"
ROUTE: Final = "http.route"
SCHEME: Final = "url.scheme"
STATUS: Final = "http.response.status_code"
ERROR: Final = "error.type"
ADDRESS: Final = "server.address"
PORT: Final = "server.port"

# The event for a detector's score, and its attributes.
EVALUATION: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
SCORE: Final = "gen_ai.evaluation.score.value"
SCORE_LABEL: Final = "gen_ai.evaluation.score.label"

SECONDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0,
)  # fmt: skip
"""Borders for a station's seconds: from a look at a short prompt to an answer of some minutes."""

CHARACTERS: Final = (0.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 16384.0, 65536.0, 262144.0)

OPERATION_SECONDS: Final = tuple(0.01 * 2**i for i in range(14))
"""As the conventions say for `gen_ai.client.operation.duration`: 0.01 to 81.92."""

TOKENS: Final = tuple(float(4**i) for i in range(14))
"""As the conventions say for `gen_ai.client.token.usage`: 1 to 67108864."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric: its name and those of its labels, in OpenTelemetry's spelling. `bounds` are a histogram's borders."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    help: str
    bounds: tuple[float, ...] = ()

    @property
    def prometheus(self) -> str:
        """The name in Prometheus's spelling: with the unit, and `_total` if it counts."""
        name = self.name.replace(".", "_") + _SUFFIXES.get(self.unit, "")
        return f"{name}_total" if self.kind == "counter" else name


_SUFFIXES = {"s": "_seconds", "{character}": "_characters"}

EXCHANGES: Final = Instrument(
    "lockgate.exchanges", "counter", "{exchange}", ("route", "outcome", "status"),
    "Exchanges that ended, by how they ended and the status that the client got (0: none).",
)  # fmt: skip
IN_FLIGHT: Final = Instrument(
    "lockgate.exchanges.in_flight", "gauge", "{exchange}", (), "Exchanges that have begun and not ended."
)
RELOADS: Final = Instrument(
    "lockgate.policy.reloads", "counter", "{reload}", ("outcome",),
    "Times that the policy was read again: done, or failed, and the last good one stayed in force.",
)  # fmt: skip
UNAUTHORIZED: Final = Instrument(
    "lockgate.unauthorized", "counter", "{request}", (), "Requests that were turned away for want of a client key."
)
STATION: Final = Instrument(
    "lockgate.station.duration", "histogram", "s", ("station",), "Seconds that an exchange spent at a station.", SECONDS
)
VERDICTS: Final = Instrument(
    "lockgate.verdicts", "counter", "{verdict}", ("policy", "side", "action"), "Verdicts by the action that won."
)
RULE_VERDICTS: Final = Instrument(
    "lockgate.rule.verdicts", "counter", "{verdict}", ("policy", "rule", "side", "action", "outcome"),
    "Rules that applied, were permitted, overruled or failed, or were in shadow, by their action.",
)  # fmt: skip
COVERAGE_SKIPPED: Final = Instrument(
    "lockgate.coverage.skipped", "counter", "{place}", ("side", "reason"), "Places that were not scanned, and why."
)
COVERAGE_UNREAD: Final = Instrument(
    "lockgate.coverage.unread", "counter", "{place}", ("side",), "Places that the guard does not know."
)
FAIL_OPEN: Final = Instrument(
    "lockgate.fail_open", "counter", "{use}", ("policy", "rule"),
    "Failures that let text pass because the rule says on_error: allow.",
)  # fmt: skip
GUARD_FAILURES: Final = Instrument(
    "lockgate.guard.failures", "counter", "{failure}", ("detector", "reason", "on_error"),
    "Detectors and conditions that gave no answer.",
)  # fmt: skip
AUDIT_QUEUE: Final = Instrument(
    "lockgate.audit.queue", "gauge", "{line}", (), "Audit lines that wait for the disk."
)  # fmt: skip
AUDIT_LOST: Final = Instrument("lockgate.audit.lost", "counter", "{line}", (), "Audit lines that are lost.")
STREAM_HELD: Final = Instrument(
    "lockgate.stream.held", "histogram", "{character}", (), "The most characters that a stream held back at once.",
    CHARACTERS,
)  # fmt: skip
UPSTREAM_ERRORS: Final = Instrument(
    "lockgate.upstream.errors", "counter", "{error}", ("route", "reason"),
    "Requests that the upstream did not answer as it should: no answer, a broken one, 429 or 5xx.",
)  # fmt: skip
POLICY_INFO: Final = Instrument(
    "lockgate.policy.info", "gauge", "", ("policy", "hash"), "The policies in force; always 1."
)
_CALL = (OPERATION, PROVIDER, MODEL, ADDRESS, PORT)
OPERATION_DURATION: Final = Instrument(
    "gen_ai.client.operation.duration", "histogram", "s", (*_CALL, ERROR),
    "Seconds from the request to the upstream until its answer has gone out.", OPERATION_SECONDS,
)  # fmt: skip
OPERATION_FIRST_CHUNK: Final = Instrument(
    "gen_ai.client.operation.time_to_first_chunk", "histogram", "s", _CALL,
    "Seconds from the request to the upstream until the first event of its stream.", OPERATION_SECONDS,
)  # fmt: skip
TOKEN_USAGE: Final = Instrument(
    "gen_ai.client.token.usage", "histogram", "{token}", (*_CALL, TOKEN_TYPE), "Tokens as the upstream counts them.",
    TOKENS,
)  # fmt: skip

INSTRUMENTS: Final = (
    EXCHANGES, IN_FLIGHT, RELOADS, UNAUTHORIZED, STATION, VERDICTS, RULE_VERDICTS, COVERAGE_SKIPPED, COVERAGE_UNREAD, FAIL_OPEN,
    GUARD_FAILURES, AUDIT_QUEUE, AUDIT_LOST, STREAM_HELD, UPSTREAM_ERRORS, POLICY_INFO, OPERATION_DURATION,
    OPERATION_FIRST_CHUNK, TOKEN_USAGE,
)  # fmt: skip
"""All of them, as docs/telemetry.md and /metrics show them."""
