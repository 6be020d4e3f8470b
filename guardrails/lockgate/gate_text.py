"""A gate that knows its text: where a mask is made of what was found, where the text is JSON and stays it, and where
values are put back in the place of their masks. No I/O, no clock.

It does to a text as it comes what `editing.py` does to a whole one. Values put back are edits like others: they hold
the text back where a mask may have begun, and stand in the chunk in which the mask began. They are in no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lockgate.act import edit_for, unite
from lockgate.editing import Editing, fitted, restoring
from lockgate.forms import Form
from lockgate.gate import Gate
from lockgate.outline import Outline, Wait
from lockgate.policy.plan import Look, PlannedRule
from lockgate.restoring import Match, Restorer
from lockgate.verdict import Edit, Finding


class TextGate(Gate):
    """See the module; the other arguments are a `Gate`'s. `form` is what is declared of a text that is JSON."""

    __slots__ = ("_editing", "_final", "_from", "_lasting", "_outline", "_restorer", "_seen", "_waiting", "_wanted")

    def __init__(
        self, look: Look | None, where: str, choice: int | None, editing: Editing, form: Form | None, **given: Any
    ) -> None:
        super().__init__(look, where, choice, **given)
        finder = None if given.get("fixed") else editing.finder()
        self._editing = editing
        self._outline = Outline(form, limit=editing.limit) if form is not None else None
        self._restorer = Restorer(finder) if finder is not None else None
        self._only_watched = self._only_watched and finder is None
        self._seen = ""  # the text from `_from` on: what may still be found in
        self._from = 0
        self._waiting: list[tuple[PlannedRule, Finding, int]] = []  # findings in a value whose end has not come
        self._wanted: list[Match] = []  # the same of masks
        self._lasting: list[Edit] = []  # what is put back in a text that is held whole
        self._final = False

    @property
    def unsure(self) -> int:
        held = self._restorer.held if self._restorer is not None else 0
        return max(super().unsure, held)

    def feed(self, text: str) -> None:
        if not text:
            return
        self._seen += text
        if self._outline is not None:
            self._outline.feed(text)
        if self._restorer is not None:
            self._restorer.feed(text)
        super().feed(text)
        self._forget()

    def flush(self) -> None:
        self._finish()
        super().flush()

    def give_up(self, *, overflow: bool = False) -> None:
        if self._ended or self._stop is not None:
            return
        self._finish()
        super().give_up(overflow=overflow)
        self._final = self._held  # what waits for a verdict on the whole goes on waiting

    def end_piece(self) -> None:
        self._finish()
        super().end_piece()
        self._final = False

    def release_held(self, edits: Sequence[Edit]) -> None:
        if self._held:
            mine = [edit for edit in edits if edit.where == self.where]
            super().release_held(unite([*mine, *self._lasting]))

    # The rest is how.

    def _finish(self) -> None:
        """Nothing follows, or nobody waits for it."""
        self._final = True
        if self._restorer is not None:
            self._restorer.feed("", final=True)

    def _found(self, rule: PlannedRule, finding: Finding, *, start: int, left: bool = False) -> list[Edit]:
        if finding.span is not None and self._editing.masks.is_sent(self._said(*finding.span)):
            return []  # a mask of ours
        edits = super()._found(rule, finding, start=start, left=left)
        return self._edits(rule, finding, start) if edits else edits

    def _edits(self, rule: PlannedRule, finding: Finding, start: int) -> list[Edit]:
        assert finding.span is not None
        masks = self._editing.masks
        if self._outline is None:
            return [edit_for(rule, finding, self._said(*finding.span), masks)]
        edit = fitted(rule, finding, masks, self._outline, final=self._final)
        if isinstance(edit, Edit):
            return [edit]
        if edit is None:
            self._fail(rule, finding.detector, "unfit", start)
        else:
            self._waiting.append((rule, finding, start))
        return []

    def _clear(self, clear: int) -> None:
        fresh: list[Edit] = []
        waiting, self._waiting = self._waiting, []
        for rule, finding, start in waiting:
            fresh.extend(self._edits(rule, finding, start))
        back = self._put_back()
        self._lasting.extend(back if self._held else ())
        self._add_edits([*fresh, *back])
        for _, finding, _ in self._waiting:
            assert finding.span is not None
            clear = min(clear, finding.span[0])
        if self._restorer is not None:
            clear = min(clear, self._restorer.settled, *(match.start for match in self._wanted))
        if self._outline is not None and not self._final:
            clear = self._outline.safe(clear)
        super()._clear(clear)

    def _put_back(self) -> list[Edit]:
        if self._restorer is None:
            return []
        found, self._wanted = [*self._wanted, *self._restorer.take()], []
        back: list[Edit] = []
        for match in found:
            span = (match.start, match.end)
            edit = restoring(self.where, span, match.original, self._outline, final=self._final)
            if isinstance(edit, Wait):
                self._wanted.append(match)
            elif edit is not None and edit.span[0] >= self.cleared:
                back.append(edit)
        return back

    def _said(self, start: int, end: int) -> str:
        return self._seen[max(start - self._from, 0) : max(end - self._from, 0)]

    def _forget(self) -> None:
        """Nothing is found any more in what has left and is scanned."""
        done = min(self.cleared, self._watching.base) if self._watching is not None else self.cleared
        if done - self._from > len(self._seen) // 2:
            self._seen = self._seen[done - self._from :]
            self._from = done
        if self._outline is not None:
            self._outline.forget(self.cleared)
