from __future__ import annotations

from typing import Any, cast

import pytest

from lockgate.gate import Gate
from lockgate.silence import Silences


class Channel:
    """As much of a gate as is looked at."""

    def __init__(self, held: int, choice: int = 0) -> None:
        self.choice, self.length, self.cleared, self.unsure = choice, 20, 20 - held, held


def made(*channels: Channel, turns: list[str] | None = None) -> tuple[Silences, list[Any]]:
    given: list[Any] = []
    silences = Silences(given.append)
    mine = []
    for i, channel in enumerate(channels):
        gate = cast("Gate", channel)
        mine.append(gate)
        silences.opened(gate, (turns or [f"turn {n}" for n in range(9)])[i], mine)
    return silences, given


@pytest.mark.parametrize(("held", "gives_up"), [(5, True), (12, True), (13, False), (0, False)])
def test_a_silent_channel_gives_up_little(held: int, gives_up: bool) -> None:
    silent, speaking = Channel(held), Channel(0)
    silences, given = made(silent, speaking)
    assert silences.several
    for _ in range(3):
        silences.spoken(cast("Gate", speaking))
    assert given == []
    for _ in range(4):
        silences.spoken(cast("Gate", speaking))
    assert given == ([silent] if gives_up else [])


def test_one_that_speaks_again_is_not_silent() -> None:
    silent, speaking = Channel(5), Channel(0)
    silences, given = made(silent, speaking)
    for _ in range(20):
        silences.spoken(cast("Gate", speaking))
        silences.spoken(cast("Gate", silent))
    assert given == []


def test_channels_of_one_turn_go_side_by_side() -> None:
    silent, speaking = Channel(5), Channel(0)
    silences, given = made(silent, speaking, turns=["reasoning", "reasoning"])
    for _ in range(20):
        silences.spoken(cast("Gate", speaking))
    assert given == []


def test_one_channel_waits_for_nobody() -> None:
    assert not made(Channel(5))[0].several
