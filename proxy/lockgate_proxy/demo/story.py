"""One scene as it was played: what went over each wire, and what the proxy wrote down of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from lockgate_proxy.demo.scene import Scene

Side = Literal["prompt", "completion"]


@dataclass(slots=True)
class Story:
    """`received` is None where the upstream was not asked. `told` is what the client made of `got`; `audit` the proxy's
    line on the exchange; `problems` what is not as it should be."""

    scene: Scene
    sent: bytes
    received: bytes | None
    said: bytes
    let_go: bool
    got: bytes
    status: int
    headers: dict[str, str]
    told: dict[str, Any]
    audit: dict[str, Any]
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def action(self, side: Side) -> str:
        """The verdict's action; "" if the exchange did not get so far."""
        verdict: dict[str, Any] = self.audit.get(side) or {}
        return str(verdict.get("action", ""))

    def texts(self) -> Iterator[str]:
        """Every text that the client gave its caller."""
        for choice in self.told["choices"]:
            yield from (choice["content"], choice["reasoning"], choice["refusal"])
            for call in choice["calls"]:
                yield from (call["name"], call["arguments"])

    def public(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "scene": self.scene.name,
            "title": self.scene.title,
            "sent": _text(self.sent),
            "upstream_received": None if self.received is None else _text(self.received),
            "upstream_said": _text(self.said),
            "upstream_let_go": self.let_go,
            "user_got": {"raw": _text(self.got), **self.told},
            "status": self.status,
            "headers": self.headers,
            "verdict": self.audit,
            "expected": asdict(self.scene.expect),
            "ok": self.ok,
            "problems": self.problems,
        }


def _text(body: bytes) -> str:
    return body.decode("utf-8", "backslashreplace")
