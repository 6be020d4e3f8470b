"""Models are loaded when a guard is made, and again in a child; where none is asked, none is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate import Guard, PolicyError, Refused, guard, warm
from lockgate.detectors.model import MODELS, run_models
from tiny_model import write_model

POLICY = """\
version: 1
name: attacks
rules:
  - {id: attacks, side: prompt, use: {classifier: {heads: injection, model: tiny}}, then: {refuse: {}}}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Iterator[Path]:
    write_model(tmp_path / "tiny")
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    before = MODELS.places, MODELS.options
    run_models([tmp_path], {})
    yield tmp_path / "policy.yaml"
    run_models(*before)


def test_they_are_loaded_with_the_guard(policy: Path) -> None:
    assert MODELS.loaded() == []

    @guard(policy)
    def ask(question: str) -> str:
        return question

    assert [model.manifest.name for model in MODELS.loaded()] == ["tiny"]
    assert ask("calm") == "calm"
    with pytest.raises(Refused):
        ask("attack")


def test_one_that_can_not_be_run_is_an_error_there(policy: Path) -> None:
    with (policy.parent / "tiny" / "int8.onnx").open("r+b") as stream:
        stream.seek(100)
        stream.write(b"\0")
    with pytest.raises(PolicyError, match="another SHA-256"):
        Guard(policy)


def test_a_child_loads_its_own(policy: Path) -> None:
    made = Guard(policy)
    assert made.check("attack").action.word == "refuse"  # the parent has threads now
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        none = not MODELS.loaded()
        warm()
        said = none and len(MODELS.loaded()) == 1 and made.check("attack, again").action.word == "refuse"
        os.write(write, b"1" if said else b"0")
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    assert os.read(read, 1) == b"1"
    os.close(read)


def test_a_lock_that_was_held_at_a_fork_is_free_in_the_child(policy: Path) -> None:
    Guard(policy)
    named = MODELS.named("tiny")
    with named._lock:
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            os._exit(0 if named.classifier() is named.loaded else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_a_model_nothing_of_theirs_is_imported(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(
        "version: 1\nname: plain\nrules:\n  - {id: keys, side: prompt, use: {secrets: {}}, then: {rewrite: redact}}\n",
        encoding="utf-8",
    )
    said = (
        "import sys; from lockgate import Guard; Guard('plain.yaml').check('a');"
        "print([name for name in ('numpy', 'onnxruntime', 'tokenizers', 'lockgate_models.shelf') if name in sys.modules])"
    )
    path = os.pathsep.join(sys.path)
    run = subprocess.run(
        [sys.executable, "-c", said],
        cwd=tmp_path,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert (run.stdout, run.returncode) == ("[]\n", 0), run.stderr
