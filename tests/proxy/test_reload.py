"""Policies that change while the proxy serves: in one process, in several, under load, and wrong ones."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes import LAST_CHUNK, Peer, RawUpstream, Script, chat_answer, chunk, head, json_answer, replying, until
from lockgate.audit import Audit
from lockgate_proxy import reload
from lockgate_proxy.app import make_app
from lockgate_proxy.callers import LOOK_EVERY, load_keyring
from lockgate_proxy.connection import Connection
from lockgate_proxy.keyfile import add_key
from lockgate_proxy.keys import new_key
from lockgate_proxy.reload import InForce, load_plan, stamps_of
from lockgate_proxy.settings import Settings
from processes import Process, serving
from proxied import CHAT, Client, Proxy, Reply, request
from saying import DONE, text
from serving import served

FINE = json_answer(chat_answer("hello"))


def policy(word: str) -> str:
    """One that refuses a word."""
    return f"""\
version: 1
name: live
rules:
  - id: no-{word}
    side: [prompt, completion]
    use: {{words: {{words: [{word}]}}}}
    then: refuse
"""


def write(path: Path, said: str) -> None:
    """As careful editors do: what is read is the old file or the new one."""
    beside = path.with_suffix(".new")
    beside.write_text(said, encoding="utf-8")
    beside.replace(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "live.yaml"
    write(path, policy("tea"))
    return path


@asynccontextmanager
async def live(file: Path, script: Script, *, audit: Audit | None = None, **settings: Any) -> AsyncIterator[Proxy]:
    """The proxy, with the policy in `file`, which it looks at all the time unless told otherwise."""
    async with RawUpstream(script) as upstream:
        given = Settings.read(policy=str(file), upstream=upstream.url, **{"reload_interval": 0.01, **settings})
        loaded = load_plan(given.policy)
        stamps, ring = dict(loaded.stamps), None
        if given.keys is not None:
            ring = load_keyring(given.keys)
            stamps |= stamps_of(tuple(file for plan in ring.plans.values() for file in plan.sources))
        app = make_app(given, loaded.plan, audit=audit, ring=ring, stamps=stamps)
        async with served(app, lifespan="on", http=Connection) as base:
            proxy = Proxy(base, upstream, app, audit)
            try:
                yield proxy
            finally:
                proxy.close()


def in_force(proxy: Proxy) -> InForce:
    found: InForce = proxy.app.state.live
    return found


async def changed(proxy: Proxy) -> None:
    """Wait until the next reload has ended."""
    before = in_force(proxy).context
    await until(lambda: in_force(proxy).context is not before)


async def ready(proxy: Proxy) -> Any:
    return (await proxy.ask("GET", "/readyz")).json


class TestFiles:
    async def test_a_change_is_in_force_for_the_next_request(self, file: Path) -> None:
        async with live(file, replying(FINE)) as proxy:
            assert (await proxy.chat("a cup of tea")).status == 400
            old = (await proxy.chat("coffee")).header("x-lockgate-policy")
            write(file, policy("coffee"))
            await changed(proxy)
            assert (await proxy.chat("a cup of tea")).status == 200
            refused = await proxy.chat("coffee")
            assert refused.status == 400
            assert refused.header("x-lockgate-rule") == "no-coffee"
            assert refused.header("x-lockgate-policy") != old
            shown = await ready(proxy)
            assert shown["counts"]["policy_reloaded"] == 1
            assert set(shown["reload"]) == {"at"}
            assert refused.header("x-lockgate-policy") == f"live@{shown['policy_hash']}"

    async def test_so_is_a_change_of_what_it_extends(self, file: Path) -> None:
        base = file.with_name("base.yaml")
        write(base, policy("tea").replace("name: live", "name: base"))
        write(file, "version: 1\nname: live\nextends: [base.yaml]\n")
        async with live(file, replying(FINE)) as proxy:
            assert (await proxy.chat("tea")).status == 400
            write(base, policy("coffee").replace("name: live", "name: base"))
            await changed(proxy)
            assert (await proxy.chat("tea")).status == 200
            assert (await proxy.chat("coffee")).status == 400

    async def test_what_is_in_flight_keeps_its_policy(self, file: Path, tmp_path: Path) -> None:
        go = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(head())
            await peer.send(chunk(text("a cup ")))
            await go.wait()
            await peer.send(chunk(text("of coffee, no te")), chunk(text("a")), chunk(DONE), LAST_CHUNK)

        audit = Audit(tmp_path / "audit.jsonl", None)
        async with live(file, script, audit=audit) as proxy:
            client = await proxy.client()
            body = b'{"stream": true, "messages": [{"role": "user", "content": "hello"}]}'
            await client.send(request("POST", CHAT, body=body))
            began = await client.head()
            old = began.header("x-lockgate-policy")
            write(file, policy("coffee"))
            await changed(proxy)
            go.set()
            came = b""
            while piece := await client.chunk():
                came += piece
            assert b"content_filter" in came
            assert b"no te" not in came
        line = json.loads((tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        assert f"live@{line['policy_hash']}" == old
        assert [each["rule"] for each in line["completion"]["rules"]] == ["no-tea"]
        assert line["completion"]["policy_hash"] == line["policy_hash"]

    async def test_a_wrong_one_leaves_the_last_good_one(self, file: Path, caplog: pytest.LogCaptureFixture) -> None:
        async with live(file, replying(FINE)) as proxy:
            good = (await ready(proxy))["policy_hash"]
            write(file, policy("coffee").replace("then: refuse", "then: refuze"))
            await until(lambda: "policy_not_reloaded" in proxy.context.counts)
            for _ in range(3):
                assert (await proxy.chat("tea")).status == 400
            shown = await ready(proxy)
            assert shown["status"] == "ready"
            assert shown["policy_hash"] == good
            assert f"{file}:7" in shown["reload"]["error"]
            assert len([each for each in caplog.records if "stays in force" in each.message]) == 1
            write(file, policy("coffee"))
            await changed(proxy)
            assert (await proxy.chat("coffee")).status == 400
            assert "error" not in (await ready(proxy))["reload"]

    async def test_one_that_is_gone_too_until_it_is_back(self, file: Path) -> None:
        async with live(file, replying(FINE)) as proxy:
            away = file.with_suffix(".away")
            os.rename(file, away)  # noqa: PTH104 - as in the next line
            await until(lambda: "policy_not_reloaded" in proxy.context.counts)
            assert (await proxy.chat("tea")).status == 400
            write(away, policy("coffee"))
            os.rename(away, file)  # noqa: PTH104 - no wait in it
            await changed(proxy)
            assert (await proxy.chat("coffee")).status == 400

    async def test_what_it_misses_may_come_later(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reload, "RETRY", 0.05)
        async with live(file, replying(FINE)) as proxy:
            write(file, "version: 1\nname: live\nextends: [later.yaml]\n")
            await until(lambda: "policy_not_reloaded" in proxy.context.counts)
            write(file.with_name("later.yaml"), policy("coffee").replace("name: live", "name: later"))
            await changed(proxy)
            assert (await proxy.chat("coffee")).status == 400

    async def test_want_of_a_thread_is_no_fault_of_the_policy(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_thread(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        async with live(file, replying(FINE), reload_interval=0) as proxy:
            with monkeypatch.context() as broken:
                broken.setattr(asyncio, "to_thread", no_thread)
                assert await in_force(proxy).reload() == "RuntimeError"
            assert (await proxy.chat("tea")).status == 400
            assert await in_force(proxy).reload() == ""

    async def test_files_are_left_alone_where_nobody_asked(self, file: Path) -> None:
        async with live(file, replying(FINE), reload_interval=0) as proxy:
            write(file, policy("coffee"))
            await asyncio.sleep(0.1)
            assert (await proxy.chat("tea")).status == 400
            assert await in_force(proxy).reload() == ""
            assert (await proxy.chat("tea")).status == 200

    async def test_under_load_no_request_is_lost(self, file: Path) -> None:
        """Requests without a pause while the policy changes again and again: each is answered, by one policy alone."""
        wrong: list[Reply] = []
        seen: set[str] = set()
        over = False

        async with live(file, replying(FINE)) as proxy:

            async def ask_on() -> int:
                count = 0
                while not over:
                    reply = await proxy.chat("tea and coffee")
                    count += 1
                    rule, named = reply.header("x-lockgate-rule"), reply.header("x-lockgate-policy")
                    assert named is not None
                    seen.add(f"{rule} {named}")
                    if reply.status != 400 or reply.error["code"] != "content_filter":
                        wrong.append(reply)
                return count

            asking = [asyncio.create_task(ask_on()) for _ in range(8)]
            for word in ("coffee", "tea", "coffee", "tea", "coffee"):
                write(file, policy(word))
                await changed(proxy)
                await asyncio.sleep(0.05)
            over = True
            counts = await asyncio.gather(*asking)
        assert wrong == []
        assert min(counts) > 0
        assert len(seen) == 2  # each rule with its own policy's hash, never with the other's
        assert {each.partition(" ")[0] for each in seen} == {"no-tea", "no-coffee"}


class TestKeys:
    async def test_the_policies_of_keys_change_too(self, file: Path, tmp_path: Path) -> None:
        keys, own = tmp_path / "keys", tmp_path / "own.yaml"
        write(own, policy("milk"))
        keys.touch(0o600)
        secret, key = new_key("acme", (), str(own))
        add_key(keys, key)
        async with live(file, replying(FINE), keys=keys) as proxy:

            async def status(said: str, key: str = secret) -> int:
                body = json.dumps({"messages": [{"role": "user", "content": said}]}).encode()
                return (await proxy.post(body, f"Authorization: Bearer {key}")).status

            assert [await status(word) for word in ("milk", "tea", "sugar")] == [400, 200, 200]
            write(own, policy("sugar"))
            await changed(proxy)
            assert [await status(word) for word in ("milk", "tea", "sugar")] == [200, 200, 400]
            # A key that comes later, with a policy that nobody else has.
            late = tmp_path / "late.yaml"
            write(late, policy("salt"))
            second, key = new_key("b", (), str(late))
            add_key(keys, key)
            await asyncio.sleep(LOOK_EVERY + 0.2)  # until the file of keys is looked at
            assert await status("salt", second) == 400
            await in_force(proxy).look()  # and the file of its policy
            write(late, policy("pepper"))
            await changed(proxy)
            assert [await status(word, second) for word in ("salt", "pepper")] == [200, 400]
            # One that is wrong keeps all as they are, the other one too.
            write(late, "version: 1\n")
            write(own, policy("milk"))
            await until(lambda: "policy_not_reloaded" in proxy.context.counts)
            assert await status("sugar") == 400
            assert await status("pepper", second) == 400


async def said(process: Process, content: str) -> Reply:
    client = await process.client()
    body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    await client.send(request("POST", CHAT, "Connection: close", body=body))
    reply = await client.reply()
    client.close()
    return reply


async def posted(admin: str) -> Reply:
    client = await Client.to(admin)
    await client.send(request("POST", "/reload"))
    reply = await client.reply()
    client.close()
    return reply


class TestProcesses:
    async def test_a_signal_and_the_admin_port(self, file: Path) -> None:
        quiet = ("--reload-interval", "0", "--admin-port", "0")
        async with serving(str(file), replying(FINE), *quiet) as process:
            admin = (await process.said(r"metrics on (http://127\.0\.0\.1:\d+)/metrics"))[1]
            write(file, policy("coffee"))
            assert (await said(process, "tea")).status == 400
            process.tell(signal.SIGHUP)
            await process.said("policy live is in force")
            assert (await said(process, "tea")).status == 200
            write(file, policy("milk"))
            reply = await posted(admin)
            assert reply.status == 200
            assert reply.json["reloaded"] is True
            assert reply.json["policy"] == "live"
            assert (await said(process, "milk")).header("x-lockgate-policy") == f"live@{reply.json['policy_hash']}"
            write(file, "version: 2\n")
            reply = await posted(admin)
            assert reply.status == 422
            assert str(file) in reply.json["error"]
            assert (await said(process, "milk")).status == 400
            process.tell(signal.SIGTERM)
            assert await process.ended() == 0

    async def test_all_workers_change_and_those_that_come_later(self, file: Path) -> None:
        quiet = ("--workers", "2", "--reload-interval", "0.1")
        async with serving(str(file), replying(json_answer(chat_answer("x"), b"Connection: close")), *quiet) as process:
            await process.said("worker 2 is process")
            write(file, policy("coffee"))
            await process.said("policy live is in force", 2)
            assert [(await said(process, "tea")).status for _ in range(6)] == [200] * 6
            process.tell(signal.SIGHUP)
            await process.said("policy live is in force", 4)
            os.kill(process.workers()[1], signal.SIGKILL)
            await process.said("worker 1 is process", 2)
            await process.said("policy live is in force", 5)  # it began with what the supervisor had read
            line = next(line for line in reversed(process.log) if "in force" in line)
            assert re.search(r"in force: (sha256:\w+) \(before: (?!\1)", line)
            assert [(await said(process, "tea")).status for _ in range(6)] == [200] * 6
