"""Every error Lockgate raises, as one tree.

    LockgateError
    ├── PolicyError            a policy, a test file or a policy's tests can't be used: file:line, what, what to do
    │   └── PatternError       a pattern that the linear-time engine can't run, or that is wider than allowed
    ├── WireError              a document of the wire can't be read: what, where (JSON pointer or byte), status
    ├── Refused                the policy refused; carries its verdict
    ├── GuardUnavailable       the guard itself failed and the policy fails closed; carries its verdict
    └── SettingsError          a setting, an extra or a file that the start needs is missing or wrong

Messages never hold matched text, keys or prompts: they may be logged as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lockgate.verdict import Verdict


class LockgateError(Exception):
    """Root of the tree."""

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is copied, and comes out of another process, by calling its class with `args`. Ours want keywords.
        return type(self).__new__, (type(self), *self.args), vars(self)


class PolicyError(LockgateError):
    """A policy can't be used.

    `where` is ``file:line`` (or ``file``), `problem` says what is wrong, `hint` what to do about it.
    """

    def __init__(self, problem: str, *, where: str = "", hint: str = "") -> None:
        self.problem = problem
        self.where = where
        self.hint = hint
        super().__init__(problem, where, hint)

    def __str__(self) -> str:
        head = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{head} ({self.hint})" if self.hint else head

    def at(self, where: str) -> PolicyError:
        """The same error, placed: used by whoever knows the line, when the raiser did not."""
        if self.where:
            return self
        return type(self)(self.problem, where=where, hint=self.hint)


class PatternError(PolicyError):
    """A pattern can't be run in linear time, or can match more than its `max_width`."""


class WireError(LockgateError):
    """A document can't be read as what it should be.

    `where` is a JSON pointer or ``byte N``; `status` the HTTP status that fits (400 unless said); `code` the
    machine-readable word for the client.
    """

    def __init__(self, problem: str, *, where: str = "", status: int = 400, code: str = "invalid_json") -> None:
        self.problem = problem
        self.where = where
        self.status = status
        self.code = code
        super().__init__(problem, where, status, code)

    def __str__(self) -> str:
        return f"{self.problem} (at {self.where})" if self.where else self.problem


class Refused(LockgateError):  # noqa: N818 - the verb's own form reads best where it is caught
    """The policy refused. `verdict` says which rule, why, and under which policy; `message` is for the user."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.message = verdict.message
        super().__init__(verdict.message)


class GuardUnavailable(LockgateError):  # noqa: N818 - named after the wire's `guardrail_unavailable`
    """The guard failed and the rule's `on_error` is `refuse`: nothing is said about the text. `verdict.failures`
    names the detectors."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__("the guard could not reach a verdict, and the policy fails closed")


class SettingsError(LockgateError):
    """The process can't start as asked: a setting is wrong, or an extra is not installed."""
