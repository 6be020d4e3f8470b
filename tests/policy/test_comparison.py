from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.policy.comparison import read_comparison
from lockgate.policy.conditions import Answer, compile_condition

KINDS = {"pii": frozenset({"US_SSN"}), "words": frozenset({"WORD"})}


@pytest.mark.parametrize(
    ("expression", "simple"),
    [
        ("pii.count >= 10", True),
        ("  words.score<0.5 ", True),
        ("pii.count != 0", True),
        ("pii.count > 1.0", False),  # CEL says that an int is compared with a double
        ("pii.score > 1", False),
        ("secrets.count > 1", False),  # not of this rule
        ("pii.cout > 1", False),
        ("pii.count > -1", False),
        ("pii.count > 1 && true", False),
        ("pii.count\n> 1", False),
        ("pii.count > 9999999999999999999", False),
        ("10 <= pii.count", False),
    ],
)
def test_the_form(expression: str, simple: bool) -> None:
    assert (read_comparison(expression, KINDS) is not None) == simple


@given(
    st.sampled_from(["pii", "words"]),
    st.sampled_from([">=", "<=", "==", "!=", ">", "<"]),
    st.integers(0, 5) | st.sampled_from([0.0, 0.5, 0.25, 1.0]),
    st.none() | st.builds(Answer, st.sampled_from([0.0, 0.25, 0.5, 1.0, float("nan")]), st.just({}), st.integers(0, 5)),
)
def test_it_says_what_cel_says(kind: str, operator: str, number: float, answer: Answer | None) -> None:
    name = "score" if "." in str(number) else "count"
    expression = f"{kind}.{name} {operator} {number}"
    ours = compile_condition(expression, where="x", detectors=KINDS)
    cels = compile_condition(f"({expression})", where="x", detectors=KINDS)
    assert ours.evaluate({kind: answer}, {}) == cels.evaluate({kind: answer}, {})
    assert (ours.uses_detectors, ours.reads_request) == (cels.uses_detectors, cels.reads_request)


@pytest.mark.parametrize("policy", ["default", "strict", "permissive"])
def test_the_shipped_policies_need_no_cel(policy: str) -> None:
    program = (
        "import sys; from lockgate.policy.compile import compile_policy; from lockgate.policy.load import load_policy;"
        f"compile_policy(load_policy({policy!r})); print(any('cel_expr' in name for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
