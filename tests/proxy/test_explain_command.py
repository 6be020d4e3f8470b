from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lockgate_proxy.cli import main
from lockgate_proxy.command import OK, WRONG
from lockgate_proxy.explain_command import style

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "My card is 4111 1111 1111 1111."}]}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    path = tmp_path / "asked.json"
    path.write_text(json.dumps(REQUEST), encoding="utf-8")
    return str(path)


def test_elsewhere_than_on_a_terminal_it_is_json(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "default", asked]) == OK
    report = json.loads(capsys.readouterr().out)
    assert report["policy"]["name"] == "default"
    assert report["prompt"]["action"] == "rewrite"
    assert "4111" not in json.dumps(report)


def test_on_a_terminal_it_is_text_in_colour(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", out := Terminal())
    assert main(["explain", "default", asked]) == OK
    assert "\x1b[1mPrompt\x1b[0m: \x1b[1;33mrewrite\x1b[0m" in out.getvalue()
    monkeypatch.setattr(sys, "stdout", out := Terminal())
    assert main(["explain", "default", asked, "--json", "--text"]) == OK
    assert json.loads(out.getvalue())["prompt"]["texts"][0]["text"] == "My card is 4111 1111 1111 1111."


@pytest.mark.parametrize(
    ("terminal", "environ", "expected"),
    [
        (True, {}, (True, True)),
        (True, {"NO_COLOR": "1"}, (True, False)),
        (True, {"NO_COLOR": ""}, (True, True)),
        (True, {"TERM": "dumb"}, (True, False)),
        (False, {}, (False, False)),
        (False, {"FORCE_COLOR": "1"}, (True, True)),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, (True, False)),
    ],
)
def test_who_it_writes_for(terminal: bool, environ: dict[str, str], expected: tuple[bool, bool]) -> None:
    assert style(Terminal() if terminal else io.StringIO(), environ) == expected


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Stdin:
        buffer = io.BytesIO(json.dumps(REQUEST).encode())

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert main(["explain", "permissive", "-"]) == OK
    assert json.loads(capsys.readouterr().out)["prompt"]["result"]["changed"] is False


def test_tags_and_tenant_are_the_exchanges(asked: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "version: 1\nname: p\nrules:\n  - id: night\n    side: prompt\n"
        "    when: request.tags.exists(t, t == 'night') || request.tenant == 'acme'\n    then: refuse\n",
        encoding="utf-8",
    )
    for tags, action in (([], "allow"), (["--tag", "night"], "refuse"), (["--tenant", "acme"], "refuse")):
        assert main(["explain", str(policy), asked, *tags]) == OK
        assert json.loads(capsys.readouterr().out)["prompt"]["action"] == action


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{\n nope", ":2: "),
        (b'{"messages":\n[{"role": "user", "content":\n7}]}', ":3: content must be a string"),
        (b'{"messages": [], "stream": 1}', ":1: stream must be true or false (at /stream)"),
        (b"data: []\n\n", "event 1 of the stream"),
        (None, "the file can't be read (No such file or directory)"),
    ],
)
def test_a_file_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, says: str
) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    assert main(["explain", "default", str(path)]) == WRONG
    shown: Any = capsys.readouterr()
    assert shown.out == ""
    assert f"lockgate explain: {path}" in shown.err
    assert says in shown.err


def test_a_policy_that_is_wrong(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "defualt", asked]) == WRONG
    assert "did you mean `default`?" in capsys.readouterr().err


def test_the_whole_policy_and_where_it_is_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--effective", "honest"]) == OK
    out = capsys.readouterr().out
    assert out.startswith("# honest sha256:")
    assert "default.yaml:" in out
    assert main(["explain", "honest"]) == WRONG
    assert "name the file of an exchange" in capsys.readouterr().err
