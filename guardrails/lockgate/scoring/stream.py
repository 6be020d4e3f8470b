"""Many rows through a scorer, in order, with several blocks of them under way at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator

from lockgate.scoring.rows import Bad, Row
from lockgate.scoring.scorer import Judged, Judging

_ROWS, _CHARACTERS = 128, 1 << 17  # of a block, at most, unless one row has more
_AHEAD = 3  # blocks under way: while one is tokenised, others run


async def judged(rows: Iterable[Row | Bad], scorer: Judging) -> AsyncIterator[Judged | Bad]:
    """What is said of each row, in order. Holds a few blocks of rows, however many there are."""
    flying: deque[asyncio.Task[list[Judged | Bad]]] = deque()
    try:
        for block in _blocks(rows):
            flying.append(asyncio.create_task(_block(block, scorer)))
            if len(flying) == _AHEAD:
                for one in await flying.popleft():
                    yield one
        while flying:
            for one in await flying.popleft():
                yield one
    finally:
        for task in flying:
            task.cancel()


async def _block(block: list[Row | Bad], scorer: Judging) -> list[Judged | Bad]:
    good = iter(await scorer.judged([row for row in block if isinstance(row, Row)]))
    return [next(good) if isinstance(row, Row) else row for row in block]


def _blocks(rows: Iterable[Row | Bad]) -> Iterator[list[Row | Bad]]:
    block: list[Row | Bad] = []
    size = 0
    for row in rows:
        more = sum(map(len, row.texts.values())) if isinstance(row, Row) else 0
        if block and (len(block) == _ROWS or size + more > _CHARACTERS):
            yield block
            block, size = [], 0
        block.append(row)
        size += more
    if block:
        yield block
