"""Which exchanges something applies to: by tenant, client key, model, route, country, language and tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints

from lockgate.exchange import Exchange, Subject
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
    """All that is said must hold; what is not said holds always. `tenant`, `key` (the id of a client key), `model` and `tag`
    (one of the exchange's) may have `*` for any characters, `route` is one of `ROUTES`, `country` an ISO 3166 code, `language` an ISO 639 code, with a country's or without: `de`
    is also `de-AT`. Of an asker whose country or language nobody knows, none that is named holds."""

    tenant: Names = ()
    key: Names = ()
    model: Names = ()
    route: Routes = ()
    country: Countries = ()
    language: Names = ()
    tag: Names = ()

    def holds(self, exchange: Exchange) -> bool:
        """Whether it covers this exchange."""
        subject = exchange.subject
        return (
            _any(self.tenant, subject.tenant)
            and _any(self.key, subject.key)
            and _any(self.model, subject.model)
            and (not self.route or exchange.dialect in self.route)
            and (not self.country or subject.country in self.country)
            and (not self.language or any(_speaks(subject.language, one) for one in self.language))
            and (not self.tag or any(_any(self.tag, tag) for tag in subject.tags))
        )

    @property
    def said(self) -> bool:
        """Whether it says anything."""
        return bool(self.model_fields_set) and self != Scope()


def _any(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _speaks(language: str, wanted: str) -> bool:
    mine, theirs = language.lower(), wanted.lower()
    return mine == theirs or mine.startswith(f"{theirs}-")


def combinations(scopes: Sequence[Scope], most: int) -> list[tuple[int, ...]]:
    """Which of `scopes` can hold together: their indexes, the smallest combinations first, `most` at most. Found by trying
    the values that they name, with nothing in place of a `*`; two patterns with `*` that both fit one name may be missed."""
    found = {(1 << len(scopes)) - 1}
    for field in Scope.model_fields:
        named = dict.fromkeys(one.replace("*", "") for scope in scopes for one in getattr(scope, field))
        if not named:
            continue
        tried = [_with(field, ()), *(_with(field, (one,)) for one in named)]
        if field == "tag":
            tried.append(_with(field, tuple(named)))
        masks = {
            sum(1 << i for i, scope in enumerate(scopes) if Scope(**{field: getattr(scope, field)}).holds(exchange))
            for exchange in tried
        }
        found = set(sorted({a & b for a in found for b in masks}, key=_size)[: max(most, 1)])
    return [tuple(i for i in range(len(scopes)) if mask >> i & 1) for mask in sorted(found, key=_size) if mask]


def _size(mask: int) -> tuple[int, int]:
    return mask.bit_count(), mask


def _with(field: str, values: tuple[str, ...]) -> Exchange:
    """An exchange of which nothing is known but this."""
    if field == "tag":
        return Exchange("", "", Subject(tags=values))
    known = {field: values[0]} if values else {}
    return Exchange("", known.get("route", "")) if field == "route" else Exchange("", "", _subject(known))


def _subject(known: Mapping[str, str]) -> Subject:
    return Subject(
        model=known.get("model", ""),
        tenant=known.get("tenant", ""),
        country=known.get("country", ""),
        language=known.get("language", ""),
        key=known.get("key", ""),
    )
