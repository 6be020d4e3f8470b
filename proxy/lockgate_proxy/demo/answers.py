"""What the upstream says, in the wire formats of the chat API. Pure: a script and a request give a reply's bytes.

Sources: the OpenAI API reference; `reasoning_content` as DeepSeek sends it, `reasoning` as vLLM does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Literal

CREATED = 1767225600  # Unix seconds; fixed, so that each run says the same
FRAY = 997  # bytes of a piece where the network cuts without regard for events and letters

_TOKEN = re.compile(r"\s*\S{1,4}|\s+")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_JSON = ("content-type", "application/json")
_EVENTS = ("content-type", "text/event-stream; charset=utf-8")

# Numbers that no float survives, forms that no serialiser writes again. They have to come through as they are.
_USAGE = '{{"prompt_tokens":{0},"completion_tokens":{1},"total_tokens":{2},"queue_ns":9007199254740993,"cost":1.50E-3}}'


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call. `arguments` is JSON text, as a model writes it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Said:
    """One choice. `rest` is what is still said after `content`, if the upstream is not let go before."""

    content: str | None = None
    rest: str = ""
    reasoning: str = ""
    reasoning_key: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    calls: tuple[Call, ...] = ()

    @property
    def finish(self) -> str:
        return "tool_calls" if self.calls else "stop"


@dataclass(frozen=True, slots=True)
class Script:
    """What is said to a request that holds `cue` in its last user message.

    `cut`: a stream breaks off after the last word, without a finish. `frayed`: it comes in pieces that end anywhere.
    `error` is an answer of its own: status, headers and body.
    """

    cue: str
    said: tuple[Said, ...] = ()
    cut: bool = False
    frayed: bool = False
    error: tuple[int, tuple[tuple[str, str], ...], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes over the wire: the body as the pieces in which it is written.

    Before the piece at `pause` the upstream waits for a client that leaves. `cut`: the connection breaks after the last.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    parts: tuple[bytes, ...]
    pause: int | None = None
    cut: bool = False


def reply(script: Script, request: dict[str, Any]) -> Reply:
    """The upstream's reply to `request`, a body that has been read. ``{mail}`` is the address that it was asked about."""
    if script.error is not None:
        status, headers, body = script.error
        return Reply(status, (_JSON, *headers), (body,))
    script = _filled(script, request)
    if not request.get("stream"):
        return Reply(200, (_JSON,), (_plain(script, request),))
    parts = list(_events(script, request))
    pause = parts.index(b"") if b"" in parts else None
    whole = tuple(part for part in parts if part)
    if script.frayed:
        whole = fray(b"".join(whole))
    return Reply(200, (_EVENTS, ("cache-control", "no-cache")), whole, pause, script.cut)


def _filled(script: Script, request: dict[str, Any]) -> Script:
    if not any("{mail}" in (said.content or "") for said in script.said):
        return script
    found = _MAIL.search(json.dumps(request.get("messages"), ensure_ascii=False))
    mail = found[0] if found is not None else "you"
    return replace(
        script, said=tuple(replace(said, content=(said.content or "").replace("{mail}", mail)) for said in script.said)
    )


def tokens(text: str) -> list[str]:
    """`text` in the small pieces in which a model says it."""
    return _TOKEN.findall(text)


def fray(body: bytes) -> tuple[bytes, ...]:
    """`body` in pieces of a size that has nothing to do with its lines."""
    return tuple(body[start : start + FRAY] for start in range(0, len(body), FRAY))


def usage(script: Script, request: dict[str, Any]) -> str:
    """The `usage` object, as JSON text."""
    asked = len(tokens(json.dumps(request.get("messages"), ensure_ascii=False)))
    answered = sum(len(tokens((said.content or "") + said.rest + said.reasoning)) for said in script.said)
    return _USAGE.format(asked, answered, asked + answered)


def _plain(script: Script, request: dict[str, Any]) -> bytes:
    document = {
        "id": _id(script),
        "object": "chat.completion",
        "created": CREATED,
        "model": request["model"],
        "choices": [
            {
                "index": index,
                "message": _message(said),
                "logprobs": _logprobs(said.content) if request.get("logprobs") else None,
                "finish_reason": said.finish,
            }
            for index, said in enumerate(script.said)
        ],
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
    }
    body = json.dumps(document, ensure_ascii=False, indent=2).removesuffix("\n}")
    return f'{body},\n  "usage": {usage(script, request)}\n}}\n'.encode()


def _message(said: Said) -> dict[str, Any]:
    content = None if said.content is None else said.content + said.rest
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if said.reasoning:
        message[said.reasoning_key] = said.reasoning
    if said.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in said.calls
        ]
    return message


def _logprobs(content: str | None) -> dict[str, Any]:
    return {
        "content": [
            {"token": token, "logprob": -0.02 * (place % 7), "bytes": list(token.encode()), "top_logprobs": []}
            for place, token in enumerate(tokens(content or ""))
        ],
        "refusal": None,
    }


def _events(script: Script, request: dict[str, Any]) -> Iterator[bytes]:
    """The stream's events, those of several choices in turns; b"" stands where the upstream pauses."""
    extra: dict[str, Any] = {"usage": None} if _wants_usage(request) else {}
    head = {
        "id": _id(script),
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": request["model"],
        "system_fingerprint": "fp_44709d6fcb",
    }
    each = [
        list(_choice(said, index, with_logprobs=bool(request.get("logprobs")), cut=script.cut))
        for index, said in enumerate(script.said)
    ]
    for place, row in enumerate(zip_longest(*each)):
        for choice in row:
            if choice is not None:
                yield _event({**head, "choices": [choice], **extra}) if choice else b""
        if script.frayed and place % 200 == 100:
            yield b": keep-alive\n\n"
    if script.cut:
        return
    if extra:
        body = json.dumps({**head, "choices": []}, ensure_ascii=False, separators=(",", ":")).removesuffix("}")
        yield f'data: {body},"usage":{usage(script, request)}}}\n\n'.encode()
    yield b"data: [DONE]\n\n"


def _choice(said: Said, index: int, *, with_logprobs: bool, cut: bool) -> Iterator[dict[str, Any]]:
    def chunk(delta: dict[str, Any], finish: str | None = None, spelled: str | None = None) -> dict[str, Any]:
        logprobs = _logprobs(spelled) if with_logprobs and spelled is not None else None
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}

    yield chunk({"role": "assistant", "content": None if said.content is None else "", "refusal": None})
    for token in tokens(said.reasoning):
        yield chunk({said.reasoning_key: token})
    for token in tokens(said.content or ""):
        yield chunk({"content": token}, spelled=token)
    if said.rest:
        yield {}
    for token in tokens(said.rest):
        yield chunk({"content": token}, spelled=token)
    for place, call in enumerate(said.calls):
        function = {"name": call.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": place, "id": call.id, "type": "function", "function": function}]})
        for token in tokens(call.arguments):
            yield chunk({"tool_calls": [{"index": place, "function": {"arguments": token}}]})
    if not cut:
        yield chunk({}, said.finish)


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def _wants_usage(request: dict[str, Any]) -> bool:
    return bool((request.get("stream_options") or {}).get("include_usage"))


def _id(script: Script) -> str:
    return "chatcmpl-" + re.sub(r"\W", "", script.cue.title())[:24]
