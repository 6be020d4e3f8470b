"""Files and overlays → one tree: what is nearer goes before what is further, entry by entry."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lockgate.errors import PolicyError
from lockgate.policy.document import Node
from lockgate.policy.nearest import suggest
from lockgate.policy.problems import one_error, placed_problems
from lockgate.policy.schema import CONTENT, Policy, Roots

# A file has these for itself: one that says nothing of them does not get them from what it extends.
_OWN = frozenset({"version", "name", "description", "extends", "without"})
_ENTRIES = frozenset({"rules", "principles", "overlays"})


@dataclass(frozen=True, slots=True)
class Merged:
    """One tree of several; `layers` says of each entry's node, by its `id()`, how near it is: 0 is the nearest."""

    tree: Node
    layers: Mapping[int, int]


def merged(roots: Sequence[Node], own: Node, *, less: Collection[str] = ()) -> Merged:
    """One tree of all, the nearest last, less the keys in `less`. Each node keeps the file and the line where it was written.
    What a file has for itself is that of `own`. Raises PolicyError."""
    found: dict[str, Node] = {}
    layers: dict[int, int] = {}
    for far, root in enumerate(reversed(roots)):
        layers |= {id(entry): far for key in _ENTRIES for entry in _entries(root, key)}
    for root in roots:
        _leave_out(root, found)
        for key, node in (root.value if isinstance(root.value, dict) else {}).items():
            if (key in _OWN and root is not own) or key in less:
                continue
            before = found.get(key)
            if before is not None and key in _ENTRIES:
                found[key] = _merge_entries(before, node)
            elif before is not None and key == "stream":
                found[key] = _merge_keys(before, node)
            else:
                found[key] = node
    return Merged(Node(found, own.file, own.line), layers)


def checked(found: Merged, sources: tuple[str, ...], roots: Roots) -> Policy:
    """The policy that a merged tree says. Raises PolicyError with all that is wrong."""
    try:
        policy = Policy.model_validate(found.tree.plain())
    except ValidationError as error:
        raise one_error(placed_problems(error, Policy, found.tree), sources) from error
    return policy.placed(found.tree, sources, found.layers, roots)


def overlays_of(tree: Node) -> Iterator[tuple[str, Node]]:
    """Id and node of each overlay that has an id; what is wrong with the others is said when all is read."""
    for entry in _entries(tree, "overlays"):
        name = _id(entry)
        if isinstance(name, str):
            yield name, entry


def own_content(overlay: Node) -> Node:
    """What an overlay says itself, as the tree of a policy."""
    said = overlay.value if isinstance(overlay.value, dict) else {}
    return Node({key: node for key, node in said.items() if key in CONTENT}, overlay.file, overlay.line)


def overlaid(policy: Policy, ids: Sequence[str]) -> Policy:
    """The policy under these overlays, in their order: the last is the nearest. Raises PolicyError."""
    roots = policy.roots or _made(policy)
    final = {rule.id for rule in policy.rules if rule.final}
    over = [(name, root) for name in ids for root in roots.overlays[name]]
    for name, root in over:
        for node in (*_entries(root, "rules"), *_names(root)):
            rule = node.value if isinstance(node.value, str) else _id(node)
            if rule in final:
                raise PolicyError(
                    f"the rule {rule!r} is final, and no overlay can replace it or do without it",
                    where=node.where, hint=f"give the overlay {name!r} a rule of another id",
                )  # fmt: skip
    trees = [*roots.files, *(root for _, root in over)]
    sources = tuple(dict.fromkeys((*(root.file for _, root in reversed(over)), *policy.sources)))
    return checked(
        merged(trees, roots.own, less=("overlays",)),
        sources,
        Roots(roots.files, {name: roots.overlays[name] for name in ids}),
    )


def _made(policy: Policy) -> Roots:
    """The trees of a policy that was made in Python."""
    tree = _node(policy.model_dump(mode="json", exclude_unset=True), policy.name)
    return Roots((tree,), {name: (own_content(node),) for name, node in overlays_of(tree)})


def _node(value: Any, file: str) -> Node:
    if isinstance(value, Mapping):
        return Node({str(key): _node(one, file) for key, one in value.items()}, file, 1)
    if isinstance(value, (list, tuple)):
        return Node([_node(one, file) for one in value], file, 1)
    return Node(value, file, 1)


def _names(root: Node) -> list[Node]:
    """The names under `without`: one, or a list."""
    said = root.get("without")
    if said is None:
        return []
    return said.items() if isinstance(said.value, list) else [said]


def _leave_out(root: Node, found: dict[str, Node]) -> None:
    """Take out the rules that a file or an overlay does without."""
    for node in _names(root):
        rules = found.get("rules")
        entries = rules.items() if rules is not None else []
        known = [str(_id(entry)) for entry in entries if isinstance(_id(entry), str)]
        if node.value not in known:
            hint = suggest(str(node.value), known) or "a rule of its own is simply not written"
            raise PolicyError(
                f"`without` names {node.value!r}, which no file before it has", where=node.where, hint=hint
            )
        assert rules is not None
        found["rules"] = Node([entry for entry in entries if _id(entry) != node.value], rules.file, rules.line)


def _entries(root: Node, key: str) -> list[Node]:
    node = root.get(key)
    return node.items() if node is not None else []


def _merge_keys(base: Node, overlay: Node) -> Node:
    if not isinstance(base.value, dict) or not isinstance(overlay.value, dict):
        return overlay
    return Node({**base.value, **overlay.value}, overlay.file, overlay.line)


def _merge_entries(base: Node, overlay: Node) -> Node:
    """Entries of `overlay` take the place of those of the same id in `base`; the others follow."""
    if not isinstance(base.value, list) or not isinstance(overlay.value, list):
        return overlay
    entries = list(base.value)
    places = {_id(entry): index for index, entry in enumerate(entries)}
    for entry in overlay.value:
        # An id that stands twice in one file replaces once; the second is kept, for the error to point at it.
        place = places.pop(_id(entry), None)
        if place is None:
            entries.append(entry)
        else:
            entries[place] = entry
    return Node(entries, overlay.file, overlay.line)


def _id(entry: Node) -> object:
    node = entry.get("id")
    return node.value if node is not None and isinstance(node.value, str) else id(entry)
