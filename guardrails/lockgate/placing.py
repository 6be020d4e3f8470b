"""Notes put into an answer: behind it, behind a sentence, or as marks within. What a text can't take is metadata alone.

    notes.asked(verdict)                the prompt is judged: what it flags may stand in the answer
    notes.takes(where, role, kind)      whether readers read such a text as prose
    notes.place(verdict, segments)      a whole answer's choice is judged: its notes become edits
    notes.deliver(verdict, edits)       it is edited: findings behind its flags point into the text as it leaves

In a stream `gate_notes.py` does within the text what `place` does with all of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from lockgate.act import unite
from lockgate.detectors.language import language_of
from lockgate.editing import LAST, Editing
from lockgate.exchange import Exchange, Kind, Role, Segment
from lockgate.markup import Markup
from lockgate.messages import DEFAULT
from lockgate.notes import Note, country_of, footnotes
from lockgate.policy.plan import Plan
from lockgate.refusing import explained, kinds_of
from lockgate.verdict import Action, Edit, Finding, Flag, Verdict

FOOTNOTE = ("", "footnote")
"""The kind of an edit that puts notes behind a text."""

NEAR = 1_000
"""How many characters before a note within a text say in which language it is."""

_PROSE = re.compile(
    r"|/content(?:/\d+/text)?|/choices/\d+/(?:text|message/content(?:/\d+/text)?)|/output/\d+/content/\d+/text"
)

Span = tuple[int, int]
Kept = tuple[str, tuple[str, ...]]
"""What notes within a text have in common that say the same: form and key."""


class Notes:
    """Of one exchange."""

    def __init__(self, plan: Plan, exchange: Exchange, editing: Editing) -> None:
        self._plan = plan
        self._exchange = exchange
        self._editing = editing
        self._asked: list[Flag] = []
        self._country = country_of(exchange.subject.tags)
        self._language: str | None = None

    @property
    def wanted(self) -> bool:
        """An answer may get some."""
        return self._plan.notes

    def asked(self, verdict: Verdict) -> None:
        self._explain(verdict)
        if verdict.flags:
            verdict.flags = self._worded(verdict.flags, self._asking)
        verdict.flags = [replace(flag, findings=()) for flag in verdict.flags]  # those are places of the question
        self._asked = [flag for flag in verdict.flags if flag.note is not None and flag.note.form == "footnote"]

    def takes(self, where: str, role: Role, kind: Kind) -> bool:
        """A text of code, of structures or of a tool is none."""
        plain = role == "assistant" and kind == "text" and _PROSE.fullmatch(where) is not None
        return plain and self._editing.form(where, kind, "") is None

    def place(self, verdict: Verdict, segments: Sequence[Segment]) -> None:
        self._explain(verdict)
        flags = [flag for flag in verdict.flags if flag.note is not None and not flag.note.bare]
        if not flags and not self._asked:
            return
        prose = sorted((s for s in segments if s.text and self._is_prose(s)), key=lambda s: position(s.where))
        language = self.spoken(prose[-1].text) if prose else self._asking
        verdict.flags = self._worded(verdict.flags, language)
        if verdict.action is Action.REFUSE or verdict.unavailable or not prose:
            return
        edits, given = self._within(flags, prose)
        edits.extend(self._behind(prose[-1], [flag for flag in (*self._asked, *flags) if not _is_given(flag, given)]))
        if edits:
            verdict.edits = unite([*verdict.edits, *edits])

    def deliver(self, verdict: Verdict, edits: Callable[[], Sequence[Edit]]) -> None:
        """`edits` gives all with which the answer leaves."""
        if not any(flag.findings for flag in verdict.flags):
            return
        by_place: dict[str, list[Edit]] = {}
        for edit in edits():
            by_place.setdefault(edit.where, []).append(edit)
        verdict.flags = [
            replace(
                flag, findings=tuple(_delivered(finding, by_place.get(finding.where, ())) for finding in flag.findings)
            )
            if flag.findings and flag.note is not None and not flag.note.bare
            else flag
            for flag in verdict.flags
        ]

    def point(self, where: str, text: str, at: int, note: Note, rule: str) -> Edit:
        """A note within a text, whose sign after `at` is known if there is one."""
        language = self.spoken(text[max(at - NEAR, 0) : at])
        inline = note.form == "inline"
        said = f" [{note.mark(language, self._country)}]" if inline else f" ({note.text(language, self._country)})"
        if text[at : at + 1] in ("(", "["):
            said += " "  # else Markdown would take the mark for a link's text
        return Edit(where, (at, at), said, rule)

    def spoken(self, text: str) -> str:
        """The language of a text; where it can't be told, that of the question."""
        return _language(text) or self._asking

    # The rest is how.

    def _explain(self, verdict: Verdict) -> None:
        if verdict.action is not Action.REFUSE or not verdict.by:
            return
        rule = next(rule for rule in self._plan.side(verdict.side).rules if rule.id == verdict.by)
        if rule.refusal is None or not rule.refusal.explains:
            return
        verdict.found = kinds_of(finding for finding in verdict.findings if finding.rule == rule.id)
        if rule.refusal.own:
            verdict.message = explained(verdict.side, rule.id, verdict.found, self._asking)
            verdict.refused_choices = dict.fromkeys(verdict.refused_choices, verdict.message)

    @property
    def _asking(self) -> str:
        if self._language is None:
            asked = [s.text for s in self._exchange.prompt if s.role == "user" and s.kind == "text"]
            self._language = (_language(asked[-1]) if asked else None) or DEFAULT
        return self._language

    def _worded(self, flags: Iterable[Flag], language: str) -> list[Flag]:
        return [
            replace(flag, text=flag.note.text(language, self._country)) if flag.note is not None else flag
            for flag in flags
        ]

    def _is_prose(self, segment: Segment) -> bool:
        return not segment.fixed and self.takes(segment.where, segment.role, segment.kind)

    def _within(self, flags: Sequence[Flag], prose: Sequence[Segment]) -> tuple[list[Edit], set[tuple[str, ...]]]:
        """The notes within texts, and the keys of those that were given as a sentence."""
        edits: list[Edit] = []
        given: set[tuple[str, ...]] = set()
        wanted: dict[Kept, list[Flag]] = {}
        for flag in flags:
            if flag.note is not None and flag.note.within:
                wanted.setdefault((flag.note.form, flag.note.key), []).append(flag)
        for segment in prose if wanted else ():
            markup = Markup(segment.text)
            for (form, key), mine in wanted.items():
                note = mine[0].note
                assert note is not None
                if key in given and form != "inline":
                    continue
                found = [f for flag in mine for f in flag.findings if f.where == segment.where]
                for span in united(f.span for f in found if f.span is not None):
                    at = place_of(markup, span, note, final=True)
                    if not isinstance(at, int):
                        continue
                    edits.append(self.point(segment.where, segment.text, at, note, mine[0].rule))
                    if form != "inline":
                        given.add(key)
                        break
        return edits, given

    def _behind(self, target: Segment, flags: Sequence[Flag]) -> Iterator[Edit]:
        language = self.spoken(target.text)
        said: dict[tuple[str, ...], str] = {}
        for flag in flags:
            if flag.note is not None and flag.note.form == "footnote":
                said.setdefault(flag.note.key, flag.note.text(language, self._country))
        if said and not _is_json(target.text) and not Markup(target.text).in_code:
            end = len(target.text)
            yield Edit(
                target.where, (end, end), footnotes(target.text, dict.fromkeys(said.values())),
                flags[0].rule, LAST, kind=FOOTNOTE,
            )  # fmt: skip


def place_of(markup: Markup, span: Span, note: Note, *, final: bool) -> object:
    """Where the note of what was found at `span` stands: an offset, None, or `Wait`."""
    if markup.text.lstrip()[:1] in ("{", "["):
        return None  # it may turn out to be JSON
    end = markup.sentence_end if note.form != "inline" else markup.word_end
    return end(span[1], final=final) if markup.text[slice(*span)].strip() else None


def united(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, overlapping ones as one."""
    out: list[Span] = []
    for start, end in sorted(spans):
        if out and start < out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def position(where: str) -> tuple[int, ...]:
    """How far on in its answer a text stands."""
    return tuple(int(part) for part in where.split("/") if part.isdecimal())


def _is_given(flag: Flag, given: set[tuple[str, ...]]) -> bool:
    return flag.note is not None and flag.note.key in given


def _is_json(text: str) -> bool:
    if text.strip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _language(text: str) -> str | None:
    try:
        return language_of(text)
    except ImportError:  # who tells languages apart is not installed
        return None


def _delivered(finding: Finding, edits: Sequence[Edit]) -> Finding:
    if finding.span is None:
        return finding
    start, end = finding.span
    first, last = start, end
    for edit in edits:
        low, high = edit.span
        grown = len(edit.replacement) - (high - low)
        if high <= start:
            first += grown
        elif low < start:
            first -= start - low
        if high <= end and low < end:
            last += grown
        elif low < end:
            last += len(edit.replacement) - (end - low)
    return replace(finding, span=(first, last))
