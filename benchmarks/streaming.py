"""What a proxy costs a stream: CPU time a chunk, added time to the first chunk; and how much text the gate holds back.

    python benchmarks/streaming.py [--rounds N] [--seconds S] [--json FILE] [--litellm FILE] [--portkey DIR]

Of chats, and of the Responses API. 16 streams at once, a chunk every 10 ms, 100 chunks a stream. CPU time is the proxy's, less what it uses when nothing
happens; opening the streams is in it. Held text is counted in the engine, without a network: after each token, how many
characters have come and may not leave yet.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import load
import peers
import rig
import texts
from lockgate.exchange import Exchange, Subject
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy
from lockgate.policy.plan import Plan
from rig import Goal, Server, median, quantile

STREAMS = 16
_CHAT_ONLY = frozenset({"litellm", "portkey", "nemo"})  # as they are set up here
_CHANNEL = "/choices/0/message/content"
_REST = 3.0  # seconds at most, so that none works on while the next is measured
_TEXTS = 40  # of 3,000 characters each, for the text held back


@dataclass(frozen=True)
class Sample:
    """One measurement: text chunks that came, microseconds of CPU time a chunk, milliseconds until the first chunk."""

    chunks: int
    cpu: float
    first: float
    errors: int


Samples = dict[str, list[Sample]]


@dataclass(frozen=True)
class Held:
    """Characters held after each token: mean, 99th percentile, most; the share of tokens after which none is; and
    microseconds of CPU time a token, in the engine alone."""

    tokens: int
    mean: float
    p99: float
    most: int
    none: float
    cpu: float


def measure(server: Server, seconds: float, idle: float, *, responses: bool = False) -> Sample:
    before = server.cpu()
    seen = load.streamed(server.url, server.headers, STREAMS, seconds, responses=responses)
    used = max(server.cpu() - before - idle * seconds, 0)
    server.rest(_REST)
    cpu = used / seen.chunks * 1e6 if seen.chunks else float("nan")
    return Sample(seen.chunks, cpu, median(seen.first), seen.errors)


def run(given: argparse.Namespace, work: Path) -> tuple[Samples, Samples]:
    """What chats cost, and what the Responses API does through those that know it."""
    model = peers.upstream()
    proxies = peers.compared(given, model, work)
    try:
        running = [model, *rig.start_all(proxies)] if rig.start_all([model]) else []
        for server in running:
            measure(server, min(1.0, given.seconds), 0)
        idle = asyncio.run(at_rest(running, given.seconds))
        chats: Samples = {server.name: [] for server in running}
        responses: Samples = {name: [] for name in chats if name not in _CHAT_ONLY}
        for _, server in peers.interleaved(running, given.rounds):
            chats[server.name].append(measure(server, given.seconds, idle[server.name]))
            if server.name in responses:
                found = measure(server, given.seconds, idle[server.name], responses=True)
                responses[server.name].append(found)
        return chats, responses
    finally:
        for server in [*proxies, model]:
            server.stop()


async def at_rest(servers: Iterable[Server], seconds: float) -> dict[str, float]:
    """CPU seconds a second that each uses while nothing happens."""
    before = {server.name: server.cpu() for server in servers}
    await asyncio.sleep(seconds)
    return {server.name: (server.cpu() - before[server.name]) / seconds for server in servers}


def held(plan: Plan, pieces: Iterable[list[str]]) -> Held:
    """Feed each text, token by token, as one channel of a streamed answer."""
    seen: list[int] = []
    begin = time.process_time()
    for tokens in pieces:
        subject = Subject("gpt-4o-mini", "", ())
        passage = Passage(plan, Exchange(id="x", dialect="chat", subject=subject, stream=True, choices=1))
        stream = passage.stream()
        for token in tokens:
            stream.feed(0, _CHANNEL, "text", token)
            seen.append(stream.gate(_CHANNEL).held)
    cpu = (time.process_time() - begin) / len(seen) * 1e6
    return Held(len(seen), sum(seen) / len(seen), quantile(seen, 0.99), max(seen), seen.count(0) / len(seen), cpu)


def held_rows(policies: Iterable[str]) -> dict[str, Held]:
    ordinary = [texts.tokens(texts.clean(3000, seed)) for seed in range(_TEXTS)]
    personal = [texts.tokens(texts.personal(3000, seed)) for seed in range(_TEXTS)]
    corpora = {
        "ordinary prose": ordinary,
        "prose with personal data": personal,
        # What is seen once: no end of a text is known from before, and the automata meet new states.
        "our documentation, once": _once(rig.HERE.parent.glob("docs/*.md")),
        "our source code, once": _once(rig.HERE.parent.glob("guardrails/lockgate/*.py")),
    }
    found = {}
    for policy in policies:
        for name, pieces in corpora.items():
            plan = compile_policy(load_policy(find_policy(policy)))  # anew: what it has seen is not to help
            found[f"{Path(policy).stem}, {name}"] = held(plan, pieces)
    return found


def _once(paths: Iterable[Path]) -> list[list[str]]:
    return [texts.tokens(path.read_text(encoding="utf-8")) for path in sorted(paths)]


def added(samples: Samples, name: str) -> list[float]:
    """Round by round, milliseconds that it adds to the time until the first chunk."""
    return [a.first - b.first for a, b in zip(samples.get(name, []), samples["no proxy"], strict=False)]


def added_ratio(samples: Samples, name: str) -> float:
    pairs = zip(added(samples, name), added(samples, "bare"), strict=False)
    return median(a / b for a, b in pairs if b > 0)


def row(samples: Samples, name: str) -> list[float | str]:
    mine = samples[name]
    own = name != "no proxy"
    return [
        name,
        median(s.cpu for s in mine),
        median(s.cpu / b.cpu for s, b in zip(mine, samples.get("bare", []), strict=False) if b.cpu),
        median(s.first for s in mine),
        median(added(samples, name)) if own else float("nan"),
        added_ratio(samples, name) if own else float("nan"),
        sum(s.chunks for s in mine),
        sum(s.errors for s in mine),
    ]


def wanted(samples: Samples, responses: Samples) -> list[Goal]:
    found = [
        Goal(f"{name}, CPU µs a chunk{of}", median(s.cpu for s in mine), 110)
        for of, several in (("", samples), (" of a response", responses))
        for name, mine in several.items()
        if name.startswith("lockgate ")
    ]
    if "lockgate permissive" in samples:
        value = added_ratio(samples, "lockgate permissive")
        found.append(Goal("lockgate permissive, added time to first chunk, × bare's", value, 1.5))
    return found


HEAD = ("proxy", "CPU µs/chunk", "× bare", "first chunk, ms", "added, ms", "× bare's", "chunks", "errors")
HELD_HEAD = ("policy, text", "tokens", "mean held", "p99", "most held", "tokens with none held", "CPU µs/token")


def main() -> None:
    given = rig.options("what a proxy costs a stream", rounds=5, seconds=5.0)
    rig.take_load_core()
    with tempfile.TemporaryDirectory() as folder:
        samples, responses = run(given, Path(folder))
    kept = held_rows(given.policies)
    numbers: dict[str, Any] = {
        "streams": {name: [asdict(sample) for sample in found] for name, found in samples.items()},
        "responses": {name: [asdict(sample) for sample in found] for name, found in responses.items()},
        "held": {name: asdict(found) for name, found in kept.items()},
    }
    parts = (
        rig.table(HEAD, (row(samples, name) for name in samples)),
        "The same text as a stream of the Responses API:",
        rig.table(HEAD, (row(responses, name) for name in responses)),
        rig.goals(wanted(samples, responses)),
        "Characters held back in a stream:",
        rig.table(
            HELD_HEAD, ([name, h.tokens, h.mean, h.p99, h.most, f"{h.none:.0%}", h.cpu] for name, h in kept.items())
        ),
    )
    rig.report(given, "streaming", parts, numbers)


if __name__ == "__main__":
    main()
