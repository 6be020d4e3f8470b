"""Client keys at work: who gets through, what the upstream sees of it, and what a stranger learns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from fakes import AsgiUpstream, chat_answer, until
from lockgate.audit import Audit
from lockgate.errors import SettingsError
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate_proxy.app import make_app
from lockgate_proxy.callers import Callers, load_keyring, presented
from lockgate_proxy.credentials import own_credentials
from lockgate_proxy.keyfile import add_key, revoke_key
from lockgate_proxy.keys import id_of, new_key
from lockgate_proxy.settings import Settings
from lockgate_proxy.visit import Context

STAFF = """\
version: 1
name: staff
rules:
  - id: no-tea
    side: prompt
    use: {words: {words: [tea]}}
    when: words.count > 0 && request.tenant == "acme" && request.tags.exists(t, t == "gold")
    then: refuse
"""


class Bench:
    """A folder with a file of keys, and the application before it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "keys"
        self.file.touch(0o600)
        self.upstream = AsgiUpstream(self._model)
        (folder / "staff.yaml").write_text(STAFF, encoding="utf-8")

    async def _model(self, scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()
        await JSONResponse(chat_answer("hello"))(scope, receive, send)

    def add(self, tenant: str = "acme", *tags: str, policy: str = "") -> str:
        text, key = new_key(tenant, tags, policy)
        add_key(self.file, key)
        return text

    def app(self, audit: Audit | None = None, **given: Any) -> Starlette:
        settings = Settings.read(
            policy="permissive", upstream="http://u/v1", **{"keys": self.file, "upstream_key_env": "KEY", **given}
        )
        ring = load_keyring(self.file) if settings.keys is not None else None
        plan = compile_policy(load_policy("permissive"))
        own = own_credentials(settings, {"KEY": "sk-operator"})
        return make_app(settings, plan, upstream=self.upstream, audit=audit, ring=ring, own=own)

    @asynccontextmanager
    async def client(self, app: Starlette | None = None) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(app or self.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://proxy") as client:
            yield client


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def asked(text: str = "hello") -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def counts(app: Starlette) -> dict[str, int]:
    context: Context = app.state.context
    return context.counts


class TestAtTheDoor:
    @pytest.mark.parametrize("header", ["authorization", "Authorization", "api-key"])
    async def test_a_key_in_either_header_opens(self, bench: Bench, header: str) -> None:
        text = bench.add()
        sent = {header: text if header == "api-key" else f"bearer {text}"}
        async with bench.client() as client:
            answer = await client.post("/v1/chat/completions", json=asked(), headers=sent)
        assert answer.status_code == 200

    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/v1/models", "/nowhere", "/"])
    @pytest.mark.parametrize("sort", ["none", "made up", "of another file", "revoked", "two", "not bearer"])
    async def test_without_a_valid_one_nothing_does(self, bench: Bench, path: str, sort: str) -> None:
        text, other = bench.add(), new_key("acme")[0]
        sent = {
            "none": {},
            "made up": bearer("sk-something"),
            "of another file": bearer(other),
            "revoked": bearer(text),
            "two": bearer(f"{text}, Bearer {text}"),
            "not bearer": {"authorization": f"Basic {text}"},
        }[sort]
        if sort == "revoked":
            revoke_key(bench.file, id_of(text) or "")
        app = bench.app()
        async with bench.client(app) as client:
            answer = await client.post(path, json=asked(), headers=sent)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert not [name for name in answer.headers if name.startswith("x-lockgate")]
        assert text not in answer.text
        assert bench.upstream.requests == []
        assert counts(app)["unauthorized"] == 1

    async def test_not_a_byte_of_a_stranger_s_body_is_read(self, bench: Bench) -> None:
        app = bench.app()
        sent: list[Any] = []

        async def receive() -> Any:
            raise AssertionError("it was read")

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": "/v1/chat/completions", "raw_path": b"/v1/chat/completions",
            "query_string": b"", "headers": [(b"content-length", b"10")],
        }  # fmt: skip
        await app(scope, receive, send)
        assert sent[0]["status"] == 401

    async def test_strangers_leave_no_audit_lines(self, bench: Bench) -> None:
        audit = Audit(bench.folder / "audit.jsonl", b"0123456789abcdef")
        async with bench.client(bench.app(audit)) as client:
            for _ in range(3):
                await client.post("/v1/chat/completions", json=asked())
        audit.close()
        assert (bench.folder / "audit.jsonl").read_bytes() == b""

    async def test_the_openai_client_raises_what_it_knows(self, bench: Bench) -> None:
        text = bench.add()
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(bench.app()))
        for key, known in ((text, True), ("sk-wrong", False)):
            client = openai.AsyncOpenAI(api_key=key, base_url="http://proxy/v1", http_client=http, max_retries=0)
            call = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
            if known:
                assert (await call).choices[0].message.content == "hello"
            else:
                with pytest.raises(openai.AuthenticationError) as caught:
                    await call
                assert caught.value.code == "invalid_api_key"
        azure = openai.AsyncAzureOpenAI(
            api_key=text, base_url="http://proxy/v1", api_version="1", http_client=http, max_retries=0
        )
        assert (await azure.chat.completions.create(model="m", messages=[])).choices[0].message.content == "hello"
        await http.aclose()


class TestWhatTheUpstreamSees:
    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files"])
    async def test_the_operator_s_key_and_never_the_client_s(self, bench: Bench, path: str) -> None:
        text = bench.add()
        async with bench.client() as client:
            await client.post(path, json=asked(), headers={**bearer(text), "api-key": text, "x-api-key": text})
        (request,) = bench.upstream.requests
        assert request.header("authorization") == "Bearer sk-operator"
        assert (request.header("api-key"), request.header("x-api-key")) == (None, None)
        assert text not in repr(request)

    async def test_no_key_where_the_operator_has_none(self, bench: Bench) -> None:
        text = bench.add()
        async with bench.client(bench.app(upstream_key_env=None)) as client:
            await client.post("/v1/chat/completions", json=asked(), headers=bearer(text))
        assert bench.upstream.requests[0].header("authorization") is None

    async def test_the_operator_s_without_client_keys(self, bench: Bench) -> None:
        async with bench.client(bench.app(keys=None, upstream_key_header="api-key")) as client:
            await client.post("/v1/chat/completions", json=asked(), headers=bearer("sk-theirs"))
        (request,) = bench.upstream.requests
        assert (request.header("authorization"), request.header("api-key")) == (None, "sk-operator")


class TestWhatAKeyMeans:
    async def test_its_policy_its_tenant_and_its_tags(self, bench: Bench) -> None:
        staff = str(bench.folder / "staff.yaml")
        keys = {
            "gold": bench.add("acme", "gold", policy=staff),
            "plain": bench.add("acme", policy=staff),
            "other": bench.add("other", "gold", policy=staff),
            "none": bench.add("acme", "gold"),
        }
        audit = Audit(bench.folder / "audit.jsonl", b"0123456789abcdef")
        statuses, policies = {}, {}
        async with bench.client(bench.app(audit, tags=["ours"])) as client:
            for name, text in keys.items():
                answer = await client.post("/v1/chat/completions", json=asked("some tea"), headers=bearer(text))
                statuses[name] = answer.status_code
                policies[name] = answer.headers["x-lockgate-policy"].partition("@")[0]
            await client.post("/v1/files", json={}, headers=bearer(keys["other"]))
        assert statuses == {"gold": 400, "plain": 200, "other": 200, "none": 200}
        assert policies == {"gold": "staff", "plain": "staff", "other": "staff", "none": "permissive"}
        audit.close()
        lines = [json.loads(line) for line in (bench.folder / "audit.jsonl").read_text().splitlines()]
        assert [(line["tenant"], line["key"]) for line in lines] == [
            ("acme", id_of(keys["gold"])),
            ("acme", id_of(keys["plain"])),
            ("other", id_of(keys["other"])),
            ("acme", id_of(keys["none"])),
            ("other", id_of(keys["other"])),
        ]
        assert [line["tags"] for line in lines] == [["ours", "gold"], ["ours"], ["ours", "gold"], ["ours", "gold"], []]
        assert not [text for text in keys.values() if text in (bench.folder / "audit.jsonl").read_text()]

    async def test_counts_are_one_for_all(self, bench: Bench) -> None:
        first, second = bench.add("a"), bench.add("b")
        app = bench.app()
        async with bench.client(app) as client:
            for text in (first, second):
                await client.post("/v1/files", json={}, headers=bearer(text))
        assert counts(app)["unguarded"] == 2

    def test_a_policy_that_is_wrong_is_said_at_the_start(self, bench: Bench) -> None:
        bench.add()
        bench.add(policy=str(bench.folder / "gone.yaml"))
        with pytest.raises(SettingsError, match=r"keys:2: policy: there is no file .*gone\.yaml"):
            load_keyring(bench.file)

    def test_a_revoked_key_s_policy_may_be_gone(self, bench: Bench) -> None:
        text = bench.add(policy=str(bench.folder / "gone.yaml"))
        revoke_key(bench.file, id_of(text) or "")
        assert load_keyring(bench.file).plans == {}


class TestChanges:
    def callers(self, bench: Bench) -> tuple[Callers, Context]:
        context: Context = bench.app().state.context
        return Callers(context, load_keyring(bench.file), look_every=0), context

    @staticmethod
    def headers(text: str) -> list[tuple[bytes, bytes]]:
        return [(b"authorization", f"Bearer {text}".encode())]

    async def test_a_worker_that_comes_later_looks_before_it_answers(self, bench: Bench) -> None:
        context: Context = bench.app().state.context
        text = bench.add()
        ring = load_keyring(bench.file)
        revoke_key(bench.file, id_of(text) or "")
        assert await Callers(context, ring).context_of(self.headers(text)) is None

    async def test_a_new_key_and_a_revoked_one_count_at_once(self, bench: Bench) -> None:
        first = bench.add("a")
        callers, _ = self.callers(bench)
        second = bench.add("b")
        assert (found := await callers.context_of(self.headers(second))) is not None
        assert found.caller.tenant == "b"
        revoke_key(bench.file, id_of(first) or "")
        answers = await asyncio.gather(*(callers.context_of(self.headers(first)) for _ in range(5)))
        assert answers == [None] * 5

    async def test_a_file_that_has_become_wrong_changes_nothing(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        text = bench.add()
        callers, context = self.callers(bench)
        with bench.file.open("a", encoding="utf-8") as file:
            file.write("hunter2\n")
        for _ in range(3):
            assert await callers.context_of(self.headers(text)) is not None
        assert context.counts["keys_not_read"] == 1
        assert f"{bench.file}:2" in caplog.text
        assert "hunter2" not in caplog.text

    async def test_nor_does_one_that_is_gone_until_it_is_back(self, bench: Bench) -> None:
        text = bench.add()
        callers, context = self.callers(bench)
        away = bench.folder / "away"
        bench.file.rename(away)
        for _ in range(3):
            assert await callers.context_of(self.headers(text)) is not None
        assert context.counts["keys_not_read"] == 1
        revoke_key(away, id_of(text) or "")
        away.rename(bench.file)
        assert await callers.context_of(self.headers(text)) is None

    async def test_a_reading_that_failed_for_want_of_something_is_tried_again(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def no_thread(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        text = bench.add()
        callers, context = self.callers(bench)
        revoke_key(bench.file, id_of(text) or "")
        with monkeypatch.context() as broken:
            broken.setattr(asyncio, "to_thread", no_thread)
            assert await callers.context_of(self.headers(text)) is not None
        assert context.counts["keys_not_read"] == 1
        assert "RuntimeError" in caplog.text
        assert await callers.context_of(self.headers(text)) is None

    async def test_one_that_others_can_read_now_is_not_read_again(self, bench: Bench) -> None:
        text = bench.add()
        callers, context = self.callers(bench)
        later = bench.add()
        bench.file.chmod(0o644)
        assert await callers.context_of(self.headers(later)) is None
        assert await callers.context_of(self.headers(text)) is not None
        assert context.counts["keys_not_read"] == 1

    async def test_a_client_that_leaves_does_not_stop_the_reading(self, bench: Bench) -> None:
        callers, _ = self.callers(bench)
        text = bench.add()
        leaving = asyncio.ensure_future(callers.context_of(self.headers(text)))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await until(lambda: callers._reading is None)
        assert await callers.context_of(self.headers(text)) is not None

    async def test_the_file_is_not_looked_at_for_each_request(self, bench: Bench) -> None:
        text = bench.add()
        context: Context = bench.app().state.context
        callers = Callers(context, load_keyring(bench.file), look_every=1000)
        assert await callers.context_of(self.headers(text)) is not None
        bench.file.unlink()
        assert await callers.context_of(self.headers(text)) is await callers.context_of(self.headers(text))
        assert "keys_not_read" not in context.counts


class TestTheHealthPages:
    async def test_strangers_learn_only_that_it_is_ready(self, bench: Bench) -> None:
        text = bench.add()
        async with bench.client() as client:
            assert (await client.get("/healthz")).json() == {"status": "ok"}
            assert (await client.get("/readyz")).json() == {"status": "ready"}
            assert "policy_hash" in (await client.get("/readyz", headers=bearer(text))).json()

    @pytest.mark.parametrize(
        ("host", "told"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("::", False), ("10.0.0.1", False)]
    )
    async def test_without_keys_it_depends_on_who_can_ask(self, bench: Bench, host: str, told: bool) -> None:
        app = bench.app(keys=None, upstream_key_env=None, host=host)
        async with bench.client(app) as client:
            assert ("policy_hash" in (await client.get("/readyz")).json()) is told


def test_an_application_is_not_made_without_the_keys_that_its_settings_name(bench: Bench) -> None:
    settings = Settings.read(policy="permissive", upstream="http://u/v1", keys=bench.file)
    with pytest.raises(ValueError, match="both, or neither"):
        make_app(settings, compile_policy(load_policy("permissive")), upstream=bench.upstream)


def test_what_is_presented() -> None:
    assert list(presented([(b"Authorization", b"BEARER  a "), (b"Api-Key", b"b")])) == ["a", "b"]
    assert list(presented([(b"authorization", b"Basic a"), (b"x-api-key", b"b")])) == []
    assert list(presented([(b"api-key", b"a"), (b"api-key", b"b")])) == ["a, b"]
