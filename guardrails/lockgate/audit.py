"""One JSON line an exchange, written behind the answer and never in its way.

Texts appear only as HMAC-SHA256 under a key: equal texts have equal marks, so lines can be joined, and nobody without
the key can test a guess. Without a key a random one is made at each start, and the marks join only within it.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic_core import to_json

from lockgate.coverage import newest
from lockgate.exchange import Segment, Side
from lockgate.marks import Marker
from lockgate.verdict import Verdict

_log = logging.getLogger("lockgate.audit")

QUEUE = 4096
"""Lines that may wait for the disk. Past that, lines are dropped, counted and reported: an answer never waits."""

_BATCH = 256  # lines that are written at once
_MODEL = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127})?")
"""What a model may be called. Anything else is somebody's words, and is marked as a text is."""
_CLOSE_WITHIN = 5.0  # seconds that the end of the process waits for lines still queued


@dataclass(slots=True)
class Line:
    """What is known of an exchange when its last byte has gone. `marks` are of texts that were not kept (streams);
    `key` is the id of the client's key, which is no secret."""

    id: str
    path: str
    status: int
    dialect: str = ""
    surface: str = ""
    model: str = ""
    tags: Sequence[str] = ()
    tenant: str = ""
    key: str = ""
    stream: bool = False
    outcome: str = ""
    error: str = ""
    policy: str = ""
    policy_hash: str = ""
    policy_commit: str = ""
    overlays: Sequence[str] = ()
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
        # Unbuffered: what could not be written is known at once, and is not written later in pieces.
        self._file: RawIOBase | BinaryIO = (
            sys.stdout.buffer if target == "-" else Path(target).open("ab", buffering=0)  # noqa: SIM115 - it is open as long as the process
        )
        self._owns_file = target != "-"
        # The last write ended within a line: ours, or that of a process that was killed.
        self._torn = target != "-" and _ends_within_a_line(Path(target))
        self._closed = False
        self._queue: queue.Queue[Line | None] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._run, name="lockgate-audit", daemon=True)
        self._thread.start()
        if not self.marker.joinable:
            _log.warning("no audit key is set: marks of texts are not joinable with those of other starts")

    @property
    def waiting(self) -> int:
        """Lines that wait for the disk."""
        return self._queue.qsize()

    def write(self, line: Line) -> None:
        """Queue a line. Never waits, never raises."""
        if self._closed:
            self._drop("the audit is closed")
            return
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._drop("the audit queue is full")

    def close(self) -> None:
        """Write what is queued, then stop."""
        if self._closed:
            return
        self._closed = True
        try:
            self._queue.put(None, timeout=_CLOSE_WITHIN)
        except queue.Full:
            self._drop("the audit queue is full at the end", self._queue.qsize())
            return
        self._thread.join(_CLOSE_WITHIN)

    def _drop(self, why: str, count: int = 1) -> None:
        before = self.dropped
        self.dropped += count
        if self.dropped.bit_length() > before.bit_length():  # at 1, 2, 4, 8, …: said, and not flooding the log
            _log.error("%s: %d audit lines are lost", why, self.dropped)

    def _run(self) -> None:
        batch: list[bytes] = []
        while (line := self._queue.get()) is not None:
            try:
                batch.append(_encoded(record(line, self.marker)))
            except Exception as error:  # noqa: BLE001 - a line that can't be made must not keep those after it
                self._drop(f"an audit line could not be made ({type(error).__name__})")
            if self._queue.empty() or len(batch) == _BATCH:
                self._put(batch)
                batch = []
        self._put(batch)
        if self._owns_file:
            self._file.close()

    def _put(self, batch: Sequence[bytes]) -> None:
        """Write whole lines. Those that are not written whole are lost, and what follows begins a line of its own."""
        if not batch:
            return
        rest = (b"\n" if self._torn else b"") + b"".join(batch)
        try:
            while rest:
                count = self._file.write(rest)
                if not count:
                    raise BlockingIOError
                self._torn = rest[count - 1 : count] != b"\n"
                rest = rest[count:]
            self._file.flush()
        except (OSError, ValueError) as error:
            lost = min(rest.count(b"\n"), len(batch)) or len(batch)
            self._drop(f"audit lines could not be written ({type(error).__name__})", lost)


def _ends_within_a_line(path: Path) -> bool:
    if not path.is_file():  # a pipe can't be read again
        return False
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:  # empty, or not ours to read
        return False


def _encoded(shown: Mapping[str, Any]) -> bytes:
    try:
        return to_json(shown, inf_nan_mode="null") + b"\n"
    except ValueError:  # half of a surrogate pair, which UTF-8 can't hold, and JSON's escapes can
        return json.dumps(shown).encode() + b"\n"


def record(line: Line, marker: Marker) -> dict[str, Any]:
    """The line as JSON-ready values. No text of the exchange is in it."""
    texts = {segment.where: segment for segment in line.texts}
    said: dict[str, Segment | str] = {**texts, **line.marks}
    marked, unmarked = newest(said)
    marks = {
        marker.place(where): one if isinstance(one, str) else marker.mark(one.text) for where, one in marked.items()
    }
    shown: dict[str, Any] = {
        "id": line.id,
        "time": datetime.fromtimestamp(line.at, UTC).isoformat(timespec="milliseconds"),
        "path": line.path,
        "status": line.status,
        "outcome": line.outcome,
        "error": line.error,
        "dialect": line.dialect,
        **({"surface": line.surface} if line.surface else {}),
        "model": line.model if _MODEL.fullmatch(line.model) else f"~{marker.mark(line.model)}",
        "tags": list(line.tags),
        "tenant": line.tenant,
        "key": line.key,
        "stream": line.stream,
        "policy": line.policy,
        "policy_hash": line.policy_hash,
        **({"policy_commit": line.policy_commit} if line.policy_commit else {}),
        **({"overlays": list(line.overlays)} if line.overlays else {}),
        "timings": {name: round(seconds, 6) for name, seconds in line.timings.items()},
        "text_marks": marks,
    }
    if unmarked:
        shown["text_marks_more"] = unmarked
    for side, verdict in line.verdicts.items():
        public = verdict.public(marker.place)  # pointers hold names, and names may be somebody's words
        for entry, finding in zip(public["findings"], verdict.findings, strict=False):
            segment = texts.get(finding.where)
            if segment is not None and finding.span is not None:
                entry["mark"] = marker.mark(segment.text[finding.span[0] : finding.span[1]])
        public["coverage"]["beside"] = f"{line.dialect}.{side}"
        shown[side] = public
    return shown
