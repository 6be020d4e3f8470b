"""Development figures of exported files, on what was held out of the training.

python -m lockgate_models.train.evaluate --data DIR --own DIR --model DIR [--file int8.onnx]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lockgate_models import metrics
from lockgate_models.backend import padded
from lockgate_models.classifier import exclusive_parts, probabilities
from lockgate_models.labels import EXCLUSIVE, FAMILIES, LABELS
from lockgate_models.onnx import OnnxBackend
from lockgate_models.queue import Line, Ticket
from lockgate_models.tokens import Windower
from lockgate_models.train.rows import Row
from lockgate_models.train.split import held_out

_MOST = 400  # rows of one source
_WIDTH = 128


class Scorer:
    """Texts → probabilities, of a file that has no manifest yet; a label's is the highest of the windows'."""

    def __init__(self, model: Path, tokenizer: Path, *, families: Mapping[str, Sequence[str]] = FAMILIES) -> None:
        self._backend = OnnxBackend(model, ["labels"], threads=2)
        self._windower = Windower(tokenizer, longest=_WIDTH, overlap=_WIDTH // 4)
        self._exclusive = exclusive_parts(families, EXCLUSIVE)
        self._labels = sum(map(len, families.values()))

    def scores(self, texts: Sequence[str], budget: int = 8192) -> NDArray[np.float32]:
        """(texts, labels)"""
        line = Line(budget, most=256, room=sys.maxsize)
        for i, text in enumerate(texts):
            line.add([Ticket(len(w.ids), (i, w.ids)) for w in self._windower.windows(text)])
        out = np.zeros((len(texts), self._labels), np.float32)
        while batch := line.take():
            owners, sequences = zip(*(ticket.payload for ticket in batch), strict=True)
            logits = self._backend.run(*padded(sequences))["labels"]
            np.maximum.at(out, list(owners), probabilities(logits, self._exclusive))
        return out


def precisions(scores: NDArray[np.float32], rows: Sequence[Row], labels: Sequence[str] = LABELS) -> dict[str, float]:
    """Label → area under its precision-recall curve; only of labels with both sides."""
    found = {}
    for column, label in enumerate(labels):
        chosen = [i for i, row in enumerate(rows) if label in row.labels]
        truth = np.array([rows[i].labels[label] == 1.0 for i in chosen], bool)
        if truth.any() and not truth.all():
            found[label] = metrics.average_precision(scores[chosen, column], truth)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--own", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--file", default="int8.onnx")
    given = parser.parse_args()
    scorer = Scorer(given.model / given.file, given.model / "tokenizer.json")
    rows = held_out(given.data, given.own, "dev", most=_MOST)
    scores = scorer.scores([row.text for row in rows])
    print(f"{len(rows)} rows")
    for column, label in enumerate(LABELS):
        chosen = [i for i, row in enumerate(rows) if label in row.labels]
        truth = np.array([rows[i].labels[label] == 1.0 for i in chosen])
        if not truth.any() or truth.all():
            continue
        found = scores[chosen, column]
        threshold = metrics.threshold_at_fpr(found, truth, 0.01)
        print(
            f"{label:30} n {len(chosen):6} pos {truth.sum():5} AUPRC {metrics.average_precision(found, truth):.3f} "
            f"AUC {metrics.roc_auc(found, truth):.3f} R@1% {metrics.recall_at_fpr(found, truth):.3f} t {threshold:.3f}"
        )
        if label not in FAMILIES:
            continue
        sources = sorted({rows[i].source for i in chosen})
        for source in sources:
            mine = np.array([rows[i].source == source for i in chosen])
            over = found[mine] >= threshold
            right = truth[mine]
            said = f"recall {over[right].mean():.2f} ({right.sum()})" if right.any() else ""
            false = f"flagged {over[~right].mean():.3f} ({(~right).sum()})" if (~right).any() else ""
            print(f"    {source:45} {said:18} {false}")


if __name__ == "__main__":
    main()
