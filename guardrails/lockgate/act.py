"""Pure: what an edit puts in a text's place, overlapping edits united, edits applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from lockgate.masks import Masks
from lockgate.policy.plan import PlannedRule
from lockgate.verdict import Edit, Finding


def replacement(rule: PlannedRule, label: str, text: str, masks: Masks | None = None) -> str:
    """What `rule` puts in the place of `text`, in which a `label` was found. Without `masks`, what needs one shows the
    label alone: no text leaves so, and nobody can tell two values apart."""
    rewrite = rule.rewrite
    assert rewrite is not None
    if rewrite.mode == "mask":
        return "*" * len(text)
    if rewrite.mode == "remove":
        return ""
    if rewrite.mode == "replace":
        return rewrite.text
    if rewrite.mode == "redact" or masks is None:
        return f"[{label}]"
    return masks.mask(rewrite.mode, label, text)


def edit_for(rule: PlannedRule, finding: Finding, text: str | None = None, masks: Masks | None = None) -> Edit:
    """The edit that `rule` makes of a finding of `text`."""
    assert finding.span is not None
    start, end = finding.span
    if text is None:
        text, masks = " " * (end - start), None
    make = partial(_made, rule, finding.label, masks)
    return Edit(
        finding.where, finding.span, make(text), rule.id, rule.priority,
        kind=(finding.detector, finding.label), text=text, make=make,
        restores=rule.rewrite is not None and rule.rewrite.restore,
    )  # fmt: skip


def _made(rule: PlannedRule, label: str, masks: Masks | None, text: str) -> str:
    return replacement(rule, label, text, masks)


def unite(edits: Iterable[Edit]) -> list[Edit]:
    """Edits by place and position, overlapping ones as one: it covers them all, and takes the replacement of the
    highest priority (equal: the widest, then the first). United edits may be united again: in whatever order and
    groups edits come, what comes of them is the same, so a stream, which learns of them one after the other, agrees
    with the whole. Edits of one rule for one label that overlap are of one thing: its mask is that of all of it."""
    out: list[Edit] = []
    group: list[Edit] = []  # what overlaps
    points: list[Edit] = []
    reach = 0
    for edit in sorted(_parts(edits), key=lambda e: (e.where, e.span[0], -e.span[1])):
        if edit.span[0] == edit.span[1]:
            points.append(edit)
            continue
        if group and (group[0].where != edit.where or edit.span[0] >= reach):
            out.append(_one(group, reach))
            group = []
        reach = max(reach, edit.span[1]) if group else edit.span[1]
        group.append(edit)
    if group:
        out.append(_one(group, reach))
    return _with_points(out, points) if points else out


def _with_points(edits: Sequence[Edit], points: Iterable[Edit]) -> list[Edit]:
    """United edits, and what is only put in. It stands behind an edit of the text around it, and once at a place."""
    put: dict[tuple[str, int, str], Edit] = {}
    for point in points:
        at = point.span[0]
        around = (e.span[1] for e in edits if e.where == point.where and e.span[0] < at < e.span[1])
        at = next(around, at)
        put.setdefault((point.where, at, point.replacement), replace(point, span=(at, at)))
    return sorted((*edits, *put.values()), key=lambda e: (e.where, *e.span, -e.priority, e.replacement))


def _parts(edits: Iterable[Edit]) -> Iterable[Edit]:
    for edit in edits:
        yield from edit.parts or (edit,)


def _one(group: Sequence[Edit], reach: int) -> Edit:
    """One edit in the place of edits, sorted by their start, that overlap."""
    if len(group) == 1:
        return group[0]
    span = (group[0].span[0], reach)
    winner = min(_joined(group), key=_rank)
    found = winner.found or winner.span
    return replace(winner, span=span, found=None if found == span else found, parts=tuple(group))


def _joined(group: Sequence[Edit]) -> Iterable[Edit]:
    """What one rule found of one label, and overlaps, as one edit."""
    newest: dict[tuple[str, tuple[str, str]], Edit] = {}
    for edit in group:
        name = (edit.rule, edit.kind)
        before = newest.get(name)
        if before is None or before.make is None or edit.make is None or edit.span[0] >= before.span[1]:
            if before is not None:
                yield before
            newest[name] = edit
            continue
        if edit.span[1] > before.span[1]:
            text = before.text + edit.text[before.span[1] - edit.span[0] :]
            span = (before.span[0], edit.span[1])
            newest[name] = replace(before, span=span, text=text, replacement=before.make(text))
    yield from newest.values()


def _rank(edit: Edit) -> tuple[int, int, int, str, str]:
    start, end = edit.found or edit.span
    return -edit.priority, start - end, start, edit.rule, edit.replacement


def apply(text: str, edits: Sequence[Edit]) -> str:
    """`text` with united edits of this one text applied."""
    parts: list[str] = []
    position = 0
    for edit in edits:
        start, end = edit.span
        parts.append(text[position:start])
        parts.append(edit.replacement)
        position = end
    parts.append(text[position:])
    return "".join(parts)
