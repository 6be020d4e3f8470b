"""What pydantic finds wrong with a file, said in the words of the file and at its lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from inspect import isclass
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lockgate.errors import PolicyError
from lockgate.policy.document import Node
from lockgate.policy.nearest import suggest
from lockgate.policy.schema import PATTERNS, PROBLEMS

_SHOWN = 40

_SHAPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


class Placed(NamedTuple):
    """A problem at a ``file:line``, and what to do about it."""

    where: str
    problem: str
    hint: str


def one_error(problems: Sequence[Placed], sources: Sequence[str]) -> PolicyError:
    """All problems as one error: the first of the nearest file in front, the others a line each below it."""

    def order(placed: Placed) -> tuple[int, int]:
        file, _, line = placed.where.rpartition(":")
        return (sources.index(file) if file in sources else len(sources), int(line) if line.isdigit() else 0)

    first, *rest = sorted(dict.fromkeys(problems), key=order)
    if not rest:
        return PolicyError(first.problem, where=first.where, hint=first.hint)
    lines = [str(PolicyError(first.problem, hint=first.hint))]
    lines += [str(PolicyError(placed.problem, where=placed.where, hint=placed.hint)) for placed in rest]
    return PolicyError("\n".join(lines), where=first.where)


def placed_problems(error: ValidationError, model: type[BaseModel], tree: Node) -> list[Placed]:
    """Each of the error's problems, at its line of `tree`, which was read as `model`."""
    placed: list[Placed] = []
    for details in error.errors(include_url=False):
        if details["type"] == PROBLEMS:
            for path, text, hint in details["ctx"]["problems"]:
                placed.append(Placed(tree.at(*path).where, text, hint))
            continue
        problem, hint = say(details, model)
        placed.append(Placed(tree.at(*details["loc"]).where, problem, hint))
    return placed


def say(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """One of pydantic's problems with a value read as `model`: what is wrong, and what to do about it."""
    kind, path, ctx = details["type"], details["loc"], details.get("ctx", {})
    key = _key(path)
    if kind == "policy_problem":
        return ctx["problem"], ctx["hint"]
    if kind == "extra_forbidden":
        return f"there is no key `{key}` here", suggest(key, _keys(model, path[:-1]))
    if kind == "missing":
        return f"the key `{key}` is missing", ""
    if kind == "literal_error":
        return _not_one_of(key, details["input"], ctx["expected"])
    if kind in _SHAPES:
        return f"`{key}` must be {_SHAPES[kind]}", _shape_hint(kind, details["input"])
    if kind == "string_pattern_mismatch":
        return f"`{key}` can't be written so", PATTERNS.get(ctx["pattern"], "")
    if kind == "string_too_short":
        return f"`{key}` is empty", ""
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = f"at least {ctx['ge']}" if "ge" in ctx else f"at most {ctx['le']}"
        return f"`{key}` must be {bound}", ""
    message = details["msg"].removeprefix("Value error, ")
    return f"`{key}`: {message[:1].lower()}{message[1:]}", ""


def _key(path: tuple[int | str, ...]) -> str:
    """The name to call the value at `path` by: that of the list, for one of its entries."""
    names = [part for part in path if isinstance(part, str) and part != "[key]"]
    return names[-1] if names else "the file"


def _keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that `model` has at `path`; none where they are free."""
    current: type[BaseModel] | None = model
    for part in path:
        if current is None:
            return []
        if isinstance(part, str) and part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation)
    return list(current.model_fields) if current else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _not_one_of(key: str, value: object, expected: str) -> tuple[str, str]:
    words = re.findall(r"'([^']*)'", expected)
    if isinstance(value, str) and len(value) <= _SHOWN and words:
        return f"`{key}` can't be `{value}`", suggest(value, words)
    return f"`{key}` must be {expected.replace(chr(39), '`')}", ""


def _shape_hint(kind: str, value: object) -> str:
    if value is None:
        return "it is empty"
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return "put it in quotes"
    if kind == "bool_type" and value in ("yes", "no", "on", "off"):
        return "YAML 1.2 reads it as text"
    if kind in ("tuple_type", "list_type"):
        return "put a - before each entry"
    return ""
