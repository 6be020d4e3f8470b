from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.exchange import Exchange, Subject
from lockgate.policy.scope import Scope


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
