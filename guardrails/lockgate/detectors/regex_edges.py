r"""Word boundaries in a pattern's tree. RE2 knows ASCII words only; ours are of any script.

Those at the pattern's own edges are looked for when there is a match (`boundaries.py`). Those inside are left to RE2
where it sees at least all that there are, taken out where they are always there, and refused where RE2 could miss one.
"""

from __future__ import annotations

from typing import NamedTuple

from lockgate.detectors.regex_tree import Alt, At, Capture, Char, Node, Repeat, Seq
from lockgate.errors import PatternError

BOUNDARY = At(r"\b")
_NO_BOUNDARY = At(r"\B")


class Edge(NamedTuple):
    """What is known of the character at an edge: whether it is an ASCII one, whether it is a letter, digit or
    underscore (None: it may be)."""

    ascii: bool
    word: bool | None


UNKNOWN = Edge(ascii=False, word=None)
ASCII_WORD = Edge(ascii=True, word=True)


def _either(one: Edge, other: Edge) -> Edge:
    return Edge(one.ascii and other.ascii, one.word if one.word == other.word else None)


def edge(node: Node, *, last: bool, outside: Edge = UNKNOWN) -> Edge:
    """The first (`last`: the last) character of what the node matches; that `outside`, where it matches nothing."""
    match node:
        case Char(ascii=plain, word=word):
            return Edge(plain, word)
        case At():
            return outside
        case Capture(item):
            return edge(item, last=last, outside=outside)
        case Alt(items):
            edges = [edge(item, last=last, outside=outside) for item in items]
            found = edges[0] if edges else outside
            for other in edges[1:]:
                found = _either(found, other)
            return found
        case Repeat(item, low):
            found = edge(item, last=last, outside=outside)
            return found if low else _either(found, outside)
        case Seq(items):
            found = outside
            ordered = items if last else items[::-1]
            # A character hides what lies behind it.
            first = max((i for i, item in enumerate(ordered) if type(item) is Char), default=0)
            for item in ordered[first:]:
                found = edge(item, last=last, outside=found)
            return found


def strip(node: Node, *, last: bool) -> tuple[bool, Node]:
    r"""Whether every match begins (`last`: ends) with ``\b``, and the node without it."""
    match node:
        case At():
            return (True, Seq(())) if node == BOUNDARY else (False, node)
        case Capture(item):
            found, bare = strip(item, last=last)
            return found, Capture(bare) if found else node
        case Alt(items):
            stripped = [strip(item, last=last) for item in items]
            found = all(has for has, _ in stripped)
            return found, Alt(tuple(bare for _, bare in stripped)) if found else node
        case Seq(items) if items:
            found, bare = strip(items[-1 if last else 0], last=last)
            if not found:
                return False, node
            kept = [*items[:-1], bare] if last else [bare, *items[1:]]
            kept = [item for item in kept if item != Seq(())]
            return True, kept[0] if len(kept) == 1 else Seq(tuple(kept))
        case _:
            return False, node


def settled(node: Node, *, before: Edge = UNKNOWN, behind: Edge = UNKNOWN) -> Node:
    r"""The node with every ``\b`` and ``\B`` in it settled; `before` and `behind` are the characters around it. Raises
    PatternError for one that can't be."""
    if not _asserts(node):
        return node
    match node:
        case Capture(item):
            return Capture(settled(item, before=before, behind=behind))
        case Alt(items):
            return Alt(tuple(settled(item, before=before, behind=behind) for item in items))
        case Repeat(item, low, high):
            if high != 1:
                before = _either(before, edge(item, last=True, outside=before))
                behind = _either(behind, edge(item, last=False, outside=behind))
            return Repeat(settled(item, before=before, behind=behind), low, high)
        case Seq(items):
            kept: list[Node] = []
            for i, item in enumerate(items):
                if not _asserts(item):
                    kept.append(item)
                    continue
                left = edge(Seq(items[:i]), last=True, outside=before)
                right = edge(Seq(items[i + 1 :]), last=False, outside=behind)
                if not isinstance(item, At):
                    kept.append(settled(item, before=left, behind=right))
                elif not _always(item, left, right):
                    _require(item, left, right)
                    kept.append(item)
            return Seq(tuple(kept))
        case At():
            _require(node, before, behind)
            return node
        case Char():
            return node


def _asserts(node: Node) -> bool:
    match node:
        case At():
            return True
        case Seq(items) | Alt(items):
            return any(_asserts(item) for item in items if type(item) is not Char)
        case Capture(item) | Repeat(item):
            return _asserts(item)
        case _:
            return False


def _always(at: At, left: Edge, right: Edge) -> bool:
    if left.word is None or right.word is None:
        return False
    return (left.word != right.word) if at == BOUNDARY else at == _NO_BOUNDARY and left.word == right.word


def _require(at: At, left: Edge, right: Edge) -> None:
    r"""Beside an ASCII letter, RE2 sees every boundary, and more: it takes letters of other scripts for none."""
    if at not in (BOUNDARY, _NO_BOUNDARY) or (left.ascii and right.ascii):
        return
    if at == BOUNDARY and ASCII_WORD in (left, right):
        return
    raise PatternError(
        f"the pattern has a {at.re2} inside, beside a character that may be of any script",
        hint="leave it out, or match the character that stands there",
    )
