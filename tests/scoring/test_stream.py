from __future__ import annotations

from collections.abc import Iterator

from lockgate.detectors.model import Model
from lockgate.scoring.rows import Bad, Row
from lockgate.scoring.scorer import Judged, Scorer
from lockgate.scoring.stream import judged


async def test_order_is_kept_and_nothing_is_lost(tiny: Model) -> None:
    rows: list[Row | Bad] = [
        Bad(i, None, "the line is empty") if i % 7 == 3 else Row(i, i, {"text": "attack " * (i * 37 % 11)})
        for i in range(1000)
    ]
    found = [one async for one in judged(rows, Scorer(tiny))]
    assert [one.row.line if isinstance(one, Judged) else one.line for one in found] == list(range(1000))
    for i, one in enumerate(found):
        assert isinstance(one, Judged) == (i % 7 != 3)
        assert not isinstance(one, Judged) or one.verdict["injection"] == (i * 37 % 11 > 0)


async def test_few_rows_are_held(tiny: Model) -> None:
    taken = 0

    def rows() -> Iterator[Row | Bad]:
        nonlocal taken
        for i in range(5000):
            taken += 1
            yield Row(i, i, {"text": "calm"})

    given = 0
    async for _ in judged(rows(), Scorer(tiny, ["harm"])):
        given += 1
        assert taken - given < 600
    assert given == 5000


async def test_long_rows_make_small_blocks(tiny: Model) -> None:
    long = "calm " * 30_000
    rows = [Row(i, i, {"text": long}) for i in range(4)]
    assert [one.row.id async for one in judged(rows, Scorer(tiny, ["harm"])) if isinstance(one, Judged)] == [0, 1, 2, 3]
