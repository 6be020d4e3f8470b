from __future__ import annotations

from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models.errors import OverloadedError
from lockgate_models.queue import Line, Ticket


def line(budget: int = 100, most: int = 8, room: int = 10_000) -> Line:
    return Line(budget, most, room)


def tickets(*sizes: int) -> list[Ticket]:
    return [Ticket(size, i) for i, size in enumerate(sizes)]


def taken(queue: Line) -> list[list[int]]:
    """The sizes of all batches, in order."""
    out = []
    while batch := queue.take():
        out.append([ticket.tokens for ticket in batch])
    return out


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([10, 10, 10], [[10, 10, 10]]),
        ([60, 60], [[60], [60]]),
        ([10, 60, 10], [[10], [60], [10]]),  # 2 × 60 is over the budget, and nobody overtakes
        ([50, 50, 50], [[50, 50], [50]]),
        ([500, 5], [[500], [5]]),  # one that is longer than the budget goes alone
        ([1] * 10, [[1] * 8, [1] * 2]),
    ],
)
def test_batches(sizes: list[int], expected: list[list[int]]) -> None:
    queue = line()
    queue.add(tickets(*sizes))
    assert taken(queue) == expected
    assert (queue.waiting, len(queue)) == (0, 0)


def test_a_lane_with_much_to_do_does_not_keep_the_others_waiting() -> None:
    queue = line(budget=40)
    queue.add(tickets(*[20] * 10), "long")
    queue.add([Ticket(20, "short")], "short")
    assert "short" in [ticket.payload for ticket in queue.take()]


def test_who_has_left_is_skipped_and_takes_no_room() -> None:
    queue = line(room=30)
    first, second, third = tickets(10, 10, 10)
    queue.add([first, second, third])
    second.cancelled = True
    assert queue.take() == [first, third]
    queue.add(tickets(30))
    assert queue.waiting == 30


def test_admission_is_whole_or_not_at_all() -> None:
    queue = line(room=50)
    queue.add(tickets(30))
    with pytest.raises(OverloadedError):
        queue.add(tickets(10, 11))
    assert queue.waiting == 30
    queue.add(tickets(10, 10))
    assert queue.waiting == 50


def test_an_empty_line_takes_any_text() -> None:
    queue = line(room=50)
    queue.add(tickets(*[20] * 10))
    assert queue.waiting == 200


@given(
    st.lists(st.tuples(st.integers(1, 130), st.sampled_from("abc"), st.booleans()), max_size=60),
    st.integers(1, 200),
    st.integers(1, 10),
)
def test_everyone_goes_once_in_the_order_of_their_lane_and_within_the_budget(
    asked: list[tuple[int, Hashable, bool]], budget: int, most: int
) -> None:
    queue = Line(budget, most, 1_000_000)
    lanes: dict[Hashable, list[Ticket]] = {}
    for size, lane, left in asked:
        ticket = Ticket(size, lane, left)
        queue.add([ticket], lane)
        lanes.setdefault(lane, []).append(ticket)
    gone: list[Ticket] = []
    while batch := queue.take():
        assert len(batch) <= most
        assert len(batch) == 1 or max(t.tokens for t in batch) * len(batch) <= budget
        gone += batch
    for lane, waiting in lanes.items():
        assert [t for t in gone if t.payload == lane] == [t for t in waiting if not t.cancelled]
    assert (queue.waiting, len(queue)) == (0, 0)
