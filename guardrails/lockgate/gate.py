"""The stream gate of one channel: a choice's content, its reasoning, one tool call's arguments. No I/O, no clock.

    feed(text)   more text has come
    due()        windows that detectors have to look at before they may leave
    settle(…)    what they answered
    flush()      the text has ended
    cleared      how many characters, from the start of the channel, may leave
    edits        what is replaced below `cleared`, in offsets of the channel

What the gate lets through equals what the whole text would have been edited to, however it was cut into chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from lockgate.act import edit_for, unite
from lockgate.decide import Results, RuleResult
from lockgate.detectors.scanner import Scan, ScanError
from lockgate.normalise import last_visible
from lockgate.policy.plan import Look, PlannedRule, Sweep, Use
from lockgate.verdict import Action, Edit, Failure, Finding, Reason
from lockgate.windows import borders

_WATCH_BATCH = 1024  # a watching scan waits for this much text, since nothing waits for it


WHOLLY = "*"
"""Among the labels that a rule is exempt from: a permit has relieved it of all."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What the request alone decides: the rules that take part (`active`), the labels from which a permit has relieved
    a rule (`exempt`), the rules whose condition has no value (`failed`), which matters where they find something, and
    whether nothing may leave at all: a rule refuses by the request alone (`refusing`), or fails and closes (`closing`).
    """

    active: frozenset[str]
    exempt: Mapping[str, frozenset[str]]
    failed: frozenset[str]
    refusing: PlannedRule | None = None
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A window [start, start + len(text)) that the detectors of `asked` have to look at."""

    start: int
    text: str
    asked: tuple[tuple[PlannedRule, Use], ...]


class _Tail:
    """The part of a channel's text that a sweep has not finished with."""

    __slots__ = ("base", "context", "pending", "sweep")

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.base = 0  # channel offset of pending[0]
        self.context = ""
        self.pending = ""

    def scan(self, *, final: bool) -> tuple[Scan, int]:
        """Scan what is pending. The scan's offsets count from the context's start: add the second value."""
        start = len(self.context)
        scan = self.sweep.scanner.scan(self.context + self.pending, start=start, final=final)
        return scan, self.base - start

    def drop(self, count: int) -> None:
        if not count:
            return
        gone = self.pending[:count]
        self.context = last_visible(self.context + gone)
        self.pending = self.pending[count:]
        self.base += count


class Gate:
    """See the module. `where` is the pointer that findings carry; `settled` what the request decided beforehand;
    `pinned` the detectors that are not asked, since their answer is given: all
    is held for it."""

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
        self._acting = _Tail(look.acting) if look is not None and look.acting is not None else None
        self._watching = _Tail(look.watching) if look is not None and look.watching is not None else None
        self._window_text = ""
        self._window_base = 0
        self._windows_cleared = 0
        self._settled: dict[int, int] = {}  # settled windows that an earlier, unsettled one still blocks
        self._due: list[Due] = []
        self._whole: list[str] | None = [] if look is not None and (look.holds or look.whole) else None
        self._held = bool(pinned) or (look is not None and look.holds)
        self._cleared = 0
        self._gone = 0  # edits that lie before all that has yet to leave
        self._stop: int | None = 0 if settled.refusing is not None or settled.closing else None

    @property
    def cleared(self) -> int:
        return self._cleared

    @property
    def held(self) -> int:
        """Characters that have come and may not leave yet."""
        return self.length - self._cleared

    @property
    def stopped(self) -> bool:
        """A rule has refused, or the guard failed and fails closed."""
        return self._stop is not None

    @property
    def waits(self) -> bool:
        """Windows are due."""
        return bool(self._due)

    @property
    def keeps_text(self) -> bool:
        return self._whole is not None

    @property
    def text(self) -> str:
        """The whole text so far; kept only where a rule judges the whole."""
        return "".join(self._whole or ())

    def feed(self, text: str) -> None:
        if not text:
            return
        self.length += len(text)
        self._take(text)
        self._advance()

    def flush(self) -> None:
        """The channel has ended: what was undecided is decided as it stands."""
        self._ended = True
        self._advance()

    def due(self) -> list[Due]:
        due, self._due = self._due, []
        return due

    def settle(self, due: Due, findings: Sequence[Finding], failures: Sequence[Failure]) -> None:
        """The answer for one window: findings (spans in channel offsets) and failures, each with its rule."""
        rules = {rule.id: rule for rule, _ in due.asked}
        fresh: list[Edit] = []
        for finding in findings:
            fresh.extend(self._found(rules[finding.rule], finding, start=due.start))
        self._add_edits(fresh)
        for failure in failures:
            self._failed(rules[failure.rule], failure, start=due.start)
        self._settled[due.start] = due.start + len(due.text)
        while self._windows_cleared in self._settled:
            self._windows_cleared = self._settled.pop(self._windows_cleared)
        self._advance()

    def edited(self, text: str, start: int, end: int) -> str | None:
        """What leaves in place of `text`, which is [start, end) of the channel; None if no edit touches it. An edit's
        replacement goes where the edit begins. Ask in order: what lies before `start` is forgotten."""
        edits = self.edits
        while self._gone < len(edits) and edits[self._gone].span[1] <= start:
            self._gone += 1
        parts: list[str] = []
        position = start
        touched = False
        for edit in islice(edits, self._gone, None):
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
            self._cleared = self.length

    # The rest is how.

    def _take(self, text: str) -> None:
        if self._acting is not None:
            self._acting.pending += text
        if self._watching is not None:
            self._watching.pending += text
        if self._whole is not None:
            self._whole.append(text)
        if self._look is not None and self._look.windowed:
            self._window_text += text

    def _advance(self) -> None:
        clear = self.length
        if self._acting is not None:
            self._sweep(self._acting)
            clear = min(clear, self._acting.base)
        watching = self._watching
        if watching is not None and watching.pending and (self._ended or len(watching.pending) >= _WATCH_BATCH):
            self._sweep(watching)
        if self._look is not None and self._look.windowed:
            self._cut_windows()
            clear = min(clear, self._windows_cleared)
        if self._held and self.length > self._hold_limit:
            self._held = False  # from here on each rule's `on_error` says what happens
            rules = self._look.rules if self._look is not None else ()
            self._overflow(((r, use.kind) for r in rules if r.stream == "hold" for use in r.uses), "overflow")
        if self._held:
            clear = 0
        if self._stop is not None:
            clear = min(clear, self._stop)
        for edit in reversed(self.edits):
            if edit.span[1] <= clear:
                break
            clear = min(clear, edit.span[0])
        self._cleared = max(self._cleared, clear)

    def _cut_windows(self) -> None:
        assert self._look is not None
        start = 0
        asked = tuple(
            (rule, use) for rule, use in self._look.windowed if rule.id in self._active and use.kind not in self._pinned
        )
        for end in borders(self._window_text, final=self._ended):
            self._due.append(Due(self._window_base + start, self._window_text[start:end], asked))
            start = end
        self._window_text = self._window_text[start:]
        self._window_base += start

    def _sweep(self, tail: _Tail) -> None:
        if not tail.pending:
            return
        try:
            scan, shift = tail.scan(final=self._ended)
        except ScanError:
            for row in tail.sweep.asked:
                for asked in row:
                    if asked.rule.id in self._active and asked.kind not in self._pinned:
                        self._fail(asked.rule, asked.kind, "crash", tail.base)
            tail.drop(len(tail.pending))
            return
        fresh: list[Edit] = []
        for match in scan.matches:
            for asked in tail.sweep.asked[match.spec]:
                if asked.rule.id not in self._active or asked.kind in self._pinned:
                    continue
                spec = tail.sweep.scanner.specs[match.spec]
                span = (match.start + shift, match.end + shift)
                finding = Finding(asked.kind, spec.label, spec.score, self.where, span, asked.rule.id, self.choice)
                if match.too_wide:
                    self._fail(asked.rule, asked.kind, "too_wide", span[0])
                fresh.extend(self._found(asked.rule, finding, start=span[0]))
        self._add_edits(fresh)
        done = scan.cut + shift - tail.base
        tail.drop(done)
        if len(tail.pending) > (self._max_hold if tail is self._acting else self._hold_limit):
            # What is still alive here can't be held any longer: it counts as found, under each rule's `on_error`.
            self._overflow(((asked.rule, asked.kind) for row in tail.sweep.asked for asked in row), "too_wide")
            tail.drop(len(tail.pending))

    def _found(self, rule: PlannedRule, finding: Finding, *, start: int) -> list[Edit]:
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
            if not self._fixed:
                return [edit_for(rule, finding)]
            self._fail(rule, finding.detector, "uneditable", start)
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
                self._fail(rule, kind, reason, self._cleared)

    def _fail(self, rule: PlannedRule, kind: str, reason: Reason, start: int) -> None:
        failure = Failure(kind, reason, self.where, rule.id, self.choice, rule.on_error)
        self._failed(rule, failure, start=start)

    def _failed(self, rule: PlannedRule, failure: Failure, *, start: int) -> None:
        known = self.results.setdefault(rule.id, RuleResult()).failures
        if failure not in known:
            known.append(failure)
        if WHOLLY in self._exempt.get(rule.id, ()):
            return
        if rule.stream == "hold" and self._held:
            return  # all is held until the verdict on the whole, which knows what permits remove
        if rule.on_error == "refuse" and rule.acts and rule.stream != "after":
            self.failed_closed = True
            self._stop = start if self._stop is None else min(start, self._stop)
