"""Reading JSON so that guard and upstream can't understand it differently.

A duplicate key, NaN or Infinity, a byte order mark, another encoding than UTF-8, and nesting past `MAX_DEPTH` are
errors under every policy. Large integers and every form of number are left alone (edits splice bytes). A lone
surrogate, which a JSON string may hold, is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import jiter

from lockgate.errors import WireError

MAX_DEPTH = 200
"""Deepest nesting of arrays and objects that is read."""

_POSITION = re.compile(r" at line (\d+) column (\d+)")


def parse(body: bytes, *, lenient: bool = False) -> Any:
    """The value of a JSON document. Raises WireError (status 400) with what is wrong and where.

    `lenient` is for answers: some servers write NaN and Infinity among log probabilities, and clients read them.
    """
    try:
        return jiter.from_json(body, allow_inf_nan=lenient, catch_duplicate_keys=True)
    except ValueError as error:
        return _parse_slowly(body, str(error), lenient=lenient)


def _parse_slowly(body: bytes, problem: str, *, lenient: bool) -> Any:
    """The standard library's parser reads what jiter does not (lone surrogates), and names what is wrong."""
    if "recursion limit" in problem:
        raise WireError(f"the JSON is nested deeper than {MAX_DEPTH} levels", where=_place(problem), code="too_deep")
    if "uplicate key" in problem:
        raise WireError("the JSON has the same key twice in one object", where=_place(problem), code="duplicate_key")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError("the body is not valid UTF-8", where=f"byte {error.start}", code="invalid_encoding") from None
    if text.startswith("\ufeff"):
        raise WireError("the body begins with a byte order mark: send plain UTF-8", where="byte 0")
    if not text.strip():
        raise WireError("the body is empty: a JSON object was expected", where="byte 0")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=float if lenient else _constant)
    except json.JSONDecodeError as error:
        raise WireError(
            f"the body is not valid JSON: {error.msg}", where=f"line {error.lineno} column {error.colno}"
        ) from None
    except RecursionError:
        raise WireError(f"the JSON is nested deeper than {MAX_DEPTH} levels", code="too_deep") from None
    except ValueError:
        # Python limits the digits of an integer that it converts.
        raise WireError("the body has a number with too many digits", code="invalid_number") from None
    if _deeper(value, MAX_DEPTH):
        raise WireError(f"the JSON is nested deeper than {MAX_DEPTH} levels", code="too_deep")
    return value


def _deeper(value: Any, levels: int) -> bool:
    """Whether arrays and objects nest deeper than `levels`."""
    level = [value]
    for _ in range(levels + 1):
        level = [item for holder in level if isinstance(holder, (dict, list)) for item in _items(holder)]
    return bool(level)


def _items(holder: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return holder.values() if isinstance(holder, dict) else holder


def _place(problem: str) -> str:
    found = _POSITION.search(problem)
    return f"line {found[1]} column {found[2]}" if found else ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireError("the JSON has the same key twice in one object", code="duplicate_key")
    return found


def _constant(name: str) -> Any:
    raise WireError(f"the body is not valid JSON: {name} is not a JSON number", code="invalid_number")


def dump_string(text: str) -> bytes:
    """A JSON string literal. Lone surrogates are escaped; everything else beyond ASCII stays as it is."""
    try:
        return json.dumps(text, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(text).encode("ascii")
