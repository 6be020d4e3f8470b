"""A policy with all that it extends, as one YAML text in which each line says where it was written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from lockgate.policy.document import Node
from lockgate.policy.schema import Policy

_PLAIN = re.compile(r"(?!(?:true|false|null)$)[a-z][a-z0-9_./-]*")
_WIDE = 88
_COLUMN = 72


def merge_order(policy: Policy) -> str:
    """What the merged policy is made of, as comments: a line for each file and overlay, the furthest first. What stands later
    goes before what stands earlier."""
    if policy.roots is None:
        return ""
    waiting = [one.id for one in policy.overlays]
    order = [root.file for root in policy.roots.files]
    for name, parts in policy.roots.overlays.items():
        if name not in waiting:  # it lies over it now
            order += [*(root.file for root in parts[:-1]), f"{parts[-1].where}, overlay {name}"]
    lines = ["# merge order, the last goes first:", *(f"#   {i}. {one}" for i, one in enumerate(order, 1))]
    if waiting:
        lines.append(f"# overlays, where they hold: {', '.join(waiting)}")
    return "\n".join(lines) + "\n"


def merged_text(tree: Node) -> str:
    """The merged tree of a policy (`Policy.tree`). The text is a policy again, of the same hash; files that it names are named
    as they were, beside the files that name them."""
    out = []
    for line, node in _mapping(tree, ""):
        out.append(f"{line:<{_COLUMN}}  # {node.where}")
    return "\n".join(out) + "\n"


def _mapping(node: Node, indent: str) -> Iterator[tuple[str, Node]]:
    assert isinstance(node.value, dict)
    for key, value in node.value.items():
        if key in ("extends", "without") and not indent:
            continue  # it is merged in
        yield from _entry(f"{indent}{_scalar(key)}:", value, indent)


def _entry(head: str, node: Node, indent: str) -> Iterator[tuple[str, Node]]:
    flow = _flow(node)
    deep = isinstance(node.value, list) and any(isinstance(one.value, dict) for one in node.value)
    if not node.value or not isinstance(node.value, dict | list) or (len(head) + len(flow) <= _WIDE and not deep):
        yield f"{head} {flow}", node
        return
    yield head, node
    if isinstance(node.value, dict):
        yield from _mapping(node, f"{indent}  ")
        return
    for one in node.value:
        if isinstance(one.value, dict) and one.value:
            inner = _mapping(one, f"{indent}    ")
            first, where = next(inner)
            yield f"{indent}  - {first.lstrip()}", where
            yield from inner
        else:
            yield f"{indent}  - {_flow(one)}", one


def _flow(node: Node) -> str:
    if isinstance(node.value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(one)}" for key, one in node.value.items()) + "}"
    if isinstance(node.value, list):
        return "[" + ", ".join(map(_flow, node.value)) + "]"
    return _scalar(node.value)


def _scalar(value: object) -> str:
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) is not None
    if plain:
        return str(value)
    # What a terminal can't show is escaped, which YAML allows for all characters, and JSON for those up to U+FFFF alone.
    written = json.dumps(value, ensure_ascii=False)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in written)
