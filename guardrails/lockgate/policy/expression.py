"""What a compiled CEL expression names: its variables, and the labels it asks for.

The compiler gives its checked tree as a protocol buffer (``cel.expr.CheckedExpr`` of the CEL specification,
https://github.com/google/cel-spec, proto/cel/expr/{checked,syntax}.proto). Reading the few fields needed here takes
less than a dependency on protobuf would, and, unlike a search in the text, it is not fooled by strings, by names that
a macro declares, or by parentheses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class LabelUse(NamedTuple):
    """A label as the expression writes it: of which map (``pii.labels``), and where, in code points from its start."""

    variable: str
    label: str
    offset: int


@dataclass(slots=True)
class Names:
    """The declared variables that an expression reads, and the labels it asks its label maps for."""

    variables: set[str] = field(default_factory=set)
    labels: list[LabelUse] = field(default_factory=list)


def names_in(serialised: bytes, variables: frozenset[str]) -> Names:
    """Names in an expression that the compiler has serialised; `variables` are those that were declared.

    Those that end in ``.labels`` are maps from label to score. Raises ValueError if this is no such tree.
    """
    envelope = _Message(serialised)
    checked = envelope.message(2)
    walk = _Walk(variables, _positions(checked.message(5)))
    walk.visit(checked.message(4), {})
    return walk.names


class _Message:
    """The fields of one message: number → values, in order. Scalars are integers, all else is bytes."""

    def __init__(self, data: bytes) -> None:
        self.fields: dict[int, list[int | bytes]] = {}
        at = 0
        while at < len(data):
            key, at = _varint(data, at)
            value: int | bytes
            match key & 7:
                case 0:
                    value, at = _varint(data, at)
                case 2:
                    size, at = _varint(data, at)
                    value, at = data[at : at + size], at + size
                case 1 | 5 as wire:
                    size = 8 if wire == 1 else 4
                    value, at = data[at : at + size], at + size
                case wire:
                    raise ValueError(f"wire type {wire} in a compiled expression")
            self.fields.setdefault(key >> 3, []).append(value)

    def has(self, number: int) -> bool:
        return number in self.fields

    def messages(self, number: int) -> Iterator[_Message]:
        return (_Message(value) for value in self.fields.get(number, ()) if isinstance(value, bytes))

    def message(self, number: int) -> _Message:
        return next(self.messages(number), _EMPTY)

    def text(self, number: int) -> str:
        value = self.fields.get(number, [b""])[-1]
        return value.decode() if isinstance(value, bytes) else ""

    def number(self, number: int) -> int:
        value = self.fields.get(number, [0])[-1]
        return value if isinstance(value, int) else 0


_EMPTY = _Message(b"")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a compiled expression that is cut short")


def _positions(source: _Message) -> dict[int, int]:
    return {entry.number(1): entry.number(2) for entry in source.messages(4)}


# What a name that a macro declares stands for: the key of a label map (its variable), or one of some texts.
_Texts = list[tuple[str, int]]
_Scope = Mapping[str, "str | _Texts"]


class _Walk:
    """Goes over a tree of ``cel.expr.Expr``. Field numbers are those of syntax.proto."""

    def __init__(self, variables: frozenset[str], positions: dict[int, int]) -> None:
        self.variables = variables
        self.positions = positions
        self.names = Names()

    def visit(self, expr: _Message, scope: _Scope) -> None:
        if expr.has(4):
            self._declared(expr)
        elif expr.has(5):
            self._select(expr, scope)
        elif expr.has(6):
            self._call(expr.message(6), scope)
        elif expr.has(7):
            for element in expr.message(7).messages(1):
                self.visit(element, scope)
        elif expr.has(8):
            for entry in expr.message(8).messages(2):
                self.visit(entry.message(3), scope)
                self.visit(entry.message(4), scope)
        elif expr.has(9):
            self._comprehension(expr.message(9), scope)

    def _declared(self, expr: _Message) -> str:
        """The variable that `expr` is, noted as read; "" if it is none."""
        name = expr.message(4).text(1).lstrip(".")
        if name not in self.variables:
            return ""
        self.names.variables.add(name)
        return name

    def _label_map(self, expr: _Message) -> str:
        """The label map that `expr` is, seen through ``dyn()``; "" if it is none."""
        call = expr.message(6)
        if call.text(2) == "dyn":
            return self._label_map(call.message(3))
        name = self._declared(expr)
        return name if name.endswith(".labels") else ""

    def _select(self, expr: _Message, scope: _Scope) -> None:
        select = expr.message(5)
        variable = self._label_map(select.message(1))
        if variable:
            self.names.labels.append(LabelUse(variable, select.text(2), self._offset(expr)))
        self.visit(select.message(1), scope)

    def _call(self, call: _Message, scope: _Scope) -> None:
        function, args = call.text(2), list(call.messages(3))
        if function == "_[_]":
            self._note(self._label_map(args[0]), self._texts(args[1], scope))
        elif function == "@in":
            self._note(self._label_map(args[1]), self._texts(args[0], scope))
            self._note(self._key_of(args[0], scope), self._texts(args[1], scope))
        elif function in ("_==_", "_!=_"):
            self._note(self._key_of(args[0], scope), self._texts(args[1], scope))
            self._note(self._key_of(args[1], scope), self._texts(args[0], scope))
        for part in [call.message(1), *args]:
            self.visit(part, scope)

    def _comprehension(self, loop: _Message, scope: _Scope) -> None:
        over = loop.message(2)
        self.visit(over, scope)
        variable = self._label_map(over)
        inner = {**scope, loop.text(1): variable or self._texts(over, scope), loop.text(3): []}
        for part in (4, 5, 6, 7):
            self.visit(loop.message(part), inner)

    def _key_of(self, expr: _Message, scope: _Scope) -> str:
        """The label map whose key `expr` stands for, by a macro such as ``pii.labels.exists(l, …)``; "" if none."""
        bound = scope.get(expr.message(4).text(1), "") if expr.has(4) else ""
        return bound if isinstance(bound, str) else ""

    def _texts(self, expr: _Message, scope: _Scope) -> _Texts:
        """The texts that `expr` is one of, as far as they are written out."""
        if expr.has(3):
            constant = expr.message(3)
            return [(constant.text(6), self._offset(expr))] if constant.has(6) else []
        if expr.has(4):
            bound = scope.get(expr.message(4).text(1), [])
            return [] if isinstance(bound, str) else bound
        return [text for element in expr.message(7).messages(1) for text in self._texts(element, scope)]

    def _note(self, variable: str, texts: _Texts) -> None:
        if variable:
            self.names.labels.extend(LabelUse(variable, label, offset) for label, offset in texts)

    def _offset(self, expr: _Message) -> int:
        return self.positions.get(expr.number(2), 0)
