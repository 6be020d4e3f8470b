"""Writes a detector's `above` into a policy's text, and leaves every other character as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lockgate.errors import PolicyError

Above = float | Mapping[str, float]


def with_above(text: str, rule: str, kind: str, above: Above, head: str = "heads") -> str:
    """The policy `text`, in which the detector `kind` of the rule with this id counts from `above` on: one number, or one a
    head. Comments and layout stay. What was written as a name or a list of names becomes a mapping, under `head`.

    Raises PolicyError where the text has no such rule or detector: it may be another file's.
    """
    root = YAML().compose(text)
    use = _value(_rule(root, rule), "use")
    found = _value(use, kind) if isinstance(use, MappingNode) else None
    said = _flow(above)
    if found is None and use is not None and not isinstance(use, MappingNode):
        kinds = [use.value] if isinstance(use, ScalarNode) else [node.value for node in use.value]
        inside = ", ".join(f"{one}: {{above: {said}}}" if one == kind else f"{one}: {{}}" for one in kinds)
        return _put(text, use, f"{{{inside}}}")
    if found is None:
        raise PolicyError(f"the file has no rule {rule!r} that uses {kind!r}", hint="it may extend another that has it")
    if isinstance(found, ScalarNode) and not found.value:
        return text[: found.start_mark.index] + f" {{above: {said}}}" + text[found.start_mark.index :]
    if isinstance(found, ScalarNode | SequenceNode):
        written = text[found.start_mark.index : found.end_mark.index].rstrip()
        names = written if isinstance(found, SequenceNode) and found.flow_style else _names(found)
        tail = _tail(text, found)
        return _put(text, found, f"{{{head}: {names}, above: {said}}}{tail}")
    before = _value(found, "above")
    if before is not None:
        return _put(text, before, said + _tail(text, before))
    if not found.value:
        return _put(text, found, f"{{above: {said}}}")
    first: Node = found.value[0][0]
    at = first.start_mark.index
    gap = ", " if getattr(found, "flow_style", False) else "\n" + " " * first.start_mark.column
    return f"{text[:at]}above: {said}{gap}{text[at:]}"


def _rule(root: Node | None, rule: str) -> Node | None:
    rules = _value(root, "rules")
    for one in rules.value if isinstance(rules, SequenceNode) else ():
        name = _value(one, "id")
        if isinstance(name, ScalarNode) and name.value == rule:
            found: Node = one
            return found
    return None


def _value(node: Node | None, key: str) -> Node | None:
    pairs = node.value if isinstance(node, MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _names(node: Node) -> str:
    names = [node] if isinstance(node, ScalarNode) else node.value
    return f"[{', '.join(name.value for name in names)}]"


def _flow(above: Above) -> str:
    if isinstance(above, Mapping):
        return "{" + ", ".join(f"{head}: {json.dumps(at)}" for head, at in above.items()) + "}"
    return json.dumps(above)


def _tail(text: str, node: Node) -> str:
    """A node in blocks ends where the next one begins: the space and the comments between are no part of it."""
    written = text[node.start_mark.index : node.end_mark.index]
    if getattr(node, "flow_style", True) is not False or isinstance(node, ScalarNode):
        return written[len(written.rstrip()) :]
    last = node.value[-1]
    end = (last[1] if isinstance(node, MappingNode) else last).end_mark.index
    return text[end : node.end_mark.index]


def _put(text: str, node: Node, said: str) -> str:
    return text[: node.start_mark.index] + said + text[node.end_mark.index :]
