"""What a refusal says: what kind of thing was found, by which rule, and what to do instead. Never what was found itself.

The words are in `refusals.json`, by language.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lockgate.exchange import Side
from lockgate.messages import chosen
from lockgate.verdict import Finding

OTHER = "content"
"""The kind of what has no other: a policy's own words and patterns."""


@cache
def _words() -> Mapping[str, Any]:
    path = Path(__file__).with_name("refusals.json")
    words: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return words


def kinds_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The kinds of things that were found, each once."""
    return tuple(dict.fromkeys(_kind(finding) for finding in findings))


def explained(side: Side, rule: str, kinds: Iterable[str], language: str) -> str:
    """The words of a refusal whose rule has none of its own."""
    words = _words()
    found = [words["kinds"][kind] for kind in kinds]
    said = [chosen(language, "", words["stopped"]), chosen(language, "", words["rule"]).format(rule)]
    if found:
        names = ", ".join(chosen(language, "", kind["name"]) for kind in found)
        said.append(chosen(language, "", words["found"]).format(names))
    instead = words["answer"] if side == "completion" else found[0]["instead"] if found else words["unknown"]
    return " ".join([*said, chosen(language, "", instead)])


def _kind(finding: Finding) -> str:
    known = _words()["of"]
    family = finding.label.partition(".")[0]
    kind: str = known.get(f"{finding.detector}:{family}", known.get(finding.detector, OTHER))
    return kind
