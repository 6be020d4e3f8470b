"""Policies in a line, and what a chat upstream says: the events of its streams, spaced as a server in Python would."""

from __future__ import annotations

import json
from typing import Any

from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy

# --- Policies in a line ----------------------------------------------------------------------------------------------


def rule(name: str, use: Any = None, then: Any = None, **more: Any) -> dict[str, Any]:
    """A rule on the completion, unless `side` says otherwise."""
    given = {"id": name, "side": "completion", "use": use, "then": then, **more}
    return {key: value for key, value in given.items() if value is not None}


def plan_of(*rules: dict[str, Any], **top: Any) -> Plan:
    return compile_policy(Policy.model_validate({"version": 1, "name": "test", "rules": rules, **top}))


def words(*found: str) -> dict[str, Any]:
    return {"words": {"words": list(found)}}


def patterns(**regexes: str) -> dict[str, Any]:
    return {"patterns": {"patterns": regexes}}


# --- What an upstream says -------------------------------------------------------------------------------------------


def data(value: Any, end: str = "\n") -> bytes:
    """One event, spaced as a server in Python would."""
    return f"data: {json.dumps(value, ensure_ascii=False)}{end}{end}".encode()


def choice(delta: dict[str, Any], index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, **more, "finish_reason": finish}


def chunk(*choices: dict[str, Any], **more: Any) -> bytes:
    top = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
    return data({**top, "choices": list(choices), **more})


def role(index: int = 0) -> bytes:
    return chunk(choice({"role": "assistant", "content": ""}, index))


def text(content: str, index: int = 0, /, **more: Any) -> bytes:
    return chunk(choice({"content": content}, index, **more))


def said(index: int = 0, /, **delta: Any) -> bytes:
    return chunk(choice(delta, index))


def arguments(fragment: str, call: int = 0, index: int = 0) -> bytes:
    return said(index, tool_calls=[{"index": call, "function": {"arguments": fragment}}])


def finish(reason: str = "stop", index: int = 0) -> bytes:
    return chunk(choice({}, index, reason))


USAGE = chunk(usage={"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21})
DONE = b"data: [DONE]\n\n"
