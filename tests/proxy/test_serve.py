"""Serving: what is wrong is said before a port is taken, and a running server stops when it is told to."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from fakes import LAST_CHUNK, Peer, chat_answer, chunk, head, json_answer, replying, until
from lockgate.detectors.model import MODELS, run_models
from lockgate.errors import PolicyError, SettingsError
from lockgate_proxy.keyfile import add_key
from lockgate_proxy.keys import id_of, new_key
from lockgate_proxy.serve import audit_file, bind, open_ports, prepare, server
from lockgate_proxy.settings import Settings
from processes import serving, started
from proxied import CHAT, Client, request
from saying import DONE, text

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


def two_ports() -> tuple[int, socket.socket]:
    """A free port, and the next one, taken."""
    while True:
        taken = socket.create_server(("127.0.0.1", 0))
        port = taken.getsockname()[1] - 1
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            taken.close()
        else:
            return port, taken


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

    def test_several_workers_have_a_file_and_an_admin_port_each(self, policy: str, tmp_path: Path) -> None:
        made = settings(policy, audit=tmp_path / "audit.jsonl", workers=3, admin_port=0)
        ready = prepare(made)
        assert sorted(path.name for path in tmp_path.glob("audit*")) == [f"audit.w{n}.jsonl" for n in (1, 2, 3)]
        assert audit_file(settings(policy, audit=tmp_path / "audit.jsonl"), 1) == tmp_path / "audit.jsonl"
        assert ready.audit_key is not None
        assert len(ready.audit_key) == 32
        ports = open_ports(made)
        assert len({one.getsockname()[1] for one in (ports.main, *ports.admin)}) == 4
        ports.close()

    def test_their_admin_ports_follow_one_another(self, policy: str) -> None:
        port, taken = two_ports()
        with taken, pytest.raises(SettingsError, match=f"admin_port: {port + 1} "):
            open_ports(settings(policy, workers=2, admin_port=port))
        with pytest.raises(SettingsError, match=r"admin_port: each of 2 workers"):
            settings(policy, workers=2, admin_port=65535)

    def test_the_key_of_masks(self, policy: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        file = tmp_path / "key"
        file.write_text("0123456789abcdef\n")
        file.chmod(0o600)
        given = prepare(settings(policy, mask_key="0123456789abcdef")).masker.masks("shop")
        mask = given.mask("hash", "PERSON", "Anna")
        assert prepare(settings(policy, mask_key_file=file)).masker.masks("shop").mask("hash", "PERSON", "Anna") == mask
        assert "mask" not in caplog.text
        prepare(settings("private"))
        assert "no mask key is set" in caplog.text
        with pytest.raises(SettingsError, match="mask_key_file: the key in it is too short"):
            file.write_text("short")
            prepare(settings(policy, mask_key_file=file))

    def test_the_audit_key_from_its_file(self, policy: str, tmp_path: Path) -> None:
        file = tmp_path / "key"
        file.write_text("0123456789abcdef\n", encoding="utf-8")
        file.chmod(0o600)
        assert prepare(settings(policy, audit_key_file=file)).audit_key == b"0123456789abcdef"
        assert prepare(settings(policy, audit_key="fedcba9876543210")).audit_key == b"fedcba9876543210"
        for raw, mode, said in (
            (b"short", 0o600, "too short"),
            (b"\xff" * 20, 0o600, "not text"),
            (b"x", 0o644, "others"),
        ):
            file.write_bytes(raw)
            file.chmod(mode)
            with pytest.raises(SettingsError, match=f"audit_key_file: .*{said}"):
                prepare(settings(policy, audit_key_file=file))

    def test_the_model_servers_key_and_certificates(self, policy: str, tmp_path: Path) -> None:
        file, ca = tmp_path / "key", tmp_path / "ca.pem"
        ca.touch()
        file.write_text("hunter2\n", encoding="utf-8")
        file.chmod(0o600)
        server = {"model_endpoint": "grpcs://models:1/{model}", "model_ca": ca}
        before = MODELS.places, MODELS.options
        try:
            for given in ({"model_key_file": file}, {"model_key": "hunter2"}):
                prepare(settings(policy, **server, **given))
                assert (MODELS.options["key"], MODELS.options["ca"]) == ("hunter2", ca)
                assert "hunter2" not in repr(MODELS)
            for raw, mode, said in ((b"\n", 0o600, "empty"), (b"\xff", 0o600, "not text"), (b"x", 0o644, "others")):
                file.write_bytes(raw)
                file.chmod(mode)
                with pytest.raises(SettingsError, match=f"model_key_file: .*{said}"):
                    prepare(settings(policy, **server, model_key_file=file))
        finally:
            run_models(*before)

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "proxy.example"])  # noqa: S104
    def test_an_upstream_key_that_others_could_use(self, policy: str, host: str) -> None:
        with pytest.raises(SettingsError, match=f"keys: {host} can be reached by others"):
            settings(policy, host=host, upstream_key_env="KEY")
        assert settings(policy, upstream_key_env="KEY").upstream_key_env == "KEY"

    def test_a_name_that_is_not_as_local_as_it_looks(self, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
        anywhere = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("0.0.0.0", 0))]  # noqa: S104
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: anywhere)
        with pytest.raises(SettingsError, match="localhost can be reached by others"):
            open_ports(settings(policy, host="localhost", upstream_key_env="KEY"))

    def test_ipv6(self) -> None:
        try:
            bound = bind("::1", 0)
        except SettingsError:
            pytest.skip("this machine has no IPv6")
        with bound:
            assert bound.family == socket.AF_INET6


class TestRunning:
    async def test_it_guards_and_leaves_an_audit_line(self, policy: str, tmp_path: Path) -> None:
        audit = tmp_path / "audit.jsonl"
        script = replying(json_answer(chat_answer("the key is sk-abcd1234")))
        async with serving(policy, script, "--audit", str(audit), "--tag", "a", "--tag", "b") as process:
            client = await process.client()
            await client.send(request("POST", CHAT, body=b'{"messages": [{"role": "user", "content": "hello"}]}'))
            reply = await client.reply()
            assert reply.json["choices"][0]["message"]["content"] == "the key is [KEY]"
            assert reply.header("server") is None
            client.close()
            process.tell(signal.SIGTERM)
            assert await process.ended() == 0
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

        async with serving(policy, script) as process:
            client = await process.client()
            body = b'{"stream": true, "messages": [{"role": "user", "content": "hello"}]}'
            await client.send(request("POST", CHAT, body=body))
            await client.head()
            assert await client.chunk() == text("hello ")
            process.tell(signal.SIGTERM)

            def refused() -> bool:
                with socket.socket() as probe:
                    host, port = process.base.removeprefix("http://").split(":")
                    return probe.connect_ex((host, int(port))) != 0

            await until(refused)
            go_on.set()
            rest = b""
            while piece := await asyncio.wait_for(client.chunk(), 5):
                rest += piece
            assert rest == text("again ") + DONE
            client.close()
            assert await process.ended() == 0

    async def test_with_keys_and_tls(self, policy: str, tmp_path: Path) -> None:
        text, key = new_key("acme", ("gold",))
        add_key(tmp_path / "keys", key)
        authority = trustme.CA()
        made = authority.issue_cert("localhost", "127.0.0.1")
        cert, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
        cert.write_bytes(made.cert_chain_pems[0].bytes())
        made.private_key_pem.write_to_path(secret)
        secret.chmod(0o600)
        (tmp_path / "lockgate.yaml").write_text(
            "keys: keys\ntls_cert: cert.pem\ntls_key: key.pem\nupstream_key_env: LOCKGATE_UPSTREAM_KEY\n"
            "audit: audit.jsonl\n",
            encoding="utf-8",
        )
        seen: list[str | None] = []

        async def script(peer: Peer) -> None:
            seen.append((await peer.request()).header("authorization"))
            await peer.send(json_answer(chat_answer("hello"), b"Connection: close"))

        environment = {"LOCKGATE_UPSTREAM_KEY": "sk-operator", "LOCKGATE_WORKERS": "2"}
        argv = ("--config", str(tmp_path / "lockgate.yaml"))
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        async with serving(policy, script, *argv, environment=environment) as process:
            port = int(process.base.rpartition(":")[2])
            assert process.base.startswith("https://")
            for sent, status in ((text, 200), ("sk-other", 401)):
                reader, writer = await asyncio.open_connection("localhost", port, ssl=trusting)
                client = Client(reader, writer)
                body = b'{"messages": [{"role": "user", "content": "hello"}]}'
                await client.send(request("POST", CHAT, f"Authorization: Bearer {sent}", body=body))
                assert (await client.reply()).status == status
                client.close()
            process.tell(signal.SIGTERM)
            assert await process.ended() == 0
        assert seen == ["Bearer sk-operator"]
        written = "".join((tmp_path / f"audit.w{n}.jsonl").read_text(encoding="utf-8") for n in (1, 2))
        (line,) = map(json.loads, written.splitlines())
        assert (line["tenant"], line["tags"], line["key"]) == ("acme", ["gold"], id_of(text))
        assert text not in "".join(process.log)


async def test_what_is_wrong_is_said_at_the_start(tmp_path: Path) -> None:
    """By the command itself, as a user calls it: the message and exit code 2, and no traceback."""
    authority = trustme.CA()
    for name in ("a", "b"):
        made = authority.issue_cert("localhost")
        made.private_key_pem.write_to_path(tmp_path / f"{name}-key.pem")
        (tmp_path / f"{name}-key.pem").chmod(0o600)
        made.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    add_key(tmp_path / "keys", new_key("acme")[1])
    (tmp_path / "keys").chmod(0o644)
    (tmp_path / "wrong.yaml").write_text("port: 0\nprot: 1\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        cases = [
            (["--config", f"{tmp_path}/wrong.yaml"], {}, f"{tmp_path}/wrong.yaml:2: there is no setting `prot` (did you mean"),
            ([], {"LOCKGATE_WORKER": "2"}, "LOCKGATE_WORKER: there is no such setting (did you mean `LOCKGATE_WORKERS`?)"),
            (["--keys", f"{tmp_path}/keys"], {}, f"{tmp_path}/keys can be read or changed by others (mode 0644): chmod 600"),
            (["--port", port, "--workers", "2"], {}, f"port: {port} on 127.0.0.1 can't be had (Address already in use)"),
            (
                ["--tls-cert", f"{tmp_path}/a.pem", "--tls-key", f"{tmp_path}/b-key.pem"], {},
                f"tls_key: {tmp_path}/b-key.pem does not belong to the certificate in {tmp_path}/a.pem",
            ),
        ]  # fmt: skip
        for argv, environment, said in cases:
            needed = ("serve", "--policy", "permissive", "--upstream", "http://127.0.0.1:9/v1")
            async with started(*needed, *argv, environment=environment) as process:
                code, log = await process.ended(), "".join(process.log)
                assert (code, said in log, "Traceback" in log) == (2, True, False), log
