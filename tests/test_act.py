from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.act import apply, edit_for, replacement, unite
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import PlannedRule
from lockgate.policy.schema import Policy
from lockgate.verdict import Edit, Finding


def rule(rewrite: object) -> PlannedRule:
    rules = [{"id": "r", "side": "prompt", "use": {"words": {"words": ["x"]}}, "then": {"rewrite": rewrite}}]
    policy = Policy.model_validate({"version": 1, "name": "t", "rules": rules})
    return compile_policy(policy).prompt.rules[0]


@pytest.mark.parametrize(
    ("rewrite", "expected"),
    [("redact", "[CARD]"), ("mask", "****"), ("remove", ""), ({"replace": "<x>"}, "<x>"), ({"replace": ""}, "")],
)
def test_replacement(rewrite: object, expected: str) -> None:
    assert replacement(rule(rewrite), "CARD", "4111") == expected


def test_an_edit_is_as_wide_as_its_finding() -> None:
    finding = Finding("words", "WORDS", 1.0, "/a", (3, 7))
    assert edit_for(rule("mask"), finding) == Edit("/a", (3, 7), "****", "r", 0)


def edit(start: int, end: int, text: str, priority: int = 0, where: str = "") -> Edit:
    return Edit(where, (start, end), text, "r", priority)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([], []),
        ([edit(4, 6, "b"), edit(0, 2, "a")], [(0, 2, "a"), (4, 6, "b")]),
        # Touching is not overlapping.
        ([edit(0, 2, "a"), edit(2, 4, "b")], [(0, 2, "a"), (2, 4, "b")]),
        # Overlapping: one edit over both, with the replacement of the higher priority,
        ([edit(0, 4, "a"), edit(2, 8, "b", priority=1)], [(0, 8, "b")]),
        ([edit(0, 4, "a", priority=1), edit(2, 8, "b")], [(0, 8, "a")]),
        # of the wider where they are equal, of the first where they are as wide.
        ([edit(0, 4, "a"), edit(2, 8, "b")], [(0, 8, "b")]),
        ([edit(0, 4, "a"), edit(2, 6, "b")], [(0, 6, "a")]),
        ([edit(0, 9, "a"), edit(2, 3, "b"), edit(8, 12, "c")], [(0, 12, "a")]),
        ([edit(1, 3, "a"), edit(1, 3, "b", priority=5)], [(1, 3, "b")]),
    ],
)
def test_unite(edits: list[Edit], expected: list[tuple[int, int, str]]) -> None:
    assert [(*e.span, e.replacement) for e in unite(edits)] == expected


def test_places_are_apart() -> None:
    assert len(unite([edit(0, 4, "a", where="/x"), edit(2, 6, "b", where="/y")])) == 2


SPANS = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda pair: (pair[0], pair[0] + pair[1]))
EDITS = st.lists(
    st.builds(Edit, st.just(""), SPANS, st.sampled_from(["", "x", "[LONG]"]), st.sampled_from("rs"), st.integers(0, 2))
)


@given(EDITS)
def test_united_edits_cover_the_same_and_do_not_overlap(edits: list[Edit]) -> None:
    united = unite(edits)
    assert {i for e in united for i in range(*e.span)} == {i for e in edits for i in range(*e.span)}
    assert all(a.span[1] <= b.span[0] for a, b in pairwise(united))


@given(EDITS)
def test_the_order_of_edits_does_not_matter_to_what_is_covered(edits: list[Edit]) -> None:
    assert [e.span for e in unite(edits)] == [e.span for e in unite(reversed(edits))]


@given(EDITS)
def test_apply_keeps_what_no_edit_covers(edits: list[Edit]) -> None:
    text = "".join(chr(0x100 + i) for i in range(45))
    united = unite(edits)
    edited = apply(text, united)
    covered = {i for e in united for i in range(*e.span)}
    assert [c for c in edited if ord(c) >= 0x100] == [c for i, c in enumerate(text) if i not in covered]
    assert len(edited) == len(text) + sum(len(e.replacement) - (e.span[1] - e.span[0]) for e in united)


@given(EDITS, st.integers(0, 10), st.randoms(use_true_random=False))
def test_in_whatever_groups_edits_come_the_same_comes_of_them(edits: list[Edit], first: int, order: Random) -> None:
    shuffled = order.sample(edits, len(edits))
    late, early = shuffled[:first], shuffled[first:]
    assert unite([*unite(early), *late]) == unite([*unite(late), *unite(early)]) == unite(edits)


def test_a_chain_takes_the_widest_of_its_links() -> None:
    chain = [edit(0, 5, "a"), edit(4, 10, "b"), edit(9, 16, "c")]
    assert [(*e.span, e.replacement) for e in unite(chain)] == [(0, 16, "c")]
    assert unite([*unite(chain[1:]), chain[0]]) == unite(chain)
