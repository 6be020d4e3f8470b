"""How far a long command is: on a terminal a bar, elsewhere nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Advance = Callable[[int, int], None]
"""(rows so far, bytes so far that have been read)"""


@contextmanager
def progress(what: str, size: int | None, *, out: TextIO | None = None) -> Iterator[Advance]:
    """`size` in bytes, where it is known. Without `rich` a count must do."""
    stream = sys.stderr if out is None else out
    if not stream.isatty():
        yield lambda _rows, _bytes: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        with _counted(what, stream) as advance:
            yield advance
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]} rows, {task.fields[pace]:.0f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task(what, total=size, rows=0, pace=0.0)

        def advance(rows: int, read: int) -> None:
            elapsed = bar.tasks[task].elapsed or 0.0
            bar.update(task, completed=read, rows=rows, pace=rows / elapsed if elapsed else 0.0)

        yield advance


@contextmanager
def _counted(what: str, stream: TextIO) -> Iterator[Advance]:
    shown = 0

    def advance(rows: int, _: int) -> None:
        nonlocal shown
        if rows - shown >= 100:
            shown = rows
            stream.write(f"\r{what}: {rows} rows")
            stream.flush()

    try:
        yield advance
    finally:
        stream.write("\r\x1b[K")
        stream.flush()
