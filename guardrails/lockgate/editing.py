"""How one exchange's texts are edited: which mask stands for what, what stays JSON, what is put back in the answer.

    editing = Editing(masks, declared, limit=…)
    editing.maker(segments)      a finding → its edit, for whole texts; None where none can be made
    editing.sent(edits)          what of the prompt's edits the upstream gets to see
    editing.restored(segments)   the edits that put values back in a whole answer
    editing.less_ours(results, segments)    less the findings of an answer that are masks of ours

Streams have gates that do the same as the text comes: `gate_text.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from lockgate.act import edit_for
from lockgate.decide import Results
from lockgate.exchange import Kind, Segment
from lockgate.forms import Form
from lockgate.masks import Masks
from lockgate.outline import Fit, Outline, Wait, decoded, encoded
from lockgate.policy.plan import Look, PlannedRule
from lockgate.restoring import Finder
from lockgate.verdict import Edit, Finding
from lockgate.wire.declared import Declared

PlainMake = Callable[[str], str]

LAST = -(2**63)
"""The priority of what puts values back: below all that policies have."""


class Editing:
    """See the module. `limit` is how long a string that a schema confines may be, in characters, to be edited."""

    def __init__(self, masks: Masks, declared: Declared, *, limit: int) -> None:
        self.masks = masks
        self.limit = limit
        self._declared = declared
        self._finder: Finder | None = None

    def form(self, where: str, kind: Kind, name: str) -> Form | None:
        return self._declared.form(where, kind, name)

    def finder(self) -> Finder | None:
        """Finds the masks that are put back in the answer; None if there are none."""
        if self._finder is None and self.masks.originals:
            self._finder = Finder(self.masks.originals)
        return self._finder

    def sent(self, edits: Iterable[Edit]) -> None:
        """The prompt leaves with these edits."""
        self.masks.sent((edit.replacement, edit.restores) for edit in edits)

    def concerns(self, look: Look | None, form: Form | None) -> bool:
        """Whether a gate has to know its text: for its masks, its structure, or what is put back in it."""
        if self.masks.any_sent:
            return True
        rewriting = [rule.rewrite for rule in look.rules if rule.rewrite is not None] if look is not None else []
        return bool(rewriting) and (form is not None or any(r.mode in ("hash", "pseudonym") for r in rewriting))

    def less_ours(self, results: Results, segments: Iterable[Segment]) -> None:
        """Take out of an answer's results what was found in masks that the upstream was sent: they are nobody's data."""
        if not self.masks.any_sent:
            return
        texts = {segment.where: segment.text for segment in segments}
        for rule, result in list(results.items()):
            result.findings = [f for f in result.findings if not self._is_ours(f, texts)]
            if not result.findings and not result.failures:
                del results[rule]

    def _is_ours(self, finding: Finding, texts: Mapping[str, str]) -> bool:
        return finding.span is not None and self.masks.is_sent(texts.get(finding.where, "")[slice(*finding.span)])

    def restored(self, segments: Sequence[Segment]) -> list[Edit]:
        """The edits that put values back in the texts of a whole answer."""
        finder = self.finder()
        edits: list[Edit] = []
        texts = _Texts(self, segments)
        for segment in segments if finder is not None else ():
            if segment.fixed or "/logprobs/" in segment.where:
                continue
            assert finder is not None
            for start, end, original in finder.scan(segment.text, final=True)[0]:
                edit = restoring(segment.where, (start, end), original, texts.outline(segment.where))
                if isinstance(edit, Edit):
                    edits.append(edit)
        return edits

    def maker(self, segments: Sequence[Segment]) -> Make:
        """What makes the edits of whole texts."""
        return Make(_Texts(self, segments), self.masks)


class _Texts:
    """Texts by place, with their outlines, which are made when they are asked for."""

    def __init__(self, editing: Editing, segments: Sequence[Segment]) -> None:
        self._editing = editing
        self._segments = segments
        self._by_place: dict[str, Segment] | None = None
        self._outlines: dict[str, Outline | None] = {}

    def get(self, where: str) -> Segment | None:
        if self._by_place is None:
            self._by_place = {segment.where: segment for segment in self._segments}
        return self._by_place.get(where)

    def outline(self, where: str) -> Outline | None:
        if where not in self._outlines:
            segment = self.get(where)
            assert segment is not None
            name = self.get(f"{where.rpartition('/')[0]}/name")
            form = self._editing.form(where, segment.kind, name.text if name is not None else "")
            outline = self._outlines[where] = Outline(form, limit=self._editing.limit) if form is not None else None
            if outline is not None:
                outline.feed(segment.text)
        return self._outlines[where]


class Make:
    """Makes the edit of a finding in a whole text; None if the text can't take it."""

    def __init__(self, texts: _Texts, masks: Masks) -> None:
        self._texts = texts
        self._masks = masks

    def __call__(self, rule: PlannedRule, finding: Finding) -> Edit | None:
        segment = self._texts.get(finding.where)
        assert finding.span is not None
        if segment is None or not segment.text:
            return edit_for(rule, finding)  # of a stream's text that has left: it is on record only
        outline = self._texts.outline(finding.where)
        if outline is None:
            return edit_for(rule, finding, segment.text[slice(*finding.span)], self._masks)
        edit = fitted(rule, finding, self._masks, outline, final=True)
        return edit if isinstance(edit, Edit) else None


def fitted(rule: PlannedRule, finding: Finding, masks: Masks, outline: Outline, *, final: bool) -> Edit | Wait | None:
    """The edit that `rule` makes of a finding in a JSON text: within one string value, so that the text stays JSON with
    the same keys and types, and such that the value may still stand there. None: it can't be made."""
    assert finding.span is not None
    fit = outline.fit(*finding.span, final=final)
    if not isinstance(fit, Fit):
        return fit
    text = outline.raw(fit.start, fit.end)
    finding = Finding(finding.detector, finding.label, finding.score, finding.where, (fit.start, fit.end))
    if fit.value is None:
        return edit_for(rule, finding, text, masks)
    plain = edit_for(rule, finding, decoded(text), masks)
    assert plain.make is not None
    make = partial(_within, plain.make)
    edit = Edit(
        plain.where, plain.span, make(text), plain.rule, plain.priority,
        kind=plain.kind, text=text, make=make, restores=plain.restores,
    )  # fmt: skip
    return edit if outline.holds(fit.value, fit.start, fit.end, edit.replacement) else None


def _within(make: PlainMake, raw: str) -> str:
    return encoded(make(decoded(raw)))


def restoring(
    where: str, span: tuple[int, int], original: str, outline: Outline | None, *, final: bool = True
) -> Edit | Wait | None:
    """The edit that puts a value back in the place of its mask. None: in JSON, where it is not in a string value. Of
    edits that overlap it yields, whatever the others' priority."""
    if outline is not None:
        fit = outline.fit(*span, final=final)
        if not isinstance(fit, Fit):
            return fit
        if fit.value is not None:
            span, original = (fit.start, fit.end), encoded(original)
    return Edit(where, span, original, priority=LAST)
