"""What a scene is: what the client asks, and what has to be true of the bytes that then went over the wires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODEL = "lock-keeper-1"

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expect:
    """What has to be true.

    `prompt` and `answer` are the actions of the two verdicts ("" where there is none). `intact`: the upstream received
    what was sent, and the user got what it said, byte for byte. `kept_back` must not reach the upstream, `taken_out`
    not the user; `shown` must reach the user, `passed_on` the upstream. `flags` are names. `ends` are the finish reasons
    by choice. `error` is the code of the error that the client raises, `param` what it names. `let_go`: the upstream
    was cancelled in mid-stream.
    """

    prompt: str = "allow"
    answer: str = "allow"
    status: int = 200
    intact: bool = False
    kept_back: tuple[str, ...] = ()
    passed_on: tuple[str, ...] = ()
    taken_out: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    ends: tuple[str | None, ...] = ()
    error: str = ""
    param: str = ""
    let_go: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """`ask` are the arguments of `client.chat.completions.create`; None asks for the list of models."""

    name: str
    title: str
    expect: Expect
    ask: Mapping[str, Any] | None = None


def ask(*messages: str | Message, **more: Any) -> dict[str, Any]:
    """Arguments of a call. A bare text is a user's message."""
    said = [{"role": "user", "content": each} if isinstance(each, str) else dict(each) for each in messages]
    return {"model": MODEL, "messages": said, **more}


def stream(*messages: str | Message, **more: Any) -> dict[str, Any]:
    return ask(*messages, stream=True, **more)


SYSTEM = {"role": "system", "content": "You help the staff of an outdoor shop. Be brief."}
