"""A text classifier as it is used: texts in, scores out. Windows, batches across requests, a cache of results.

A text's score is the highest of its windows'. What was scored before, by the same revision, comes from the cache, so
that a conversation's history costs a hash.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from lockgate_models.batcher import Batcher, Row
from lockgate_models.errors import BackendError
from lockgate_models.manifest import Manifest
from lockgate_models.tokens import Window, Windower

_INLINE = 4096
"""Characters of all texts together up to which tokenising stays in the caller's thread: it takes less than a switch of
threads does."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name in the text: [start, end) in code points."""

    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class TextScores:
    """`labels`: label → probability. `embedding`: unit length."""

    labels: Mapping[str, float]
    names: Sequence[Name] = ()
    embedding: NDArray[np.float32] | None = field(default=None, compare=False)


Asked = str | tuple[str, str]
"""A text, or what is answered and the answer."""


class Cache:
    """Results by the text's hash; the least recently used leave first. Counts what it could give and what not."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[bytes, TextScores] = OrderedDict()
        self._lock = Lock()
        self.hits = 0
        self.misses = 0

    def get(self, key: bytes) -> TextScores | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self.misses += 1
            else:
                self.hits += 1
                self._kept.move_to_end(key)
            return found

    def peek(self, key: bytes) -> TextScores | None:
        """As `get`, but neither counted nor a use."""
        with self._lock:
            return self._kept.get(key)

    def put(self, key: bytes, scores: TextScores) -> None:
        with self._lock:
            self._kept[key] = scores
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


@dataclass(slots=True)
class _Flight:
    """A text that is being scored, for all who ask for it meanwhile. The last one to leave cancels what has not begun."""

    windows: Sequence[Window]
    futures: list[Future[Row]]
    waiting: int = 0


class TextClassifier:
    """One model, shared by all who ask. `cache` in texts. A text that is asked for twice at once is read once: a policy
    that asks for five heads costs what one costs."""

    def __init__(self, manifest: Manifest, windower: Windower, batcher: Batcher, *, cache: int = 8192) -> None:
        self.manifest = manifest
        self._windower = windower
        self._batcher = batcher
        self.cache = Cache(cache)
        self._salt = manifest.revision.encode()[:64]
        self._read = Reader(manifest)
        self._flying: dict[bytes, _Flight] = {}
        self._lock = Lock()

    async def scores(self, texts: Sequence[Asked], lane: Hashable = None) -> list[TextScores]:
        """The scores of each text; of the pair form, each with what it answers. Raises OverloadedError, BackendError; a
        cancelled call takes its work out of the line."""
        keys = [self._key(text) for text in texts]
        found = {key: kept for key in dict.fromkeys(keys) if (kept := self.cache.get(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            if sum(len(asked) if isinstance(asked, str) else len(asked[1]) for asked in missing.values()) <= _INLINE:
                windows = [self._windows(asked) for asked in missing.values()]
            else:
                windows = await asyncio.to_thread(lambda: [self._windows(asked) for asked in missing.values()])
            flights = self._board(dict(zip(missing, windows, strict=True)), lane)
            try:
                waited = [asyncio.wrap_future(future) for flight in flights.values() for future in flight.futures]
                all_rows = iter(await asyncio.shield(asyncio.gather(*waited)))  # others may wait for the same
                for key, flight in flights.items():
                    rows = [next(all_rows) for _ in flight.futures]
                    if (kept := self.cache.peek(key)) is None:
                        kept = self._read.scores(flight.windows, rows)
                        self.cache.put(key, kept)
                    found[key] = kept
            finally:
                self._leave(flights)
        return [found[key] for key in keys]

    def close(self) -> None:
        self._batcher.close()

    def _board(self, missing: Mapping[bytes, Sequence[Window]], lane: Hashable) -> dict[bytes, _Flight]:
        """The flight of each text: one that is under way, or a new one. Raises OverloadedError, and starts none then."""
        with self._lock:
            new = {key: windows for key, windows in missing.items() if key not in self._flying}
            flat = [(key, window) for key, windows in new.items() for window in windows]
            order = sorted(range(len(flat)), key=lambda i: -len(flat[i][1].ids))  # a batch is as wide as its longest
            futures = dict(zip(order, self._batcher.submit([flat[i][1].ids for i in order], lane), strict=True))
            self._flying |= {key: _Flight(windows, []) for key, windows in new.items()}
            for i, (key, _) in enumerate(flat):
                self._flying[key].futures.append(futures[i])
            flights = {key: self._flying[key] for key in missing}
            for flight in flights.values():
                flight.waiting += 1
            return flights

    def _leave(self, flights: Mapping[bytes, _Flight]) -> None:
        with self._lock:
            for key, flight in flights.items():
                flight.waiting -= 1
                if not flight.waiting:
                    del self._flying[key]
                    for future in flight.futures:
                        future.cancel()  # what is done or under way is not touched

    def _windows(self, asked: Asked) -> list[Window]:
        return self._windower.windows(asked) if isinstance(asked, str) else self._windower.windows(asked[1], asked[0])

    def _key(self, asked: Asked) -> bytes:
        made = blake2b(digest_size=16, key=self._salt)
        if not isinstance(asked, str):
            before = asked[0].encode("utf-8", "surrogatepass")
            made.update(b"%d\0" % len(before) + before)
            asked = asked[1]
        made.update(asked.encode("utf-8", "surrogatepass"))
        return made.digest()


class Reader:
    """From logits to probabilities and names, as the manifest says."""

    def __init__(self, manifest: Manifest) -> None:
        self._labels = manifest.labels
        steps = [manifest.calibration.get(label) for label in self._labels]
        self._temperature = np.array([s.temperature if s is not None else 1.0 for s in steps], np.float32)
        self._bias = np.array([s.bias if s is not None else 0.0 for s in steps], np.float32)
        self._exclusive = exclusive_parts(manifest.families, manifest.exclusive)
        self._tags = [tuple(tag.partition("-")[::2]) for tag in manifest.tags]

    def scores(self, windows: Sequence[Window], rows: Sequence[Row]) -> TextScores:
        """One text's scores from those of its windows. Raises BackendError for a value that is no number."""
        if not all(np.isfinite(values).all() for row in rows for values in row.values()):
            raise BackendError("the model answered with what is no number")
        labels: dict[str, float] = {}
        if "labels" in rows[0]:
            probabilities = self.probabilities(np.stack([row["labels"] for row in rows]))
            best = probabilities.max(0)
            for part in self._exclusive:
                best[part] = probabilities[:, part].mean(0)
            labels = dict(zip(self._labels, map(float, best), strict=True))
        names: list[Name] = []
        if self._tags and "names" in rows[0]:
            for window, row in zip(windows, rows, strict=True):
                names += self._names(window, row["names"])
        embedding = None
        if "embedding" in rows[0]:
            embedding = np.mean([row["embedding"] for row in rows], axis=0)
            embedding = embedding / max(float(np.linalg.norm(embedding)), 1e-9)
        return TextScores(labels, united(names), embedding)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """(windows, labels) → the same, calibrated, between 0 and 1."""
        return probabilities((logits + self._bias) / self._temperature, self._exclusive)

    def _names(self, window: Window, logits: NDArray[np.float32]) -> list[Name]:
        """Runs of tokens with one name. An inside tag that follows no beginning of its kind begins one itself."""
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        chances = powers / powers.sum(-1, keepdims=True)
        found: list[Name] = []
        start = end = 0
        label, scores = "", list[float]()
        for i, (low, high) in enumerate(window.offsets):
            best = int(chances[i].argmax())
            side, name = self._tags[best]
            if low == high:
                side, name = "O", ""
            joined = low <= end  # a piece of the same word
            if label and ((name == label and (side == "I" or joined)) or (joined and low < high and low == end)):
                end = high
                scores.append(float(chances[i, best]) if name == label else 0.5)
                continue
            if label:
                found.append(Name(start, end, label, float(np.mean(scores))))
                label = ""
            if name:
                start, end, label, scores = low, high, name, [float(chances[i, best])]
        if label:
            found.append(Name(start, end, label, float(np.mean(scores))))
        return found


def exclusive_parts(families: Mapping[str, Sequence[str]], exclusive: Collection[str]) -> list[slice]:
    """The columns of each family of which one label holds."""
    parts, at = list[slice](), 0
    for family, labels in families.items():
        if family in exclusive:
            parts.append(slice(at, at + len(labels)))
        at += len(labels)
    return parts


def probabilities(logits: NDArray[np.float32], exclusive: Sequence[slice]) -> NDArray[np.float32]:
    """(texts, labels) → the same, between 0 and 1: each for itself, but those of `exclusive` columns add up to 1."""
    out = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    for part in exclusive:
        powers = np.exp(logits[:, part] - logits[:, part].max(-1, keepdims=True))
        out[:, part] = powers / powers.sum(-1, keepdims=True)
    return np.asarray(out, np.float32)


def united(names: Sequence[Name]) -> list[Name]:
    """Names of overlapping windows: where two overlap, the longer stays, then the surer."""
    kept: list[Name] = []
    for name in sorted(names, key=lambda n: (n.start - n.end, -n.score)):
        if all(name.end <= other.start or name.start >= other.end for other in kept):
            kept.append(name)
    return sorted(kept, key=lambda n: n.start)
