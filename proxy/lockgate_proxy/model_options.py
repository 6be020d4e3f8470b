"""Which model a command asks, and how it is run: the options that such commands share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.errors import SettingsError

if TYPE_CHECKING:
    from lockgate.scoring.scorer import Scorer

PAIR = "lockgate-pair"
"""The model that ships for answers with their prompts."""
HONESTY = "lockgate-honesty"
"""The one for answers with their contexts, and for questions."""


def model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--heads", metavar="NAMES", help="what to ask, as injection,harm.cyber,pii (all)")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="where the model runs (cpu)")
    parser.add_argument(
        "--model", default="lockgate-text", metavar="NAME", help="a model's name or folder (lockgate-text)"
    )
    parser.add_argument("--models", type=Path, metavar="DIR", help="where more models are, beside those that ship")
    parser.add_argument("--threads", type=int, metavar="N", help="cores that the model may use (all)")
    parser.add_argument(
        "--sensitivity", choices=("low", "normal", "high"), default="normal", help="the operating point (normal)"
    )


def scorer_of(given: argparse.Namespace) -> Scorer:
    """The scorer that the options describe, loaded. Raises PolicyError, SettingsError."""
    from lockgate.detectors.model import MODELS, run_models
    from lockgate.errors import PolicyError
    from lockgate.scoring.scorer import Scorer
    from lockgate_models.places import folders, models

    cores = given.threads if given.threads is not None else usable_cores()
    if cores < 1:
        raise SettingsError("--threads: must be at least 1")
    # Of many rows each core takes its own: that needs no cooperation, which one run on several cores does.
    gpu = given.device == "gpu"
    run = {"device": given.device, "threads": 1, "parallel": 2 if gpu else cores, "room": 1 << 40}
    run_models([given.models] if given.models else [], {**run, "budget": 1 << 15} if gpu else run)
    model = MODELS.named(given.model)
    if model.manifest.form != "text":
        raise PolicyError(f"--model: {given.model!r} reads pairs; name one that reads texts")
    there = {folder.name for folder in models(folders(MODELS.places))}
    pair = MODELS.named(PAIR) if PAIR in there else None
    honest = MODELS.named(HONESTY) if HONESTY in there else None
    scorer = Scorer(model, heads_of(given.heads), pair=pair, honest=honest, sensitivity=given.sensitivity)
    model.classifier()
    return scorer


def heads_of(given: str | None) -> list[str] | None:
    if given is None:
        return None
    heads = [head.strip() for head in given.split(",") if head.strip()]
    if not heads:
        raise SettingsError("--heads: names none")
    return heads


def usable_cores() -> int:
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
