"""Values in pieces, in an answer: the end of one text, and the beginning of the next one that a client puts behind it.

An answer's message may have several texts, and clients show them as one (`output_text` of the SDKs joins them as they
are). So a value that the model cuts at such a border is looked for across it. What stands before the border has left
already; what is found is the piece behind it. A plain answer and a stream are looked at by the same code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockgate.detectors.scanner import Match, ScanError
from lockgate.exchange import Kind, Segment
from lockgate.joined import TAIL, goes_on_behind, pieces_of_prompt
from lockgate.policy.plan import SidePlan, Sweep
from lockgate.tail import Tail


def shown_together(where: str, kind: Kind) -> bool:
    """Whether a text of an answer is one of those that are shown as one."""
    return kind == "text" and where.endswith("/text") and where.startswith("/output/")


class Seam(Tail):
    """The tail of a text that stands behind `lead`: offsets below 0 are the lead's. It gives what crosses the border and
    is not said by the lead alone, from the border on. What scans raises ScanError."""

    __slots__ = ("_alone", "_text")

    def __init__(self, sweep: Sweep, lead: str) -> None:
        super().__init__(sweep)
        self.base = self.released = -len(lead)
        self.pending = self._text = lead
        self._alone: list[Match] | None = None

    @property
    def done(self) -> bool:
        """Nothing that is still open crosses the border."""
        return self.base >= 0

    def feed(self, text: str) -> None:
        self.pending += text
        self._text += text

    def scan(self, *, final: bool) -> tuple[list[Match], int, int]:
        matches, shift, cut = super().scan(final=final)
        first = len(self._text) - len(self.pending) - self.base  # of `_text`, where the border is
        if self._alone is None:
            lead = self.sweep.scanner.scan(self._text[:first]).matches
            self._alone = [Match(one.spec, one.start - first, one.end - first) for one in lead]
        specs = self.sweep.scanner.specs
        kept = []
        for match in matches:
            at = Match(match.spec, match.start + shift, match.end + shift)
            if not at.start < 0 < at.end or specs[at.spec].view != "folded":
                continue
            said = [one for one in self._alone if one.spec == at.spec and at.start < one.end and one.start < at.end]
            if all(goes_on_behind(self._text, first, at, one) for one in said):
                kept.append(Match(at.spec, -shift, match.end, match.too_wide))
        return kept, shift, cut


class Leads:
    """The last of what each choice has said in texts that are shown together."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[int, tuple[str, str]] = {}  # choice → the text that began last, and what is said so far

    def before(self, choice: int | None, where: str) -> str:
        """What stands before a text that begins now."""
        said = self._last.get(choice or 0, ("", ""))[1]
        self._last[choice or 0] = (where, said)
        return said

    def heard(self, choice: int | None, where: str, text: str) -> None:
        """More of a text. One that goes on after another has begun stands before neither."""
        if self._last:
            last, said = self._last.get(choice or 0, ("", ""))
            if last == where:
                self._last[choice or 0] = (where, (said + text)[-TAIL:])


def pieces(side: SidePlan, segments: Sequence[Segment]) -> Iterator[tuple[Segment, Sweep, Match | None]]:
    """The pieces of values that borders between texts cut, each in its text; None for what could not be looked at."""
    if side.side == "prompt":
        yield from pieces_of_prompt(side, segments)
        return
    leads = Leads()
    for segment in segments:
        if segment.fixed or not shown_together(segment.where, segment.kind):
            continue
        before, look = leads.before(segment.choice, segment.where), side.look(segment.role, segment.kind)
        leads.heard(segment.choice, segment.where, segment.text)
        if not before or not segment.text or look is None or look.patterns is None:
            continue
        seam = Seam(look.patterns, before)
        seam.feed(segment.text)
        try:
            matches, shift, _ = seam.scan(final=True)
        except ScanError:
            yield segment, look.patterns, None
        else:
            for match in matches:
                yield segment, look.patterns, Match(match.spec, 0, match.end + shift, match.too_wide)
