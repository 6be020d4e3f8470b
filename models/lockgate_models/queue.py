"""The waiting line of token sequences: first in, first out, cut into batches by a budget of padded tokens. Pure: no
threads, no clock.

A batch is as long as its longest sequence, so its cost is its length times that width. The one at the head of the line
always leaves; others join it in order as long as the padded batch stays within the budget. Several lines (*lanes*)
share the batches in turn, so that a lane with much to do, such as a long document, can't keep the others waiting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from lockgate_models.errors import OverloadedError


@dataclass(slots=True, eq=False)
class Ticket:
    """One sequence in line. `tokens` is its length, special tokens included. A cancelled one is skipped."""

    tokens: int
    payload: object
    cancelled: bool = False


@dataclass(slots=True)
class Line:
    """`budget`: padded tokens of a batch, at most; one sequence that is longer goes alone. `most`: sequences in a batch.
    `room`: tokens that may wait in all; beyond that, admission is refused whole, never in part."""

    budget: int
    most: int
    room: int
    waiting: int = 0
    """Tokens in line."""
    _lanes: dict[Hashable, deque[Ticket]] = field(default_factory=dict)
    _turns: deque[Hashable] = field(default_factory=deque)

    def add(self, tickets: list[Ticket], lane: Hashable = None) -> None:
        """Let them wait. Raises OverloadedError if they don't all have room; an empty line takes any."""
        size = sum(ticket.tokens for ticket in tickets)
        if self.waiting and self.waiting + size > self.room:
            raise OverloadedError
        if not tickets:
            return
        self.waiting += size
        if lane not in self._lanes:
            self._lanes[lane] = deque()
            self._turns.append(lane)
        self._lanes[lane].extend(tickets)

    def take(self) -> list[Ticket]:
        """The next batch; empty if nobody waits. Cancelled tickets are dropped on the way."""
        batch: list[Ticket] = []
        width = 0
        passed = 0
        while self._turns and passed < len(self._turns) and len(batch) < self.most:
            lane = self._turns[0]
            line = self._lanes[lane]
            while line and line[0].cancelled:
                self.waiting -= line.popleft().tokens
            if not line:
                self._turns.popleft()
                del self._lanes[lane]
                continue
            wider = max(width, line[0].tokens)
            self._turns.rotate(-1)
            if batch and wider * (len(batch) + 1) > self.budget:
                passed += 1
                continue
            passed = 0
            ticket = line.popleft()
            self.waiting -= ticket.tokens
            batch.append(ticket)
            width = wider
        return batch

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))
