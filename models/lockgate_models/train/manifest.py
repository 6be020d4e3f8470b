"""Writes a model folder's manifest: what the files are, and once `freeze` has measured them, from which scores on they
count.

python -m lockgate_models.train.manifest --fit DIR --model DIR [--version 1] [--languages en]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lockgate_models.errors import ManifestError
from lockgate_models.labels import EXCLUSIVE, FORMS
from lockgate_models.manifest import NAME, File, Manifest, Precision, read_manifest

BASE = "sentence-transformers/all-MiniLM-L6-v2"
_FILES: Mapping[Precision, str] = {"int8": "int8.onnx", "fp16": "fp16.onnx"}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_of(folder: Path) -> list[File]:
    """The model files that are there."""
    return [
        File(name=name, sha256=digest(folder / name), precision=precision)
        for precision, name in _FILES.items()
        if (folder / name).is_file()
    ]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """As YAML, in the order of the fields; what has its default is left out."""
    said = {"format": manifest.format, **manifest.model_dump(mode="json", exclude_defaults=True)}
    yaml = YAML()
    yaml.width = 120
    out = io.StringIO()
    yaml.dump(said, out)
    (folder / NAME).write_text(out.getvalue(), encoding="utf-8")


def described(folder: Path, exported: Mapping[str, Any], *, version: str, languages: Sequence[str]) -> Manifest:
    """The manifest of what an export has written. Thresholds and calibration are kept if they were measured at these
    very weights."""
    form = FORMS[exported["form"]]
    families = {name: list(labels) for name, labels in form.families.items()}
    made = Manifest(
        name=folder.name,
        revision=f"{version}-{exported['weights'][:12]}",
        base=BASE,
        licence="Apache-2.0",
        form="pair" if form.lead else "text",
        files=files_of(folder),
        tokenizer=File(name="tokenizer.json", sha256=digest(folder / "tokenizer.json")),
        window=form.window,
        overlap=form.overlap,
        lead=form.lead,
        families=families,
        exclusive=[name for name in families if name in EXCLUSIVE],
        tags=list(form.tags),
        embedding=not form.lead,
        languages=list(languages),
    )
    try:
        before = read_manifest(folder)
    except ManifestError:
        return made
    if before.revision != made.revision or before.files != made.files:
        return made
    return made.model_copy(update={"thresholds": before.thresholds, "calibration": before.calibration})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--version", default="1")
    parser.add_argument("--languages", nargs="+", default=["en"])
    given = parser.parse_args(arguments)
    exported = json.loads((given.fit / "export.json").read_text())
    made = described(given.model, exported, version=given.version, languages=given.languages)
    write_manifest(given.model, made)
    print(f"{given.model / NAME}: revision {made.revision}, {'frozen' if made.thresholds else 'no thresholds yet'}")


if __name__ == "__main__":
    main()
