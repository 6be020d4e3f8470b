"""Chats through the proxy, whose prompts and answers all differ, so that nothing can be remembered.

    python benchmarks/chats.py --url http://127.0.0.1:8080/v1/chat/completions --connections 8 --seconds 10 --seed 1

is the load, as a process, and prints what it saw. `measured` starts everything: the proxy has two cores, with upstream and
load on the same two where there are no others.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path

import uvloop

import load
import peers
import rig
import texts
from lockgate.detectors.model import MODELS
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy
from rig import Server, median

CONNECTIONS = (8, 32)
TOKENS = 100
"""Of each prompt, and of each answer."""
WAYS = {"two workers": ("--workers", "2"), "one worker, two runs at once": ("--model-parallel", "2")}
_WARM = 2.0  # seconds
_REST = 3.0  # seconds at most
_OVER = (b"HTTP/1.1 503", b"HTTP/1.1 429")


@dataclass(frozen=True)
class Seen:
    """What the load saw in `seconds`, and the CPU time that it took itself. Milliseconds are those of chats that were
    answered; `overload` counts answers that say to come again."""

    answered: int
    refused: int
    overload: int
    errors: int
    p50: float
    p99: float
    seconds: float
    cpu: float


@dataclass(frozen=True)
class Sample:
    """`seen`, and seconds of CPU time of proxy (NaN without one) and upstream meanwhile."""

    seen: Seen
    proxy: float
    upstream: float


Samples = dict[str, dict[int, list[Sample]]]
"""What was measured → connections → one sample a round."""


def kind(answer: bytes) -> str:
    """What sort of answer it is, by its status and header."""
    if answer.startswith(b"HTTP/1.1 200"):
        return "answered"
    head = answer.partition(b"\r\n\r\n")[0].lower()
    if answer.startswith(_OVER) and b"\r\nretry-after:" in head:
        return "overload"
    return "refused" if answer.startswith(b"HTTP/1.1 400") else "errors"


async def asking(url: str, connections: int, seconds: float, seed: int) -> Seen:
    draw = random.Random(seed)  # noqa: S311 - which words, no secret
    counts: Counter[str] = Counter()
    times: list[float] = []

    def request() -> bytes:
        return load.asked(url, {}, texts.question(texts.varied(TOKENS, draw)))

    def answered(answer: bytes, took: float) -> None:
        counts[sort := kind(answer)] += 1
        if sort == "answered":
            times.append(took)

    used = time.process_time()
    took = await load.ask(url, lambda: load.Asker(request, answered), connections, seconds)
    return Seen(
        counts["answered"],
        counts["refused"],
        counts["overload"],
        counts["errors"],
        rig.quantile(times, 0.5),
        rig.quantile(times, 0.99),
        took,
        time.process_time() - used,
    )


# From here on: who starts the load.


def forms(policy: str) -> frozenset[str]:
    """The forms of the models that a policy asks: text, pair, both or none."""
    plan = compile_policy(load_policy(find_policy(policy)))
    names = {name.partition("@")[0] for name in plan.models}
    return frozenset(MODELS.named(name).manifest.form for name in names)


def servers(model: Server, policies: Sequence[str], models: Path | None) -> list[Server]:
    """The proxy for each policy and each way to use two cores, not started."""
    more = ("--models", str(models)) if models is not None else ()
    return [
        replace(
            server,
            name=f"{Path(policy).stem}, {way}",
            command=[*server.command, *options, *more],
            core=rig.two_cores()[0],
        )
        for policy in policies
        for way, options in WAYS.items()
        for server in [peers.lockgate(model, policy)]
    ]


def measure(server: Server, model: Server, connections: int, seconds: float, seed: int) -> Sample:
    command = [
        sys.executable, str(rig.HERE / "chats.py"), "--url", server.url, "--connections", str(connections),
        "--seconds", str(seconds), "--seed", str(seed),
    ]  # fmt: skip
    proxy, upstream = server.cpu(), model.cpu()
    done = subprocess.run(rig.pinned(rig.two_cores()[1], command), stdout=subprocess.PIPE, check=True)
    own = server.cpu() - proxy if server is not model else float("nan")
    sample = Sample(Seen(**json.loads(done.stdout)), own, model.cpu() - upstream)
    server.rest(_REST)
    return sample


def measured(policies: Sequence[str], models: Path | None, rounds: int, seconds: float) -> Samples:
    model = replace(peers.upstream(varied=TOKENS), core=rig.two_cores()[1])
    proxies = servers(model, policies, models)
    seeds: Iterator[int] = count(1000)  # a seed a measurement, and none of the upstream's
    try:
        running = [model, *rig.start_all(proxies)] if rig.start_all([model]) else []
        for server in running:
            measure(server, model, CONNECTIONS[0], min(_WARM, seconds), next(seeds))
        samples: Samples = {server.name: {n: [] for n in CONNECTIONS} for server in running}
        for _ in range(rounds):
            for connections in CONNECTIONS:
                for server in running:
                    found = measure(server, model, connections, seconds, next(seeds))
                    samples[server.name][connections].append(found)
        return samples
    finally:
        for server in [*proxies, model]:
            server.stop()


def rate(samples: Sequence[Sample]) -> float:
    """Chats a second that were answered: the median of the rounds."""
    return median(sample.seen.answered / sample.seen.seconds for sample in samples)


HEAD = (
    "chats through", "connections", "chats/s", "p50, ms", "p99, ms", "overload", "refused", "errors",
    "CPU ms/chat", "cores: proxy", "cores: upstream", "cores: load",
)  # fmt: skip


def rows(samples: Samples) -> Iterator[list[float | str]]:
    for name, by in samples.items():
        for connections, found in by.items():
            seen = [sample.seen for sample in found]
            asked = sum(s.answered + s.refused + s.overload + s.errors for s in seen) or 1
            yield [
                name,
                connections,
                rate(found),
                median(s.p50 for s in seen),
                median(s.p99 for s in seen),
                _share(sum(s.overload for s in seen) / asked),
                _share(sum(s.refused for s in seen) / asked),
                sum(s.errors for s in seen),
                median(sample.proxy / max(sample.seen.answered, 1) * 1000 for sample in found),
                median(sample.proxy / sample.seen.seconds for sample in found),
                median(sample.upstream / sample.seen.seconds for sample in found),
                median(s.cpu / s.seconds for s in seen),
            ]


def _share(value: float) -> str:
    return f"{rig.shown(value * 100)} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    print(json.dumps(asdict(uvloop.run(asking(given.url, given.connections, given.seconds, given.seed)))))


if __name__ == "__main__":
    main()
