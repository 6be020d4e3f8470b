"""The judge over HTTP: a chat completion of any server that speaks OpenAI's API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lockgate.detectors.judging import Judge, JudgeError
from lockgate.errors import WireError
from lockgate.wire.document import parse
from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.settings import Settings
from lockgate_proxy.upstream import Upstream, UpstreamError

_LARGEST = 4 * 1024 * 1024  # bytes of an answer


def judge_of(settings: Settings, key: str = "") -> Judge | None:
    """The judge that the settings name, who is asked with `key`; None where they name none."""
    if settings.judge_url is None or settings.judge_model is None:
        return None
    upstream = AiohttpUpstream(
        settings.judge_url,
        timeout=settings.judge_timeout,
        idle_timeout=settings.judge_timeout,
        ca=settings.judge_ca,
    )
    return Judge(
        Asker(upstream, key),
        settings.judge_model,
        timeout=settings.judge_timeout,
        per_minute=settings.judge_per_minute,
        parallel=settings.judge_parallel,
    )


class Asker:
    """Sends a question to `upstream`, with `key` as a bearer token, and reads the answer."""

    def __init__(self, upstream: Upstream, key: str = "") -> None:
        self._upstream = upstream
        self._headers = [
            (b"content-type", b"application/json"),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"identity"),
        ]
        if key:
            self._headers.append((b"authorization", b"Bearer " + key.encode()))

    async def __call__(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises JudgeError, which says nothing of what was asked or answered."""
        try:
            answer = await self._upstream.open("POST", "/v1/chat/completions", self._headers, _dumped(body))
            read = False
            try:
                raw = await answer.read(_LARGEST)
                read = True
            finally:
                answer.close(abort=not read)
        except UpstreamError as error:
            raise JudgeError(f"the judge could not be asked: {error.kind}") from None
        try:
            document = parse(raw)
        except WireError:
            document = None
        if isinstance(document, dict) and (answer.status == 200 or document.get("error")):
            return document
        raise JudgeError(f"the judge answered with status {answer.status}")

    async def close(self) -> None:
        """Close all connections."""
        await self._upstream.close()


def _dumped(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
