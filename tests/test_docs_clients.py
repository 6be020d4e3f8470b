"""The examples of docs/clients.md for other libraries run and print what they say. `scripts/ci-deps` installs those, less
LiteLLM, which is large: that one runs where .venv-litellm has it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import pages
from documented import BASE, proxy, running
from pages import ROOT, Block

MODULES = ROOT / ".cache" / "node" / "node_modules"

EXAMPLES = [block for block in pages.blocks("docs/clients.md") if block.info]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running(proxy()) as found:
        yield found


def test_the_page_shows_these() -> None:
    assert [(block.language, block.info) for block in EXAMPLES] == [
        ("python", "langchain"),
        ("python", "litellm"),
        ("javascript", "node"),
    ]


@pytest.mark.full
@pytest.mark.parametrize("block", EXAMPLES, ids=[block.info for block in EXAMPLES])
def test_an_example_runs(block: Block, address: str, tmp_path: Path) -> None:
    if block.language == "python":
        needed = ROOT / f".venv-{block.info}" / "bin" / "python"
        script, command = tmp_path / "example.py", [str(needed), "example.py"]
    else:
        script, command = tmp_path / "example.mjs", ["node", "example.mjs"]
        needed = MODULES
    if not needed.exists():
        pytest.skip(f"there is no {needed}: see scripts/ci-deps")
    if needed is MODULES:
        (tmp_path / "node_modules").symlink_to(MODULES)
    script.write_text(block.text.replace(BASE, address), encoding="utf-8")
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "OPENAI_API_KEY": "sk-none", "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [line.strip()[4:] for line in block.text.splitlines() if line.strip().startswith("//> ")]
    said += [line[3:] for line in block.text.splitlines() if line.startswith("#> ")]
    assert done.stdout.splitlines() == said
