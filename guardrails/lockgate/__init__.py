"""Lockgate: a runtime guardrail for LLM applications.

The engine behind the proxy, for Python: a decorator, and the types that a verdict is said in.
"""

from __future__ import annotations

from lockgate.detectors.judging import client_judge, run_judge
from lockgate.engine import Engine
from lockgate.errors import GuardUnavailable, LockgateError, PolicyError, Refused
from lockgate.guard import Guard, guard, warm
from lockgate.policy.load import load_policy
from lockgate.policy.schema import Policy
from lockgate.verdict import Action, Finding, Verdict

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Engine",
    "Finding",
    "Guard",
    "GuardUnavailable",
    "LockgateError",
    "Policy",
    "PolicyError",
    "Refused",
    "Verdict",
    "client_judge",
    "guard",
    "load_policy",
    "run_judge",
    "warm",
]
