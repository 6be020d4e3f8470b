"""Development figures of exported files, on what was held out of the training.

python -m lockgate_models.train.evaluate --data DIR --own DIR --model DIR [--file int8.onnx]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lockgate_models import metrics
from lockgate_models.labels import EXCLUSIVE, FAMILIES, LABELS
from lockgate_models.train.families import read_families
from lockgate_models.train.rows import Row, read_sources

_MOST = 400  # rows of one source
_WIDTH = 128


class Scorer:
    """Texts → probabilities, by windows of `_WIDTH` tokens with a quarter's overlap; the highest of each label."""

    def __init__(self, model: Path, tokenizer: Path, threads: int = 2) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def windows(self, text: str) -> Iterator[list[int]]:
        ids = self._tokenizer.encode(text[:6000]).ids
        first, inner, last = ids[0], ids[1:-1], ids[-1]
        room = _WIDTH - 2
        for start in range(0, max(1, len(inner) - room // 4), room - room // 4):
            yield [first, *inner[start : start + room], last]

    def scores(self, texts: Sequence[str], budget: int = 8192) -> NDArray[np.float64]:
        """(len(texts), len(LABELS))"""
        pieces = sorted(
            ((i, ids) for i, text in enumerate(texts) for ids in self.windows(text)), key=lambda p: len(p[1])
        )
        out = np.zeros((len(texts), len(LABELS)))
        group: list[tuple[int, list[int]]] = []
        for piece in [*pieces, None]:
            if piece is None or (group and len(piece[1]) * (len(group) + 1) > budget):
                if group:
                    probabilities = self._run([ids for _, ids in group])
                    for (i, _), row in zip(group, probabilities, strict=True):
                        out[i] = np.maximum(out[i], row)
                group = []
            if piece is not None:
                group.append(piece)
        return out

    def _run(self, group: list[list[int]]) -> NDArray[np.float64]:
        width = max(map(len, group))
        ids = np.zeros((len(group), width), np.int64)
        mask = np.zeros_like(ids)
        for i, found in enumerate(group):
            ids[i, : len(found)] = found
            mask[i, : len(found)] = 1
        (logits,) = self._session.run(["labels"], {"input_ids": ids, "attention_mask": mask})
        return probabilities(np.asarray(logits, np.float64))


def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    out = 1 / (1 + np.exp(-np.clip(logits, -40, 40)))
    at = 0
    for family, labels in FAMILIES.items():
        part = slice(at, at + len(labels))
        if family in EXCLUSIVE:
            powers = np.exp(logits[:, part] - logits[:, part].max(-1, keepdims=True))
            out[:, part] = powers / powers.sum(-1, keepdims=True)
        at += len(labels)
    return out


def held_out(data: Path, own: Path | None) -> list[Row]:
    rows = [row for row in read_sources(data) if row.split == "dev"]
    if own is not None:
        rows += [row for row in read_families(own) if row.split == "dev"]
    kept: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.labels and len(kept[row.source]) < _MOST:
            kept[row.source].append(row)
    return [row for found in kept.values() for row in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--own", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--file", default="int8.onnx")
    given = parser.parse_args()
    scorer = Scorer(given.model / given.file, given.model / "tokenizer.json")
    rows = held_out(given.data, given.own)
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
