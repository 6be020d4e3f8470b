"""What the documents show of answers is what the proxy answers: status, headers and body, ids and hashes aside.

A block ```` ```http NAME ```` shows the scene of that name: a policy, a request, and what the upstream says to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response, StreamingResponse

import pages
from fakes import AsgiUpstream
from lockgate.audit import Audit
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate_proxy.app import make_app
from lockgate_proxy.callers import load_keyring
from lockgate_proxy.headers import Headers
from lockgate_proxy.problems import _GATEWAY as GATEWAY
from lockgate_proxy.settings import Settings
from lockgate_proxy.upstream import Answer, Upstream, UpstreamError
from pages import Block

KEY_BLOCK = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZz\n"
POLITE = {
    "version": 1,
    "name": "polite",
    "rules": [
        {
            "id": "medicine",
            "side": "prompt",
            "use": {"words": {"words": ["dosage"]}},
            "then": {"refuse": {"message": "Please ask a doctor about that.", "status": 200}},
        }
    ],
}
LOOKUP = {"type": "function", "function": {"name": "lookup", "parameters": {"properties": {"anna@example.com": {}}}}}


@dataclass(frozen=True)
class Scene:
    """`says` is the upstream's answer: a text, the pieces of a streamed one, or a whole document. None: it is not there."""

    says: str | list[str] | dict[str, Any] | None = "Done."
    asks: str | bytes = "Hello."
    policy: str = "default"
    path: str = "/v1/chat/completions"
    more: dict[str, Any] = field(default_factory=dict)
    method: str = "POST"
    keyed: bool = False


SCENES: dict[str, Scene] = {
    "untouched": Scene(says="Hello!"),
    "refused-prompt": Scene(asks=f"Is this key all right?\n{KEY_BLOCK}"),
    "refused-prompt-200": Scene(policy="polite", asks="What is the right dosage?"),
    "refused-answer": Scene(says=f"Here you are:\n{KEY_BLOCK}"),
    "edited-answer": Scene(says="The card is 4111 1111 1111 1111."),
    "edited-stream": Scene(says=["The card is 4111", " 1111 1111 11", "11."]),
    "refused-stream": Scene(says=["Here you are: ", *KEY_BLOCK.splitlines(keepends=True)]),
    "failed": Scene(policy="strict", more={"tools": [LOOKUP]}),
    "failed-stream": Scene(policy="strict", says=["Looking it up.", "tool:anna@example.com"]),
    "unguarded-refused": Scene(policy="strict", path="/v1/files"),
    "upstream-gone": Scene(says=None),
    "no-key": Scene(keyed=True),
    "bad-json": Scene(asks=b'{"model": "m", "model": "n"}'),
    "healthz": Scene(path="/healthz", method="GET"),
    "readyz": Scene(path="/readyz", method="GET"),
}


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    value = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def delta(piece: str) -> dict[str, Any]:
    if piece.startswith("tool:"):
        return {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": piece[5:], "arguments": "{}"}}]}
    return {"content": piece}


def answer_of(says: str | list[str] | dict[str, Any]) -> Response:
    if isinstance(says, list):
        events = [*(chunk(delta(piece)) for piece in says), chunk({}, "stop"), b"data: [DONE]\n\n"]
        return StreamingResponse(iter(events), media_type="text/event-stream")
    message = says if isinstance(says, dict) else {"role": "assistant", "content": says}
    return JSONResponse({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    })  # fmt: skip


class Gone:
    """An upstream that is not there."""

    async def open(
        self, method: str, path: str, headers: Headers, body: bytes | AsyncIterator[bytes] | None = None
    ) -> Answer:
        raise UpstreamError("unreachable", "the upstream can't be reached: connection refused")

    async def close(self) -> None:
        """Nothing is kept."""


async def play(scene: Scene, folder: Path) -> tuple[httpx.Response, list[dict[str, Any]]]:
    """The client's answer, and the audit lines."""
    polite = folder / "polite.yaml"
    polite.write_text(json.dumps(POLITE), encoding="utf-8")
    policy = str(polite) if scene.policy == "polite" else scene.policy

    async def model(scope: Any, receive: Any, send: Any) -> None:
        assert scene.says is not None
        await answer_of(scene.says)(scope, receive, send)

    upstream: Upstream = Gone() if scene.says is None else AsgiUpstream(model)
    audit = Audit(folder / "audit.jsonl", b"a key for this page only")
    keys = folder / "keys"
    keys.touch(0o600)
    settings = Settings.read(policy=policy, upstream="http://upstream/v1", keys=keys if scene.keyed else None)
    ring = load_keyring(keys) if scene.keyed else None
    app = make_app(settings, compile_policy(load_policy(policy)), upstream=upstream, audit=audit, ring=ring)
    streams = isinstance(scene.says, list)
    asked = {"model": "m", "messages": [{"role": "user", "content": scene.asks}], **scene.more}
    body = (
        scene.asks if isinstance(scene.asks, bytes) else json.dumps({**asked, **({"stream": True} if streams else {})})
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://proxy") as client:
        answer = await client.request(scene.method, scene.path, content=body if scene.method == "POST" else None)
    audit.close()
    lines = (folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    return answer, [json.loads(line) for line in lines]


# --- Comparing -------------------------------------------------------------------------------------------------------

VARIES = [
    (re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b"), "ID"),
    (re.compile(r"sha256:[0-9a-f]{16}"), "HASH"),
    (re.compile(r'("created": ?)\d+'), r"\1 0"),
]


def plain(text: str) -> str:
    for pattern, instead in VARIES:
        text = pattern.sub(instead, text)
    return text


def parsed(text: str) -> Any:
    """A body as values: of JSON its value, of a stream its events."""
    text = plain(text.strip())
    if text.startswith("{"):
        return json.loads(text)
    events = []
    for event in re.split(r"\n\n+", text):
        name, _, data = event.rpartition("data: ")
        events.append((name, json.loads(data) if data.startswith("{") else data))
    return events


@pytest.mark.parametrize("block", pages.all_blocks("http"), ids=str)
async def test_an_answer_is_what_the_page_shows(block: Block, tmp_path: Path) -> None:
    answer, _ = await play(SCENES[block.info], tmp_path)
    head, _, body = block.text.partition("\n\n")
    status, *lines = head.splitlines()
    assert status.split()[1] == str(answer.status_code)
    for line in lines:
        name, _, value = line.partition(": ")
        assert plain(answer.headers.get(name, "")) == plain(value), name
    shown = {line.partition(":")[0] for line in lines}
    assert {name for name in answer.headers if name.startswith(("x-lockgate", "x-should", "www-"))} <= shown
    assert parsed(answer.text) == parsed(body)


def shape(value: Any) -> Any:
    """The keys of a value, all the way down."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__


async def test_an_audit_line_is_what_the_page_shows(tmp_path: Path) -> None:
    _, [line] = await play(SCENES["edited-answer"], tmp_path)
    [block] = [block for block in pages.blocks("docs/audit.md") if block.info == "audit-line"]
    shown = json.loads(block.text)
    assert shape(line) == shape(shown)
    assert line["text_marks"] == shown["text_marks"]
    assert line["completion"]["findings"] == shown["completion"]["findings"]


def test_every_scene_is_shown() -> None:
    assert set(SCENES) == {block.info for block in pages.all_blocks("http")}


def test_every_code_of_an_error_is_on_the_page() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("proxy/lockgate_proxy", "guardrails/lockgate")
        for path in (pages.ROOT / folder).rglob("*.py")
        if "demo" not in path.parts
    )
    codes = {*re.findall(r'code(?:: str)? ?= ?"([a-z_]+)"', source), *(code for _, code in GATEWAY.values())}
    shown = set(re.findall(r"`([a-z_]+)`", pages.prose("docs/proxy.md")))
    assert codes - NOT_ANSWERED <= shown, sorted(codes - NOT_ANSWERED - shown)


NOT_ANSWERED = {"method_not_allowed", "internal_error"}
"""Codes that no request can bring about."""
