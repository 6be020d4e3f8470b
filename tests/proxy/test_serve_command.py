from __future__ import annotations

import json
from pathlib import Path

import pytest

from lockgate_proxy.cli import main
from lockgate_proxy.command import WRONG
from lockgate_proxy.effective import HIDDEN
from lockgate_proxy.settings import Settings

NEEDED = ("--policy", "default", "--upstream", "http://h/v1")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(["settings", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_each_setting_has_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_AUDIT_KEY", "0123456789abcdef")
    Path("s.yaml").write_text("port: 9\ntags: [a, b]\n", encoding="utf-8")
    code, out, err = run(capsys, *NEEDED, "--config", "s.yaml", "--max-body", "7")
    assert (code, err) == (0, "")
    rows = [line.split("  ") for line in out.splitlines()]
    shown = {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
    assert list(shown) == list(Settings.model_fields)
    assert shown["port"] == ["9", "s.yaml:1"]
    assert shown["tags"] == ["a, b", "s.yaml:2"]
    assert shown["max_body"] == ["7", "--max-body"]
    assert shown["audit_key"] == [HIDDEN, "LOCKGATE_AUDIT_KEY"]
    assert shown["host"] == ["127.0.0.1", "default"]
    assert shown["keys"] == ["none", "default"]


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *NEEDED, "--json", "--tag", "a", "--tag", "b")
    shown = json.loads(out)
    assert code == 0
    assert list(shown) == list(Settings.model_fields)
    assert shown["tags"] == {"value": ["a", "b"], "origin": "--tag"}
    assert shown["workers"] == {"value": 1, "origin": "default"}


def test_what_is_wrong_is_said_as_serve_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *NEEDED, "--workers", "many")
    assert code == WRONG
    assert err.startswith("lockgate settings: --workers: workers: input should be a valid integer")
    assert "\nworkers              ?              --workers\n" in out
    assert "\nport                 8080           default\n" in out


def test_what_is_missing_is_shown_among_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--port", "9", "--tls-cert", "cert.pem")
    assert code == WRONG
    rows = {row[0]: row[1:] for row in map(str.split, out.splitlines())}
    assert list(rows) == list(Settings.model_fields)
    assert rows["policy"] == rows["upstream"] == ["?", "missing"]
    assert rows["port"] == ["9", "--port"]
    assert rows["tls_cert"] == ["?", "--tls-cert"]
    assert err.splitlines() == [
        "lockgate settings: policy: is required: give --policy, LOCKGATE_POLICY, or `policy:` in the settings file",
        "upstream: is required: give --upstream, LOCKGATE_UPSTREAM, or `upstream:` in the settings file",
        "--tls-cert: tls_cert: there is no such file",
    ]

    code, out, _ = run(capsys, "--upstream", "http://h/v1", "--json")
    shown = json.loads(out)
    assert code == WRONG
    assert shown["upstream"] == {"value": "http://h/v1", "origin": "--upstream"}
    assert shown["policy"]["origin"] == "missing"
    assert shown["policy"]["problem"].startswith("policy: is required")


def test_a_secret_has_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["serve", "--audit-key=x"], ["settings", "--audit-key=x"]):
        with pytest.raises(SystemExit):
            main(argv)
    assert "--audit-key=x" in capsys.readouterr().err


def test_help_has_every_option_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "The port to listen on; 0 for any free one. (default: 8080)" in out
    assert "as in https://host/v1. (required)" in out
    assert "--upstream-key-env NAME" in out
