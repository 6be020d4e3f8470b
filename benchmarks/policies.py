"""What more rules cost: to read and compile a policy of 1 to 500 rules, and to look at a chat under it.

    python benchmarks/policies.py [--rounds N] [--seconds S]

Of four rules one has a pattern of its own, one a list of words, one counts what `pii` finds, which others do too, and one is a
condition on the request alone. The chat is that of `overhead.py`, prompt and answer, in which none applies. One core, in this
process, without a proxy: the baseline is the policy of one rule.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rig
import texts
from lockgate.exchange import Exchange, Subject
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.plan import Plan
from lockgate.wire.chat import ChatLens
from rig import Goal, median

SIZES = (1, 10, 100, 500)
_BATCH = 50


def rule(i: int) -> dict[str, Any]:
    made: dict[str, Any] = {"id": f"r{i}", "side": ["prompt", "completion"], "then": "refuse"}
    match i % 4:
        case 0:
            made["use"] = {"patterns": {"patterns": {f"CODE_{i}": rf"code-{i:04d}x[0-9]{{2,6}}"}}}
        case 1:
            made["use"] = {"words": {"words": [f"zeppelin{i}", f"quokka {i}", f"oboe-{i}"]}}
        case 2:
            made |= {
                "use": {"pii": {"kinds": ["EMAIL_ADDRESS"]}},
                "when": f"pii.count > {i % 7 + 1}",
                "stream": "after",
            }
            made["then"] = {"flag": {"notice": "Many addresses."}}
        case _:
            made |= {"side": "prompt", "when": f'request.model == "m-{i}"'}
    return made


def compiled(folder: Path, size: int) -> Plan:
    path = folder / f"p{size}.yaml"
    if not path.is_file():
        path.write_text(
            json.dumps({"version": 1, "name": "p", "rules": [rule(i) for i in range(size)]}), encoding="utf-8"
        )
    return compile_policy(load_policy(path))


def sides(folder: Path) -> dict[str, Callable[[], float]]:
    asked, answer = json.loads(texts.request()), json.loads(texts.answer())
    lens = ChatLens()

    def reading(size: int) -> Callable[[], float]:
        def once() -> float:
            begin = time.perf_counter()
            compiled(folder, size)
            return (time.perf_counter() - begin) * 1000

        return once

    def looking(size: int) -> Callable[[], float]:
        plan = compiled(folder, size)

        async def batch() -> None:
            for _ in range(_BATCH):
                passage = Passage(plan, Exchange("x", "chat", Subject("gpt")))
                await passage.prompt(lens.read_request(asked))
                await passage.answer(lens.read_answer(answer))

        def once() -> float:
            begin = time.perf_counter()
            asyncio.run(batch())
            return (time.perf_counter() - begin) * 1e6 / _BATCH

        return once

    return {f"read and compile, {size} rules, ms": reading(size) for size in SIZES} | {
        f"a chat, {size} rules, µs": looking(size) for size in SIZES
    }


def measure(given: argparse.Namespace, measured: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in measured}
    for side in measured.values():
        side()
    for _ in range(given.rounds):
        for name, side in measured.items():
            ends = time.perf_counter() + given.seconds / len(measured)
            took = [side()]
            while time.perf_counter() < ends:
                took.append(side())
            found[name].append(median(took))
    return found


def main() -> None:
    given = rig.options(__doc__ or "", rounds=5, seconds=4.0)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given, sides(Path(folder)))
    middle = {name: median(values) for name, values in found.items()}
    rows: list[list[float | str | None]] = []
    for name, value in middle.items():
        base = middle[next(one for one in middle if one.partition(",")[0] == name.partition(",")[0])]
        rows.append([name, value, value / base])
    shown = rig.table(("", "", "times one rule"), rows)
    chats = [value for name, value in middle.items() if name.startswith("a chat")]
    wanted = [
        Goal("500 rules against one, a chat: times the cost, for 500 times the rules", chats[-1] / chats[0], 50.0)
    ]
    rig.report(given, "policies", [shown, rig.goals(wanted)], found)


if __name__ == "__main__":
    main()
