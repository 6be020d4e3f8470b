"""Pure: what an edit puts in a text's place, overlapping edits united, edits applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lockgate.policy.plan import PlannedRule
from lockgate.verdict import Edit, Finding


def replacement(rule: PlannedRule, label: str, width: int) -> str:
    """What `rule` puts in the place of a finding of `label` that is `width` characters long."""
    rewrite = rule.rewrite
    assert rewrite is not None
    if rewrite.mode == "redact":
        return f"[{label}]"
    if rewrite.mode == "mask":
        return "*" * width
    if rewrite.mode == "remove":
        return ""
    return rewrite.text


def edit_for(rule: PlannedRule, finding: Finding) -> Edit:
    assert finding.span is not None
    start, end = finding.span
    return Edit(finding.where, finding.span, replacement(rule, finding.label, end - start), rule.id, rule.priority)


def unite(edits: Iterable[Edit]) -> list[Edit]:
    """Edits by place and position, overlapping ones as one: it covers them all, and takes the replacement of the
    highest priority (equal: the widest, then the first). United edits may be united again: in whatever order and
    groups edits come, what comes of them is the same, so a stream, which learns of them one after the other, agrees
    with the whole."""
    out: list[Edit] = []
    for edit in sorted(edits, key=lambda e: (e.where, e.span[0], -e.span[1])):
        last = out[-1] if out else None
        if last is None or last.where != edit.where or edit.span[0] >= last.span[1]:
            out.append(edit)
            continue
        span = (last.span[0], max(last.span[1], edit.span[1]))
        winner = min(edit, last, key=_rank)
        found = winner.found or winner.span
        out[-1] = replace(winner, span=span, found=None if found == span else found)
    return out


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
