"""What it costs to see whether an answer rests on its context: a context read for the first time, and what the end of a
stream waits for.

    python benchmarks/grounding.py [--rounds N] [--seconds S]

A context of 1,500 tokens, an answer of four sentences of 128 tokens, both made up anew each time. *All at once*: context
and answer are new, as on the plain way. *At the end*: the context and all sentences but the last have been asked about
while the stream came, so that what is left is the last sentence. The baseline is the text model's read of that sentence.
On the two cores that the models of a server would have.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

import rig
import texts
from lockgate.detectors.groundedness import GroundednessConfig, build
from lockgate.detectors.model import MODELS, TEXT, run_models
from lockgate.exchange import Exchange, Segment
from rig import Goal, median

CONTEXT, SENTENCE, SENTENCES = 1_500, 128, 4
_LATE = 150.0  # milliseconds that the end of a stream may wait

Sides = dict[str, Callable[[], Coroutine[Any, Any, float]]]


def made_up(tokens: int, draw: random.Random) -> str:
    """One sentence of so many tokens."""
    words = texts.varied(tokens - 1, draw).replace(".", "").replace("?", "").replace("!", "").split()
    return " ".join(words).capitalize() + "."


class Setting:
    """A context and an answer that nobody has read."""

    def __init__(self, draw: random.Random) -> None:
        self.exchange = Exchange("bench", "chat", given=(texts.varied(CONTEXT, draw),))
        self.sentences = [made_up(SENTENCE, draw) for _ in range(SENTENCES)]

    def segment(self, sentences: int, *, begun: bool = False) -> Segment:
        said = " ".join(self.sentences[:sentences]) + (" And" if begun else "")
        return Segment("/choices/0/message/content", "assistant", "text", said, choice=0)


async def clocked(work: Coroutine[Any, Any, object]) -> float:
    begin = time.perf_counter()
    await work
    return (time.perf_counter() - begin) * 1000


def sides(draw: random.Random) -> Sides:
    detector = build(GroundednessConfig())
    text = MODELS.named(TEXT).classifier()

    async def at_once() -> float:
        new = Setting(draw)
        return await clocked(detector.detect([new.segment(SENTENCES)], new.exchange))

    async def at_the_end() -> float:
        new = Setting(draw)
        await detector.ahead(new.segment(SENTENCES - 1, begun=True), new.exchange)
        return await clocked(detector.detect([new.segment(SENTENCES)], new.exchange))

    async def baseline() -> float:
        return await clocked(text.scores([made_up(SENTENCE, draw)]))

    return {"all at once": at_once, "at the end of a stream": at_the_end, "the text model, one sentence": baseline}


async def measure(given: argparse.Namespace, measured: Sides) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in measured}
    for side in measured.values():
        await side()
    for _ in range(given.rounds):
        for name, side in measured.items():
            ends = time.perf_counter() + given.seconds
            took = [await side()]
            while time.perf_counter() < ends:
                took.append(await side())
            found[name].append(median(took))
    return found


def main() -> None:
    given = rig.options(__doc__ or "", rounds=5, seconds=2.0)
    run_models([], {"threads": 1, "parallel": 2})
    found = asyncio.run(measure(given, sides(random.Random(1))))  # noqa: S311 - which words, no secret
    middle = {name: median(values) for name, values in found.items()}
    first, last, base = middle.values()
    per_thousand = first * 1000 / (CONTEXT + SENTENCE * SENTENCES)
    rows: list[list[float | str | None]] = [[name, value, value / base] for name, value in middle.items()]
    rows.append(["all at once, for 1,000 tokens of context and answer", per_thousand, per_thousand / base])
    shown = rig.table(("", "ms", "times the baseline"), rows)
    wanted = [Goal("added time to the end of a stream, ms", last, _LATE)]
    rig.report(given, "grounding", [shown, rig.goals(wanted)], found)


if __name__ == "__main__":
    main()
