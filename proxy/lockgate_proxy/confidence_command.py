"""`lockgate eval FILES --confidence`: how good a confidence is, and its calibration. No model runs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lockgate.errors import SettingsError
from lockgate.scoring.confidences import Calibrated, Confidences, known_of
from lockgate.scoring.rows import Bad, read_lines, reading, writing
from lockgate_proxy.command import OK, WRONG
from lockgate_proxy.confidence_page import page
from lockgate_proxy.confidence_text import text


def run_confidence(given: argparse.Namespace) -> int:
    """Raises SettingsError."""
    for name in ("topic", "calibrate", "heads"):
        if getattr(given, name) is not None:
            raise SettingsError(f"--{name}: is about models; leave it out beside --confidence")
    taken = Confidences()
    for path in given.file:
        with reading(path) as file:
            for row in read_lines(file, str(path), known_of):
                if isinstance(row, Bad) or given.split is None or row.said.get("split") == given.split:
                    taken.add(row, path.name.partition(".")[0])
    report = taken.report()
    print(text(report))
    if given.json is not None:
        write_out(given.json, json.dumps(as_json(report), indent=1, allow_nan=False) + "\n")
    if given.report is not None:
        write_out(given.report, page(report))
    return WRONG if report.bad or not report.rows else OK


def as_json(report: Calibrated) -> dict[str, Any]:
    """The report in plain values. `calibration` is what a policy may name the file for."""
    return asdict(report)


def write_out(path: Path, said: str) -> None:
    """Write a file. Raises SettingsError."""
    with writing(path) as out:
        out.write(said.encode("utf-8", "replace"))
