from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import PolicyError
from lockgate.policy.conditions import Answer, Condition, ConditionFailure, compile_condition

DETECTORS = {
    "pii": frozenset({"EMAIL_ADDRESS", "CREDIT_CARD"}),
    "secrets": frozenset({"AWS_KEY"}),
    "size": frozenset({"TOO_LONG"}),
}
PII = Answer(score=0.9, labels={"EMAIL_ADDRESS": 0.9}, count=2)
REQUEST: Mapping[str, object] = {
    "model": "gpt-x",
    "user": "u1",
    "tags": ["public", "eu"],
    "tenant": "acme",
    "stream": True,
    "side": "prompt",
    "dialect": "chat",
}


def _compile(expression: str) -> Condition:
    return compile_condition(expression, where="p.yaml:7", detectors=DETECTORS)


def _outcome(expression: str, answers: Mapping[str, Answer | None] | None = None) -> bool | str:
    """The value with `pii` answered and `secrets` failed; "error" for a failure."""
    given_answers = {"pii": PII, "secrets": None} if answers is None else answers
    value = _compile(expression).evaluate(given_answers, REQUEST)
    return "error" if isinstance(value, ConditionFailure) else value


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("pii.count > 1", True),
        ("pii.count == 2", True),
        ("pii.count > 2", False),
        ("pii.score >= 0.9", True),
        ("pii.score > 0.9", False),
        ('pii.labels["EMAIL_ADDRESS"] > 0.5', True),
        ("pii.labels.EMAIL_ADDRESS > 0.5", True),
        # A label that was not found is there, as 0.0: its detector did answer.
        ("pii.labels.CREDIT_CARD == 0.0", True),
        ('"CREDIT_CARD" in pii.labels', True),
        ("has(pii.labels.CREDIT_CARD)", True),
        ("pii.labels.size() == 2", True),
        ("pii.labels.exists(l, pii.labels[l] > 0.5)", True),
        ("pii.labels.all(l, pii.labels[l] > 0.5)", False),
        ('["EMAIL_ADDRESS", "CREDIT_CARD"].all(l, pii.labels[l] < 0.95)', True),
        ('request.model == "gpt-x"', True),
        ('request.model.startsWith("gpt")', True),
        ('request.user.matches("^u[0-9]+$")', True),
        ('"eu" in request.tags', True),
        ('request.tags.exists(t, t == "public")', True),
        ("request.stream", True),
        ('request.side == "completion"', False),
        ('request.dialect == "chat" && request.tags.size() == 2', True),
        ("true", True),
        ("1 == 2", False),
    ],
)
def test_values(expression: str, expected: bool) -> None:
    assert _outcome(expression) is expected


FAILED = "secrets.count > 0"
"""An error, since `secrets` gave no answer."""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # One side that decides alone absorbs the error, on whichever side it stands.
        (f"true || {FAILED}", True),
        (f"{FAILED} || true", True),
        (f"false && {FAILED}", False),
        (f"{FAILED} && false", False),
        (f"pii.count > 0 || {FAILED}", True),
        (f"{FAILED} && pii.count > 5", False),
        # Else the error stays.
        (f"false || {FAILED}", "error"),
        (f"{FAILED} || false", "error"),
        (f"true && {FAILED}", "error"),
        (f"{FAILED} && true", "error"),
        (FAILED, "error"),
        (f"!({FAILED})", "error"),
        (f"({FAILED}) == ({FAILED})", "error"),
        ("secrets.score > 0.5", "error"),
        ("secrets.labels.AWS_KEY > 0.5", "error"),
        ('"AWS_KEY" in secrets.labels', "error"),
        ("has(secrets.labels.AWS_KEY)", "error"),
        ("secrets.labels.exists(l, true)", "error"),
        # A ternary looks only at the branch that it takes.
        (f"true ? true : {FAILED}", True),
        (f"false ? {FAILED} : false", False),
        (f"true ? {FAILED} : true", "error"),
        (f"{FAILED} ? true : true", "error"),
        # exists is an or, all is an and.
        (f'request.tags.exists(t, t == "public" || {FAILED})', True),
        (f'request.tags.exists(t, t == "nowhere" || {FAILED})', "error"),
        (f"request.tags.exists(t, {FAILED})", "error"),
        (f'request.tags.all(t, t == "public" && {FAILED})', False),
        (f'request.tags.all(t, t != "nowhere" && {FAILED})', "error"),
        (f"[].exists(t, {FAILED})", False),
        # Errors of its own are errors as well.
        ("1 / (pii.count - 2) > 0", "error"),
        ("true || 1 / (pii.count - 2) > 0", True),
        ("pii.count + 9223372036854775807 > 0", "error"),
        ("pii.labels[request.user] > 0.5", "error"),
        ('request.user.matches("[")', "error"),
        ("dyn(pii.count) > dyn(request.user)", "error"),
    ],
)
def test_errors_are_absorbed_where_the_rest_decides(expression: str, expected: bool | str) -> None:
    assert _outcome(expression) == expected


_ATOMS = {"true": True, "false": False, "pii.count > 0": True, "pii.score > 0.95": False, FAILED: None}

_TREES: st.SearchStrategy[tuple[str, bool | None]]


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _or(left: bool | None, right: bool | None) -> bool | None:
    if left or right:
        return True
    return None if left is None or right is None else False


def _combine(children: st.SearchStrategy[tuple[str, bool | None]]) -> st.SearchStrategy[tuple[str, bool | None]]:
    pair = st.tuples(children, children)
    return st.one_of(
        children.map(lambda a: (f"!({a[0]})", _not(a[1]))),
        pair.map(lambda ab: (f"({ab[0][0]} || {ab[1][0]})", _or(ab[0][1], ab[1][1]))),
        pair.map(lambda ab: (f"({ab[0][0]} && {ab[1][0]})", _not(_or(_not(ab[0][1]), _not(ab[1][1]))))),
        st.tuples(children, children, children).map(
            lambda abc: (
                f"({abc[0][0]} ? {abc[1][0]} : {abc[2][0]})",
                None if abc[0][1] is None else abc[1][1] if abc[0][1] else abc[2][1],
            )
        ),
    )


_TREES = st.recursive(st.sampled_from(sorted(_ATOMS.items())), _combine, max_leaves=6)


@given(_TREES)
def test_every_combination_is_three_valued(tree: tuple[str, bool | None]) -> None:
    expression, expected = tree
    assert _outcome(expression) == ("error" if expected is None else expected)


def test_a_failure_names_the_detectors_and_is_no_truth_value() -> None:
    condition = _compile("pii.count > 5 || secrets.count > 0 || size.count > 0")
    value = condition.evaluate({"pii": PII, "secrets": None}, REQUEST)
    assert isinstance(value, ConditionFailure)
    assert value.missing == ("secrets", "size")
    with pytest.raises(TypeError):
        bool(value)


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("1 / (pii.count - 2) > 0", "INVALID_ARGUMENT"),
        ("pii.labels[request.user] > 0.5", "NOT_FOUND"),
        ("pii.count + 9223372036854775807 > 0", "OUT_OF_RANGE"),
        ("[1,2,3,4,5,6,7,8,9,0].all(a, " * 5 + "true" + ")" * 5, "INTERNAL"),
    ],
)
def test_a_failure_of_its_own_has_a_code_and_no_text_of_the_request(expression: str, code: str) -> None:
    value = _compile(expression).evaluate({"pii": PII}, REQUEST)
    assert value == ConditionFailure((), code)


def test_a_condition_says_what_it_reads() -> None:
    condition = _compile('pii.count > 1 && request.tags.exists(secrets, secrets == "x")')
    assert condition.uses_detectors == {"pii"}
    assert condition.reads_request
    assert condition.expression.startswith("pii.count")
    alone = _compile("secrets.score > 0.5")
    assert alone.uses_detectors == {"secrets"}
    assert not alone.reads_request
    assert _compile("true").uses_detectors == frozenset()


def test_a_detector_that_is_not_named_may_fail() -> None:
    assert _outcome("pii.count > 0", {"pii": PII, "secrets": None}) is True
    assert _outcome("pii.count > 0", {"pii": PII}) is True


def test_a_score_that_is_no_number_is_no_answer() -> None:
    assert _outcome("pii.score < 0.5", {"pii": Answer(float("nan"), {}, 1)}) == "error"
    assert _outcome("!(pii.score < 0.5)", {"pii": Answer(float("nan"), {}, 1)}) == "error"


def test_numbers_and_lists_as_python_has_them() -> None:
    assert _outcome("pii.score == 1.0 && pii.labels.EMAIL_ADDRESS == 1.0", {"pii": Answer(1, {"EMAIL_ADDRESS": 1}, 1)})
    condition = _compile('request.tags == ["a", "b"]')
    assert condition.evaluate({}, {**REQUEST, "tags": ("a", "b")}) is True


def test_half_of_a_surrogate_pair_is_read() -> None:
    condition = _compile('request.user == "a\ufffd" || "x\U0001f600" in request.tags')
    assert condition.evaluate({}, {**REQUEST, "user": "a\ud800"}) is True
    assert condition.evaluate({}, {**REQUEST, "tags": ["x\U0001f600"]}) is True
    assert condition.evaluate({}, {**REQUEST, "user": "b\udfff", "tags": []}) is False


def test_a_fact_that_is_not_given_is_an_error() -> None:
    value = _compile('request.user == "a"').evaluate({}, {})
    assert isinstance(value, ConditionFailure)


@pytest.mark.parametrize(
    ("expression", "problem", "hint"),
    [
        ("pii.cuont > 1", "column 4: `pii` has no `cuont`", "did you mean `count`?"),
        ("pii.colour == 1", "`pii` has no `colour`", "known: `count`, `labels`, `score`"),
        ("pii > 1", "`pii` alone is no value", "it has `score`, `labels`, `count`"),
        ('pii["count"] > 1', "`pii` alone is no value", "it has `score`"),
        ('request.mdel == "x"', "column 8: `request` has no `mdel`", "did you mean `model`?"),
        ('request.headers == "x"', "`request` has no `headers`", ""),
        ('requst.model == "x"', "there is no `requst`", "did you mean `request`?"),
        ("secret.count > 1", "there is no `secret`", "did you mean `secrets`?"),
        ("toxicity.score > 0.5", "there is no `toxicity`", "under `use:`, here `pii`, `secrets`, `size`"),
        ('pii.labels["EMAIL_ADRESS"] > 0.1', "`pii` has no label `EMAIL_ADRESS`", "did you mean `EMAIL_ADDRESS`?"),
        ("pii.labels.EMAIL > 0.1", "column 11: `pii` has no label `EMAIL`", "did you mean `EMAIL_ADDRESS`?"),
        ('"IBAN" in pii.labels', "`pii` has no label `IBAN`", "known: `CREDIT_CARD`, `EMAIL_ADDRESS`"),
        ("pii.labels.AWS_KEY > 0.1", "`pii` has no label `AWS_KEY`", ""),
        ('pii.labels.exists(l, l == "IBAN")', "column 27: `pii` has no label `IBAN`", ""),
        ("pii.count > 1 &&\n  pii.labels.FOO > 0.1", "line 2, column 13: `pii` has no label `FOO`", ""),
        ("pii.score > 1", "column 11: `>` can't be applied to (double, int)", "write 1.0 beside a score"),
        ("pii.count > 1.0", "`>` can't be applied to (int, double)", "1 beside a count"),
        ("pii.score || true", "`||` can't be applied to (double, bool)", "compare the score"),
        ("!pii.count", "`!` can't be applied to (int)", ""),
        ("pii.count[0] > 1", "`[]` can't be applied to (int, int)", ""),
        ("request.tags.exist(t, true)", "there is no function `exist`", "did you mean `exists`?"),
        ('request.model.startWith("x")', "there is no function `startWith`", "did you mean `startsWith`?"),
        ("now() > 1", "there is no function `now`", ""),
        ("has(request.stream)", "`has(request.stream)` does not tell anything", "`on_error`"),
        ("true && has( .request . stream )", "`has(request.stream)` does not tell anything", ""),
        ("has(pii.count)", "gives int", ""),
        ("pii.count", "the condition gives int, not a boolean", "compare it"),
        ('"x"', "gives string, not a boolean", ""),
        ("dyn(true)", "gives dyn, not a boolean", ""),
        ("null", "gives null", ""),
        ("", "syntax error: mismatched input 'the end'", ""),
        ("pii.count >", "column 12: syntax error", ""),
        ("pii.count > 1 &&& true", "syntax error", ""),
        ("pii.count > 99999999999999999999", "invalid int literal", ""),
        ("(" * 60 + "true" + ")" * 60, "nested too deep", "write two rules"),
        ("1" + "+1" * 60 + " > 0", "nested too deep", ""),
        ("true || " * 20_000 + "true", "too long", ""),
        ('request.user == "\ud800"', "not text that UTF-8 can hold", ""),
    ],
)
def test_what_a_condition_may_not_say(expression: str, problem: str, hint: str) -> None:
    with pytest.raises(PolicyError) as raised:
        _compile(expression)
    assert raised.value.where == "p.yaml:7"
    assert raised.value.problem.startswith("in `when`")
    assert hint in raised.value.hint
    assert problem in raised.value.problem


def test_a_rule_without_detectors_sees_the_request() -> None:
    condition = compile_condition('request.model == "gpt-x"', where="p.yaml:7", detectors={})
    assert condition.evaluate({}, REQUEST) is True
    with pytest.raises(PolicyError, match="here nothing"):
        compile_condition("pii.count > 1", where="p.yaml:7", detectors={})


_CEL = "pii secrets request . count score labels tags ( ) [ ] { } \" ' && || ! == > 1 0.5 true in exists t , ? : has \\"
_TOKENS = st.sampled_from([*_CEL.split(), "EMAIL_ADDRESS"])


@given(st.one_of(st.lists(_TOKENS, max_size=14).map(" ".join), st.text(max_size=30)))
def test_no_text_raises_anything_but_a_policy_error(expression: str) -> None:
    try:
        condition = _compile(expression)
    except PolicyError:
        return
    assert isinstance(condition.evaluate({"pii": PII}, REQUEST), (bool, ConditionFailure))
