"""Asks of a stream's sentences as they end what rules will want to know at its end, off the way of the text.

Nothing is decided here, and nothing waits: the models remember their answers, and whoever asks again at the end is told
at once. What breaks here will break there, where the rule judges it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lockgate.exchange import Exchange, Segment
from lockgate.gate import Gate
from lockgate.policy.plan import Look

_END = re.compile("[.!?\n\u2026\u3002\uff01\uff1f]")


class Ahead:
    """For one stream. Safe to call where no event loop runs: it does nothing then."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._eager: dict[Gate, tuple[Segment, Sequence[Any]]] = {}
        self._running: dict[Gate, asyncio.Task[None]] = {}
        self._more: set[Gate] = set()

    def open(self, gate: Gate, segment: Segment, look: Look | None) -> None:
        """A text begins. It is watched if a detector that judges it whole can begin before."""
        eager = (
            {id(use.detector): use.detector for _, use in look.whole if hasattr(use.detector, "ahead")} if look else {}
        )
        if eager and gate.keeps_text:
            self._eager[gate] = segment, list(eager.values())

    def heard(self, gate: Gate, text: str) -> None:
        """More text of it. One question a text is under way at once; what comes meanwhile is asked after it."""
        if gate not in self._eager or _END.search(text) is None:
            return
        if gate in self._running:
            self._more.add(gate)
            return
        with suppress(RuntimeError):  # no loop: the end asks for all
            self._running[gate] = asyncio.get_running_loop().create_task(self._ask(gate))

    async def _ask(self, gate: Gate) -> None:
        segment, detectors = self._eager[gate]
        try:
            while True:
                self._more.discard(gate)
                heard = replace(segment, text=gate.text)
                for detector in detectors:
                    with suppress(Exception):  # it is asked again at the end, and judged there
                        await detector.ahead(heard, self._exchange)
                if gate not in self._more:
                    return
        finally:
            self._running.pop(gate, None)

    def close(self) -> None:
        """The stream is over: what is still asked is of no use."""
        for task in list(self._running.values()):
            task.cancel()
