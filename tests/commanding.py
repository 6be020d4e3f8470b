"""The command line as tests call it, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate_proxy.cli import main

GOOD = """\
version: 1
name: good
rules:
  - id: stop
    side: [prompt, completion]
    use: {words: {words: [plugh]}}
    then: refuse
"""


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """The exit code, and what was printed."""
    code = main(argv)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err
