"""Runs a plan over whole texts: stages from cheap to dear, one deadline, failures as values.

First all pattern rows, in one pass a text, and without a task switch unless there is much to read. Then, unless that
already refused, the detectors that are code, at the same time, within the plan's deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lockgate.coverage import Coverage
from lockgate.decide import Results, RuleResult
from lockgate.detectors.protocol import Detector, Doubt, OverloadError, PatternDetector
from lockgate.detectors.scanner import Match, ScanError
from lockgate.exchange import Exchange, Segment, Side
from lockgate.policy.plan import PlannedRule, SidePlan, Sweep, Use
from lockgate.seam import pieces
from lockgate.tail import Due
from lockgate.verdict import Action, Failure, Finding, Reason
from lockgate.windows import windows

PIECE = 16_384
"""Characters that are scanned for patterns before others get a turn: some 0.1 ms."""

UNSAMPLED = "unsampled: a share of the exchanges is looked at"
NOT_ADMITTED = "unwatched: no rule looks at this kind of text"
STOPPED_EARLY = "stopped: already refused"
FAILED = "failed: the detectors gave no answer"
SILENT: frozenset[Reason] = frozenset({"timeout", "crash", "overload"})
"""Failures after which a detector has not looked."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A detector's answer, given instead of running it: findings (for one side, or both), or how it fails. Policy
    tests use this; a finding's `where` is filled in with the last text's."""

    findings: Sequence[tuple[Side | None, Finding]] = ()
    fails: Reason | None = None


Pins = Mapping[str, Pin]
"""Detector kind → its pinned answer."""


@dataclass(slots=True)
class Looked:
    """What the detectors said about one group of segments."""

    results: Results = field(default_factory=dict)
    coverage: Coverage = field(default_factory=Coverage)

    def of(self, rule: str) -> RuleResult:
        return self.results.setdefault(rule, RuleResult())


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine has no state of its own; `pins` replace detectors' answers in policy tests."""

    pins: Pins = field(default_factory=dict)

    async def look(
        self,
        side: SidePlan,
        segments: Sequence[Segment],
        exchange: Exchange,
        *,
        deadline: float,
        active: frozenset[str] | None = None,
    ) -> Looked:
        """Look at whole segments. `deadline` in seconds; `active` are the rules that take part (None: all)."""
        looked = Looked()
        slow: dict[int, tuple[Use, list[PlannedRule], list[Segment]]] = {}
        ends: float | None = None  # the clock is read only where there is much to scan
        scanned = 0
        for segment in segments:
            look = side.look(segment.role, segment.kind)
            names = () if look is None else look.names if active is None else look.among(active)
            if look is None or not names:
                looked.coverage.skipped[segment.where] = NOT_ADMITTED
                continue
            looked.coverage.scanned[segment.where] = names
            if look.patterns is not None:
                scanned += len(segment.text)
                if scanned > PIECE:
                    ends = ends or asyncio.get_running_loop().time() + deadline
                    scanned = await self._sweep_long(look.patterns, segment, looked, active, ends)
                else:
                    self._sweep(look.patterns, segment, looked, active)
            for rule, use in (*look.windowed, *look.whole):
                if active is None or rule.id in active:
                    _queue(slow, rule, use, segment)
        left_out(side, segments, exchange, looked.coverage)
        if len(segments) > 1:
            self._join(side, segments, looked, active)
        self.pin(side, segments, looked)
        if not slow:
            return looked
        if looked.results and _refused(side, looked, active):
            _skip(slow, looked)
            return looked
        if ends is not None:
            deadline = max(ends - asyncio.get_running_loop().time(), 0)
        await self._detect(slow, exchange, looked, deadline)
        return looked

    def _sweep(self, sweep: Sweep, segment: Segment, looked: Looked, active: frozenset[str] | None) -> None:
        try:
            matches = sweep.scanner.scan(segment.text).matches
        except ScanError:
            self._unswept(sweep, segment, looked, active, "crash")
        else:
            self._swept(sweep, matches, segment, looked, active)

    async def _sweep_long(
        self, sweep: Sweep, segment: Segment, looked: Looked, active: frozenset[str] | None, ends: float
    ) -> int:
        """Sweep in pieces, with a turn for others before each. Gives the characters scanned since the last turn."""
        loop = asyncio.get_running_loop()
        pieces = sweep.scanner.in_pieces(segment.text, PIECE)
        while True:
            await asyncio.sleep(0)
            if loop.time() >= ends:
                self._unswept(sweep, segment, looked, active, "timeout")
                return 0
            try:
                matches = next(pieces, None)
            except ScanError:
                self._unswept(sweep, segment, looked, active, "crash")
                return 0
            if matches is None:
                return len(segment.text) % PIECE
            self._swept(sweep, matches, segment, looked, active)

    def _join(self, side: SidePlan, segments: Sequence[Segment], looked: Looked, active: frozenset[str] | None) -> None:
        """Values that are cut by a border between texts: each piece is a finding in its text."""
        for segment, sweep, piece in pieces(side, segments):
            if piece is None:
                self._unswept(sweep, segment, looked, active, "crash")
            else:
                self._swept(sweep, [piece], segment, looked, active)

    def _unswept(
        self, sweep: Sweep, segment: Segment, looked: Looked, active: frozenset[str] | None, reason: Reason
    ) -> None:
        for asked in dict.fromkeys(asked for row in sweep.asked for asked in row):
            if asked.kind not in self.pins and (active is None or asked.rule.id in active):
                _fail(looked, asked.rule, asked.kind, reason, segment)
                looked.coverage.drop((segment.where,), asked.kind, FAILED)

    def _swept(
        self,
        sweep: Sweep,
        matches: Sequence[Match],
        segment: Segment,
        looked: Looked,
        active: frozenset[str] | None,
    ) -> None:
        for match in matches:
            spec = sweep.scanner.specs[match.spec]
            for asked in sweep.asked[match.spec]:
                rule = asked.rule
                if asked.kind in self.pins or (active is not None and rule.id not in active):
                    continue
                span = (match.start, match.end)
                finding = Finding(asked.kind, spec.label, spec.score, segment.where, span, rule.id, segment.choice)
                looked.of(rule.id).findings.append(finding)
                if match.too_wide:
                    _fail(looked, rule, asked.kind, "too_wide", segment)
                if segment.fixed and rule.rewrite is not None:
                    _fail(looked, rule, asked.kind, "uneditable", segment)

    def pin(self, side: SidePlan, segments: Sequence[Segment], looked: Looked) -> None:
        """Add the pinned answers, as of the last of `segments`."""
        if not self.pins or not segments:
            return
        segment = segments[-1]
        for rule in side.rules:
            for kind in rule.detectors:
                pin = self.pins.get(kind)
                if pin is None or not rule.admits(segment.role, segment.kind):
                    continue
                if pin.fails is not None:
                    _fail(looked, rule, kind, pin.fails, segment)
                for at, finding in pin.findings:
                    if at in (None, side.side):
                        placed = replace(finding, where=segment.where, rule=rule.id, choice=segment.choice)
                        looked.of(rule.id).findings.append(placed)

    async def _detect(
        self,
        slow: Mapping[int, tuple[Use, list[PlannedRule], list[Segment]]],
        exchange: Exchange,
        looked: Looked,
        deadline: float,
    ) -> None:
        jobs = [job for job in slow.values() if job[0].kind not in self.pins]
        asked = [ask(coded(use), segments, exchange, deadline) for use, _, segments in jobs]
        # One alone needs no task of its own, whose switches cost more than a cheap detector does.
        answers = [await asked[0]] if len(asked) == 1 else await asyncio.gather(*asked)
        for (use, rules, segments), answer in zip(jobs, answers, strict=True):
            if isinstance(answer, str):
                looked.coverage.drop((segment.where for segment in segments), use.kind, FAILED)
            placed = {segment.where: segment for segment in segments}
            for rule in rules:
                if isinstance(answer, str):
                    _fail(looked, rule, use.kind, answer, segments[0])
                    continue
                for finding in answer:
                    segment = placed[finding.where]
                    if not rule.admits(segment.role, segment.kind):
                        continue
                    if isinstance(finding, Doubt):
                        _fail(looked, rule, use.kind, "unverified", segment)
                        continue
                    if rule.rewrite is not None and finding.span is None:
                        _fail(looked, rule, use.kind, "crash", segment)  # it gives spans, it said
                    else:
                        mine = replace(finding, detector=use.kind, rule=rule.id, choice=segment.choice)
                        looked.of(rule.id).findings.append(mine)
                        if segment.fixed and rule.rewrite is not None:
                            _fail(looked, rule, use.kind, "uneditable", segment)

    async def look_whole(
        self,
        side: SidePlan,
        segments: Sequence[Segment],
        exchange: Exchange,
        *,
        deadline: float,
        flag_wait: float,
        active: frozenset[str],
    ) -> tuple[list[Finding], list[Failure]]:
        """At a stream's end: the detectors that judge whole texts. Pattern rows have been swept on the way. Of rules that
        only say something after the answer, the end of it waits for `flag_wait` seconds at most."""
        looked = Looked()
        slow: dict[bool, dict[int, tuple[Use, list[PlannedRule], list[Segment]]]] = {False: {}, True: {}}
        for segment in segments:
            look = side.look(segment.role, segment.kind)
            for rule, use in look.whole if look is not None else ():
                if rule.id in active:
                    _queue(slow[rule.notes], rule, use, segment)
        await asyncio.gather(
            *(
                self._detect(asked, exchange, looked, min(deadline, flag_wait) if notes else deadline)
                for notes, asked in slow.items()
                if asked
            )
        )
        results = looked.results.values()
        return [f for r in results for f in r.findings], [f for r in results for f in r.failures]

    async def look_at(
        self, due: Due, where: str, choice: int | None, segment: Segment, exchange: Exchange, *, deadline: float
    ) -> tuple[list[Finding], list[Failure]]:
        """Look at one window of a stream. `segment` says whose text it is; findings come in channel offsets."""
        findings: list[Finding] = []
        failures: list[Failure] = []
        window = replace(segment, text=due.text, before=due.before)
        by_detector: dict[int, list[tuple[PlannedRule, Use]]] = {}
        for rule, use in due.asked:
            by_detector.setdefault(id(use.detector), []).append((rule, use))
        answers = await asyncio.gather(
            *(ask(coded(pairs[0][1]), [window], exchange, deadline, whole=True) for pairs in by_detector.values())
        )
        for pairs, answer in zip(by_detector.values(), answers, strict=True):
            for rule, use in pairs:
                if isinstance(answer, str):
                    failures.append(_failure(rule, use.kind, answer, where, choice))
                    continue
                for finding in answer:
                    if isinstance(finding, Doubt):
                        failures.append(_failure(rule, use.kind, "unverified", where, choice))
                        continue
                    span = _shifted(finding.span, due.start)
                    if rule.rewrite is not None and span is None:
                        failures.append(_failure(rule, use.kind, "crash", where, choice))
                        continue
                    findings.append(Finding(use.kind, finding.label, finding.score, where, span, rule.id, choice))
        return findings, failures


def left_out(side: SidePlan, segments: Iterable[Segment], exchange: Exchange, coverage: Coverage) -> None:
    """Record what is not looked at by detectors that look at a share of the exchanges."""
    for segment in segments:
        look = side.look(segment.role, segment.kind)
        for kind in look.unsampled(exchange) if look is not None and look.whole else ():
            coverage.drop((segment.where,), kind, UNSAMPLED)


def coded(use: Use) -> Detector:
    """The detector of a use that is not a table of patterns."""
    assert not isinstance(use.detector, PatternDetector)
    return use.detector


async def ask(
    detector: Detector, segments: Sequence[Segment], exchange: Exchange, deadline: float, *, whole: bool = False
) -> list[Finding | Doubt] | Reason:
    """One detector's answer, in offsets of the segments; or the reason why there is none.

    A detector whose reach is a sentence gets windows, as segments whose `where` is ``pointer#start``, unless it cuts
    texts itself; `whole` says that the segments are windows already.
    """
    pieces: dict[str, tuple[str, int]] = {}
    asked: list[Segment] = list(segments)
    if detector.reach.kind == "sentence" and not whole and not getattr(detector, "cuts", False):
        asked = []
        for segment in segments:
            for start, end in windows(segment.text):
                name = f"{segment.where}#{start}"
                pieces[name] = (segment.where, start)
                asked.append(replace(segment, where=name, text=segment.text[start:end]))
    try:
        if getattr(detector, "instant", False):
            answer = list(await detector.detect(asked, exchange))
        else:
            async with asyncio.timeout(deadline):
                answer = list(await detector.detect(asked, exchange))
        _check(answer, asked)
    except TimeoutError:
        return "timeout"
    except OverloadError:
        return "overload"
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return "crash"  # something of its own was cancelled, not we
    except Exception:  # noqa: BLE001 - whatever a detector raises is a failure of the guard, which the rule judges
        return "crash"
    found: list[Finding | Doubt] = []
    for finding in answer:
        where, start = pieces.get(finding.where, (finding.where, 0))
        if isinstance(finding, Doubt):
            found.append(replace(finding, where=where))
        else:
            found.append(replace(finding, where=where, span=_shifted(finding.span, start)))
    return found


def _check(answer: Sequence[Finding | Doubt], asked: Sequence[Segment]) -> None:
    """Raises where findings are not about the texts that the detector was asked about."""
    lengths = {segment.where: len(segment.text) for segment in asked}
    for finding in answer:
        if isinstance(finding, Doubt):
            lengths[finding.where]
            continue
        start, end = finding.span or (0, 0)
        if not 0.0 <= finding.score <= 1.0 or not 0 <= start <= end <= lengths[finding.where]:  # NaN is within nothing
            raise ValueError


def _shifted(span: tuple[int, int] | None, by: int) -> tuple[int, int] | None:
    return None if span is None else (span[0] + by, span[1] + by)


def _queue(
    slow: dict[int, tuple[Use, list[PlannedRule], list[Segment]]], rule: PlannedRule, use: Use, segment: Segment
) -> None:
    _, rules, segments = slow.setdefault(id(use.detector), (use, [], []))
    if rule not in rules:
        rules.append(rule)
    if not segments or segments[-1] is not segment:
        segments.append(segment)


def _fail(looked: Looked, rule: PlannedRule, kind: str, reason: Reason, segment: Segment) -> None:
    failure = _failure(rule, kind, reason, segment.where, segment.choice)
    if failure not in looked.of(rule.id).failures:
        looked.of(rule.id).failures.append(failure)


def _failure(rule: PlannedRule, kind: str, reason: Reason, where: str, choice: int | None) -> Failure:
    return Failure(kind, reason, where, rule.id, choice, rule.judgement(reason))


def _refused(side: SidePlan, looked: Looked, active: frozenset[str] | None) -> bool:
    """Whether a refusal is certain already, so that dearer detectors have nothing to add."""
    if any(rule.permit for rule in side.rules):
        return False
    return any(
        rule.action is Action.REFUSE
        and rule.condition is None
        and (active is None or rule.id in active)
        and looked.results.get(rule.id, _EMPTY).findings
        for rule in side.rules
    )


def _skip(slow: Mapping[int, tuple[Use, list[PlannedRule], list[Segment]]], looked: Looked) -> None:
    for use, _, segments in slow.values():
        looked.coverage.drop((segment.where for segment in segments), use.kind, STOPPED_EARLY)


_EMPTY = RuleResult()
