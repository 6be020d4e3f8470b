"""Whether the files that ship are as good as the network they were made of: mean area under the precision-recall curves of
all labels, on development rows. Fails where a file loses more than may be lost.

python -m lockgate_models.train.parity --own DIR [--data DIR] --fit DIR --model DIR
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lockgate_models.labels import FAMILIES
from lockgate_models.train.evaluate import Scorer, precisions
from lockgate_models.train.split import held_out

LOSS = 0.005
_MOST = 60  # rows of one source: fp16 is slow on a CPU


def mean(found: Mapping[str, float]) -> float:
    return sum(found.values()) / max(1, len(found))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--fit", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--files", nargs="+", default=["int8.onnx", "fp16.onnx"])
    parser.add_argument("--most", type=int, default=_MOST, help="rows of one source")
    given = parser.parse_args(arguments)
    rows = held_out(given.data, given.own, "dev", most=given.most)
    texts = [row.text for row in rows]
    labels = sum(map(len, FAMILIES.values()))
    tokenizer = given.model / "tokenizer.json"
    whole = precisions(Scorer(given.fit / "onnx/fused.onnx", tokenizer).scores(texts), rows)
    said: dict[str, float] = {"rows": len(rows), "labels": len(whole), "fp32": round(mean(whole), 4)}
    print(f"{len(rows)} rows, {len(whole)} of {labels} labels; mean AUPRC of fp32 {mean(whole):.4f}")
    worst = 0.0
    for name in given.files:
        found = precisions(Scorer(given.model / name, tokenizer).scores(texts), rows)
        lost = mean(whole) - mean(found)
        worst = max(worst, lost)
        label = max(whole, key=lambda one: whole[one] - found[one], default="")
        print(f"{name}: {mean(found):.4f}, {lost:+.4f} lost; most by {label}, {whole[label] - found[label]:+.4f}")
        said[name.partition(".")[0]] = round(mean(found), 4)
    (given.fit / "parity.json").write_text(json.dumps(said, indent=1))
    return int(worst > LOSS)


if __name__ == "__main__":
    sys.exit(main())
