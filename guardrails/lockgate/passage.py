"""One exchange's passage through the lock: the one story that the proxy and the decorator both tell.

passage = Passage(plan, exchange)
verdict = await passage.prompt(reading)          # may refuse, edit, flag
verdict = await passage.answer(reading)          # a plain answer, choice by choice
stream = passage.stream()                        # or a streamed one, delta by delta
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.act import unite
from lockgate.ahead import Ahead
from lockgate.channels import concerning, role_of, turn_of
from lockgate.decide import Results, RuleResult, blank, decide, judge_unseen, merge
from lockgate.detectors.judge import question_of
from lockgate.detectors.leak import plant
from lockgate.editing import Editing
from lockgate.engine import FAILED, NOT_ADMITTED, SILENT, STOPPED_EARLY, Engine, Looked, left_out
from lockgate.exchange import Exchange, Kind, Reading, Segment, Side
from lockgate.gate import Gate
from lockgate.gate_notes import NotedGate
from lockgate.gate_text import TextGate
from lockgate.marks import Marker, encode, mark_of
from lockgate.masks import PROCESS, Masker
from lockgate.placing import Notes
from lockgate.policy.plan import Plan
from lockgate.revising import Revising
from lockgate.seam import Leads, shown_together
from lockgate.settling import settled
from lockgate.silence import Silences
from lockgate.verdict import Action, Edit, Verdict
from lockgate.wire.declared import Declared
from lockgate.wire.lens import choice_of


class Passage:
    """Runs one exchange through a plan, under the overlays that cover it. `verdicts` collects what was decided, for the audit; a `marker` marks the texts
    of a stream, which are not kept; a `masker` has the key of masks; the document of the `request` declares what
    JSON the answer holds."""

    def __init__(
        self,
        plan: Plan,
        exchange: Exchange,
        engine: Engine | None = None,
        *,
        marker: Marker | None = None,
        masker: Masker = PROCESS,
        request: Any = None,
    ) -> None:
        plan = plan.chosen(exchange)
        self.plan = plan
        self.editing = Editing(masker.masks(exchange.subject.tenant), Declared(request), limit=plan.max_hold)
        self.notes = Notes(plan, exchange, self.editing)
        self.revising = Revising(plan, exchange, engine or Engine(), self.editing)
        self.marker = marker
        self.exchange = exchange
        self.engine = self.revising.engine
        self.verdicts: dict[Side, Verdict] = {}

    async def prompt(self, reading: Reading) -> Verdict:
        """Look at the whole request and decide."""
        self.exchange.prompt = reading.segments
        verdict = await self._side("prompt", reading.segments, None, reading.unknown)
        judge_unseen(verdict, self.plan, reading.unseen)
        verdict.coverage.skipped.update(reading.skipped)
        self.editing.sent(verdict.edits)
        if self.plan.judged:
            self.exchange.asked = question_of(reading.segments, verdict.edits)
        self.notes.asked(verdict)
        if self.plan.canary and verdict.action is not Action.REFUSE and not verdict.unavailable:
            canary = plant(reading.segments, self.plan.canary)
            verdict.edits = [*verdict.edits, canary] if canary is not None else verdict.edits
        self.verdicts["prompt"] = verdict
        return verdict

    async def answer(self, reading: Reading) -> Verdict:
        """Look at a whole answer and decide, each choice for itself; what belongs to none goes with choice 0."""
        self.exchange.completion, self.exchange.logprobs = reading.segments, reading.logprobs
        choices: dict[int, list[Segment]] = {0: []}
        for segment in reading.segments:
            choices.setdefault(segment.choice or 0, []).append(segment)
        for where in reading.skipped:
            choices.setdefault(choice_of(where) or 0, [])
        parts = [
            await self._side("completion", segments, choice, concerning(choice, reading.unknown))
            for choice, segments in choices.items()
        ]
        if len(parts) == 1:
            verdict = parts[0]
        else:
            verdict = merge(parts, blank(self.plan, "completion"))
            verdict.timings["look"] = sum(part.timings["look"] for part in parts)
        verdict.coverage.skipped.update(reading.skipped)
        self.notes.deliver(verdict, lambda: self.edits(verdict))
        self.verdicts["completion"] = verdict
        return verdict

    def edits(self, verdict: Verdict) -> list[Edit]:
        """The edits with which a whole answer leaves: the verdict's, and those that put back what masks stand for."""
        back = self.editing.restored(self.exchange.completion)
        return unite([*verdict.edits, *back]) if back else verdict.edits

    def stream(self) -> Stream:
        """The passage of a streamed answer."""
        return Stream(self)

    async def _side(
        self, side: Side, segments: Sequence[Segment], choice: int | None, unknown: Sequence[str]
    ) -> Verdict:
        begin = time.perf_counter()
        plan = self.plan.side(side)
        looked = await self.engine.look(
            plan, segments, self.exchange, deadline=self.plan.deadline, active=plan.active_for(self.exchange)
        )
        if side == "completion":
            self.editing.less_ours(looked.results, segments)
        verdict = decide(
            self.plan, side, plan.rules_for(self.exchange), looked.results, self.exchange,
            choice=choice, unknown=unknown, make=self.editing.maker(segments),
        )  # fmt: skip
        if side == "completion":
            verdict = await self.revising.revised(verdict, segments, choice, unknown)
            self.notes.place(verdict, segments)
        verdict.coverage = looked.coverage
        verdict.timings["look"] = time.perf_counter() - begin
        return verdict


class Stream:
    """A streamed answer. The caller feeds deltas and lets out what each gate has cleared.

    `feed` never waits. Where it returns True, windows are due: await `settle()` before looking at `cleared`.
    """

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._plan = passage.plan
        self._side = passage.plan.completion
        self._settled = settled(self._side, passage.exchange)
        self._gates: dict[str, Gate] = {}
        self._by_choice: dict[int, list[Gate]] = {}
        self._running: dict[str, hmac.HMAC] = {}
        self._names: dict[str, str] = {}  # of tools
        self._segments: dict[str, Segment] = {}
        self._skipped: dict[str, str] = {}
        self._unknown: dict[str, None] = {}  # in the order in which they came
        self._begin = time.perf_counter()
        self.verdicts: dict[int, Verdict] = {}
        self.most_held = 0
        self._tripped = False
        self._waiting: dict[Gate, None] = {}  # gates that have windows due
        self._silences = Silences(self.give_up)
        self._owed = False  # a gate that was given up has something to settle
        self._ahead = Ahead(passage.exchange)
        self._leads = Leads()

    @property
    def tripped(self) -> bool:
        """Some choice is refused or closed in mid-stream: ask `refused` and `closed` which."""
        return self._tripped or self.unknown_refused

    def gate(self, channel: str) -> Gate:
        return self._gates[channel]

    def feed(
        self, choice: int, channel: str, kind: Kind, text: str, *, fixed: bool = False, whole: bool = False
    ) -> bool:
        """More text of a channel (its pointer in the equivalent plain answer). True: `settle()` is due, or nothing more
        may leave. `whole` is a text that comes in one piece: what follows in its channel is another one."""
        gate = self._gates.get(channel)
        if fixed:
            self._names[channel] = self._names.get(channel, "") + text
        if gate is None:
            gate = self._open(choice, channel, kind, fixed=fixed)
        due = self.more(gate, text)
        if kind in ("document", "tool_result"):  # what a search has brought: the rest of the answer may rest on it
            self._passage.exchange.completion.append(Segment(channel, role_of(channel), kind, text, choice))
        if whole:
            gate.end_piece()
            due = self._is_due(gate)
        return due

    def flush(self, gate: Gate) -> bool:
        """A channel has ended. True: `settle()` is due, or nothing more may leave."""
        gate.flush()
        return self._is_due(gate)

    def _is_due(self, gate: Gate) -> bool:
        if not gate.unsettled:
            return False
        if gate.waits:
            self._waiting[gate] = None
        self._tripped = self._tripped or gate.stopped
        return True

    def more(self, gate: Gate, text: str) -> bool:
        """More text of a gate that is open. True: `settle()` is due, or nothing more may leave."""
        gate.feed(text)
        if self._passage.marker is not None:
            running = self._running.get(gate.where)
            if running is None:
                running = self._running[gate.where] = self._passage.marker.running()
            running.update(encode(text))
        held = gate.length - gate.cleared
        if held > self.most_held:  # noqa: PLR1730 - it is seldom so, and this runs for every event
            self.most_held = held
        if self._silences.several:
            self._silences.spoken(gate)
        if gate.keeps_text:
            self._ahead.heard(gate, text)
        self._leads.heard(gate.choice, gate.where, text)
        if gate.unsettled:
            return self._is_due(gate)
        if self._owed:
            self._owed = False
            return True
        return False

    def give_up(self, gate: Gate, *, overflow: bool = False) -> None:
        """Nobody waits for the end of what this gate holds; see there."""
        gate.give_up(overflow=overflow)
        if self._is_due(gate):
            self._owed = True

    def skip(self, skipped: Mapping[str, str], unknown: Sequence[str]) -> None:
        """What an event held that is not read."""
        self._skipped.update(skipped)
        self._unknown.update(dict.fromkeys(unknown))

    def marks(self) -> dict[str, str]:
        """Channel → the mark of its whole text, as the plain answer's would be."""
        return {channel: mark_of(running) for channel, running in self._running.items()}

    @property
    def unknown_refused(self) -> bool:
        return bool(self._unknown) and self._plan.unknown == "refuse"

    async def settle(self) -> None:
        """Have every window that is due looked at."""
        waiting, self._waiting = self._waiting, {}
        await self._settle(list(waiting))

    async def _settle(self, gates: Sequence[Gate]) -> None:
        for gate in gates:
            for due in gate.due():
                segment = self._segments[gate.where]
                answer = await self._passage.engine.look_at(
                    due, gate.where, gate.choice, segment, self._passage.exchange, deadline=self._plan.deadline
                )
                gate.settle(due, *answer)
            self._is_due(gate)

    def acts_on(self, channel: str, kind: Kind) -> bool:
        """Whether a rule may stop or change such a text."""
        look = self._side.look(role_of(channel), kind)
        return look is not None and (look.acting is not None or look.holds or bool(look.windowed))

    def refused(self, choice: int) -> bool:
        """A rule has refused this choice in mid-stream."""
        if self.unknown_refused and concerning(choice, self._unknown):
            return True
        return any(gate.refused is not None for gate in self._of(choice))

    def closed(self, choice: int) -> bool:
        """The guard failed on this choice and fails closed."""
        return any(gate.failed_closed for gate in self._of(choice))

    async def end(self, choice: int) -> Verdict:
        """The choice has ended, by itself or by a refusal: decide it whole, and let out what was held for that."""
        if choice in self.verdicts:
            return self.verdicts[choice]
        gates = self._of(choice)
        for gate in gates:
            gate.flush()
        await self._settle(gates)
        results: Results = {}
        for gate in gates:
            for rule, result in gate.results.items():
                mine = results.setdefault(rule, RuleResult())
                mine.findings.extend(result.findings)
                mine.failures.extend(result.failures)
        stopped = any(gate.refused is not None or gate.failed_closed for gate in gates)
        if not stopped:
            await self._whole(gates, results)
            self._passage.editing.less_ours(results, self._segments.values())
        self._passage.engine.pin(self._side, [self._segments[gate.where] for gate in gates], Looked(results))
        verdict = decide(
            self._plan, "completion", self._side.rules_for(self._passage.exchange), results, self._passage.exchange,
            choice=choice, unknown=concerning(choice, self._unknown),
            make=self._passage.editing.maker([self._segments[gate.where] for gate in gates]),
        )  # fmt: skip
        segments = [self._segments[gate.where] for gate in gates]
        if not stopped:
            kept = [segment for segment, gate in zip(segments, gates, strict=True) if gate.keeps_text]
            verdict = await self._passage.revising.revised(verdict, kept, choice, concerning(choice, self._unknown))
        self._passage.notes.place(verdict, segments)
        passes = not (verdict.unavailable or verdict.action is Action.REFUSE or self.closed(choice))
        for gate in gates:
            self._cover(verdict, gate, stopped=stopped)
            if passes:
                gate.release_held(verdict.edits)
        self._passage.notes.deliver(verdict, lambda: [edit for gate in gates for edit in gate.edits])
        self.verdicts[choice] = verdict
        return verdict

    def _cover(self, verdict: Verdict, gate: Gate, *, stopped: bool) -> None:
        """Record what looked at a gate's text; `stopped`: before what judges whole texts was asked."""
        segment = self._segments[gate.where]
        look = self._side.look(segment.role, segment.kind)
        names = look.among(self._settled.active) if look is not None else ()
        if look is None or not names:
            verdict.coverage.skipped[gate.where] = NOT_ADMITTED
            return
        verdict.coverage.scanned[gate.where] = names
        for failure in verdict.failures:
            if failure.where == gate.where and failure.reason in SILENT:
                verdict.coverage.drop((gate.where,), failure.detector, FAILED)
        left_out(self._side, (segment,), self._passage.exchange, verdict.coverage)
        if stopped:
            for _, use in look.whole:
                verdict.coverage.drop((gate.where,), use.kind, STOPPED_EARLY)

    def close(self) -> Verdict:
        """The stream is over: the answer's verdict, from those of its choices."""
        self._ahead.close()
        verdict = merge(self.verdicts.values(), blank(self._plan, "completion"))
        verdict.coverage.skipped.update(self._skipped)
        verdict.timings["stream"] = time.perf_counter() - self._begin
        self._passage.verdicts["completion"] = verdict
        return verdict

    def _of(self, choice: int) -> list[Gate]:
        return self._by_choice.get(choice, [])

    def _open(self, choice: int, channel: str, kind: Kind, *, fixed: bool) -> Gate:
        role = role_of(channel)
        look, editing, notes = self._side.look(role, kind), self._passage.editing, self._passage.notes
        form = editing.form(channel, kind, self._names.get(f"{channel.rpartition('/')[0]}/name", ""))
        given: dict[str, Any] = {
            "settled": self._settled,
            "max_hold": self._plan.max_hold,
            "hold_limit": self._plan.hold_limit,
            "fixed": fixed,
            "pinned": frozenset(self._passage.engine.pins),
        }
        mine = self._by_choice.setdefault(choice, [])
        gate: Gate
        if not fixed and notes.wanted and notes.takes(channel, role, kind):
            gate = NotedGate(look, channel, choice, editing, notes, **given).following(mine)
        elif editing.concerns(look, form):
            gate = TextGate(look, channel, choice, editing, form, **given)
        else:
            gate = Gate(look, channel, choice, **given)
        if not fixed and shown_together(channel, kind):
            gate.goes_on(self._leads.before(choice, channel))
        mine.append(gate)
        self._silences.opened(gate, turn_of(channel, kind), mine)
        self._gates[channel] = gate
        self._segments[channel] = Segment(channel, role, kind, "", choice, fixed)
        self._ahead.open(gate, self._segments[channel], look)
        return gate

    async def _whole(self, gates: Sequence[Gate], results: Results) -> None:
        """Detectors that judge a whole text, for rules that hold the answer or come after it."""
        segments = []
        for gate in gates:
            if gate.keeps_text:
                segment = self._segments[gate.where]
                segment.text = gate.text
                segments.append(segment)
        if not segments:
            return
        found, failures = await self._passage.engine.look_whole(
            self._side, segments, self._passage.exchange, active=self._settled.active,
            deadline=self._plan.deadline, flag_wait=self._plan.flag_wait,
        )  # fmt: skip
        for finding in found:
            results.setdefault(finding.rule, RuleResult()).findings.append(finding)
        for failure in failures:
            results.setdefault(failure.rule, RuleResult()).failures.append(failure)
