"""One JSON line an exchange, written behind the answer and never in its way.

Texts appear only as HMAC-SHA256 under a key: equal texts have equal marks, so lines can be joined, and nobody without
the key can test a guess. Without a key a random one is made at each start, and the marks join only within it.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic_core import to_json

from lockgate.exchange import Segment, Side
from lockgate.marks import Marker
from lockgate.verdict import Verdict

_log = logging.getLogger("lockgate.audit")

QUEUE = 4096
"""Lines that may wait for the disk. Past that, lines are dropped, counted and reported: an answer never waits."""

_LONGEST = 128  # of a client-supplied name
_CLOSE_WITHIN = 5.0  # seconds that the end of the process waits for lines still queued


@dataclass(slots=True)
class Line:
    """What is known of an exchange when its last byte has gone. `marks` are of texts that were not kept (streams)."""

    id: str
    path: str
    status: int
    dialect: str = ""
    model: str = ""
    tags: Sequence[str] = ()
    stream: bool = False
    outcome: str = ""
    error: str = ""
    policy: str = ""
    policy_hash: str = ""
    verdicts: Mapping[Side, Verdict] = field(default_factory=dict)
    texts: Sequence[Segment] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    at: float = field(default_factory=time.time)


class Audit:
    """The audit stream: a bounded queue and one writer thread.

    `target` is a file to append to, or "-" for standard output. `dropped` counts lines that found the queue full or
    could not be written.
    """

    def __init__(self, target: Path | Literal["-"], key: bytes | None) -> None:
        self.marker = Marker(key)
        self.dropped = 0
        self._file: BinaryIO = sys.stdout.buffer if target == "-" else Path(target).open("ab")  # noqa: SIM115 - it is open as long as the process
        self._owns_file = target != "-"
        self._queue: queue.Queue[Line | None] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._run, name="lockgate-audit", daemon=True)
        self._thread.start()
        if not self.marker.joinable:
            _log.warning("no audit key is set: marks of texts are not joinable with those of other starts")

    def write(self, line: Line) -> None:
        """Queue a line. Never waits, never raises."""
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._drop("the audit queue is full")

    def close(self) -> None:
        """Write what is queued, then stop."""
        try:
            self._queue.put(None, timeout=_CLOSE_WITHIN)
        except queue.Full:
            self._drop("the audit queue is full at the end")
            return
        self._thread.join(_CLOSE_WITHIN)

    def _drop(self, why: str) -> None:
        self.dropped += 1
        if self.dropped & (self.dropped - 1) == 0:  # at 1, 2, 4, 8, …: said, and not flooding the log
            _log.error("%s: %d audit lines are lost", why, self.dropped)

    def _run(self) -> None:
        while True:
            line = self._queue.get()
            if line is None:
                break
            try:
                self._file.write(to_json(record(line, self.marker), inf_nan_mode="null") + b"\n")
                if self._queue.empty():
                    self._file.flush()
            except (OSError, ValueError) as error:
                self._drop(f"an audit line could not be written ({type(error).__name__})")
        try:
            self._file.flush()
            if self._owns_file:
                self._file.close()
        except OSError as error:
            self._drop(f"the audit file could not be closed ({type(error).__name__})")


def record(line: Line, marker: Marker) -> dict[str, Any]:
    """The line as JSON-ready values. No text of the exchange is in it."""
    texts = {segment.where: segment for segment in line.texts}
    marks = {marker.place(where): marker.mark(segment.text) for where, segment in texts.items()}
    marks.update({marker.place(where): mark for where, mark in line.marks.items()})
    shown: dict[str, Any] = {
        "id": line.id,
        "time": datetime.fromtimestamp(line.at, UTC).isoformat(timespec="milliseconds"),
        "path": line.path,
        "status": line.status,
        "outcome": line.outcome,
        "error": line.error,
        "dialect": line.dialect,
        "model": line.model[:_LONGEST],
        "tags": list(line.tags),
        "stream": line.stream,
        "policy": line.policy,
        "policy_hash": line.policy_hash,
        "timings": {name: round(seconds, 6) for name, seconds in line.timings.items()},
        "text_marks": marks,
    }
    for side, verdict in line.verdicts.items():
        public = verdict.public()
        for entry, finding in zip(public["findings"], verdict.findings, strict=True):
            segment = texts.get(finding.where)
            if segment is not None and finding.span is not None:
                entry["mark"] = marker.mark(segment.text[finding.span[0] : finding.span[1]])
        _hide_names(public, marker)
        shown[side] = public
    return shown


def _hide_names(public: dict[str, Any], marker: Marker) -> None:
    """Pointers hold names, and names may be somebody's words."""
    for key in ("findings", "edits", "failures"):
        for entry in public[key]:
            entry["where"] = marker.place(entry["where"])
    coverage = public["coverage"]
    coverage["scanned"] = {
        names: [marker.place(where) for where in places] for names, places in coverage["scanned"].items()
    }
    coverage["skipped"] = {marker.place(where): reason for where, reason in coverage["skipped"].items()}
