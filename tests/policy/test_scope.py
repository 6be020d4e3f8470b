from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.exchange import Exchange, Reading, Segment, Subject
from lockgate.passage import Passage
from lockgate.policy.scope import Scope, combinations
from lockgate.verdict import Action
from saying import plan_of, rule


def holds(scope: dict[str, Any], dialect: str = "chat", **subject: Any) -> bool:
    return Scope.model_validate(scope).holds(Exchange("01", dialect, Subject(**subject)))


@pytest.mark.parametrize(
    ("scope", "subject", "expected"),
    [
        ({}, {}, True),
        ({"tenant": "acme"}, {"tenant": "acme"}, True),
        ({"tenant": ["acme", "clinic-*"]}, {"tenant": "clinic-7"}, True),
        ({"tenant": "acme"}, {"tenant": "acme2"}, False),
        ({"tenant": "acme"}, {}, False),
        ({"model": "gpt-*"}, {"model": "gpt-5-mini"}, True),
        ({"model": "gpt-*"}, {"model": "claude"}, False),
        ({"country": "DE"}, {"country": "DE"}, True),
        ({"country": ["DE", "AT"]}, {"country": "FR"}, False),
        ({"country": "DE"}, {}, False),
        ({"language": "de"}, {"language": "de-AT"}, True),
        ({"language": "de-at"}, {"language": "de-AT"}, True),
        ({"language": "de-AT"}, {"language": "de"}, False),
        ({"language": "de"}, {"language": "den"}, False),
        ({"tenant": "a", "country": "DE"}, {"tenant": "a", "country": "FR"}, False),
    ],
)
def test_all_that_is_said_must_hold(scope: dict[str, Any], subject: dict[str, str], expected: bool) -> None:
    assert holds(scope, **subject) is expected


def test_routes_are_the_apis() -> None:
    assert holds({"route": ["chat", "responses"]})
    assert not holds({"route": "responses"})
    assert holds({"route": "text"}, "text")
    with pytest.raises(ValidationError, match="there is no route `chats`"):
        Scope.model_validate({"route": "chats"})


def test_countries_have_codes() -> None:
    with pytest.raises(ValidationError):
        Scope.model_validate({"country": "Germany"})
    assert not Scope().said
    assert Scope(country=("DE",)).said


HERE = {"id": "here", "text": "…", "priority": 9, "where": {"country": "DE"}}
WORDS = {"words": {"words": ["bad"]}}
PLAN = plan_of(
    rule("out", WORDS, {"rewrite": "redact"}, principle="here"),
    rule("mild", None, None, principle="here", when="true", permit=["stop"]),
    rule("stop", {"words": {"words": ["plugh"]}}, "refuse"),
    principles=[HERE],
)
WHERE = "/choices/0/message/content"


@pytest.mark.parametrize(
    ("country", "edited", "refused"), [("DE", True, False), ("FR", False, True), ("", False, True)]
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_elsewhere_its_rules_take_no_part(country: str, edited: bool, refused: bool, streamed: bool) -> None:
    for said, expected in (("a bad word", edited), ("plugh", refused)):
        passage = Passage(PLAN, Exchange("01", "chat", Subject(country=country)))
        if streamed:
            stream = passage.stream()
            stream.feed(0, WHERE, "text", said)
            verdict = await stream.end(0)
            edits = stream.gate(WHERE).edits
        else:
            verdict = await passage.answer(Reading([Segment(WHERE, "assistant", "text", said, 0)]))
            edits = verdict.edits
        assert (bool(edits) if said != "plugh" else verdict.action is Action.REFUSE) is expected
        assert WHERE in verdict.coverage.scanned


async def test_a_text_that_no_rule_here_looks_at_is_recorded_as_such() -> None:
    plan = plan_of(rule("out", WORDS, {"rewrite": "redact"}, principle="here"), principles=[HERE])
    reading = Reading([Segment(WHERE, "assistant", "text", "a bad word", 0)])
    verdict = await Passage(plan, Exchange("01", "chat", Subject(country="FR"))).answer(reading)
    assert verdict.coverage.public()["scanned"] == {}
    assert verdict.coverage.skipped[WHERE].startswith("unwatched")


@pytest.mark.parametrize(
    ("scope", "subject", "expected"),
    [
        ({"key": "abcd2345"}, {"key": "abcd2345"}, True),
        ({"key": "abcd2345"}, {}, False),
        ({"tag": "public"}, {"tags": ("night", "public")}, True),
        ({"tag": ["gold-*", "x"]}, {"tags": ("gold-1",)}, True),
        ({"tag": "public"}, {"tags": ()}, False),
    ],
)
def test_keys_and_tags(scope: dict[str, Any], subject: dict[str, Any], expected: bool) -> None:
    assert holds(scope, **subject) is expected


def scopes(*said: dict[str, Any]) -> list[Scope]:
    return [Scope.model_validate(one) for one in said]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (({"tenant": "a"}, {"tenant": "b"}), [(0,), (1,)]),
        (({"tenant": "a"}, {"country": "DE"}), [(0,), (1,), (0, 1)]),
        (({"tenant": "a"}, {"tenant": ["a", "b"]}), [(1,), (0, 1)]),
        (({"model": "gpt-*"}, {"model": "gpt-5"}), [(0,), (0, 1)]),
        (({"tag": "x"}, {"tag": "y"}), [(0,), (1,), (0, 1)]),
        (({"language": "de"}, {"language": "de-AT"}), [(0,), (0, 1)]),
        (({"tenant": "a", "route": "chat"}, {"tenant": "a", "route": "responses"}), [(0,), (1,)]),
    ],
)
def test_which_can_hold_together(said: tuple[dict[str, Any], ...], found: list[tuple[int, ...]]) -> None:
    assert combinations(scopes(*said), 100) == found


def test_no_more_than_asked_the_smallest_first() -> None:
    said = [{"tenant": f"t{i}"} for i in range(50)] + [{"country": c} for c in ("DE", "AT", "CH")]
    found = combinations(scopes(*said), 20)
    assert len(found) <= 20
    assert all(len(one) == 1 for one in found)
