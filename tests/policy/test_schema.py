from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.exchange import KINDS, ROLES
from lockgate.policy.load import load_policy
from lockgate.policy.schema import Policy, Rule, published_schema
from lockgate.policy.then import DEFAULT_MESSAGE, Refusal, Rewrite

_RULE = {"id": "r", "side": "prompt", "use": "pii", "then": "refuse"}
_PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "policy.schema.json"


def _rule(**changes: Any) -> Rule:
    return Rule.model_validate({**_RULE, **changes})


def _policy(**changes: Any) -> Policy:
    return Policy.model_validate({"version": 1, "name": "p", **changes})


def test_the_published_schema_is_current() -> None:
    assert _PUBLISHED.read_text() == published_schema(), (
        "docs/policy.schema.json is old; write it anew: python -c 'from lockgate.policy.schema import "
        'published_schema; print(published_schema(), end="")\' > docs/policy.schema.json'
    )


def test_defaults() -> None:
    policy = _policy()
    assert (policy.unguarded, policy.unknown, policy.deadline_ms) == ("allow", "allow", 1000)
    assert (policy.stream.max_hold, policy.stream.hold_limit) == (2048, 262_144)
    assert (policy.principles, policy.rules, policy.extends, policy.description) == ((), (), (), "")
    rule = _rule()
    assert (rule.where.role, rule.where.kind) == (ROLES, KINDS)
    assert (rule.on_error, rule.permit, rule.final, rule.stream, rule.when) == ("refuse", (), False, None, None)


@pytest.mark.parametrize(
    ("field", "written", "means"),
    [
        ("side", "prompt", ("prompt",)),
        ("side", ["completion", "prompt", "completion"], ("completion", "prompt")),
        ("use", "pii", {"pii": {}}),
        ("use", ["pii", "secrets"], {"pii": {}, "secrets": {}}),
        ("use", {"pii": None, "classifier": "injection"}, {"pii": {}, "classifier": "injection"}),
        ("use", {"pii": {"kinds": ["A"]}}, {"pii": {"kinds": ["A"]}}),
        ("permit", "other", ("other",)),
        ("permit", ["a", "EMAIL"], ("a", "EMAIL")),
    ],
)
def test_shorthands_of_a_rule(field: str, written: object, means: object) -> None:
    assert getattr(_rule(**{field: written}), field) == means


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("refuse", {"refuse": Refusal()}),
        ({"refuse": True}, {"refuse": Refusal(message=DEFAULT_MESSAGE, status=400)}),
        ({"refuse": {"message": "No.", "status": 200}}, {"refuse": Refusal(message="No.", status=200)}),
        ({"refuse": True, "flag": {"notice": "Seen."}}, {"refuse": Refusal(), "flag": {"notice": "Seen."}}),
        ({"rewrite": "redact"}, {"rewrite": Rewrite(mode="redact")}),
        ({"rewrite": "mask"}, {"rewrite": Rewrite(mode="mask")}),
        ({"rewrite": "remove"}, {"rewrite": Rewrite(mode="remove")}),
        ({"rewrite": {"replace": "…"}}, {"rewrite": Rewrite(mode="replace", text="…")}),
        ({"rewrite": {"replace": ""}}, {"rewrite": Rewrite(mode="replace", text="")}),
        ({"rewrite": "mask", "flag": {"a": "b"}}, {"rewrite": Rewrite(mode="mask"), "flag": {"a": "b"}}),
        ({"flag": {"uncertainty": "Names people."}}, {"flag": {"uncertainty": "Names people."}}),
        ("record", {"record": True}),
        ({"record": True}, {"record": True}),
    ],
)
def test_what_a_rule_does(written: object, means: dict[str, object]) -> None:
    then = _rule(then=written).then
    assert then is not None
    assert {key: value for key in ("refuse", "rewrite", "flag", "record") if (value := getattr(then, key))} == means


def test_a_shorthand_and_its_long_form_are_one() -> None:
    short = _policy(rules=[{**_RULE, "then": {"rewrite": "mask"}}])
    long = _policy(
        rules=[{**_RULE, "side": ["prompt"], "use": {"pii": {}}, "then": {"rewrite": {"mode": "mask"}, "flag": {}}}]
    )
    assert short == long
    assert short.hash == long.hash
    assert Policy.model_validate(short.model_dump()) == short


def test_a_permit_needs_no_then() -> None:
    assert _rule(then=None, permit=["other"]).then is None


def test_a_condition_needs_no_detector() -> None:
    assert _rule(use={}, when='request.model == "m"').use == {}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "Upper"}, "pattern"),
        ({"id": "x" * 65}, "pattern"),
        ({"id": "a\n"}, "pattern"),
        ({"side": []}, "`side` is empty"),
        ({"side": "promt"}, "'prompt' or 'completion'"),
        ({"use": None}, "dictionary"),
        ({"use": {}}, "neither `use` nor `when`"),
        ({"use": [{"pii": {}}]}, "`use` names detectors"),
        ({"then": None}, "neither `then` nor `permit`"),
        ({"then": {}}, "`then` is empty"),
        ({"then": {"record": False}}, "`then` is empty"),
        ({"then": {"refuse": True, "rewrite": "mask"}}, "both `refuse` and `rewrite`"),
        ({"then": {"rewrite": "mask", "record": True}}, "both `rewrite` and `record`"),
        ({"then": {"refuse": False}}, "`refuse` is true or a mapping"),
        ({"then": {"refuse": {"status": 403}}}, "200 or 400"),
        ({"then": {"refuse": {"message": ""}}}, "at least 1 character"),
        ({"then": {"rewrite": "blank"}}, "`rewrite` is redact"),
        ({"then": {"rewrite": {"replace": 3}}}, "`replace` and a text"),
        ({"then": {"rewrite": {"by": "x"}}}, "`replace` and a text"),
        ({"then": {"flag": {"Bad Name": "x"}}}, "pattern"),
        ({"then": {"flag": {"notice": ""}}}, "at least 1 character"),
        ({"then": "redact"}, "a way to rewrite"),
        ({"then": "refues"}, "refuse, revise or record"),
        ({"then": {"rewrite": "mask"}, "use": {}, "when": "true"}, "edits what `use` finds"),
        ({"when": ""}, "at least 1 character"),
        ({"when": True}, "valid string"),
        ({"final": 1}, "valid boolean"),
        ({"stream": "whole"}, "'hold' or 'after'"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_a_rule_may_not_say(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        _rule(**changes)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": 2}, "reads version 1"),
        ({"version": True}, "reads version 1"),
        ({"version": "1"}, "reads version 1"),
        ({"version": 1.0}, "reads version 1"),
        ({"name": ""}, "pattern"),
        ({"name": "two words"}, "pattern"),
        ({"deadline_ms": 0}, "greater than or equal to 1"),
        ({"deadline_ms": 60_001}, "less than or equal to 60000"),
        ({"deadline_ms": True}, "valid integer"),
        ({"stream": {"max_hold": 63}}, "greater than or equal to 64"),
        ({"stream": {"max_hold": 65_537}}, "less than or equal to 65536"),
        ({"stream": {"max_hold": 4096, "hold_limit": 1024}}, "`hold_limit` is less than `max_hold`"),
        ({"rules": [_RULE, _RULE]}, "the id `r` stands twice in `rules`"),
        ({"principles": [{"id": "a", "text": "A."}] * 2}, "the id `a` stands twice in `principles`"),
        ({"rules": [{**_RULE, "principle": "honesty"}]}, "there is no principle `honesty`"),
    ],
)
def test_what_a_policy_may_not_say(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        _policy(**changes)


def test_the_hash_is_of_the_content() -> None:
    policy = _policy(rules=[_RULE])
    assert policy.hash.startswith("sha256:")
    assert len(policy.hash) == len("sha256:") + 16
    assert policy.hash == _policy(rules=[_RULE], unknown="allow", description="").hash
    assert policy.hash == _policy(rules=[_RULE], extends=["default"]).hash
    others = [
        _policy(rules=[{**_RULE, "then": "record"}]),
        _policy(rules=[{**_RULE, "use": {"pii": {"kinds": ["A"]}}}]),
        _policy(rules=[_RULE], unknown="flag"),
        _policy(rules=[_RULE, {**_RULE, "id": "s"}]),
        _policy(rules=[{**_RULE, "id": "s"}, _RULE]),
    ]
    assert len({policy.hash, *(other.hash for other in others)}) == len(others) + 1


def test_a_policy_made_in_python_has_no_file() -> None:
    policy = _policy(rules=[_RULE])
    assert policy.source == ""
    assert policy.sources == ()
    assert policy.at("rules", 0, "use") == "p"
    assert policy.layer("rules", 0) == 0


def test_policies_are_frozen() -> None:
    with pytest.raises(ValidationError):
        _policy().name = "other"


def test_errors_do_not_show_what_was_written() -> None:
    with pytest.raises(ValidationError) as raised:
        _rule(colour="very-secret-word")
    assert "very-secret-word" not in str(raised.value)


@pytest.mark.parametrize("name", ["default", "strict", "permissive"])
def test_what_a_policy_is_dumped_to_is_that_policy(name: str) -> None:
    policy = load_policy(name)
    assert Policy.model_validate(policy.model_dump()).hash == policy.hash
    assert Policy.model_validate_json(policy.model_dump_json()).hash == policy.hash
