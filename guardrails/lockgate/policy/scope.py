"""Which exchanges something applies to: by tenant, model, route, country and language."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints

from lockgate.exchange import Exchange
from lockgate.policy.model import Model, problem

ROUTES = ("chat", "completions", "responses", "embeddings", "text")
"""The APIs, by their dialects; `text` is the decorator's."""


def _listed(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


def _routes(value: Any) -> Any:
    for name in _listed(value):
        if name not in ROUTES:
            raise problem(f"there is no route `{name}`", f"routes are {', '.join(ROUTES)}")
    return _listed(value)


Names = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1)], ...],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
]
Countries = Annotated[
    tuple[Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")], ...],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
]
Routes = Annotated[tuple[str, ...], BeforeValidator(_routes, json_schema_input_type=str | list[str])]


class Scope(Model):
    """All that is said must hold; what is not said holds always. `tenant` and `model` may have `*` for any characters,
    `route` is one of `ROUTES`, `country` an ISO 3166 code, `language` an ISO 639 code, with a country's or without: `de`
    is also `de-AT`. Of an asker whose country or language nobody knows, none that is named holds."""

    tenant: Names = ()
    model: Names = ()
    route: Routes = ()
    country: Countries = ()
    language: Names = ()

    def holds(self, exchange: Exchange) -> bool:
        """Whether it covers this exchange."""
        subject = exchange.subject
        return (
            _any(self.tenant, subject.tenant)
            and _any(self.model, subject.model)
            and (not self.route or exchange.dialect in self.route)
            and (not self.country or subject.country in self.country)
            and (not self.language or any(_speaks(subject.language, one) for one in self.language))
        )

    @property
    def said(self) -> bool:
        """Whether it says anything."""
        return bool(self.tenant or self.model or self.route or self.country or self.language)


def _any(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _speaks(language: str, wanted: str) -> bool:
    mine, theirs = language.lower(), wanted.lower()
    return mine == theirs or mine.startswith(f"{theirs}-")
