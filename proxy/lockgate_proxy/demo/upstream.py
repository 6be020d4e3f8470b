"""An upstream that is as good as real to whoever talks to it over HTTP: it answers by what is asked, from a script.

It writes down what it received and what it said, under the name that the request has in `x-demo-scene`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lockgate_proxy.demo.answers import CREATED, Reply, Script, reply

KEY = "demo-key"
"""What it wants in `Authorization`."""

SCENE = "x-demo-scene"


@dataclass(slots=True)
class Record:
    """One exchange as the upstream saw it. `let_go`: the client left in a pause, and the rest was not said."""

    received: bytes
    said: list[bytes] = field(default_factory=list)
    let_go: bool = False


class Upstream:
    """The upstream's application, and its records by scene. `patience`: seconds that a pause lasts where nobody leaves."""

    def __init__(self, scripts: Sequence[Script], *, patience: float) -> None:
        self.records: dict[str, Record] = {}
        self._scripts = scripts
        self._patience = patience
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/models", self._models, methods=["GET"]),
            ]
        )

    async def _chat(self, request: Request) -> Response | _Spoken:
        record = await self._record(request)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _said(record, 401, _error("Incorrect API key provided.", "invalid_api_key"))
        document = json.loads(record.received)
        asked = _last_question(document).lower()
        script = next((script for script in self._scripts if script.cue in asked), None)
        if script is None:
            return _said(record, 400, _error("There is no script for this question.", "no_script"))
        return _Spoken(reply(script, document), record, self._patience)

    async def _models(self, request: Request) -> Response:
        record = await self._record(request)
        models = [
            {"id": name, "object": "model", "created": CREATED, "owned_by": "demo"}
            for name in ("lock-keeper-1", "lock-keeper-1:mini")
        ]
        return _said(record, 200, {"object": "list", "data": models})

    async def _record(self, request: Request) -> Record:
        record = Record(await request.body())
        self.records[request.headers.get(SCENE, "")] = record
        return record


class _Spoken:
    """A reply that is written piece by piece."""

    def __init__(self, given: Reply, record: Record, patience: float) -> None:
        self._reply = given
        self._record = record
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [(name.encode(), value.encode()) for name, value in self._reply.headers]
        headers.append((b"x-request-id", b"req_demo"))
        await send({"type": "http.response.start", "status": self._reply.status, "headers": headers})
        for place, part in enumerate(self._reply.parts):
            if place == self._reply.pause and await _left(receive, self._patience):
                self._record.let_go = True
                return
            self._record.said.append(part)
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0)  # the others' turn: a model is slower than a loop
        if not self._reply.cut:
            await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive, patience: float) -> bool:
    """Wait for the client to leave. False: it stayed."""
    try:
        async with asyncio.timeout(patience):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


def _said(record: Record, status: int, document: dict[str, Any]) -> Response:
    body = json.dumps(document).encode()
    record.said.append(body)
    return Response(body, status, media_type="application/json")


def _error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def _last_question(document: dict[str, Any]) -> str:
    asked = [message["content"] for message in document["messages"] if message["role"] == "user"]
    content = asked[-1] if asked else ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content)
