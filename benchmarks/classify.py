"""What models cost: a text against DeBERTa in PyTorch, a history that was seen before, chats through the proxy.

    python benchmarks/classify.py [--rounds N] [--seconds S] [--torch PYTHON] [--parts text history chats]
    python benchmarks/classify.py --device gpu --torch PYTHON

Times of texts are on one core and one thread, ours from a text to the scores of all heads, PyTorch's without tokenising.
With `--device gpu` nothing else is measured than texts a second, as fp16, against the same network in PyTorch.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

import encoders
import rig
from encoders import Ours, Runs, Torch
from lockgate_models.errors import ModelError
from lockgate_models.places import find, folders
from rig import Goal, median

LENGTHS = {32: 100.0, 128: 45.0, 512: 20.0}
"""Tokens of a text → how many times less CPU time it should cost."""
BATCHES = ((1, 128), (16, 128), (64, 32), (64, 128), (256, 128))
"""Of a GPU: texts of a batch, tokens of each."""
PARTS = ("text", "history", "chats")
_HISTORY = 20
_WANTED = {frozenset({"text"}): 40.0, frozenset({"text", "pair"}): 20.0}
_GPU = "classify-gpu"
_LAYERS, _WIDTH, _INNER = 6, 384, 1536

Pair = tuple[float, float]
"""Milliseconds of CPU time, and of the clock."""


def turns(
    sides: Mapping[str, Callable[[int], Pair]], sizes: Sequence[int], rounds: int
) -> dict[str, dict[int, list[Pair]]]:
    """Each side at each size, in turn, so many rounds."""
    found: dict[str, dict[int, list[Pair]]] = {name: {size: [] for size in sizes} for name in sides}
    for _ in range(rounds):
        for size in sizes:
            for name, side in sides.items():
                found[name][size].append(side(size))
    return found


# A text


def torch_side(given: argparse.Namespace, network: Any) -> Torch | None:
    """The network in PyTorch; None, and a word why, where there is none."""
    python = encoders.python_with_torch(given.torch)
    if python is None:
        print("left out: PyTorch, which no Python here has; --torch names one", file=sys.stderr)
        return None
    try:
        return Torch(python, network, given.device)
    except (OSError, RuntimeError) as error:
        print(f"left out: {error}", file=sys.stderr)
        return None


def text(given: argparse.Namespace, folder: Path) -> tuple[list[str], list[Goal], Any]:
    peer = torch_side(given, "deberta")
    ours = Ours(folder)
    sides: dict[str, Callable[[int], Pair]] = {"ours": lambda tokens: ours.timed(tokens, given.seconds)}
    if peer is not None:
        sides["deberta"] = lambda tokens: peer.timed(1, tokens, given.seconds)
    for side in sides.values():
        side(min(LENGTHS))
    found = turns(sides, list(LENGTHS), given.rounds)
    if peer is not None:
        peer.close()
    ours.close()
    shown, wanted = [], []
    for tokens, bound in LENGTHS.items():
        mine, theirs = found["ours"][tokens], found.get("deberta", {}).get(tokens, [])
        times = [[t[i] / m[i] for m, t in zip(mine, theirs, strict=False)] for i in (0, 1)]
        shown.append(
            [
                tokens,
                *(median(pair[i] for pair in side) for i in (0, 1) for side in (mine, theirs)),
                *map(median, times),
            ]
        )
        wanted.append(Goal(f"{tokens} tokens, times less CPU time than DeBERTa", median(times[0]), bound, False))
    head = (
        "tokens", f"{folder.name}, CPU ms", "DeBERTa-v3-base, CPU ms", "ours, wall ms", "DeBERTa, wall ms",
        "× less CPU", "× less wall",
    )  # fmt: skip
    return [rig.table(head, shown)], wanted, found


# A history, and what the detectors ask


def history(given: argparse.Namespace, folder: Path) -> tuple[list[str], list[Goal], Any]:
    """Texts that were seen before, and texts as the detectors read them: units, and each sentence alone."""
    from lockgate.detectors.classifier import read_units
    from lockgate.detectors.model import Model
    from lockgate.detectors.units import Unit, covering, each

    loop = asyncio.new_event_loop()
    known, fresh = Model(folder, {}), Model(folder, {"cache": 0})
    told = encoders.drawn(102, _HISTORY)  # a hundred, and the two at the ends
    varied = cycle(encoders.drawn(102))

    def read(model: Model, wanted: Sequence[str], units: Callable[[str], list[Unit]]) -> object:
        asked = [(one, units(one)) for one in wanted]
        return loop.run_until_complete(read_units(model, asked, "", alone=("injection", "indirect")))

    sides: dict[str, tuple[int, Callable[[], object]]] = {
        "seen before: scores of 20 texts": (
            _HISTORY,
            lambda: loop.run_until_complete(known.classifier().scores(told)),
        ),
        "seen before: 20 prompts as detectors read them": (_HISTORY, lambda: read(known, told, covering)),
        "new: a prompt as detectors read it": (1, lambda: read(fresh, [next(varied)], covering)),
        "new: an answer as detectors read it": (1, lambda: read(fresh, [next(varied)], each)),
    }
    found: dict[str, list[Pair]] = {name: [] for name in sides}
    for _, call in sides.values():
        call()
    for _ in range(given.rounds):
        for name, (texts, call) in sides.items():
            cpu, wall = rig.clocked(call, given.seconds)
            found[name].append((cpu / texts, wall / texts))
    for model in (known, fresh):
        model.classifier().close()
    loop.close()
    middle = {name: [median(pair[i] for pair in pairs) for i in (0, 1)] for name, pairs in found.items()}
    first = next(iter(sides))
    head = ("a text of 100 tokens", "CPU ms", "wall ms")
    table = rig.table(head, ([name, *values] for name, values in middle.items()))
    return [table], [Goal(f"{first}, wall ms a text", middle[first][1], 0.1)], found


# Chats


def through_proxy(given: argparse.Namespace) -> tuple[list[str], list[Goal], Any]:
    import chats
    from lockgate.detectors.model import run_models

    run_models([given.models] if given.models is not None else [], {})
    asked = {policy: chats.forms(policy) for policy in given.policies}
    samples = chats.measured(given.policies, given.models, given.rounds, given.seconds)
    wanted = [
        Goal(f"{name}, chats/s at {connections}", chats.rate(by), _WANTED[forms], False)
        for policy, forms in asked.items()
        if forms in _WANTED
        for name, found in samples.items()
        if name.startswith(f"{Path(policy).stem}, ")
        for connections, by in found.items()
    ]
    said = "; ".join(f"{Path(p).stem}: forms asked: {' and '.join(sorted(f)) or 'none'}" for p, f in asked.items())
    measured, load = rig.two_cores()
    where = "beside it on the same two" if measured == load else "on two others"
    note = f"{chats.TOKENS} tokens each way, none seen before. The proxy has two cores, upstream and load are {where}. {said}."
    numbers = {n: {str(c): [asdict(s) for s in by] for c, by in found.items()} for n, found in samples.items()}
    return [note, rig.table(chats.HEAD, chats.rows(samples))], wanted, numbers


# A GPU


def flops(tokens: int) -> float:
    """Floating-point operations of a text of so many tokens: the layers' products, and attention's."""
    weights = _LAYERS * (4 * _WIDTH**2 + 2 * _WIDTH * _INNER)
    return 2.0 * tokens * (weights + _LAYERS * 2 * _WIDTH * tokens)


def on_gpu(given: argparse.Namespace, folder: Path) -> None:
    runs, peer = Runs(folder, "gpu"), torch_side(given, "own")
    sides: dict[str, Callable[[int], Pair]] = {"ours": lambda i: runs.timed(*BATCHES[i], given.seconds)}
    if peer is not None:
        sides["torch"] = lambda i: peer.timed(*BATCHES[i], given.seconds)
    found = turns(sides, range(len(BATCHES)), given.rounds)
    best = peer.said["product"] if peer is not None else float("nan")
    runs.close()
    if peer is not None:
        peer.close()
    shown, wanted = list[Sequence[float | str]](), []
    for i, (batch, tokens) in enumerate(BATCHES):
        rates = [[batch / wall * 1000 for _, wall in found.get(side, {}).get(i, [])] for side in ("ours", "torch")]
        ratio = median(a / b for a, b in zip(*rates, strict=False))
        reached = median(rates[0]) * flops(tokens) / 1e12
        shown.append(
            [batch, tokens, median(rates[0]), median(rates[1]), ratio, reached, f"{reached / best * 100:.1f} %"]
        )
        wanted.append(Goal(f"{batch} × {tokens} tokens, × PyTorch", ratio, 1.0, False))
    head = ("texts", "tokens", f"{folder.name}, texts/s", "PyTorch fp16, texts/s", "×", "TFLOP/s", "of a large product")
    note = f"From token numbers in memory to answers in memory, fp16. A product of 8,192² reaches {rig.shown(best)} TFLOP/s."
    command = "python benchmarks/classify.py --device gpu"
    rig.report(given, _GPU, (note, rig.table(head, shown), rig.goals(wanted)), {"batches": BATCHES, **found}, command)


def gpu_note(given: argparse.Namespace) -> list[str]:
    page = given.results.read_text(encoding="utf-8") if given.results is not None and given.results.is_file() else ""
    if f"## {_GPU.capitalize()}\n" in page:
        return []
    return ['On a GPU: not yet run. `make bench-full ARGS="--device gpu --results benchmarks/RESULTS.md"` runs it.']


def _more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="what the model runs on")
    parser.add_argument("--model", default="lockgate-text", help="a model's name or folder")
    parser.add_argument("--models", type=Path, metavar="DIR", help="where else models are looked for")
    parser.add_argument("--torch", metavar="PYTHON", help="a Python that has torch and transformers")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="only these")


def main() -> None:
    given = rig.options("what models cost", rounds=5, seconds=3.0, policies=["default"], more=_more)
    try:
        folder = find(given.model, folders([given.models] if given.models is not None else []))
    except ModelError as error:
        sys.exit(f"{error}")
    if given.device == "gpu":
        on_gpu(given, folder)
        return
    found: dict[str, tuple[list[str], list[Goal], Any]] = {}
    rig.two_cores()
    if "chats" in given.parts:
        found["chats"] = through_proxy(given)
    rig.take(rig.cores()[0])
    if "text" in given.parts:
        found["text"] = text(given, folder)
    if "history" in given.parts:
        found["history"] = history(given, folder)
    done = [found[name] for name in PARTS if name in found]
    tables = [table for part, _, _ in done for table in part]
    goals = [goal for _, part, _ in done for goal in part]
    numbers = {name: part for name, (_, _, part) in found.items()}
    rig.report(given, "classify", [*tables, *gpu_note(given), rig.goals(goals)], numbers)


if __name__ == "__main__":
    main()
