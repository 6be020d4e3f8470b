"""Tracing that keeps its spans, and a collector of what is sent, for tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from lockgate.telemetry import names
from lockgate.telemetry.spans import Tracing


class Traced:
    """Tracing that keeps its spans, and what it kept."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider.get_tracer(names.SCOPE))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    @property
    def one(self) -> ReadableSpan:
        (span,) = self.spans
        return span

    @property
    def by_name(self) -> dict[str, ReadableSpan]:
        found = {span.name: span for span in self.spans}
        assert len(found) == len(self.spans)
        return found

    @property
    def written(self) -> str:
        """All that an exporter could send, in one text."""
        return "\n".join(json.dumps(json.loads(span.to_json()), ensure_ascii=False) for span in self.spans)


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    return dict(span.attributes or {})


@dataclass
class Collector:
    """What a collector got: (path, body)."""

    endpoint: str
    came: list[tuple[str, bytes]] = field(default_factory=list)
    status: int = 200


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.came.append((self.path, body))
            self.send_response(collector.status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
