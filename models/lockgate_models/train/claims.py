"""Rows for honesty: sentences with the evidence that they should rest on, and our families.

Sources say whether an answer rests on its context. From their contexts more rows are made: a sentence of the context,
which it supports; the same with one thing changed (`corrupt.py`); a sentence whose context has lost it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lockgate_models.evidence import packs, pieces, premise
from lockgate_models.labels import UNSUPPORTED
from lockgate_models.train.corrupt import corrupted, shortened, widened
from lockgate_models.train.families import read_families
from lockgate_models.train.rows import Raw, Row

GROUNDED = "groundedness"
_FRAMES = ("", "", "", "", "According to the text, ", "The document says that ", "As stated, ", "In short: ")


@dataclass(frozen=True)
class Claims:
    """A source of answers with contexts. `label`: 0 or 1, None where a row says nothing. `held`: no row of it trains."""

    path: str
    label: Callable[[Raw], float | None]
    cap: int = 4000
    weight: float = 1.0
    held: bool = False


CLAIMS: tuple[Claims, ...] = (
    Claims("groundedness/begin", lambda raw: {0: 0.0, 1: 1.0}.get(raw["label"]), cap=2000, weight=0.6),
    Claims("groundedness/expertqa_claims", lambda raw: float(raw["label"] > 0), weight=0.7),
    Claims("groundedness/halueval_qa", lambda raw: float(raw["label"])),
    Claims("groundedness/p3_reading", lambda raw: float(raw["label"]), cap=2000, weight=0.5),
    Claims("groundedness/wice_dev", lambda raw: float(raw["label"] > 0), held=True),
)
"""One source is held out whole. Answers that stand without a context are not in it."""


def read_claims(data: Path | None, own: Path | None, *, seed: int = 1) -> Iterator[Row]:
    """All rows of the honesty form."""
    for source in CLAIMS if data is not None else ():
        assert data is not None
        yield from _source(data, source, seed)
    for row in read_families(own) if own is not None else ():
        if GROUNDED not in row.labels:
            yield row
            continue
        yield replace(row, prompt=_premise(row.prompt, row.text), context=row.prompt)
        if row.split == "train" and row.id.endswith("/0.0"):
            yield from made(row.prompt, f"{row.source}_made", row.group, row.split, seed)


def _source(data: Path, source: Claims, seed: int) -> Iterator[Row]:
    with gzip.open(data / f"{source.path}.jsonl.gz", "rt", encoding="utf-8") as lines:
        raws = [json.loads(line) for line in lines]
    raws.sort(key=lambda raw: hashlib.sha256(raw["id"].encode()).digest())
    contexts: dict[str, str] = {}
    kept = 0
    for raw in raws:
        label = source.label(raw)
        if label is None or not raw.get("context") or not raw["response"].strip() or kept >= source.cap:
            continue
        kept += 1
        group = f"{source.path}#{raw.get('group') or raw['id']}"
        split = "dev" if source.held else raw["split"]
        asked = str(raw.get("prompt") or "")
        contexts.setdefault(raw["context"], group if split == "train" else "")
        yield Row(
            raw["id"], source.path, group, raw["response"], {GROUNDED: label}, split, raw["lang"],
            [] if label == 0 else None, source.weight, prompt=_premise(raw["context"], raw["response"], asked), context=raw["context"], asked=asked,
        )  # fmt: skip
    for context, group in contexts.items():
        if group:
            yield from made(context, f"{source.path}_made", group, "train", seed)


def _premise(context: str, claim: str, question: str = "") -> str:
    parts = pieces(context)
    return premise(next(iter(packs(parts, claim)), ""), question)


def made(context: str, source: str, group: str, split: str, seed: int) -> Iterator[Row]:
    """Rows from a context alone: what it says, what it does not say, and what it said before a sentence was lost."""
    parts = pieces(context)
    whole = [part for part in parts if 6 <= len(part.split()) <= 40 and part[0].isupper() and part[-1] in ".!"]
    if len(parts) < 2 or not whole:
        return
    draw = random.Random(f"{seed}/{hashlib.sha256(context.encode()).hexdigest()}")  # noqa: S311 - which, no secret
    for number, sentence in enumerate(draw.sample(whole, min(2, len(whole)))):
        others = [part for part in parts if part != sentence]
        wrong = (
            corrupted(sentence, others, draw) if draw.random() < 0.8 else widened(sentence, draw.choice(others), draw)
        )
        yield _row(source, group, split, number, "a", draw, parts, sentence, None)
        if (less := shortened(sentence, draw)) is not None:
            yield _row(source, group, split, number, "d", draw, parts, less, None)
        if wrong is not None:
            yield _row(source, group, split, number, "b", draw, parts, wrong.text, (wrong.start, wrong.end))
        if draw.random() < 0.4:
            yield _row(source, group, split, number, "c", draw, others, sentence, (0, len(sentence.rstrip(".!"))))


def _row(
    source: str, group: str, split: str, number: int, kind: str, draw: random.Random, parts: Sequence[str], text: str,
    wrong: tuple[int, int] | None,
) -> Row:  # fmt: skip
    frame = draw.choice(_FRAMES)
    shift = len(frame)
    spans = [(wrong[0] + shift, wrong[1] + shift, UNSUPPORTED)] if wrong is not None else []
    labels: Mapping[str, float] = {GROUNDED: float(wrong is not None)}
    pack = next(iter(packs(parts, text)), "")
    return Row(
        f"{group}/{number}{kind}",
        source,
        group,
        frame + text,
        dict(labels),
        split,
        "en",
        spans,
        0.7,
        prompt=premise(pack),
    )
