"""A gate of prose that readers get, where notes may be put into it. No I/O, no clock.

Its last character stays until the choice has ended, so that what is said behind the text leaves with its last piece.
Where a note stands within the text, it is held from what the note is about until it is known where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from lockgate.act import unite
from lockgate.editing import Editing
from lockgate.gate import Gate
from lockgate.gate_text import TextGate
from lockgate.markup import WAIT, Markup, Wait
from lockgate.notes import Note
from lockgate.placing import FOOTNOTE, Kept, Notes, Span, place_of, position
from lockgate.policy.plan import Look, PlannedRule
from lockgate.settling import WHOLLY
from lockgate.verdict import Action, Edit, Finding


@dataclass(slots=True)
class _Spot:
    """What a note within the text is about, and where it stands, once that is known."""

    kept: Kept
    span: Span
    note: Note
    rule: str
    place: object = WAIT


class NotedGate(TextGate):
    """See the module; the other arguments are a `TextGate`'s."""

    __slots__ = ("_keeps", "_markup", "_notes", "_spots", "given")

    def __init__(
        self, look: Look | None, where: str, choice: int | None, editing: Editing, notes: Notes, **given: Any
    ) -> None:
        self._notes = notes
        self._markup = Markup()
        self._spots: list[_Spot] = []
        self.given: set[tuple[str, ...]] = set()
        self._keeps = True
        super().__init__(look, where, choice, editing, None, **given)
        self._only_watched = False
        self._whole = None  # it is kept here

    @property
    def keeps_text(self) -> bool:
        return True

    @property
    def text(self) -> str:
        return self._markup.text

    def feed(self, text: str) -> None:
        self._markup.feed(text)
        super().feed(text)

    def give_up(self, *, overflow: bool = False) -> None:
        if overflow and not self._held:
            self._spots, self._keeps = [], False
        super().give_up(overflow=overflow)

    def following(self, others: Sequence[Gate]) -> Self:
        """The choice goes on here, after other texts, which get no notes behind them."""
        for other in others:
            if isinstance(other, NotedGate) and position(other.where) < position(self.where):
                other.let_go()
                self.given = other.given
        return self

    def release_held(self, edits: Sequence[Edit]) -> None:
        """The choice has ended: everything may leave, with what is put behind it."""
        if self._held:
            self._spots = []  # they are among those
        super().release_held(edits)
        self.let_go()
        if not any(edit.kind == FOOTNOTE for edit in self.edits):
            self.edits.extend(edit for edit in edits if edit.where == self.where and edit.kind == FOOTNOTE)

    def let_go(self) -> None:
        """No note stands behind it."""
        self._keeps = False
        self._advance()

    def edited(self, text: str, start: int, end: int) -> str | None:
        """As a gate's; what is put in at `end` leaves with this piece."""
        edits = self.edits
        while self._gone < len(edits) and edits[self._gone].span[1] <= start:
            self._gone += 1
        parts, position, touched = list[str](), start, False
        for edit in edits[self._gone :]:
            low, high = edit.span
            if low > end or (low == end and high > low):
                break
            touched = True
            if low >= start:
                parts.append(text[position - start : low - start])
                parts.append(edit.replacement)
            position = min(high, end)
        return "".join([*parts, text[position - start :]]) if touched else None

    # The rest is how.

    def _found(self, rule: PlannedRule, finding: Finding, *, start: int, left: bool = False) -> list[Edit]:
        edits = super()._found(rule, finding, start=start, left=left)
        if rule.marks and finding.span is not None and not left and self._may_mark(rule, finding):
            for _, note in rule.flags:
                if note.within:
                    self._mark(_Spot((note.form, note.key), finding.span, note, rule.id))
        return edits

    def _may_mark(self, rule: PlannedRule, finding: Finding) -> bool:
        exempt = self._exempt.get(rule.id, ())
        lost = finding.label in exempt or WHOLLY in exempt or rule.id in self._conditionless
        assert finding.span is not None
        ours = self._editing.masks.is_sent(self._said(*finding.span))
        return not (lost or ours or rule.stream in ("hold", "after") or rule.action is Action.REFUSE)

    def _mark(self, spot: _Spot) -> None:
        """What overlaps and says the same is one thing, marked behind all of it."""
        for other in list(self._spots):
            if other.kept == spot.kept and other.span[0] < spot.span[1] and spot.span[0] < other.span[1]:
                spot.span = min(other.span[0], spot.span[0]), max(other.span[1], spot.span[1])
                self._spots.remove(other)
        self._spots.append(spot)

    def _clear(self, clear: int) -> None:
        for spot in self._spots:
            if isinstance(spot.place, Wait):
                spot.place = place_of(self._markup, spot.span, spot.note, final=self._ended)
            if isinstance(spot.place, Wait):
                said = self._markup.text[slice(*spot.span)].rstrip()
                clear = min(clear, spot.span[0] + max(len(said) - 1, 0))
        if self._keeps:
            clear = min(clear, self.length - 1)
        super()._clear(clear)
        if self._spots and not self._held:
            self._put(self._markup.text)

    def _put(self, text: str) -> None:
        """Notes whose place is certain: all that stands before it has been decided."""
        later: list[_Spot] = []
        certain: list[Edit] = []
        for spot in sorted(self._spots, key=lambda s: s.span):
            form, key = spot.kept
            if not isinstance(spot.place, int):
                later.extend([spot] if isinstance(spot.place, Wait) else ())
            elif spot.place > self.cleared:
                later.append(spot)
            elif form == "inline" or key not in self.given:
                if form != "inline":
                    self.given.add(key)
                certain.append(self._notes.point(self.where, text, spot.place, spot.note, spot.rule))
        self._spots = later
        self._add_edits(unite(certain))
