"""The stream gate of one channel: a choice's content, its reasoning, one tool call's arguments. No I/O, no clock.

    feed(text)   more text has come
    due()        windows that detectors have to look at before they may leave
    settle(…)    what they answered
    flush()      the text has ended
    give_up()    nobody waits for the end of what may still become a match: it leaves as it stands
    cleared      how many characters, from the start of the channel, may leave
    edits        what is replaced below `cleared`, in offsets of the channel

What the gate lets through equals what the whole text would have been edited to, however it was cut into chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from lockgate.act import edit_for, unite
from lockgate.decide import Results, RuleResult
from lockgate.detectors.scanner import Match, ScanError
from lockgate.policy.plan import Asked, Look, PlannedRule, Use
from lockgate.seam import Seam
from lockgate.settling import WHOLLY, Settled
from lockgate.tail import Due, Place, Tail, Windows
from lockgate.verdict import Action, Edit, Failure, Finding, Reason

_WATCH_BATCH = 1024  # a watching scan waits for this much text, since nothing waits for it


class Gate:
    """See the module. `where` is the pointer that findings carry; `settled` what the request decided beforehand;
    `pinned` the detectors that are not asked, since their answer is given: all is held for it."""

    __slots__ = (
        "_acting", "_active", "_conditionless", "_due", "_ended", "_exempt", "_fixed", "_gone", "_held", "_hold_limit",
        "_look", "_max_hold", "_only_watched", "_pinned", "_seams", "_stop", "_watching", "_whole", "_windows", "choice",
        "cleared", "edits", "failed_closed", "length", "refused", "results", "where",
    )  # fmt: skip

    def __init__(
        self,
        look: Look | None,
        where: str,
        choice: int | None,
        *,
        settled: Settled,
        max_hold: int,
        hold_limit: int,
        fixed: bool = False,
        pinned: frozenset[str] = frozenset(),
    ) -> None:
        self.where = where
        self.choice = choice
        self.length = 0
        self.cleared = 0
        self.edits: list[Edit] = []
        self.results: Results = {}
        self.refused = settled.refusing
        self.failed_closed = settled.closing
        self._look = look
        self._active = settled.active
        self._exempt = settled.exempt
        self._conditionless = settled.failed
        self._fixed = fixed
        self._pinned = pinned
        self._max_hold = max_hold
        self._hold_limit = hold_limit
        self._ended = False
        self._acting = Tail(look.acting) if look is not None and look.acting is not None else None
        self._watching = Tail(look.watching) if look is not None and look.watching is not None else None
        self._windows = Windows() if look is not None and look.windowed else None
        self._due: list[Due] = []
        self._seams: list[Seam] = []  # with the text before, while a value may go on from there
        self._whole: list[str] | None = [] if look is not None and (look.holds or look.whole) else None
        self._held = bool(pinned) or (look is not None and look.holds)
        self._gone = 0  # edits that lie before all that has yet to leave
        self._stop: int | None = 0 if settled.refusing is not None or settled.closing else None
        # Nothing can hold or change such a text: it is cleared as it comes.
        waits = self._acting or self._windows or self._held or self._whole is not None or self._stop is not None
        self._only_watched = not waits

    @property
    def held(self) -> int:
        """Characters that have come and may not leave yet."""
        return self.length - self.cleared

    @property
    def unsure(self) -> int:
        """Characters that are held because they may be the beginning of a match."""
        return len(self._acting.pending) if self._acting is not None else 0

    @property
    def stopped(self) -> bool:
        """A rule has refused, or the guard failed and fails closed."""
        return self._stop is not None

    @property
    def waits(self) -> bool:
        """Windows are due."""
        return bool(self._due)

    @property
    def unsettled(self) -> bool:
        """Windows are due, or nothing more may leave: the caller has something to do."""
        return self._stop is not None or bool(self._due)

    @property
    def keeps_text(self) -> bool:
        return self._whole is not None

    @property
    def text(self) -> str:
        """The whole text so far; kept only where a rule judges the whole."""
        return "".join(self._whole or ())

    def goes_on(self, lead: str) -> Self:
        """What comes is shown behind `lead`, in which a value may have begun. Raises ScanError."""
        self._seams = [Seam(tail.sweep, lead) for tail in (self._acting, self._watching) if tail is not None and lead]
        return self

    def feed(self, text: str) -> None:
        if not text:
            return
        self.length += len(text)
        for seam in self._seams:
            seam.feed(text)
        watching = self._watching
        if watching is not None:
            watching.pending += text
        if self._only_watched:
            self.cleared = self.length
            self._across(self.length)
            if watching is not None and len(watching.pending) >= _WATCH_BATCH:
                self._sweep(watching)
            return
        if self._acting is not None:
            self._acting.pending += text
        if self._whole is not None:
            self._whole.append(text)
        if self._windows is not None and self._windows.feed(text):
            self._tear()
        self._advance()

    def flush(self) -> None:
        """The channel has ended: what was undecided is decided as it stands."""
        self._ended = True
        self._advance()

    def give_up(self, *, overflow: bool = False) -> None:
        """Decide what is held by patterns and sentence windows as if the channel had ended, and clear it.

        If more text comes after all, and what was decided turns out to be wrong, or a match reaches into what was
        cleared, that is a failure (`straddles`). What waits for a verdict on the whole goes on waiting, unless it is
        an `overflow`.
        """
        if self._ended or self._stop is not None:
            return
        if self._held and overflow:
            self._overflow_held()
        if self._held:
            return
        acting = self._acting
        if acting is not None and acting.pending:
            self._sweep(acting, give_up=True)
        for seam in self._seams:
            self._sweep(seam, give_up=True)
        if self._windows is not None:
            self._ask(self._windows.give_up())
        self._clear(self.length)

    def end_piece(self) -> None:
        """What has come is a text of its own, and what comes next is another one that is counted on."""
        tails, self._seams = (self._acting, self._watching, *self._seams), []
        for tail in tails:
            if tail is not None:
                self._sweep(tail, final=True)
                tail.forget()
        if self._windows is not None:
            self._ask(self._windows.cut(final=True))
            self._windows.forget()
        self._clear(self.length)

    def due(self) -> list[Due]:
        due, self._due = self._due, []
        return due

    def settle(self, due: Due, findings: Sequence[Finding], failures: Sequence[Failure]) -> None:
        """The answer for one window: findings (in channel offsets) and failures, each with its rule."""
        rules = {rule.id: rule for rule, _ in due.asked}
        found = (self._found(rules[finding.rule], finding, start=due.start) for finding in findings)
        self._add_edits([edit for edits in found for edit in edits])
        for failure in failures:
            self._failed(rules[failure.rule], failure, start=due.start)
        if self._windows is not None:
            self._windows.settle(due.start, due.start + len(due.text))
        self._advance()

    def edited(self, text: str, start: int, end: int) -> str | None:
        """What leaves in place of `text`, which is [start, end) of the channel; None if no edit touches it. An edit's
        replacement goes where the edit begins. Ask in order: what lies before `start` is forgotten."""
        edits = self.edits
        while self._gone < len(edits) and edits[self._gone].span[1] <= start:
            self._gone += 1
        parts, position, touched = list[str](), start, False
        for i in range(self._gone, len(edits)):
            edit = edits[i]
            low, high = edit.span
            if low >= end:
                break
            touched = True
            if low >= start:
                parts.append(text[position - start : low - start])
                parts.append(edit.replacement)
            position = min(high, end)
        if not touched:
            return None
        parts.append(text[position - start :])
        return "".join(parts)

    def release_held(self, edits: Sequence[Edit]) -> None:
        """Whatever held the whole has been decided: everything may leave, with exactly these edits."""
        if self._held:
            self._held = False
            self._gone = 0
            self.edits = [edit for edit in edits if edit.where == self.where]
            self.cleared = self.length

    # The rest is how.

    def _advance(self) -> None:
        clear = self.length
        acting = self._acting
        if acting is not None:
            if acting.pending:
                self._sweep(acting)
            clear = acting.base
        if self._seams:
            clear = self._across(clear)
        watching = self._watching
        if watching is not None and watching.pending and (self._ended or len(watching.pending) >= _WATCH_BATCH):
            self._sweep(watching)
        if self._windows is not None:
            self._ask(self._windows.cut(final=self._ended))
        if self._held and self.length > self._hold_limit:
            self._overflow_held()
        self._clear(clear)

    def _across(self, clear: int) -> int:
        """Look for what goes on from the text before; what may, waits, where something would be done about it."""
        for seam in self._seams:
            self._sweep(seam)
            if not seam.done and self._acting is not None and seam.sweep is self._acting.sweep:
                clear = 0
        self._seams = [seam for seam in self._seams if not seam.done]
        return clear

    def _clear(self, clear: int) -> None:
        if self._held:
            return
        if self._windows is not None:
            clear = min(clear, self._windows.cleared)
        if self._stop is not None:
            clear = min(clear, self._stop)
        if self.edits:
            for edit in reversed(self.edits):
                if edit.span[1] <= clear:
                    break
                clear = min(clear, edit.span[0])
        self.cleared = max(self.cleared, clear)

    def _overflow_held(self) -> None:
        self._held = False  # from here on each rule's `on_error` says what happens
        rules = self._look.rules if self._look is not None else ()
        self._overflow(((r, use.kind) for r in rules if r.stream == "hold" for use in r.uses), "overflow")

    def _asked_of_windows(self) -> tuple[tuple[PlannedRule, Use], ...]:
        known = self._look.windowed if self._look is not None else ()
        return tuple((r, u) for r, u in known if r.id in self._active and u.kind not in self._pinned)

    def _ask(self, windows: Iterable[tuple[int, str, str]]) -> None:
        self._due.extend(Due(*window, self._asked_of_windows()) for window in windows)

    def _tear(self) -> None:
        """A window that was given up goes on: nobody judges it whole."""
        for rule, use in self._asked_of_windows():
            self._fail(rule, use.kind, "straddles", self.cleared)

    def _asking(self, tail: Tail, spec: int) -> Iterable[Asked]:
        known = tail.sweep.asked[spec]
        return (asked for asked in known if asked.rule.id in self._active and asked.kind not in self._pinned)

    def _sweep(self, tail: Tail, *, final: bool = False, give_up: bool = False) -> None:
        """Scan a tail, and drop what is finished. To `give_up` is to decide it all, and to drop nothing."""
        if not tail.pending:
            return
        try:
            matches, shift, cut = tail.scan(final=final or give_up or self._ended)
        except ScanError:
            for spec in range(len(tail.sweep.asked)):
                for asked in self._asking(tail, spec):
                    self._fail(asked.rule, asked.kind, "crash", tail.base)
            tail.drop(self.length)
            return
        doubtful = tail.released > tail.base
        if matches or doubtful:
            places = {Place(match.spec, match.start + shift, match.end + shift): match for match in matches}
            self._report(tail, places)
            if doubtful:
                self._check(tail, places, cut)
            if give_up:
                tail.told = set(places)
        if give_up:
            tail.released = self.length
            return
        tail.drop(cut)
        if len(tail.pending) > (self._hold_limit if tail is self._watching else self._max_hold):
            # What is still alive here can't be held any longer: it counts as found, under each rule's `on_error`.
            self._overflow(((asked.rule, asked.kind) for row in tail.sweep.asked for asked in row), "too_wide")
            tail.drop(self.length)

    def _report(self, tail: Tail, places: Mapping[Place, Match]) -> None:
        """What a scan has found, less what was told of this text before."""
        specs = tail.sweep.scanner.specs
        fresh: list[Edit] = []
        for place, match in places.items():
            if place in tail.told:
                continue
            spec = specs[place.spec]
            left = place.start < tail.released
            for asked in self._asking(tail, place.spec):
                rule, span = asked.rule, (place.start, place.end)
                finding = Finding(asked.kind, spec.label, spec.score, self.where, span, rule.id, self.choice)
                start = tail.released if left else place.start
                if match.too_wide:
                    self._fail(rule, asked.kind, "too_wide", start)
                fresh.extend(self._found(rule, finding, start=start, left=left))
        self._add_edits(fresh)

    def _check(self, tail: Tail, places: Mapping[Place, Match], cut: int) -> None:
        """Of a text that was given up: what was found in it must be what is found now that more has come."""
        for place in tail.told:
            if place.start < cut and place not in places:
                label = tail.sweep.scanner.specs[place.spec].label
                for asked in self._asking(tail, place.spec):
                    if label not in self._exempt.get(asked.rule.id, ()):
                        self._fail(asked.rule, asked.kind, "straddles", tail.released)

    def _found(self, rule: PlannedRule, finding: Finding, *, start: int, left: bool = False) -> list[Edit]:
        """Note a finding. Its edit, where it makes one; `left` says that some of it has left already."""
        self.results.setdefault(rule.id, RuleResult()).findings.append(finding)
        exempt = self._exempt.get(rule.id, ())
        if rule.stream in ("hold", "after") or finding.label in exempt or WHOLLY in exempt:
            return []
        if rule.id in self._conditionless:
            self._fail(rule, "when", "condition", start)
            return []
        if rule.action is Action.REFUSE:
            self._refuse(rule, start)
        elif rule.rewrite is not None and finding.span is not None:
            if not self._fixed and not left:
                return [edit_for(rule, finding)]
            self._fail(rule, finding.detector, "straddles" if left else "uneditable", start)
        return []

    def _add_edits(self, fresh: list[Edit]) -> None:
        """Unite new edits with those that they may overlap, which are at the end: what is cleared stays as it is."""
        if not fresh:
            return
        first = min(edit.span[0] for edit in fresh)
        while self.edits and self.edits[-1].span[1] > first:
            fresh.append(self.edits.pop())
        self.edits.extend(unite(fresh))

    def _refuse(self, rule: PlannedRule, start: int) -> None:
        if self._stop is None or start < self._stop:
            self._stop = start
            self.refused = rule

    def _overflow(self, asked: Iterable[tuple[PlannedRule, str]], reason: Reason) -> None:
        for rule, kind in dict.fromkeys(asked):
            if rule.id in self._active:
                self._fail(rule, kind, reason, self.cleared)

    def _fail(self, rule: PlannedRule, kind: str, reason: Reason, start: int) -> None:
        self._failed(rule, Failure(kind, reason, self.where, rule.id, self.choice, rule.on_error), start=start)

    def _failed(self, rule: PlannedRule, failure: Failure, *, start: int) -> None:
        known = self.results.setdefault(rule.id, RuleResult()).failures
        if failure not in known:
            known.append(failure)
        if WHOLLY in self._exempt.get(rule.id, ()):
            return
        if rule.stream == "hold" and self._held:
            return  # all is held until the verdict on the whole, which knows what permits remove
        if rule.judgement(failure.reason) == "refuse" and rule.acts and rule.stream != "after":
            self.failed_closed = True
            self._stop = start if self._stop is None else min(start, self._stop)
