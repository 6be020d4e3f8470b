"""Calibrates a model and freezes its thresholds, from what `lockgate score` said of the calibration rows: through the
normaliser, units, sentences and windows that texts will meet.

python -m lockgate_models.train.freeze --scores OUT.jsonl.gz --labels calib.jsonl.gz --model models/lockgate-text
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lockgate_models.manifest import Calibration, Manifest, Sensitivity, Threshold, read_manifest
from lockgate_models.metrics import upper_bound
from lockgate_models.train.manifest import write_manifest
from lockgate_models.train.split import read
from lockgate_models.train.thresholds import (
    GENERAL,
    RATES,
    Known,
    fixed,
    groups_of,
    joint,
    logit,
    measured,
    ordered,
    platt,
    sigmoid,
    single,
)


class FreezeError(ValueError):
    """The scores are not those of the labelled rows."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """`report`: family → sensitivity → figures of the family's verdict, as the card says them."""

    manifest: Manifest
    report: Mapping[str, Any]


def joined(scores: Path, labels: Path) -> tuple[list[Mapping[str, Any]], list[Mapping[str, float]]]:
    """(labelled rows, scores of each). Rows that could not be judged are left out. Raises FreezeError where the two files
    do not tell of the same rows."""
    rows: list[Mapping[str, Any]] = []
    found: list[Mapping[str, float]] = []
    for row, said in zip(read(labels), read(scores), strict=True):
        if row["id"] != said["id"]:
            raise FreezeError(
                f"the scores are of other rows than the labels: {said['id']} stands where {row['id']} does"
            )
        if "scores" in said:
            rows.append(row)
            found.append(said["scores"])
    if not rows:
        raise FreezeError("there is no row that was scored")
    return rows, found


def known(label: str, rows: Sequence[Mapping[str, Any]], scores: Sequence[Mapping[str, float]]) -> Known:
    """What is known of one label. A row that was not asked says nothing."""
    return Known(
        np.array([said.get(label, 0.0) for said in scores], np.float64),
        np.array([row["labels"].get(label) == 1 for row in rows]),
        np.array([label in row["labels"] and label in said for row, said in zip(rows, scores, strict=True)]),
    )


def freeze(manifest: Manifest, rows: Sequence[Mapping[str, Any]], scores: Sequence[Mapping[str, float]]) -> Frozen:
    """The manifest with calibration and thresholds. What it had is undone first, so that freezing twice is freezing once.

    Families of which one label holds keep their temperature: their scores are means over windows, and have no inverse.
    """
    kinds = [row.get("kind", "") for row in rows]
    calibration: dict[str, Calibration] = {}
    thresholds: dict[str, dict[Sensitivity, Threshold]] = {}
    report: dict[str, Any] = {}
    for family, labels in manifest.families.items():
        raw = [known(label, rows, scores) for label in labels]
        if family not in manifest.exclusive:
            raw = [_uncalibrated(one, manifest.calibration.get(label)) for label, one in zip(labels, raw, strict=True)]
            for label, one in zip(labels, raw, strict=True):
                step = platt(*one.of(np.ones(len(kinds), bool)))
                if step is not None:
                    calibration[label] = step
            raw = [_calibrated(one, calibration.get(label)) for label, one in zip(labels, raw, strict=True)]
        together = labels[0] == family and len(labels) > 1
        points: list[dict[Sensitivity, float]] = [{} for _ in labels]
        set_at = fixed(family)
        for name, rate in RATES.items():
            if set_at is not None:
                for found in points:
                    found[name] = set_at[name]
                continue
            general = GENERAL.get(family, 1.0)
            cuts = joint(raw, kinds, rate, general) if together else [single(o, kinds, rate, general) for o in raw]
            for found, cut in zip(points, cuts, strict=True):
                found[name] = cut
        for label, one, found in zip(labels, raw, points, strict=True):
            if one.known.any() and not (family in manifest.exclusive and label.endswith(".none")):
                thresholds[label] = {name: measured(one, at) for name, at in ordered(found).items()}
        report[family] = {
            name: _family(raw, labels, thresholds, kinds, name) for name in RATES if labels[0] in thresholds or together
        }
    made = manifest.model_copy(update={"thresholds": thresholds, "calibration": calibration})
    return Frozen(made, report)


def _family(
    labels: Sequence[Known],
    names: Sequence[str],
    thresholds: Mapping[str, Mapping[Sensitivity, Threshold]],
    kinds: Sequence[str],
    sensitivity: Sensitivity,
) -> dict[str, Any]:
    """Figures of the verdict that any of the labels holds, in each group of negatives."""
    over = np.zeros(len(kinds), bool)
    for name, label in zip(names, labels, strict=True):
        if name in thresholds:
            over |= label.scores >= thresholds[name][sensitivity].at
    first = labels[0]
    said: dict[str, Any] = {}
    for group, (rows, _) in zip(("negatives", "ordinary", "lookalike"), groups_of(kinds), strict=True):
        chosen = rows & first.known & ~first.truth
        if count := int(chosen.sum()):
            flagged = int(over[chosen].sum())
            said[group] = {
                "n": count,
                "flagged": round(flagged / count, 4),
                "upper": round(upper_bound(flagged, count), 4),
            }
    if (right := first.known & first.truth).any():
        said["positives"] = {"n": int(right.sum()), "recall": round(float(over[right].mean()), 4)}
    return said


def _uncalibrated(label: Known, step: Calibration | None) -> Known:
    """With logits for scores."""
    logits = logit(label.scores)
    return Known(logits * step.temperature - step.bias if step is not None else logits, label.truth, label.known)


def _calibrated(label: Known, step: Calibration | None) -> Known:
    logits = (label.scores + step.bias) / step.temperature if step is not None else label.scores
    return Known(sigmoid(logits), label.truth, label.known)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, required=True, help="what `lockgate score` wrote")
    parser.add_argument("--labels", type=Path, required=True, help="the rows that it was given")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--report", type=Path, help="where to write the figures of each family, as JSON")
    given = parser.parse_args(arguments)
    frozen = freeze(read_manifest(given.model), *joined(given.scores, given.labels))
    write_manifest(given.model, frozen.manifest)
    if given.report is not None:
        given.report.write_text(json.dumps(frozen.report, indent=1))
    for family, found in frozen.report.items():
        for name, said in found.items():
            figures = ", ".join(
                f"{group} {values.get('flagged', values.get('recall')):.4f} of {values['n']}"
                for group, values in said.items()
            )
            print(f"{family:10} {name:7} {figures}")


if __name__ == "__main__":
    main()
