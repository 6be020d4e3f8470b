"""What a JSON Schema declares of a string: may another text stand in its place? No more of JSON Schema than that.

What confines a string is `enum`, `const`, `pattern`, `minLength`, `maxLength` and the `format`s below, on it or on what
`$ref`, `allOf`, `anyOf` and `oneOf` add. A pattern that can't be run in linear time allows nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Literal
from uuid import UUID

_DEEPEST = 24
_WORDS = ("enum", "const", "pattern", "minLength", "maxLength")

_FORMATS = {
    "email": re.compile(r"[^@\s\[\]<>]+@[^@\s\[\]<>]+\.[^@\s.\[\]<>]+"),
    "idn-email": re.compile(r"[^@\s\[\]<>]+@[^@\s\[\]<>]+\.[^@\s.\[\]<>]+"),
    "uri": re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\[\]<>]+"),
    "iri": re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\[\]<>]+"),
    "uri-reference": re.compile(r"[^\s\[\]<>]*"),
    "hostname": re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"),
    "date": re.compile(r"\d{4}-\d\d-\d\d", re.ASCII),
    "time": re.compile(r"\d\d:\d\d.*", re.ASCII),
    "date-time": re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*", re.ASCII),
    "duration": re.compile(r"P[0-9YMWDTHS.]+", re.ASCII),
}
_PARSED = {"uuid", "ipv4", "ipv6"}


class Form:
    """What a schema says of one value of a JSON text. `root` is the document that its references point into."""

    __slots__ = ("_root", "_schema")

    def __init__(self, schema: Any = None, root: Any = None) -> None:
        self._schema = schema
        self._root = schema if root is None else root

    def member(self, key: str) -> Form:
        """What it says of a member of an object."""
        return Form(self._child(self._schema, key, 0), self._root)

    def item(self, index: int) -> Form:
        """What it says of an item of an array."""
        return Form(self._child(self._schema, index, 0), self._root)

    @property
    def confines(self) -> bool:
        """It says something of a string that another text may not meet."""
        return self._confines(self._schema, 0)

    def holds(self, text: str) -> bool:
        """Whether `text` may stand there."""
        return self._holds(self._schema, text, 0)

    def _child(self, schema: Any, at: str | int, depth: int) -> Any:
        """What a schema says of what stands at a key or an index; None if nothing."""
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return None
        said = [_own_child(schema, at)]
        said.extend(self._child(other, at, depth + 1) for other in self._all_of(schema))
        for word in ("anyOf", "oneOf"):
            others = [self._child(other, at, depth + 1) for other in _list(schema, word)]
            if others:
                said.append({"anyOf": [{} if other is None else other for other in others]})
        said = [one for one in said if one is not None]
        return said[0] if len(said) == 1 else {"allOf": said} if said else None

    def _all_of(self, schema: dict[str, Any]) -> list[Any]:
        referred = self._resolved(schema.get("$ref"))
        return [*_list(schema, "allOf"), *([referred] if referred is not None else [])]

    def _resolved(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        found = self._root
        for token in reference[1:].split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def _confines(self, schema: Any, depth: int) -> bool:
        if not isinstance(schema, dict):
            return False
        if depth > _DEEPEST:
            return True
        own = any(word in schema for word in _WORDS) or schema.get("format") in (_FORMATS.keys() | _PARSED)
        others = [*self._all_of(schema), *_list(schema, "anyOf"), *_list(schema, "oneOf")]
        return own or any(self._confines(other, depth + 1) for other in others)

    def _holds(self, schema: Any, text: str, depth: int) -> bool:
        if not isinstance(schema, dict):
            return schema is not False
        if depth > _DEEPEST or not _own_holds(schema, text):
            return False
        if not all(self._holds(other, text, depth + 1) for other in self._all_of(schema)):
            return False
        return all(
            any(self._holds(other, text, depth + 1) for other in others)
            for others in (_list(schema, "anyOf"), _list(schema, "oneOf"))
            if others
        )


def _list(schema: dict[str, Any], word: str) -> list[Any]:
    value = schema.get(word)
    return value if isinstance(value, list) else []


def _own_child(schema: dict[str, Any], at: str | int) -> Any:
    if isinstance(at, int):
        first = _list(schema, "prefixItems") or _list(schema, "items")
        return first[at] if at < len(first) else schema.get("items") if isinstance(schema.get("items"), dict) else None
    members = schema.get("properties")
    if isinstance(members, dict) and at in members:
        return members[at]
    others = schema.get("patternProperties")
    named = [other for key, other in others.items() if _found(key, at) is not False] if isinstance(others, dict) else []
    if named:
        return {"allOf": named}
    rest = schema.get("additionalProperties")
    return rest if isinstance(rest, dict) else None


def _own_holds(schema: dict[str, Any], text: str) -> bool:
    declared = schema.get("type")
    if declared is not None and "string" not in (declared if isinstance(declared, list) else [declared]):
        return False
    if "const" in schema and schema["const"] != text:
        return False
    if isinstance(schema.get("enum"), list) and text not in schema["enum"]:
        return False
    least, most = schema.get("minLength"), schema.get("maxLength")
    if (isinstance(least, int) and len(text) < least) or (isinstance(most, int) and len(text) > most):
        return False
    if isinstance(schema.get("pattern"), str) and _found(schema["pattern"], text) is not True:
        return False
    form = schema.get("format")
    return not isinstance(form, str) or _has_format(form, text)


def _has_format(form: str, text: str) -> bool:
    if form in _FORMATS:
        return _FORMATS[form].fullmatch(text) is not None
    try:
        if form == "uuid":
            return UUID(text).hex == text.replace("-", "").lower()
        if form in ("ipv4", "ipv6"):
            return f"ipv{ip_address(text).version}" == form
    except ValueError:
        return False
    return True


def _found(pattern: str, text: str) -> bool | Literal["unknown"]:
    """Whether a pattern is found in a text; it is the client's own, so it runs in linear time or not at all."""
    compiled = _compiled(pattern)
    return "unknown" if compiled is None else compiled.search(text) is not None


@lru_cache(256)
def _compiled(pattern: str) -> Any:
    import re2  # here, since nearly no request needs it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None
