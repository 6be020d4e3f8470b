"""Overlays through the proxy: by client key, trusted headers and model, with what says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse

from fakes import AsgiUpstream, chat_answer
from lockgate.audit import Audit
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate_proxy.app import make_app
from lockgate_proxy.callers import load_keyring
from lockgate_proxy.keyfile import add_key
from lockgate_proxy.keys import new_key
from lockgate_proxy.settings import Settings

POLICY = """\
version: 1
name: house
rules:
  - {id: tea, side: prompt, use: {words: {words: [tea]}}, then: {refuse: {message: No tea.}}}
overlays:
  - {id: acme, where: {tenant: acme}, without: [tea]}
  - {id: gold, where: {tag: gold}, rules: [{id: gin, side: prompt, use: {words: {words: [gin]}}, then: refuse}]}
  - {id: france, where: {country: FR}, rules: [{id: tea, side: prompt, use: {words: {words: [thé]}}, then: refuse}]}
  - {id: mini, where: {model: "*-mini"}, rules: [{id: cola, side: prompt, use: {words: {words: [cola]}}, then: refuse}]}
"""


async def _model(scope: Any, receive: Any, send: Any) -> None:
    await Request(scope, receive).body()
    await JSONResponse(chat_answer("hello"))(scope, receive, send)


class House:
    def __init__(self, folder: Path) -> None:
        self.audit = folder / "audit"
        file = folder / "house.yaml"
        file.write_text(POLICY, encoding="utf-8")
        keys = folder / "keys"
        keys.touch(0o600)
        self.keys: dict[str, str] = {}
        for tenant in ("acme", "other"):
            self.keys[tenant], key = new_key(tenant, (), "")
            add_key(keys, key)
        settings = Settings.read(
            policy=str(file), upstream="http://u/v1", keys=keys, tags_header="x-segment", country_header="x-country"
        )
        self.kept = Audit(self.audit, b"k" * 32)
        self.app = make_app(
            settings,
            compile_policy(load_policy(file)),
            upstream=AsgiUpstream(_model),
            audit=self.kept,
            ring=load_keyring(keys),
            own=[(b"authorization", b"Bearer sk-operator")],
        )

    async def ask(self, text: str, tenant: str = "other", model: str = "m", **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.keys[tenant]}", **headers}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://proxy") as client:
            body = {"model": model, "messages": [{"role": "user", "content": text}]}
            return await client.post("/v1/chat/completions", json=body, headers=sent)

    def lines(self) -> list[dict[str, Any]]:
        self.kept.close()
        return [json.loads(line) for line in self.audit.read_bytes().splitlines()]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize(
    ("text", "asked", "status", "overlays"),
    [
        ("some tea", {}, 400, None),
        ("some tea", {"tenant": "acme"}, 200, "acme"),
        ("some gin", {}, 200, None),
        ("some gin", {"x-segment": "silver, gold"}, 400, "gold"),
        ("some gin", {"x-segment": "go ld;"}, 200, None),
        ("some gin", {"tenant": "acme", "x-segment": "gold"}, 400, "acme, gold"),
        ("du thé", {"x-country": "fr"}, 400, "france"),
        ("some tea", {"x-country": "fr"}, 200, "france"),
        ("some cola", {"model": "gpt-mini"}, 400, "mini"),
    ],
)
async def test_who_asks_decides(
    house: House, text: str, asked: dict[str, str], status: int, overlays: str | None
) -> None:
    answer = await house.ask(text, **asked)
    assert answer.status_code == status
    assert answer.headers.get("x-lockgate-overlays") == overlays
    (line,) = house.lines()
    assert line.get("overlays") == (overlays.split(", ") if overlays else None)
    assert line["policy_hash"] == line["prompt"]["policy_hash"]
    assert answer.headers["x-lockgate-policy"] == f"house@{line['policy_hash']}"
    assert line["prompt"].get("overlays") == line.get("overlays")


async def test_the_answer_of_the_upstream_is_untouched_where_nothing_is_found(house: House) -> None:
    answer = await house.ask("some tea", tenant="acme")
    assert answer.json() == chat_answer("hello")
