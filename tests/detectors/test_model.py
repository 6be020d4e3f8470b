"""Models are found and checked when they are named, loaded when they are asked, in each process anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.detectors import model
from lockgate.detectors.model import MODELS
from lockgate.errors import PolicyError
from tiny_model import write_model


@pytest.fixture(autouse=True, scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("models")
    write_model(place / "tiny")
    write_model(place / "broken", window=None)
    before = MODELS.places, MODELS.options
    model.run_models([place], {})
    yield place
    model.run_models(*before)


@pytest.mark.parametrize(("name", "problem"), [("tny", "there is no model 'tny'"), ("broken", "window")])
def test_a_model_that_is_not_there_or_wrong(name: str, problem: str) -> None:
    with pytest.raises(PolicyError, match=problem):
        MODELS.named(name)


def test_a_tampered_file_refuses_to_start(tiny: Path) -> None:
    folder = write_model(tiny / "tampered")
    with (folder / "int8.onnx").open("r+b") as stream:
        stream.seek(100)
        stream.write(b"\0")
    named = MODELS.named("tampered")
    with pytest.raises(PolicyError, match="another SHA-256"):
        named.classifier()


def test_a_model_is_loaded_once_and_again_after_a_fork() -> None:
    one = MODELS.named("tiny")
    assert MODELS.named("tiny") is one
    assert one.classifier() is one.classifier()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        mine = one.loaded is None and one.classifier() is one.loaded
        os.write(write, b"1" if mine else b"0")
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    assert os.read(read, 1) == b"1"
    os.close(read)


def test_ready_loads_what_was_named() -> None:
    MODELS.run(MODELS.places, MODELS.options)
    named = MODELS.named("tiny")
    MODELS.ready()
    assert MODELS.loaded() == [named.loaded]
    assert named.name == "tiny@1"


def test_how_models_run_may_change_and_come_back() -> None:
    one, options = MODELS.named("tiny"), MODELS.options
    MODELS.run(MODELS.places, {**options, "cache": 1})
    assert MODELS.named("tiny") is not one
    MODELS.run(MODELS.places, options)
    assert MODELS.named("tiny") is one
