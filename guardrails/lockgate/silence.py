"""A choice that speaks in several channels: one that holds text, and has fallen silent, keeps the others waiting. No I/O,
no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lockgate.gate import Gate

_PATIENCE = 3
"""How many pieces in other channels of its choice a channel may keep waiting while it is silent itself."""
_GIVEN_UP = 12
"""Characters that a silent channel gives up at most: a word's beginning, which is what is held of ordinary prose. More
than that is likely to be a value, most of which would leave before its end could show it: it waits."""


class Silences:
    """`give_up` is told of a gate for whose end nobody waits."""

    __slots__ = ("_give_up", "_silent", "_turns", "several")

    def __init__(self, give_up: Callable[[Gate], None]) -> None:
        self._give_up = give_up
        self._turns: dict[Gate, str] = {}
        self.several = False  # a choice speaks in more than one channel
        # Choice → its gates that hold text, each with how often others of the choice have spoken since it did.
        self._silent: dict[int, dict[Gate, int]] = {}

    def opened(self, gate: Gate, turn: str, mine: Sequence[Gate]) -> None:
        """A gate has opened, the last of its choice's `mine`. Those of one turn go side by side."""
        self._turns[gate] = turn
        if len(mine) > 1:
            self.several = True
            if len(mine) == 2 and mine[0].cleared < mine[0].length:
                self._silent.setdefault(gate.choice or 0, {})[mine[0]] = 0

    def spoken(self, gate: Gate) -> None:
        """`gate` has spoken. Another channel of its choice that holds text, and has fallen silent, keeps it waiting."""
        silent = self._silent.setdefault(gate.choice or 0, {})
        silent.pop(gate, None)
        turn = self._turns[gate]
        if turn:
            for other, count in list(silent.items()):
                if other.cleared == other.length:
                    del silent[other]
                elif self._turns[other] != turn:
                    silent[other] = count + 1
                    if count == _PATIENCE:
                        del silent[other]
                        if other.unsure <= _GIVEN_UP:
                            self._give_up(other)
        if gate.cleared < gate.length:
            silent[gate] = 0
