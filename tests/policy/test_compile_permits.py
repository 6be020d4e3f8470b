from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compiling import WORDS, plan_of
from lockgate.errors import PolicyError
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy

SSN = {"pii": {"kinds": ["US_SSN"]}}


@pytest.mark.parametrize("name", ["ssn", "US_SSN", "WORDS"])
def test_a_permit_names_a_rule_or_a_label(name: str) -> None:
    plan = plan_of({"id": "ssn", "use": SSN}, {"id": "p", "side": "prompt", "use": WORDS, "then": None, "permit": name})
    assert plan.prompt.rules[1].permit == {name}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("snn", "did you mean `ssn`?"),
        ("US_SNN", "did you mean `US_SSN`?"),
        ("EMAIL_ADDRESS", ""),  # a label, and no detector of this policy gives it
        ("p", ""),  # itself
        ("nothing-like-it", ""),
    ],
)
def test_a_permit_that_names_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(
        "version: 1\nname: t\nrules:\n"
        "  - {id: ssn, side: prompt, use: {pii: {kinds: [US_SSN]}}, then: refuse}\n"
        "  - id: p\n    side: prompt\n    use: {words: {words: [x]}}\n"
        f"    permit: [ssn, {name}]\n"
    )
    with pytest.raises(PolicyError) as raised:
        compile_policy(load_policy("p.yaml"))
    assert raised.value.where == "p.yaml:8"
    assert raised.value.problem.startswith(f"rule 'p' permits {name!r}, which is no other rule's id")
    assert hint in raised.value.hint


def test_a_permit_that_the_answer_decides_may_not_take_another_permit_away_in_a_stream() -> None:
    rules: list[dict[str, Any]] = [
        {"id": "ssn", "use": SSN},
        {"id": "staff", "use": {}, "when": "request.model == 'x'", "then": None, "permit": ["ssn"]},
        {"id": "but", "use": WORDS, "then": None, "permit": ["staff"]},
    ]
    with pytest.raises(PolicyError, match="rule 'but' may permit 'staff' by what it finds in the answer"):
        plan_of(*rules)
    plan_of(*rules[:2], {**rules[2], "side": "prompt"})
