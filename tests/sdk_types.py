"""The `openai` SDK's types as a map of texts: every place of a document at which they allow a string, and the smallest
document that has one there.

A place is a pointer with `*` for any item, `{}` for any member of an open object, `{name}` for such a member's name, and
the word that tells a union's arms apart in parentheses: ``/messages/*(user)/content/*(text)/text``.
"""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Required, Union, get_args, get_origin

import pydantic
from openai._utils import PropertyInfo
from typing_extensions import TypeAliasType, get_type_hints, is_typeddict

Make = Callable[[str], Any]
"""A text → a value that has it at the place."""

_LISTS = (list, tuple, collections.abc.Iterable, collections.abc.Sequence)
_MAPS = (dict, collections.abc.Mapping)
_TELLING = ("type", "role", "object", "mode", "event")


class Place(NamedTuple):
    where: str
    make: Make


class Member(NamedTuple):
    type: Any
    required: bool


def places(of: Any) -> list[Place]:
    """Every place of a document of this type."""
    return list(_places(of, ()))


def _places(of: Any, above: tuple[Any, ...]) -> Iterator[Place]:
    of = bare(of)
    origin = get_origin(of)
    if of is str or of in (Any, object):
        yield Place("", str)
    elif origin in (Union, types.UnionType):
        yield from _arms(get_args(of), above)
    elif _is_list(of):
        for where, make in _places((get_args(of) or (Any,))[0], above):
            yield Place(f"/*{where}", lambda text, make=make: [make(text)])  # type: ignore[misc]
    elif of in _MAPS or origin in _MAPS:
        value = (*get_args(of), Any, Any)[1]
        yield Place("/{name}", lambda text: {text: smallest(value)})
        for where, make in _places(value, above):
            yield Place("/{}" + where, lambda text, make=make: {"key": make(text)})  # type: ignore[misc]
    elif is_object(of) and of not in above:
        around = smallest(of)
        for name, member in members(of).items():
            for where, make in _places(member.type, (*above, of)):
                yield Place(f"/{name}{where}", lambda text, n=name, make=make: {**around, n: make(text)})  # type: ignore[misc]


def _arms(arms: tuple[Any, ...], above: tuple[Any, ...]) -> Iterator[Place]:
    objects = [arm for arm in map(bare, arms) if is_object(arm)]
    for arm in arms:
        told = f"({word_of(bare(arm))})" if bare(arm) in objects and len(objects) > 1 else ""
        for where, make in _places(arm, above):
            yield Place(told + where, make)


def bare(of: Any) -> Any:
    """A type without what only qualifies it."""
    while True:
        if isinstance(of, TypeAliasType):
            of = of.__value__
        elif get_origin(of) in (Annotated, Required, NotRequired):
            of = get_args(of)[0]
        else:
            return of


def is_object(of: Any) -> bool:
    return is_typeddict(of) or (isinstance(of, type) and issubclass(of, pydantic.BaseModel))


def _is_list(of: Any) -> bool:
    origin = get_origin(of)
    return of in _LISTS or origin in _LISTS or getattr(origin, "__name__", "") == "SequenceNotStr"


@cache
def members(of: Any) -> dict[str, Member]:
    """The members of an object by their names on the wire."""
    if not is_typeddict(of):
        return {
            field.alias or name: Member(field.annotation, field.is_required())
            for name, field in of.model_fields.items()
        }
    hints = get_type_hints(of, include_extras=True)
    return {_alias(hint) or name: Member(hint, _required(of, name, hint)) for name, hint in hints.items()}


def _required(of: Any, name: str, hint: Any) -> bool:
    """In a module whose annotations are strings, `__required_keys__` does not know of `Required`."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return get_origin(hint) is Required or (name in of.__required_keys__ and get_origin(hint) is not NotRequired)


def _alias(hint: Any) -> str | None:
    while get_origin(hint) in (Annotated, Required, NotRequired):
        for note in get_args(hint)[1:]:
            if isinstance(note, PropertyInfo) and note.alias:
                return note.alias
        hint = get_args(hint)[0]
    return None


def smallest(of: Any, above: tuple[Any, ...] = ()) -> Any:
    """A value with nothing in it that may be left out, but for what says which kind of object it is."""
    of = bare(of)
    origin = get_origin(of)
    if origin is Literal:
        return get_args(of)[0]
    if origin in (Union, types.UnionType):
        return None if type(None) in get_args(of) else smallest(get_args(of)[0], above)
    if is_object(of) and of not in above:
        return {
            name: smallest(member.type, (*above, of))
            for name, member in members(of).items()
            if member.required or (name in _TELLING and get_origin(bare(member.type)) is Literal)
        }
    if _is_list(of):
        return []
    if is_object(of) or of in _MAPS or origin in _MAPS:
        return {}
    return {str: "", int: 1, float: 1.0, bool: True}.get(of)


def word_of(of: Any) -> str:
    """What tells an object from others: the literal that says its kind, or else its name."""
    for name in _TELLING:
        member = members(of).get(name)
        if member is not None and get_origin(bare(member.type)) is Literal:
            return str(get_args(bare(member.type))[0])
    return str(of.__name__)


def arms(of: Any) -> tuple[Any, ...]:
    """The types of a union; a type that is none, alone."""
    of = bare(of)
    return get_args(of) if get_origin(of) in (Union, types.UnionType) else (of,)
