from __future__ import annotations

import pytest

from lockgate.errors import PatternError
from lockgate.policy.sweeps import Patterns
from saying import patterns, plan_of, rule, words


def test_rules_that_ask_for_the_same_share_a_sweep() -> None:
    plan = plan_of(rule("a", words("x"), "refuse"), rule("b", patterns(Y="y+"), "refuse"))
    made = Patterns(plan.completion.rules, 2048)
    first, second = plan.completion.rules
    assert made.sweep([first]) is made.sweep([first])
    assert made.sweep([]) is None
    assert made.of([first]).isdisjoint(made.of([second]))
    both = made.sweep([first, second])
    assert both is not None
    assert sorted({asked.rule.id for row in both.asked for asked in row}) == ["a", "b"]


def test_a_pattern_that_is_too_large_is_named() -> None:
    with pytest.raises(PatternError, match="BIG"):
        plan_of(rule("a", patterns(BIG="(?:[a-z]{1,200}){1,200}x"), "refuse"))
