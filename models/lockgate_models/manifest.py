"""A model folder's manifest: what the model answers, from which files, and from which score on it counts.

`manifest.yaml` stands beside the files that it names. A file whose SHA-256 is another one refuses to load.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lockgate_models.errors import ManifestError

NAME = "manifest.yaml"
Precision = Literal["int8", "fp16", "fp32"]

Sensitivity = Literal["low", "normal", "high"]
"""How readily a label fires. `low` least: made for a rate of false alarms of 0.2 %, `normal` for 1 %, `high` for 5 %."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Strict):
    """A file of the folder. `sha256` in hexadecimal."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    precision: Precision | None = None


class Threshold(_Strict):
    """From `at` on, the label holds. `fpr` and `recall` were measured at it on the calibration split, of `n` texts;
    `fpr_upper` is the upper bound of what the rate may be in truth (95 %, Clopper and Pearson)."""

    at: float = Field(ge=0, le=1)
    fpr: float | None = Field(default=None, ge=0, le=1)
    fpr_upper: float | None = Field(default=None, ge=0, le=1)
    recall: float | None = Field(default=None, ge=0, le=1)
    n: int | None = Field(default=None, ge=0)


class Calibration(_Strict):
    """The logit is divided by `temperature`, after `bias` was added."""

    temperature: float = Field(default=1.0, gt=0)
    bias: float = 0.0


class Manifest(_Strict):
    """`families` in the order of the output `labels`; `exclusive` are those of which one label holds; `tags` are the
    classes of the output `names`, none where there is no such output. `thresholds`: label → sensitivity → threshold, a
    `normal` one for each label that has any."""

    format: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    revision: str = Field(min_length=1)
    base: str = ""
    licence: str = ""
    form: Literal["text", "pair"] = "text"
    files: list[File]
    tokenizer: File
    lead: int = Field(default=0, ge=0, le=4096)
    """Of the pair form: how many tokens of what is answered stand before the answer in each window."""
    window: int = Field(ge=16, le=8192)
    overlap: int = Field(ge=0)
    families: dict[str, list[str]]
    exclusive: list[str] = []
    tags: list[str] = []
    embedding: bool = False
    """Whether there is an output `embedding`, of the whole text."""
    thresholds: dict[str, dict[Sensitivity, Threshold]] = {}
    calibration: dict[str, Calibration] = {}
    languages: list[str] = []
    cpu_instead_of_gpu: bool = False
    """Whether the CPU may stand in for a GPU that is not there."""

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for labels in self.families.values() for label in labels)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The model's outputs, by name."""
        there = {"labels": bool(self.families), "names": bool(self.tags), "embedding": self.embedding}
        return tuple(name for name, given in there.items() if given)

    def file(self, precision: Precision) -> File:
        """Raises KeyError."""
        for file in self.files:
            if file.precision == precision:
                return file
        raise KeyError(precision)

    def threshold(self, label: str, sensitivity: Sensitivity = "normal") -> float:
        """From which score on the label holds; where there is none for the sensitivity, the normal one. Raises KeyError
        for a label without any."""
        points = self.thresholds[label]
        return points.get(sensitivity, points["normal"]).at


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a model folder. Raises ManifestError that names file and place."""
    path = folder / NAME
    try:
        data = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(f"there is no {NAME}; a model folder has one", where=str(folder)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"can't be read: {type(error).__name__}", where=str(path)) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise ManifestError(
            f"is not YAML: {getattr(error, 'problem', None) or 'nothing in it can be read'}", where=where
        ) from None
    try:
        found = Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = "/".join(map(str, first["loc"])) or "the whole"
        raise ManifestError(f"{place}: {first['msg']}", where=str(path)) from None
    return _checked(found, path)


def _checked(found: Manifest, path: Path) -> Manifest:
    known = set(found.labels)
    for what, names, allowed in (
        ("thresholds", found.thresholds, known),
        ("calibration", found.calibration, known),
        ("exclusive", found.exclusive, set(found.families)),
    ):
        if unknown := sorted(set(names) - allowed):
            raise ManifestError(f"{what}: no such name: {unknown[0]}", where=str(path))
    for label, points in found.thresholds.items():
        if "normal" not in points:
            raise ManifestError(f"thresholds/{label}: there is no normal one", where=str(path))
        heights = [points[name].at for name in get_args(Sensitivity) if name in points]
        if heights != sorted(heights, reverse=True):
            raise ManifestError(f"thresholds/{label}: a lower sensitivity has the lower threshold", where=str(path))
    if not found.outputs:
        raise ManifestError("the model answers nothing: neither families, nor tags, nor an embedding", where=str(path))
    if len(known) != len(found.labels):
        raise ManifestError("families: a label is there twice", where=str(path))
    return found


def verify(folder: Path, file: File) -> Path:
    """The file's path, if it is the one that the manifest names. Raises ManifestError."""
    path = folder / file.name
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ManifestError(f"can't be read: {type(error).__name__}", where=str(path)) from None
    if digest != file.sha256:
        raise ManifestError(
            "is not the file that the manifest names (another SHA-256); put the right one back", where=str(path)
        )
    return path
