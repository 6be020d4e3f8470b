"""The benchmarks run, and print their tables. What they measure is no test's business."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tiny_model import write_model

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
TINY = ("--rounds", "1", "--seconds", "0.3", "--only", "nginx")

pytestmark = pytest.mark.full


@dataclass(frozen=True)
class Done:
    """What a benchmark printed, the page that it put its tables into, and the file of numbers."""

    shown: str
    page: str
    written: dict[str, Any]


def ask_models(folder: Path) -> tuple[str, ...]:
    """A model of a few words, a policy that asks it, and nobody who has torch."""
    write_model(folder / "models" / "tiny")
    rule = {
        "id": "attacks",
        "side": ["prompt", "completion"],
        "use": {"classifier": {"heads": ["injection"], "model": "tiny"}},
        "then": "refuse",
    }
    policy = folder / "asks.yaml"
    policy.write_text(json.dumps({"version": 1, "name": "asks", "deadline_ms": 60000, "rules": [rule]}))
    given = {"--model": "tiny", "--models": folder / "models", "--policies": policy, "--torch": folder / "none"}
    return tuple(str(part) for option in given.items() for part in option)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Done]:
    """Runs a benchmark, once however often it is asked for."""

    @cache
    def once(name: str) -> Done:
        folder = tmp_path_factory.mktemp(name)
        numbers, page = folder / "numbers.json", folder / "page.md"
        options = ask_models(folder) if name == "classify" else ()
        numbers.write_text('{"another": 1}')
        page.write_text(f"# Page\n\n## {name.capitalize()}\n\nold\n\n## Another\n\nkept\n")
        done = subprocess.run(
            [sys.executable, BENCHMARKS / f"{name}.py", *TINY, *options, "--json", numbers, "--results", page],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Done(done.stdout, page.read_text(), json.loads(numbers.read_text()))

    return once


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("overhead", {"no proxy", "bare", "lockgate permissive", "lockgate default"}),
        ("streaming", {"no proxy", "bare", "lockgate permissive", "lockgate default", "default, ordinary prose"}),
        ("detectors", {"default, prompts, clean 2000 characters", "pii, 500 characters, 30 % with entities"}),
        ("telemetry", {"SDK, span, sampled", "ours, counter", "exchange, permissive, metrics, trace sampled"}),
        ("classify", {"128", "seen before: scores of 20 texts", "no proxy", "asks, two workers"}),
        ("grounding", {"all at once", "at the end of a stream"}),
        ("policies", {"read and compile, 500 rules, ms", "a chat, 500 rules, µs"}),
        ("engines", {"RE2 set: which rows", "RE2 row by row", "re row by row"}),
    ],
)
def test_a_benchmark_prints_its_table_and_adds_its_numbers(
    run: Callable[[str], Done], name: str, rows: set[str]
) -> None:
    done = run(name)
    first_cells = {line.split("|")[1].strip() for line in done.shown.splitlines() if line.startswith("|")}
    assert rows <= first_cells
    assert done.written[name]
    assert done.written["another"] == 1
    assert done.page.startswith("# Page\n\n## Another\n\nkept\n\n## ")
    assert done.page.endswith(done.shown)


def test_requests_are_answered(run: Callable[[str], Done]) -> None:
    for name, found in run("overhead").written["overhead"].items():
        for connections in ("1", "16", "64"):
            assert [sample["errors"] for sample in found[connections]] == [0], (name, connections)
            assert found[connections][0]["rate"] > 0, (name, connections)


def test_streams_arrive(run: Callable[[str], Done]) -> None:
    written = run("streaming").written["streaming"]
    assert "lockgate default" in written["responses"]
    for name, found in [*written["streams"].items(), *written["responses"].items()]:
        assert [sample["errors"] for sample in found] == [0], name
        assert found[0]["chunks"] > 0, name


def test_chats_are_answered_and_remembered_by_nobody(run: Callable[[str], Done]) -> None:
    for name, found in run("classify").written["classify"]["chats"].items():
        for connections in ("8", "32"):
            seen = found[connections][0]["seen"]
            assert (seen["refused"], seen["errors"]) == (0, 0), (name, connections)


def test_a_gpu_that_nobody_had_is_said_to_be_missing(run: Callable[[str], Done]) -> None:
    assert "On a GPU: not yet run. `make bench-full" in run("classify").page


def test_varied_texts_have_the_tokens_that_are_said_and_share_no_sentences() -> None:
    program = (
        "import random, re, texts; draw = random.Random(1); all = [texts.varied(100, draw) for _ in range(50)]; "
        "print({len(re.findall(r'\\w+|[.,]', text)) for text in all}); "
        "whole = [s for text in all for s in text.split('. ')[:-1]]; print(len(set(whole)) == len(whole))"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=BENCHMARKS, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["{100}", "True"]


def test_the_request_and_the_answer_have_the_size_that_is_said() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import texts; print(len(texts.request()), len(texts.answer()))"],
        cwd=BENCHMARKS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == ["574", "600"]
