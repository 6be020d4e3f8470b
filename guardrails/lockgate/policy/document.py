"""A YAML file as a tree of nodes that know their lines.

YAML 1.2 with the core schema, less what makes a policy hard to read: duplicate keys, anchors, aliases, merge keys and
tags are errors. ruamel.yaml parses; the tree is built here from its events, since only events show all of these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from lockgate.errors import PolicyError
from lockgate.policy.locate import reason, require_file

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
FIRST = "write `version: 1` first"
"""What an empty policy is told to do."""

Scalar = str | int | float | bool | None

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {word: value for value, words in ((True, "true True TRUE"), (False, "false False FALSE"))
         for word in words.split()}  # fmt: skip
_INT = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}")
_BIG = re.compile(r"[-+]?[0-9]{19,}|0o[0-7]{21,}|0x[0-9a-fA-F]{16,}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_HINTS = {
    "mapping values are not": 'look at the indentation, or put a value that has ": " in it in quotes',
    "found '<scalar>'": "something stands behind a value in quotes",
    "block end": "the indentation does not fit the lines above",
    "cannot start any token": "put the value in quotes",
}
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class Node:
    """A value of the file at `file`, and the line of its key, or of itself in a list; lines count from 1."""

    value: Scalar | dict[str, Node] | list[Node]
    file: str
    line: int

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    def plain(self) -> Any:
        """The value without its lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def get(self, key: str) -> Node | None:
        """The node under `key`, or None; None too where this is no mapping."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> list[Node]:
        """The nodes of a list; none where this is no list."""
        return self.value if isinstance(self.value, list) else []

    def at(self, *path: str | int) -> Node:
        """The node at `path`, or its nearest ancestor that the file has.

        A name that leads into a list is passed over: the model has it, and the file's shorthand left it out.
        """
        node = self
        for part in path:
            value = node.value
            if isinstance(value, list) and isinstance(part, str):
                continue
            below = None
            if isinstance(value, dict) and isinstance(part, str):
                below = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
                below = value[part]
            if below is None:
                break
            node = below
        return node


def read_document(path: Path, *, where: str = "", first: str = FIRST) -> Node:
    """The file at `path`, whose top is a mapping. Raises PolicyError; `where` is the line that asked for it, if any.

    `first` is the hint for a file with nothing in it.
    """
    require_file(path, where=where)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"the file can't be read: {reason(error)}", where=str(path)) from error
    return parse_document(raw, str(path), first=first)


def parse_document(raw: bytes, file: str, *, first: str = FIRST) -> Node:
    """`raw` as a tree; `file` is what error messages call it. Raises PolicyError and nothing else."""
    if len(raw) > MAX_BYTES:
        raise PolicyError(f"the file is larger than {MAX_BYTES >> 20} MiB", where=file)
    root = _Builder(file, _decode(raw, file), first).build()
    if not isinstance(root.value, dict):
        raise PolicyError("the file must be a mapping at its top", where=root.where, hint=first)
    return root


def _decode(raw: bytes, file: str) -> str:
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise PolicyError("the file begins with a byte-order mark", where=f"{file}:1", hint="save it as plain UTF-8")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PolicyError("the file is not UTF-8 here", where=f"{file}:{line}", hint="save it as UTF-8") from error


class _Builder:
    """Events of one document → its tree."""

    def __init__(self, file: str, text: str, first: str) -> None:
        self.file = file
        self.text = text
        self.first = first
        self.events = self._events()

    def build(self) -> Node:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                self._directives(event)
                if root is not None:
                    raise self._error("the file holds more than one document", event, "keep one in a file")
            elif isinstance(event, NodeEvent):
                root = self._node(event, _line(event), 0)
            elif isinstance(event, StreamEndEvent):
                break
        if root is None:
            raise PolicyError("the file is empty", where=self.file, hint=self.first)
        return root

    def _events(self) -> Iterator[Event]:
        line = 1
        try:
            # Not "rt": its scanner marks the folds of a `>` text with bell characters.
            for event in YAML(typ="safe", pure=True).parse(self.text):
                line = _line(event)
                yield event
        except MarkedYAMLError as error:
            raise self._syntax(error) from error
        except YAMLError as error:
            # The reader's: a character that YAML does not allow. It knows the place, but only as an offset.
            position = getattr(error, "position", None)
            line = self.text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
            problem = "a control character that YAML does not allow"
            raise PolicyError(problem, where=f"{self.file}:{line}", hint="write it as an escape in quotes") from error
        except Exception as error:
            # The parser meets some impossible escapes (\\UFFFFFFFF) and version numbers with Python's own errors.
            raise PolicyError("not YAML, here or below", where=f"{self.file}:{line}", hint="a bad escape?") from error

    def _syntax(self, error: MarkedYAMLError) -> PolicyError:
        problem = " ".join(part for part in (error.context, error.problem) if part)
        mark, opens = error.problem_mark or error.context_mark, error.context_mark
        if "end of stream" in problem and opens:
            mark = opens  # what is not closed is found at the end of the file, and wrong where it opens
        where = f"{self.file}:{mark.line + 1}" if mark else self.file
        if "'\\t'" in problem:
            return PolicyError("a tab where YAML wants spaces", where=where, hint="indent with spaces")
        hint = next((hint for words, hint in _HINTS.items() if words in problem), "")
        if "a flow" in problem and opens:
            hint = f"it opens in line {opens.line + 1}"
        return PolicyError(f"not YAML: {problem}", where=where, hint=hint)

    def _directives(self, event: DocumentStartEvent) -> None:
        if event.version is not None and tuple(event.version) != (1, 2):
            raise self._error("policies are YAML 1.2", event, "leave the %YAML line out")
        if event.tags:
            raise self._error("a %TAG line is not allowed", event, "leave it out")

    def _node(self, event: Event, line: int, depth: int) -> Node:
        if isinstance(event, AliasEvent):
            raise self._error("an alias (*) is not allowed", event, "write the value out")
        if getattr(event, "anchor", None) is not None:
            raise self._error("an anchor (&) is not allowed", event, "leave it out, and write each value out")
        if getattr(event, "tag", None) is not None:
            raise self._error("a tag (!) is not allowed", event, "put text in quotes instead")
        if depth > MAX_DEPTH:
            raise self._error(f"values are nested more than {MAX_DEPTH} deep", event)
        if isinstance(event, MappingStartEvent):
            return Node(self._mapping(depth), self.file, line)
        if isinstance(event, SequenceStartEvent):
            return Node(self._sequence(depth), self.file, line)
        if isinstance(event, ScalarEvent):
            return Node(self._scalar(event), self.file, line)
        raise self._error("not YAML: a value is missing", event)

    def _mapping(self, depth: int) -> dict[str, Node]:
        nodes: dict[str, Node] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._key(event)
            if key in nodes:
                raise self._error(f"the key `{key}` stands here twice", event, f"first in line {nodes[key].line}")
            nodes[key] = self._node(next(self.events), _line(event), depth + 1)
        return nodes

    def _key(self, event: Event) -> str:
        if not isinstance(event, ScalarEvent):
            raise self._error("a key must be a word", event, 'put "…" around a value that begins with [, { or *')
        key = self._node(event, 0, 0).value
        if key == "<<" and event.style is None:
            raise self._error("a merge key (<<) is not allowed", event, "use `extends:`, or write the keys out")
        if not isinstance(key, str):
            raise self._error("a key must be text", event, "put it in quotes")
        return key

    def _sequence(self, depth: int) -> list[Node]:
        nodes: list[Node] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            nodes.append(self._node(event, _line(event), depth + 1))
        return nodes

    def _scalar(self, event: ScalarEvent) -> Scalar:
        text = str(event.value)
        if not text.isascii():
            # An escaped pair, as JSON writes what is beyond U+FFFF.
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        if _SURROGATE.search(text):
            raise self._error("half of a surrogate pair is no text", event, "write the whole character")
        if event.style is not None:
            return text
        return self._resolve(text, event)

    def _resolve(self, text: str, event: ScalarEvent) -> Scalar:
        """A plain scalar, by the core schema of YAML 1.2."""
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _INT.fullmatch(text):
            return int(text, _base(text))
        if _NOT_FINITE.fullmatch(text) or _BIG.fullmatch(text):
            raise self._error("a number that a policy can't use", event, "put it in quotes if it is text")
        if _FLOAT.fullmatch(text):
            number = float(text)
            if not math.isfinite(number):
                raise self._error("a number that a policy can't use", event, "put it in quotes if it is text")
            return number
        return text

    def _error(self, problem: str, event: Event, hint: str = "") -> PolicyError:
        return PolicyError(problem, where=f"{self.file}:{_line(event)}", hint=hint)


def _base(text: str) -> int:
    return {"0o": 8, "0x": 16}.get(text[:2], 10)


def _line(event: Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 1
