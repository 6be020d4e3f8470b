"""Whether a first stage pays: how much ordinary text it clears before the encoder reads it, and what that loses.

It is distilled from the encoder's scores of training rows. On the calibration split it gets, for each family of labels, a
cut below which a window is cleared, so that at most a given share of what the encoder finds is missed; a window that a
policy's families all clear is not read. Everything is then measured on the development split, as it stands and disguised.

python -m lockgate_models.train.cascade --own DIR [--data DIR] --model models/lockgate-text --work DIR
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import AutoModel

from lockgate_models.backend import padded
from lockgate_models.classifier import Reader
from lockgate_models.errors import ManifestError
from lockgate_models.manifest import read_manifest, verify
from lockgate_models.metrics import upper_bound
from lockgate_models.onnx import OnnxBackend
from lockgate_models.queue import Line, Ticket
from lockgate_models.tokens import Windower
from lockgate_models.train.augment import disguised
from lockgate_models.train.base import packaged_base
from lockgate_models.train.first_stage import Stage, Tokens, fit_stage, reduced
from lockgate_models.train.rows import Row
from lockgate_models.train.split import held_out, kind_of
from lockgate_models.train.thresholds import logit, sigmoid

RATES = (0.002, 0.005, 0.01, 0.02)
"""Shares of what the encoder finds that may be missed, on the calibration split."""
CHEAPER, LOST = 0.5, 0.005
"""On by default only if the mean cost falls to half, for at most half a point of any family's recall."""

_FEWEST = 50  # texts that the encoder finds, below which no cut can be set
_BUDGET = 2048
_TIMED = 200  # windows
_TRIES = 50

Floats = NDArray[np.float32]
Truth = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows, cut into windows. `owner` (windows): each one's row. `margins` (windows, F): by how much the encoder's score is
    over a family's threshold, in logits, of the label for which it is most. `truth`, `known` (rows, F)."""

    rows: Sequence[Row]
    windows: Sequence[Tokens]
    owner: NDArray[np.int64]
    margins: Floats
    truth: Truth
    known: Truth

    def rows_of(self, windows: Truth) -> Truth:
        """(windows, …) → (rows, …): the rows of which any window is marked."""
        out = np.zeros((len(self.rows), *windows.shape[1:]), bool)
        np.logical_or.at(out, self.owner, windows)
        return out


class Teacher:
    """The encoder of a model folder. `families` are those that have thresholds."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        self.manifest = read_manifest(folder)
        self._windower = Windower(
            verify(folder, self.manifest.tokenizer), longest=self.manifest.window, overlap=self.manifest.overlap
        )
        file = verify(folder, self.manifest.file("int8"))
        self._many = OnnxBackend(file, ["labels"], threads=threads)
        self._one = OnnxBackend(file, self.manifest.outputs)
        self._reader = Reader(self.manifest)
        self._columns: dict[str, dict[int, float]] = {}
        for column, label in enumerate(self.manifest.labels):
            if label in self.manifest.thresholds and not label.endswith(".none"):
                family = next(name for name, labels in self.manifest.families.items() if label in labels)
                self._columns.setdefault(family, {})[column] = self.manifest.threshold(label)
        if not self._columns:
            raise ManifestError("has no thresholds; freeze them first", where=str(folder))
        self.families = tuple(self._columns)

    def part(self, rows: Sequence[Row], kept: Path | None = None) -> Part:
        """The rows as the encoder sees them. Its answers are kept in the file `kept`, and read from there if they are of the
        same model and rows."""
        cut = [(i, window.ids) for i, row in enumerate(rows) for window in self._windower.windows(row.text)]
        key = f"{self.manifest.revision}/{_digest(rows)}"
        margins = _kept(kept, key)
        if margins is None:
            margins = self._margins([ids for _, ids in cut])
            if kept is not None:
                np.savez(kept, key=key, margins=margins)
        labels = self.manifest.labels
        names = [[labels[column] for column in columns] for columns in self._columns.values()]
        return Part(
            rows,
            [ids[1:-1] for _, ids in cut],
            np.array([i for i, _ in cut]),
            margins,
            np.array([[any(row.labels.get(n) == 1.0 for n in mine) for mine in names] for row in rows]),
            np.array([[any(n in row.labels for n in mine) for mine in names] for row in rows]),
        )

    def seconds(self, tokens: Tokens) -> float:
        """CPU time of the encoder for one window, with all its outputs, on one thread."""
        ids, mask = padded([[0, *tokens, 0]])
        return least(lambda: self._one.run(ids, mask), 3)

    def _margins(self, windows: Sequence[Tokens]) -> Floats:
        line = Line(_BUDGET, most=64, room=sys.maxsize)
        for i in sorted(range(len(windows)), key=lambda i: len(windows[i])):
            line.add([Ticket(len(windows[i]), (i, windows[i]))])
        out = np.zeros((len(windows), len(self.families)), np.float32)
        while batch := line.take():
            numbers, sequences = zip(*(ticket.payload for ticket in batch), strict=True)
            chances = self._reader.probabilities(self._many.run(*padded(sequences))["labels"])
            for family, columns in enumerate(self._columns.values()):
                mine = logit(chances[:, list(columns)].astype(np.float64))
                bounds = logit(np.array(list(columns.values())))
                out[list(numbers), family] = (mine - bounds).max(1)
        return out


def least(call: Callable[[], object], times: int) -> float:
    """Seconds of CPU time: the least of some calls, since the machine may be busy."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        call()
        found.append(time.process_time() - begin)
    return min(found)


def _digest(rows: Sequence[Row]) -> str:
    found = hashlib.sha256()
    for row in rows:
        found.update(f"{row.id}\0{row.text}\0".encode("utf-8", "surrogatepass"))
    return found.hexdigest()[:32]


def _kept(path: Path | None, key: str) -> Floats | None:
    if path is None or not path.exists():
        return None
    with np.load(path) as said:
        return np.asarray(said["margins"], np.float32) if str(said["key"]) == key else None


def spelled_otherwise(rows: Sequence[Row], seed: int) -> list[Row]:
    """Every row in some disguise, as far as there is one for it."""
    draw = random.Random(seed)  # noqa: S311 - which disguise, no secret
    found = []
    for row in rows:
        tried = (disguised(row, draw) for _ in range(_TRIES))
        found.append(next((other for other in tried if other.text != row.text), row))
    return found


# Cuts


def hits(part: Part) -> Truth:
    """(rows, F): what the encoder finds, and is there."""
    return np.asarray(part.rows_of(part.margins >= 0) & part.truth & part.known)


def cut(part: Part, scores: Floats, family: int, rate: float) -> float | None:
    """The score below which a window is cleared, so that of what the encoder finds in the family at most the share `rate` is
    missed: all its windows that fire would be cleared. None where too little is found to tell."""
    firing = part.margins[:, family] >= 0
    best = np.full(len(part.rows), -np.inf)
    np.maximum.at(best, part.owner[firing], scores[firing, family])
    found = np.sort(best[hits(part)[:, family]])
    return float(found[int(rate * len(found))]) if len(found) >= _FEWEST else None


def cleared(scores: Floats, cuts: Sequence[tuple[int, float]]) -> Truth:
    """(windows): below the cut of every family that is asked."""
    out = np.ones(len(scores), bool)
    for family, at in cuts:
        out &= scores[:, family] < at
    return out


@dataclass(frozen=True, slots=True)
class Missed:
    """Of a family: `found` by the encoder alone of `known` texts of the kind, and `missed` of these after the stage."""

    family: str
    known: int
    found: int
    missed: int

    @property
    def lost(self) -> float:
        """Recall, as a share of all."""
        return self.missed / self.known if self.known else 0.0


def missed(part: Part, clear: Truth, families: Sequence[str], cuts: Sequence[tuple[int, float]]) -> list[Missed]:
    found = hits(part)
    left = part.rows_of((part.margins >= 0) & ~clear[:, None]) & found
    return [
        Missed(
            families[i],
            int((part.truth & part.known)[:, i].sum()),
            int(found[:, i].sum()),
            int((found & ~left)[:, i].sum()),
        )
        for i, _ in cuts
    ]


def share(part: Part, clear: Truth, kind: str) -> str:
    """Of the windows of such rows, how many are cleared; - where there is none."""
    mine = np.array([kind_of(row) == kind for row in part.rows])[part.owner]
    return f"{clear[mine].mean():.1%}" if mine.any() else "-"


# The report


@dataclass(frozen=True, slots=True)
class Parts:
    """`cost` (windows timed): which ordinary windows of `dev` were timed, and the encoder's seconds for each."""

    calibration: Part
    dev: Part
    disguised: Part
    timed: NDArray[np.int64]
    cost: NDArray[np.float64]


def report(name: str, stage: Stage, parts: Parts, asked: Sequence[str]) -> Iterator[str]:
    """A table of all rates, the families at the one that is best, and whether that pays."""
    scores = {part: stage.all(getattr(parts, part).windows) for part in ("calibration", "dev", "disguised")}
    own = float(np.mean([least(lambda t=parts.dev.windows[i]: stage.scores(t), 20) for i in parts.timed]))  # type: ignore[misc]
    indices = [stage.families.index(family) for family in asked]
    few = [stage.families[i] for i in indices if cut(parts.calibration, scores["calibration"], i, 0) is None]
    yield f"### {name}; asked: {', '.join(asked)}"
    if few:
        yield f"Too little is found on the calibration split to set a cut for: {', '.join(few)}."
        return
    table = [
        "| may miss | ordinary cleared | look-alikes cleared | recall lost, worst | disguised, worst | mean cost |",
        "|---|---|---|---|---|---|",
    ]
    best: tuple[float, list[Missed], float] | None = None
    for rate in RATES:
        found = [cut(parts.calibration, scores["calibration"], i, rate) for i in indices]
        cuts = [(i, at) for i, at in zip(indices, found, strict=True) if at is not None]
        clear = cleared(scores["dev"], cuts)
        gone = missed(parts.dev, clear, stage.families, cuts)
        hidden = missed(parts.disguised, cleared(scores["disguised"], cuts), stage.families, cuts)
        cost = (own + float((parts.cost * ~clear[parts.timed]).mean())) / float(parts.cost.mean())
        worst, worse = (max(those, key=lambda m: m.lost) for those in (gone, hidden))
        table.append(
            f"| {rate:.1%} | {share(parts.dev, clear, 'ordinary')} | {share(parts.dev, clear, 'lookalike')} "
            f"| {worst.lost:.2%} ({worst.family}) | {worse.lost:.2%} ({worse.family}) | {cost:.2f} |"
        )
        if best is None or (worst.lost <= LOST and cost < best[2]):
            best = (rate, gone, cost)
    assert best is not None
    rate, gone, cost = best
    yield "\n".join(table)
    yield "\n".join(
        [
            f"| at {rate:.1%} | texts | found | missed | 95 % bound of the share missed |",
            "|---|---|---|---|---|",
            *(
                f"| {m.family} | {m.known} | {m.found} | {m.missed} | {upper_bound(m.missed, max(m.found, 1)):.2%} |"
                for m in gone
            ),
        ]
    )
    pays = cost <= CHEAPER and all(m.lost <= LOST for m in gone)
    yield (
        f"The stage takes {own * 1e6:.0f} µs a window, the encoder {parts.cost.mean() * 1e3:.2f} ms; at {rate:.1%} the mean"
        f" cost is {cost:.2f} of the encoder's alone. It {'pays' if pays else 'does not pay'}: wanted were {CHEAPER} for at"
        f" most {LOST:.1%} of any family's recall."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", type=Path, required=True, help="our families")
    parser.add_argument("--data", type=Path, help="labelled rows of others")
    parser.add_argument("--base", type=Path, help="folder of the base encoder, in place of the packaged one")
    parser.add_argument("--model", type=Path, required=True, help="a model folder with thresholds")
    parser.add_argument("--work", type=Path, required=True, help="where the encoder's answers are kept")
    parser.add_argument("--asked", nargs="+", default=["injection", "harm"], help="families that a policy asks")
    parser.add_argument("--size", type=int, default=64, help="columns of the table")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--most", type=int, default=4000, help="training rows of one source; held-out ones: half of it")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(given.model, given.threads)
    parts: dict[str, Part] = {}
    for name in ("train", "calibration", "dev"):
        rows = held_out(given.data, given.own, name, most=given.most if name == "train" else given.most // 2)
        if name == "train":
            draw = random.Random(1)  # noqa: S311 - which disguise, no secret
            rows = [disguised(row, draw) for row in rows]  # as the encoder saw them
        parts[name] = teacher.part(rows, given.work / f"{name}.npz")
        print(f"{name}: {len(rows)} rows, {len(parts[name].windows)} windows", file=sys.stderr, flush=True)
    hidden = teacher.part(spelled_otherwise(parts["dev"].rows, 1), given.work / "disguised.npz")
    dev, train = parts["dev"], parts["train"]
    ordinary = [i for i, row in enumerate(dev.owner) if kind_of(dev.rows[row]) == "ordinary"]
    timed = np.array(random.Random(1).sample(ordinary, min(_TIMED, len(ordinary))))  # noqa: S311
    cost = np.array([teacher.seconds(dev.windows[i]) for i in timed])
    held = Parts(parts["calibration"], dev, hidden, timed, cost)
    words = AutoModel.from_pretrained(str(given.base or packaged_base()), add_pooling_layer=False)
    table = reduced(words.get_input_embeddings().weight.detach().numpy(), train.windows, given.size)
    target = sigmoid(train.margins.astype(np.float64)).astype(np.float32)
    for what, tuned in (("the base's words", False), ("words fitted too", True)):
        stage = fit_stage(
            table, train.windows, target, teacher.families, tuned=tuned, epochs=given.epochs, threads=given.threads
        )
        for asked in dict.fromkeys((tuple(given.asked), teacher.families)):
            print("\n\n".join(report(what.capitalize(), stage, held, asked)), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
