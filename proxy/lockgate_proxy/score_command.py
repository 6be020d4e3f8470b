"""`lockgate score FILE`: what the models and the rules for personal data say of every row of a file."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, BinaryIO

from lockgate.errors import SettingsError
from lockgate.scoring.rows import Bad, read_rows, reading, writing
from lockgate.scoring.scorer import Judged, Scorer
from lockgate.scoring.stream import judged
from lockgate_proxy.command import OK, WRONG
from lockgate_proxy.model_options import model_arguments, scorer_of
from lockgate_proxy.progress import progress


def score_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="JSON Lines, plain or gzip; - for standard input")
    parser.add_argument(
        "--out", type=Path, metavar="OUT", help="where to write; packed if it ends in .gz (standard output)"
    )
    model_arguments(parser)


def run_score(given: argparse.Namespace) -> int:
    path = None if given.file == "-" else Path(given.file)
    if path is not None and not path.is_file():
        raise SettingsError(f"{path}: there is no such file")
    if path is not None and given.out is not None and given.out.exists() and given.out.samefile(path):
        raise SettingsError(f"--out: {given.out} is the file to read")
    scorer = scorer_of(given)
    for line in scorer.missing:
        print(f"lockgate score: the model {given.model!r} has {line}", file=sys.stderr)
    with ExitStack() as files:
        source = files.enter_context(reading(path)) if path is not None else sys.stdin.buffer
        out = files.enter_context(writing(given.out)) if given.out is not None else sys.stdout.buffer
        rows, bad = asyncio.run(
            _score(source, given.file, out, scorer, path.stat().st_size if path is not None else None)
        )
        out.flush()
    if bad:
        print(f"lockgate score: {bad} of {rows} rows could not be judged; their lines say why", file=sys.stderr)
    return WRONG if bad else OK


async def _score(source: BinaryIO, name: str, out: IO[bytes], scorer: Scorer, size: int | None) -> tuple[int, int]:
    """How many rows there were, and how many of them could not be judged. `size` of the source in bytes, if it has one."""
    rows = bad = 0
    with progress("score", size) as advance:
        async for one in judged(read_rows(source, name), scorer):
            out.write(json.dumps(_public(one), separators=(",", ":"), allow_nan=False).encode() + b"\n")
            rows += 1
            bad += isinstance(one, Bad)
            advance(rows, source.tell() if size is not None else 0)
    return rows, bad


def _public(one: Judged | Bad) -> dict[str, Any]:
    return {"id": one.id, "error": one.error, "line": one.line} if isinstance(one, Bad) else one.public()
