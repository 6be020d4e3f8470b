from __future__ import annotations

import pytest
from cel_expr_python import cel
from hypothesis import given
from hypothesis import strategies as st

from lockgate.policy.expression import names_in

_LABELS = cel.Type.Map(cel.Type.STRING, cel.Type.DOUBLE)
_VARIABLES = {
    "pii.count": cel.Type.INT,
    "pii.labels": _LABELS,
    "topic.labels": _LABELS,
    "request.user": cel.Type.STRING,
    "request.tags": cel.Type.List(cel.Type.STRING),
}
_ENV = cel.NewEnv(variables=_VARIABLES)


def _names(expression: str) -> tuple[set[str], list[tuple[str, str, str]]]:
    """The variables of `expression`, and of each label its map, itself, and the expression from its offset on."""
    names = names_in(_ENV.compile(expression).serialize(), frozenset(_VARIABLES))
    return names.variables, [(use.variable, use.label, expression[use.offset :]) for use in names.labels]


@pytest.mark.parametrize(
    ("expression", "variables"),
    [
        ("true", set()),
        ("pii.count > 1", {"pii.count"}),
        (".pii.count > 1", {"pii.count"}),
        ('"pii.count" == request.user', {"request.user"}),
        ('request.tags.exists(pii, pii == "count")', {"request.tags"}),
        ("true ? pii.count > 1 : size(pii.labels) == 0", {"pii.count", "pii.labels"}),
        ("[pii.count, 2].size() == 2", {"pii.count"}),
        ("{request.user: pii.count}.size() == 1", {"request.user", "pii.count"}),
        ("!(1 in [pii.count])", {"pii.count"}),
        ("dyn(topic.labels) == {}", {"topic.labels"}),
    ],
)
def test_variables(expression: str, variables: set[str]) -> None:
    assert _names(expression) == (variables, [])


@pytest.mark.parametrize(
    ("expression", "label", "rest"),
    [
        ('pii.labels["A"] > 0.5', "A", '"A"] > 0.5'),
        ('(pii.labels)["A"] > 0.5', "A", '"A"] > 0.5'),
        (r'pii.labels["\x41"] > 0.5', "A", r'"\x41"] > 0.5'),
        ("pii.labels[r'A'] > 0.5", "A", "r'A'] > 0.5"),
        ("pii.labels.A > 0.5", "A", ".A > 0.5"),
        ("dyn(pii.labels).A > 0.5", "A", ".A > 0.5"),
        ("has(pii.labels.A)", "A", "(pii.labels.A)"),
        ('"A" in pii.labels', "A", '"A" in pii.labels'),
        ('"é😀" == "" || "A" in pii.labels', "A", '"A" in pii.labels'),
        ('pii.labels.exists(l, l == "A")', "A", '"A")'),
        ('pii.labels.all(l, "A" != l)', "A", '"A" != l)'),
        ('pii.labels.exists(l, l in ["A"])', "A", '"A"])'),
        ('["A"].exists(l, pii.labels[l] > 0.5)', "A", '"A"].exists(l, pii.labels[l] > 0.5)'),
        ('["A"].all(l, l in pii.labels)', "A", '"A"].all(l, l in pii.labels)'),
        ('request.tags.exists(t, ["A"].exists(l, pii.labels[l] > 0.5 && t == l))', "A", '"A"].exists(l, pii.la'),
    ],
)
def test_labels(expression: str, label: str, rest: str) -> None:
    _, [(variable, found, at)] = _names(expression)
    assert (variable, found) == ("pii.labels", label)
    assert at.startswith(rest)


@pytest.mark.parametrize(
    "expression",
    [
        'request.tags.exists(l, l == "A")',
        'pii.labels.exists(l, request.tags.exists(l, l == "A"))',
        '{"A": 1}["A"] == 1',
        '"A" in request.tags',
        'pii.labels.exists(l, l.startsWith("A"))',
        "pii.labels[request.user] > 0.5",
        'pii.labels[request.user + "A"] > 0.5',
    ],
)
def test_what_is_no_label(expression: str) -> None:
    assert _names(expression)[1] == []


def test_each_label_has_its_own_map() -> None:
    _, labels = _names('pii.labels.A > 0.5 && topic.labels.exists(l, l in ["B", "C"])')
    assert [(variable, label) for variable, label, _ in labels] == [
        ("pii.labels", "A"),
        ("topic.labels", "B"),
        ("topic.labels", "C"),
    ]


@given(st.binary(max_size=60))
def test_bytes_that_are_no_expression(data: bytes) -> None:
    try:
        names = names_in(data, frozenset(_VARIABLES))
    except ValueError:
        return
    assert names.variables <= set(_VARIABLES)


def test_a_tree_that_is_cut_short() -> None:
    serialised = _ENV.compile("pii.count > 1").serialize()
    with pytest.raises(ValueError, match=r"cut short|wire type"):
        names_in(serialised[:-1] + b"\xff", frozenset(_VARIABLES))
