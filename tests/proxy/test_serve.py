"""Serving: what is wrong is said before a port is taken, and a running server stops when it is told to."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fakes import LAST_CHUNK, Peer, RawUpstream, Script, chat_answer, chunk, head, json_answer, replying, until
from lockgate.errors import PolicyError, SettingsError
from lockgate_proxy.serve import bind, server
from lockgate_proxy.settings import Settings
from proxied import CHAT, Client, request
from saying import DONE, text

ROOT = Path(__file__).resolve().parents[2]
POLICY = """\
version: 1
name: served
rules:
  - {id: keys, side: completion, use: {patterns: {patterns: {KEY: 'sk-[a-z0-9]{8}'}}}, then: {rewrite: redact}}
"""


def settings(policy: str, **given: object) -> Settings:
    return Settings.read(policy=policy, upstream="http://127.0.0.1:9/v1", port=0, **given)


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "served.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return str(path)


class TestMaking:
    def test_a_server_is_bound_and_not_yet_running(self, policy: str) -> None:
        made, bound = server(settings(policy))
        with bound:
            assert bound.getsockname()[0] == "127.0.0.1"
            assert bound.getsockname()[1] > 0
            assert not made.started
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(bound.getsockname(), timeout=1)

    def test_an_audit_file_is_opened_at_the_start(self, policy: str, tmp_path: Path) -> None:
        made, bound = server(settings(policy, audit=tmp_path / "audit.jsonl"))
        bound.close()
        assert (tmp_path / "audit.jsonl").exists()
        made.config.app.state.context.audit.close()  # type: ignore[union-attr]

    def test_one_that_can_t_be_written(self, policy: str, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="audit"):
            server(settings(policy, audit=tmp_path))

    def test_a_bad_policy_takes_no_port(self, tmp_path: Path) -> None:
        bad = tmp_path / "bad.yaml"
        bad.write_text("version: 1\n", encoding="utf-8")
        with pytest.raises(PolicyError, match=r"bad\.yaml"):
            server(settings(str(bad)))

    def test_a_port_that_is_taken(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(SettingsError, match=r"port: \d+ on 127.0.0.1 .* --port"),
        ):
            bind("127.0.0.1", taken.getsockname()[1])

    @pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "999.1.1.1"])
    def test_an_address_that_is_not_ours(self, host: str) -> None:
        with pytest.raises(SettingsError, match=re.escape(host)):
            bind(host, 0)

    def test_ipv6(self) -> None:
        try:
            bound = bind("::1", 0)
        except SettingsError:
            pytest.skip("this machine has no IPv6")
        with bound:
            assert bound.family == socket.AF_INET6


@asynccontextmanager
async def running(policy: str, script: Script, *more: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """`lockgate serve` as a process of its own; gives its base URL."""
    roots = [str(ROOT / root) for root in ("guardrails", "proxy", "models")]
    async with RawUpstream(script) as upstream:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lockgate_proxy.cli", "serve", "--policy", policy, "--upstream", upstream.url,
            "--port", "0", *more, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(roots)},
        )  # fmt: skip
        assert process.stderr is not None
        try:
            async with asyncio.timeout(30):
                line = b""
                while b"http://" not in line or b"guarding" not in line:
                    line = await process.stderr.readline()
                    assert line, "the server did not start"
            found = re.search(rb"on (http://[0-9.]+:\d+)/v1", line)
            assert found is not None
            yield found[1].decode(), process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def connected(base: str) -> Client:
    """A connection, once the server listens."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await Client.to(base)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)


class TestRunning:
    async def test_it_guards_and_leaves_an_audit_line(self, policy: str, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        script = replying(json_answer(chat_answer("the key is sk-abcd1234")))
        async with running(policy, script, "--audit", str(audit), "--tag", "a", "--tag", "b") as (base, process):
            client = await connected(base)
            await client.send(request("POST", CHAT, body=b'{"messages": [{"role": "user", "content": "hello"}]}'))
            reply = await client.reply()
            assert reply.json["choices"][0]["message"]["content"] == "the key is [KEY]"
            assert reply.header("server") is None
            client.close()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 10) in {0, -signal.SIGTERM}
        (line,) = map(json.loads, audit.read_text().splitlines())
        assert line["tags"] == ["a", "b"]
        assert line["completion"]["action"] == "rewrite"

    async def test_a_stream_in_flight_ends_before_it_stops(self, policy: str) -> None:
        go_on = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(head() + chunk(text("hello ")))
            await go_on.wait()
            await peer.send(chunk(text("again ")), chunk(DONE), LAST_CHUNK)

        async with running(policy, script) as (base, process):
            client = await connected(base)
            body = b'{"stream": true, "messages": [{"role": "user", "content": "hello"}]}'
            await client.send(request("POST", CHAT, body=body))
            await client.head()
            assert await client.chunk() == text("hello ")
            process.send_signal(signal.SIGTERM)

            def refused() -> bool:
                with socket.socket() as probe:
                    host, port = base.removeprefix("http://").split(":")
                    return probe.connect_ex((host, int(port))) != 0

            await until(refused)
            go_on.set()
            rest = b""
            while piece := await asyncio.wait_for(client.chunk(), 5):
                rest += piece
            assert rest == text("again ") + DONE
            client.close()
            assert await asyncio.wait_for(process.wait(), 10) in {0, -signal.SIGTERM}
