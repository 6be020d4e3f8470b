"""The command line: what it prints, where, and how it exits."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from commanding import GOOD, run, write
from lockgate import __version__
from lockgate_proxy.cli import COMMANDS, main, parser
from lockgate_proxy.command import WRONG


class TestTheCall:
    @pytest.mark.parametrize(
        "argv", [(), ("nonsense",), ("check",), ("serve", "--prot", "1"), ("keys",), ("keys", "add")]
    )
    def test_a_wrong_one_shows_the_usage(self, argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main(argv)
        assert caught.value.code == WRONG
        assert "usage: lockgate" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("argv", "said"),
        [
            (
                ("serve", "--prot", "1"),
                "lockgate serve: error: unrecognized arguments: --prot 1 (did you mean `--port`?)",
            ),
            (
                ("keys", "list", "--kyes=x"),
                "lockgate keys list: error: unrecognized arguments: --kyes=x (did you mean `--keys`?)",
            ),
            (("explain", "a", "b", "c"), "lockgate explain: error: unrecognized arguments: c\n"),
        ],
    )
    def test_the_command_says_what_it_does_not_know(
        self, argv: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            main(argv)
        err = capsys.readouterr().err
        assert said in err
        assert err.startswith(f"usage: {said.partition(':')[0]} ")

    def test_a_reader_who_has_had_enough(self) -> None:
        """As `lockgate settings | head -1`."""
        reading, writing = os.pipe()
        os.close(reading)
        command = [
            sys.executable,
            "-m",
            "lockgate_proxy.cli",
            "settings",
            "--policy",
            "default",
            "--upstream",
            "http://h/v1",
        ]
        ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
        os.close(writing)
        assert (ended.returncode, ended.stderr) == (141, b"")

    def test_the_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main(["--version"])
        assert caught.value.code == 0
        assert capsys.readouterr().out == f"lockgate {__version__}\n"

    def test_each_command_has_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = parser().format_help()
        for name, command in COMMANDS.items():
            assert name in text
            assert command.help in " ".join(text.split())


class TestServe:
    def wrong(self, capsys: pytest.CaptureFixture[str], *argv: str) -> str:
        code, out, err = run(capsys, "serve", *argv)
        assert (code, out) == (WRONG, "")
        assert err.startswith("lockgate serve: ")
        return err

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("api.openai.com/v1", "http://"), ("ftp://host/v1", "http://"), ("http://", "no host"), ("http:///v1", "no host"),
            ("http://host:x/v1", "not a URL"), ("http://host/v1?x=1", "query"), ("http://me:secret@host/v1", "name or password"),
            ("http://ho st/v1", "not a URL"), ("", "http://"),
        ],
    )  # fmt: skip
    def test_a_bad_upstream(self, capsys: pytest.CaptureFixture[str], url: str, said: str) -> None:
        err = self.wrong(capsys, "--policy", "permissive", "--upstream", url)
        assert "upstream" in err
        assert said in err
        assert "secret" not in err

    def test_a_bad_policy(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = write(tmp_path, "bad.yaml", GOOD.replace("words:", "wordz:", 1))
        assert f"{path}:6" in self.wrong(capsys, "--policy", path, "--upstream", "http://h/v1")

    @pytest.mark.parametrize("policy", ["defualt", "no/such.yaml"])
    def test_a_policy_that_is_not_there(self, capsys: pytest.CaptureFixture[str], policy: str) -> None:
        self.wrong(capsys, "--policy", policy, "--upstream", "http://h/v1")

    def test_a_port_in_use(self, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            err = self.wrong(capsys, "--policy", "permissive", "--upstream", "http://h/v1", "--port", str(port))
        assert f"port: {port}" in err

    @pytest.mark.parametrize(
        ("argv", "said"),
        [
            (("--port", "70000"), "port"),
            (("--host", "no such host"), "host"),
            (("--host", "203.0.113.7"), "203.0.113.7"),
            (("--max-body", "0"), "max_body"),
            (("--upstream-timeout", "-1"), "upstream_timeout"),
            (("--keepalive-comment", "0"), "keepalive_comment"),
            (("--audit", "no/such/folder/audit.jsonl"), "audit"),
            (("--audit", "."), "audit"),
            (("--audit-key-file", "no/such/file"), "audit_key_file"),
            (("--audit-key-file", "short"), "audit_key"),
            (("--upstream-ca", "no/such/file"), "upstream_ca"),
        ],
    )
    def test_bad_settings(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, argv: tuple[str, str],
        said: str,
    ) -> None:  # fmt: skip
        monkeypatch.chdir(tmp_path)
        write(tmp_path, "short", "tiny secret")
        given = {"--port": "0", **dict([argv])}
        flat = [word for pair in given.items() for word in pair]
        err = self.wrong(capsys, "--policy", "permissive", "--upstream", "http://h/v1", *flat)
        assert said in err
        assert "tiny" not in err

    def test_a_ca_that_is_none(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = write(tmp_path, "ca.pem", "nonsense")
        argv = ("--policy", "permissive", "--upstream", "https://h/v1", "--port", "0", "--upstream-ca", path)
        assert "upstream_ca" in self.wrong(capsys, *argv)

    def test_a_missing_extra_is_named(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "lockgate_proxy.serve", raising=False)
        monkeypatch.setitem(sys.modules, "uvicorn", None)
        err = self.wrong(capsys, "--policy", "permissive", "--upstream", "http://h/v1")
        assert "pip install 'lockgate[proxy]'" in err
