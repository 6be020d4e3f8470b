"""The two sides of the comparison: the model that ships, as its users run it, and a network in PyTorch, in a process of its
own, so that its packages need not be ours.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import numpy as np

import rig
import texts
from lockgate_models.backend import Device
from lockgate_models.manifest import read_manifest, verify
from lockgate_models.onnx import OnnxBackend
from lockgate_models.shelf import Options, load

ROOT = rig.HERE.parent
_DRAWN = 64  # texts of a length, in turn
_ENDS = 2  # tokens that the tokeniser adds


def drawn(tokens: int, count: int = _DRAWN) -> list[str]:
    """Texts of so many tokens, those at both ends included."""
    draw = random.Random(tokens)  # noqa: S311 - which words, no secret
    return [texts.varied(tokens - _ENDS, draw) for _ in range(count)]


class Ours:
    """The model of a folder, from a text to the scores of all its heads: tokens, windows, batches, the runtime. One
    thread, and nothing is remembered."""

    def __init__(self, folder: Path, *, cache: int = 0) -> None:
        self._classifier = load(folder, Options(cache=cache))
        self._loop = asyncio.new_event_loop()

    def timed(self, tokens: int, seconds: float) -> tuple[float, float]:
        """Milliseconds of CPU time and of the clock for a text of so many tokens."""
        each = cycle(drawn(tokens))
        return rig.clocked(lambda: self.ask([next(each)]), seconds)

    def ask(self, wanted: Sequence[str]) -> object:
        return self._loop.run_until_complete(self._classifier.scores(wanted))

    def close(self) -> None:
        self._classifier.close()
        self._loop.close()


class Runs:
    """The file for a device, without what stands around it: token numbers in, answers out."""

    def __init__(self, folder: Path, device: Device) -> None:
        manifest = read_manifest(folder)
        file = verify(folder, manifest.file("fp16" if device == "gpu" else "int8"))
        self._backend = OnnxBackend(file, manifest.outputs, device=device)

    def timed(self, batch: int, tokens: int, seconds: float) -> tuple[float, float]:
        """Milliseconds for a batch of so many texts of so many tokens."""
        ids = np.random.default_rng(tokens).integers(1000, 30000, (batch, tokens))
        mask = np.ones_like(ids)
        for _ in range(3):
            self._backend.run(ids, mask)
        return rig.clocked(lambda: self._backend.run(ids, mask), seconds)

    def close(self) -> None:
        self._backend.close()


def python_with_torch(given: str | None) -> str | None:
    """The Python that has torch: the one that was given, this one, or the training environment's. None without one."""
    trained = ROOT / ".venv-train" / "bin" / "python"
    if given is not None:
        return given
    if importlib.util.find_spec("torch") is not None:
        return sys.executable
    return str(trained) if trained.is_file() else None


class Torch:
    """A network in PyTorch. `said` is what its process says of itself. Raises RuntimeError where it does not start."""

    def __init__(self, python: str, network: Literal["deberta", "own"], device: Device) -> None:
        command = [python, str(rig.HERE / "torch_peer.py"), "--network", network, *(["--gpu"] * (device == "gpu"))]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "models")},
        )
        self.said = self._line()

    def timed(self, batch: int, tokens: int, seconds: float) -> tuple[float, float]:
        """Milliseconds of CPU time and of the clock for a batch of so many texts of so many tokens, without their
        tokenising."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"batch": batch, "tokens": tokens, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        found = self._line()
        return found["cpu"], found["wall"]

    def _line(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the network in PyTorch ended with {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        self._process.communicate()
