"""What an exchange leaves behind: its headers, its note, and its audit line, none of them with text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import LAST_CHUNK, Script, chat_answer, chunk, hangs, head, json_answer, replying, sends, until
from lockgate.audit import Audit
from lockgate.policy.plan import Plan
from lockgate.telemetry.spans import Tracing
from lockgate.verdict import Action, Failure, RuleOutcome, Verdict
from lockgate_proxy.settings import Settings
from lockgate_proxy.visit import Context, Visit
from playbook import Lockstep
from proxied import CHAT, Proxy, proxied, request
from saying import DONE, finish, patterns, plan_of, rule, text, words

BOTH = ["prompt", "completion"]
PLAN = plan_of(
    rule("stop", words("plugh"), "refuse", side=BOTH),
    rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact", "flag": {"notice": "A key."}}, side=BOTH),
)
KEY = b"a key of sixteen bytes"
SECRETS = (b"plugh", b"sk-abcd1234", b"xyzzy", b"Bearer")
FINE = replying(json_answer(chat_answer("the key sk-abcd1234 ")))


async def lines(tmp_path: Path, script: Script, *asks: Any, plan: Plan = PLAN, key: bytes | None = KEY) -> list[Any]:
    """The audit lines that some requests leave. An ask is a message, or a function of the proxy."""
    path = tmp_path / "audit.jsonl"
    audit = Audit(path, key)
    async with proxied(plan, script, audit=audit, tags=("team-a",)) as proxy:
        for ask in asks:
            await (ask(proxy) if callable(ask) else proxy.chat(ask))
    raw = path.read_bytes()
    assert not [secret for secret in SECRETS if secret in raw]
    return [json.loads(line) for line in raw.splitlines()]


def visit_of(plan: Plan = PLAN) -> Visit:
    settings = Settings.read(policy="test", upstream="http://u/v1")
    context = Context(settings, plan, Lockstep(), Tracing())

    async def send(_: Any) -> None:
        """Nobody listens."""

    return Visit(context, send, "01TEST", CHAT)


class TestHeadersAndNote:
    def test_without_a_verdict(self) -> None:
        assert visit_of().own_headers(None) == [
            (b"x-lockgate-id", b"01TEST"),
            (b"x-lockgate-policy", f"test@{PLAN.hash}".encode()),
            (b"x-lockgate-action", b"none"),
        ]

    def test_the_strongest_rule_is_named(self) -> None:
        verdict = Verdict("prompt", "test", PLAN.hash, Action.REFUSE)
        verdict.rules = [RuleOutcome("a", Action.FLAG, "applied"), RuleOutcome("b", Action.REFUSE, "applied")]
        headers = dict(visit_of().own_headers(verdict))
        assert headers[b"x-lockgate-action"] == b"refuse"
        assert headers[b"x-lockgate-rule"] == b"b"
        assert visit_of().note(verdict) == {"id": "01TEST", "policy": "test", "action": "refuse", "rules": ["b", "a"]}

    def test_a_rule_that_failed_is_named_where_none_applied(self) -> None:
        verdict = Verdict("prompt", "test", PLAN.hash, failures=[Failure("words", "crash", rule="a")])
        verdict.rules = [RuleOutcome("a", Action.REFUSE, "failed")]
        assert dict(visit_of().own_headers(verdict))[b"x-lockgate-rule"] == b"a"


class TestAuditLines:
    async def test_of_a_plain_exchange(self, tmp_path: Path) -> None:
        (line,) = await lines(tmp_path, FINE, "my key is sk-abcd1234 xyzzy")
        assert line["status"] == 200
        assert line["outcome"] == "answered"
        assert line["path"] == CHAT
        assert (line["model"], line["tags"], line["stream"]) == ("m", ["team-a"], False)
        assert (line["policy"], line["policy_hash"]) == ("test", PLAN.hash)
        assert line["prompt"]["action"] == "rewrite"
        assert line["completion"]["action"] == "rewrite"
        assert line["prompt"]["coverage"]["scanned"] == {"patterns,words": ["/messages/0/content"]}
        assert line["prompt"]["findings"][0]["span"] == [10, 21]
        assert set(line["timings"]) >= {"prompt", "upstream", "answer", "total"}

    async def test_marks_join_equal_texts_and_findings(self, tmp_path: Path) -> None:
        async def streamed(proxy: Proxy) -> None:
            await proxy.chat("hello sk-abcd1234 xyzzy", stream=True)

        said = head() + chunk(text("so sk-ab") + text("cd1234 ") + finish() + DONE) + LAST_CHUNK
        first, second = await lines(tmp_path, replying(said), streamed, streamed)
        for line in (first, second):
            assert line["outcome"] == "answered"
            assert line["stream"]
            assert line["completion"]["findings"][0]["where"] == "/choices/0/message/content"
        marks = first["text_marks"]
        assert marks == second["text_marks"]
        assert set(marks) == {"/messages/0/content", "/choices/0/message/content"}
        assert first["prompt"]["findings"][0]["mark"] == second["prompt"]["findings"][0]["mark"]

    async def test_a_stream_s_text_has_the_plain_text_s_mark(self, tmp_path: Path) -> None:
        async def streamed(proxy: Proxy) -> None:
            await proxy.chat("hello", stream=True)

        said = head() + chunk(text("so sk-ab") + text("cd1234 ") + finish() + DONE) + LAST_CHUNK
        (one,) = await lines(tmp_path, replying(said), streamed)
        (tmp_path / "audit.jsonl").unlink()
        (other,) = await lines(tmp_path, replying(json_answer(chat_answer("so sk-abcd1234 "))), "hello")
        where = "/choices/0/message/content"
        assert one["text_marks"][where] == other["text_marks"][where]

    async def test_without_a_key_marks_join_within_one_start_only(self, tmp_path: Path) -> None:
        marks = set()
        for start in ("a", "b"):
            (tmp_path / start).mkdir()
            said = await lines(tmp_path / start, FINE, "hello", "hello", key=None)
            assert said[0]["text_marks"] == said[1]["text_marks"]
            marks.add(said[0]["text_marks"]["/messages/0/content"])
        assert len(marks) == 2

    @pytest.mark.parametrize(
        ("script", "ask", "status", "outcome", "error"),
        [
            (FINE, "say plugh", 400, "refused_prompt", "content_filter"),
            (replying(json_answer(chat_answer("say plugh"))), "hello", 200, "refused_answer", ""),
            (sends(), "hello", 502, "upstream_error", "upstream_broken"),
            (FINE, lambda proxy: proxy.post(b"no json xyzzy"), 400, "invalid", "invalid_json"),
            (FINE, lambda proxy: proxy.ask("GET", "/v1/models"), 200, "forwarded", ""),
            (sends(), lambda proxy: proxy.ask("GET", "/v1/models"), 502, "upstream_error", "upstream_broken"),
            (FINE, lambda proxy: proxy.ask("GET", "/v1/../x"), 400, "invalid", "invalid_path"),
            (FINE, lambda proxy: proxy.post(b"{}", target=f"{CHAT}/"), 400, "invalid", "invalid_path"),
        ],
        ids=["prompt", "answer", "upstream", "invalid", "forwarded", "forwarded to nobody", "path", "spelling"],
    )
    async def test_of_other_outcomes(
        self, tmp_path: Path, script: Script, ask: Any, status: int, outcome: str, error: str
    ) -> None:
        (line,) = await lines(tmp_path, script, ask)
        assert (line["status"], line["outcome"], line["error"]) == (status, outcome, error)

    @pytest.mark.parametrize(
        ("answer", "outcome"),
        [(b"", "client_gone"), (head() + chunk(text("hello ")), "cancelled")],
        ids=["before", "within"],
    )
    async def test_of_a_client_that_leaves(self, tmp_path: Path, answer: bytes, outcome: str) -> None:
        async def leave(proxy: Proxy) -> None:
            client = await proxy.client()
            body = json.dumps({"messages": [{"role": "user", "content": "xyzzy"}], "stream": True}).encode()
            await client.send(request("POST", CHAT, body=body))
            await until(lambda: bool(proxy.requests))
            if answer:
                await client.head()
            client.close()
            await proxy.upstream.gone.wait()
            await until(lambda: proxy.context.counts.get("client_gone") == 1)

        (line,) = await lines(tmp_path, hangs(answer), leave)
        assert line["outcome"] == outcome

    async def test_of_a_refused_stream(self, tmp_path: Path) -> None:
        async def streamed(proxy: Proxy) -> None:
            await proxy.chat("hello", stream=True)

        (line,) = await lines(tmp_path, hangs(head() + chunk(text("say plugh."))), streamed)
        assert line["outcome"] == "refused_answer"
        assert line["completion"]["action"] == "refuse"

    async def test_one_line_an_exchange_in_the_order_of_their_ends(self, tmp_path: Path) -> None:
        got = await lines(tmp_path, FINE, *["hello"] * 5)
        assert len({line["id"] for line in got}) == 5
        begun = [line["id"][:10] for line in got]  # the milliseconds of an id; what follows them is drawn
        assert begun == sorted(begun)

    async def test_keys_of_the_client_s_are_text_too(self, tmp_path: Path) -> None:
        async def named(proxy: Proxy) -> None:
            await proxy.chat("hello", metadata={"xyzzy": "a"}, **{"Says xyzzy": 1})

        async def tools(proxy: Proxy) -> None:
            schema = {"type": "object", "properties": {"xyzzy": {"description": "a", "xyzzy": ["b"]}}}
            await proxy.chat("hello", tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])

        got = await lines(tmp_path, FINE, named, tools)
        assert len(got) == 2

    async def test_nor_does_the_header_or_an_error_show_them(self) -> None:
        plan = plan_of(rule("stop", words("plugh"), "refuse", side="prompt"), unknown="refuse")
        async with proxied(plan, FINE) as proxy:
            one = await proxy.chat("hello", metadata={"a": {"xyzzy": "plugh"}})
            other = await proxy.chat("hello", xyzzy={})
        for reply in (one, other):
            assert reply.status == 400
        assert b"xyzzy" not in one.body
