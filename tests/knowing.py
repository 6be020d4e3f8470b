"""An upstream of each API that tells log probabilities where it is asked for them, and only there. Its answers are otherwise
the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

from fakes import LAST_CHUNK, Peer, Script, chunk, head, json_answer
from lockgate.wire.token_logprobs import INCLUDE
from responding import events, message, output_text, response
from saying import DONE, data

Said = Sequence[tuple[str, float]]
"""An answer: its tokens with their log probabilities."""
PATHS = {"chat": "/v1/chat/completions", "completions": "/v1/completions", "responses": "/v1/responses"}
ASKS: dict[str, dict[str, Any]] = {
    "chat": {"logprobs": True},
    "completions": {"logprobs": 1},
    "responses": {"include": [INCLUDE]},
}
"""What asks each API for log probabilities."""


def spelled(said: Said) -> str:
    return "".join(token for token, _ in said)


def listed(said: Said) -> list[dict[str, Any]]:
    """As chat and responses list tokens."""
    return [{"token": t, "logprob": p, "bytes": list(t.encode()), "top_logprobs": []} for t, p in said]


def columns(said: Said) -> dict[str, Any]:
    """As completions do."""
    texts = [token for token, _ in said]
    offsets = [len("".join(texts[:i])) for i in range(len(texts))]
    numbers = [number for _, number in said]
    return {"tokens": texts, "token_logprobs": numbers, "top_logprobs": None, "text_offset": offsets}


def plain(api: str, choices: Sequence[Said], *, tells: bool) -> dict[str, Any]:
    """A whole answer; of responses, the texts are parts of one message."""
    if api == "responses":
        parts = [output_text(spelled(said), logprobs=listed(said) if tells else []) for said in choices]
        return response(message(*parts))
    if api == "completions":
        made: list[dict[str, Any]] = [
            {"text": spelled(said), "index": i, "logprobs": columns(said) if tells else None, "finish_reason": "stop"}
            for i, said in enumerate(choices)
        ]
        return {"id": "cmpl-7", "object": "text_completion", "created": 1, "model": "m", "choices": made}
    made = [
        {
            "index": i,
            "message": {"role": "assistant", "content": spelled(said), "refusal": None},
            "logprobs": {"content": listed(said), "refusal": None} if tells else None,
            "finish_reason": "stop",
        }
        for i, said in enumerate(choices)
    ]
    return {"id": "chatcmpl-7", "object": "chat.completion", "created": 1, "model": "m", "choices": made}


def streamed(api: str, choices: Sequence[Said], *, tells: bool, size: int = 2) -> list[bytes]:
    """The events of the same answer, so many tokens in each."""
    if api == "responses":
        return _responses(choices, tells=tells, size=size)
    kind = "text_completion" if api == "completions" else "chat.completion.chunk"
    top = {"id": "x-7", "object": kind, "created": 1, "model": "m"}
    out = []
    for i, said in enumerate(choices):
        for at in range(0, len(said), size):
            now = said[at : at + size]
            if api == "completions":
                told: Any = {"text": spelled(now), "logprobs": columns(now) if tells else None}
            else:
                told = {"delta": {"content": spelled(now)}, "logprobs": {"content": listed(now)} if tells else None}
            out.append(data({**top, "choices": [{"index": i, **told, "finish_reason": None}]}))
        end: Any = {"text": ""} if api == "completions" else {"delta": {}}
        out.append(data({**top, "choices": [{"index": i, **end, "logprobs": None, "finish_reason": "stop"}]}))
    return [*out, DONE]


def _responses(choices: Sequence[Said], *, tells: bool, size: int) -> list[bytes]:
    out = []
    for event in events(plain("responses", choices, tells=tells), size=10_000):
        said = choices[event.get("content_index", 0)]
        if event["type"] != "response.output_text.delta":
            done = event["type"] == "response.output_text.done"
            out.append({**event, "logprobs": listed(said) if tells else []} if done else event)
            continue
        for at in range(0, len(said), size):
            now = said[at : at + size]
            out.append({**event, "delta": spelled(now), "logprobs": listed(now) if tells else []})
    return [b"event: %b\n%b" % (str(one["type"]).encode(), data(copy.deepcopy(one))) for one in out]


def asks(api: str, request: Any) -> bool:
    if api == "responses":
        return INCLUDE in (request.get("include") or [])
    return bool(request.get("logprobs"))


def knowing(
    api: str, *choices: Said, size: int = 2, cut: Callable[[bytes], list[bytes]] | None = None, refuses: bytes = b""
) -> Script:
    """The upstream. `cut` says how a stream's bytes come; `refuses` is its answer to whoever asks for log probabilities."""

    async def script(peer: Peer) -> None:
        while True:
            request = json.loads((await peer.request()).body)
            tells = asks(api, request)
            if tells and refuses:
                await peer.send(refuses)
            elif request.get("stream"):
                said = b"".join(streamed(api, choices, tells=tells, size=size))
                pieces = cut(said) if cut is not None else [said]
                await peer.send_apart(head(), *map(chunk, pieces), LAST_CHUNK)
            else:
                await peer.send(json_answer(plain(api, choices, tells=tells)))

    return script
