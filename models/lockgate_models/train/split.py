"""Rows that no fit has seen, in two halves: `calibration` sets temperatures and thresholds, `dev` gives the figures.

Ours are divided by families (`families.py`). Those of others come divided in train and dev; their dev rows are divided
again, by the hash of what they share a template with. `lockgate score` and `lockgate eval` read what is written here.

python -m lockgate_models.train.split --own DIR [--data DIR] --split calibration --out FILE.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lockgate_models.labels import FORMS
from lockgate_models.train.mixture import rows_for
from lockgate_models.train.rows import Row

PARTS = ("train", "calibration", "dev")
MOST = 600
"""Rows of one source in a part."""

_ORDINARY = re.compile(r"^(benign/|regulated_advice/|own/(chat|advice|answers|names|long_clean))")
_LOOKALIKES = re.compile(r"^own/(lookalikes|twins)|^jailbreak/bastioncorpus|^regulated_advice/spikee")
_HARMLESS_SIDE = re.compile(r"-(clean|harmless)$")
_HONEST = frozenset(FORMS["honesty"].families)
_QUESTIONS = frozenset({"unanswerable", "false_premise"})
_ATTACKS = ("injection", "indirect", "harm", "toxicity", "bias")


def part_of(row: Row) -> str:
    """Of which part a row is. What shares a template never stands on two sides."""
    if row.source.startswith("own/") or row.split != "dev":
        return row.split
    return "calibration" if hashlib.sha256(f"half/{row.group}".encode()).digest()[0] < 128 else "dev"


def kind_of(row: Row) -> str:
    """`ordinary` texts, `lookalike` ones, which have the words of attacks or of harm and are none, or neither. A text
    that has any of what we look for is neither."""
    if any(row.labels.get(label) == 1.0 for label in _ATTACKS) or row.labels.keys() & _HONEST:
        return ""
    if _LOOKALIKES.search(row.source) or (row.source.startswith("own/") and _HARMLESS_SIDE.search(row.group)):
        return "lookalike"
    return "ordinary" if _ORDINARY.search(row.source) else ""


def held_out(data: Path | None, own: Path | None, part: str, *, form: str = "text", most: int = MOST) -> list[Row]:
    """The rows of a part, at most so many of a source, drawn by hash. Sources are not capped as they are for a fit."""
    kept: dict[str, list[Row]] = defaultdict(list)
    for row in rows_for(form, data, own, capped=False):
        if row.labels and part_of(row) == part and (form == "honesty" or bool(row.prompt) == (form == "pair")):
            kept[row.source].append(row)
    return [row for found in kept.values() for row in sorted(found, key=_hash)[:most]]


def public(row: Row) -> dict[str, Any]:
    """A row as `lockgate score` reads it, with its labels: 0 or 1, and none where nothing is known."""
    spans = [{"start": start, "end": end, "label": name} for start, end, name in row.spans or ()]
    texts = texts_of(row)
    return {
        "id": f"{row.source}:{row.id}",
        "source": row.source,
        "group": row.group,
        "kind": kind_of(row),
        "lang": row.lang,
        **texts,
        "labels": {label: int(value) for label, value in row.labels.items()},
        **({"spans": spans} if row.spans is not None else {}),
    }


def texts_of(row: Row) -> dict[str, str]:
    """Its texts by the fields that the heads are asked of."""
    if row.context:
        return {"context": row.context, "response": row.text, **({"prompt": row.asked} if row.asked else {})}
    if row.prompt:
        return {"prompt": row.prompt, "response": row.text}
    if "hedging" in row.labels:
        return {"response": row.text}
    return {"prompt" if row.labels.keys() & _QUESTIONS else "text": row.text}


def write(rows: Sequence[Row], out: Path) -> None:
    """JSON Lines, packed, the same bytes each time."""
    with out.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
        for row in rows:
            packed.write(json.dumps(public(row), ensure_ascii=False).encode() + b"\n")


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON Lines, packed or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _hash(row: Row) -> bytes:
    return hashlib.sha256(row.id.encode()).digest()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", type=Path, required=True, help="our families")
    parser.add_argument("--data", type=Path, help="labelled rows of others")
    parser.add_argument("--form", choices=tuple(FORMS), default="text")
    parser.add_argument("--split", choices=PARTS[1:], default="calibration")
    parser.add_argument("--most", type=int, default=MOST, help="rows of one source")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    rows = held_out(given.data, given.own, given.split, form=given.form, most=given.most)
    write(rows, given.out)
    kinds = [kind_of(row) for row in rows]
    print(
        f"{given.out}: {len(rows)} rows of {len({row.source for row in rows})} sources,"
        f" {kinds.count('ordinary')} ordinary, {kinds.count('lookalike')} look-alikes"
    )


if __name__ == "__main__":
    main()
