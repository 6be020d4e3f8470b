"""The client's side: the `openai` client as anybody uses it, and beside it the bytes that its connection carried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
from openai import OpenAI

from lockgate_proxy.demo.scene import Scene
from lockgate_proxy.demo.upstream import KEY, SCENE

_TIMEOUT = 10.0  # seconds; everything is on this machine

_HEADERS = ("x-lockgate-", "retry-after")


@dataclass(slots=True)
class Wire:
    """One request and its answer as they went over the client's connection. `headers` are those that the proxy set."""

    sent: bytes
    status: int
    headers: dict[str, str]
    pieces: list[bytes] = field(default_factory=list)

    @property
    def got(self) -> bytes:
        return b"".join(self.pieces)


class Tap(httpx2.BaseTransport):
    """The client's transport, which writes down what passes."""

    def __init__(self) -> None:
        self._inner = httpx2.HTTPTransport()
        self._last: Wire | None = None

    def take(self) -> Wire:
        """The exchange since this was last asked. Raises ConnectionError if there was none."""
        last, self._last = self._last, None
        if last is None:
            raise ConnectionError("the proxy did not answer")
        return last

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        sent = request.read()
        response = self._inner.handle_request(request)
        headers = {name: value for name, value in response.headers.items() if name.startswith(_HEADERS)}
        wire = self._last = Wire(sent, response.status_code, headers)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Tapped(response.stream, wire.pieces),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._inner.close()


class _Tapped(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, pieces: list[bytes]) -> None:
        self._inner = inner
        self._iterator = iter(inner)
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._iterator:
            self._pieces.append(piece)
            yield piece

    def close(self) -> None:
        # The client stops at the first error or [DONE]. What would follow is of interest here.
        try:
            self._pieces.extend(self._iterator)
        except httpx2.TransportError:
            pass
        finally:
            self._inner.close()


class Client:
    """Plays scenes against the proxy on `port`."""

    def __init__(self, port: int) -> None:
        self._tap = Tap()
        self._openai = OpenAI(
            api_key=KEY,
            base_url=f"http://127.0.0.1:{port}/v1",
            max_retries=0,
            timeout=_TIMEOUT,
            http_client=openai.DefaultHttpxClient(transport=self._tap),
        )

    def play(self, scene: Scene) -> tuple[Wire, dict[str, Any]]:
        """What went over the wire, and what the client made of it: choices, usage, flags, error."""
        told: dict[str, Any] = {"choices": [], "flags": [], "usage": None, "error": None}
        headers = {SCENE: scene.name}
        try:
            if scene.ask is None:
                told["models"] = [model.id for model in self._openai.models.list(extra_headers=headers)]
            else:
                said = self._openai.chat.completions.create(**scene.ask, extra_headers=headers)
                for part in said if scene.ask.get("stream") else [said]:
                    _read(told, part)
        except openai.APIError as error:
            body = error.body if isinstance(error.body, dict) else {}
            told["error"] = {
                "class": type(error).__name__,
                "code": error.code,
                "param": error.param,
                "message": body.get("message", error.message),
            }
        return self._tap.take(), told

    def close(self) -> None:
        self._openai.close()


def _read(told: dict[str, Any], part: Any) -> None:
    """One completion, or one chunk of one."""
    extra = part.model_extra or {}
    told["flags"].extend((extra.get("lockgate") or {}).get("flags") or ())
    if part.usage is not None:
        told["usage"] = part.usage.model_dump()
    for choice in part.choices:
        while len(told["choices"]) <= choice.index:
            told["choices"].append({"content": "", "reasoning": "", "refusal": "", "calls": [], "finish": None})
        mine = told["choices"][choice.index]
        message = choice.message if hasattr(choice, "message") else choice.delta
        thought = message.model_extra or {}
        mine["content"] += message.content or ""
        mine["refusal"] += message.refusal or ""
        mine["reasoning"] += thought.get("reasoning_content") or thought.get("reasoning") or ""
        for place, call in enumerate(message.tool_calls or ()):
            index = getattr(call, "index", place)
            while len(mine["calls"]) <= index:
                mine["calls"].append({"name": "", "arguments": ""})
            mine["calls"][index]["name"] += call.function.name or ""
            mine["calls"][index]["arguments"] += call.function.arguments or ""
        mine["finish"] = choice.finish_reason or mine["finish"]
