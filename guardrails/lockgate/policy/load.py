"""Files → `Policy` and `Suite`. Whatever is wrong with a file is a `PolicyError` with file, line and what to do."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import ValidationError

from lockgate.errors import PolicyError
from lockgate.policy.document import Node, read_document
from lockgate.policy.locate import find_policy
from lockgate.policy.nearest import suggest
from lockgate.policy.problems import Placed, one_error, placed_problems
from lockgate.policy.schema import Policy
from lockgate.policy.suite import Suite

MAX_EXTENDS = 16
"""How many files deep `extends` may go."""

# A file has these for itself: an overlay that says nothing of them does not get them from what it extends.
_OWN = frozenset({"version", "name", "description", "extends"})


def load_policy(path: str | os.PathLike[str], *, known_detectors: Collection[str] | None = None) -> Policy:
    """The policy in the file at `path`, or the shipped one of that bare name, with all that it extends merged in.

    Where `known_detectors` are given, a `use:` of any other one is an error. Raises PolicyError and nothing else; it
    lists all problems, and its `where` is the first one's.
    """
    files = _Files().collect(find_policy(path))
    tree = _merge(files)
    sources = tuple(node.file for node in reversed(files))
    try:
        policy = Policy.model_validate(tree.plain())
    except ValidationError as error:
        raise one_error(placed_problems(error, Policy, tree), sources) from error
    policy = policy.placed(tree, sources)
    if known_detectors is not None:
        unknown = _unknown_detectors(policy, known_detectors)
        if unknown:
            raise one_error(unknown, sources)
    return policy


def load_suite(path: str | os.PathLike[str]) -> Suite:
    """The policy tests in the file at `path`. Raises PolicyError and nothing else."""
    tree = read_document(Path(path))
    try:
        return Suite.model_validate(tree.plain()).placed(tree)
    except ValidationError as error:
        raise one_error(placed_problems(error, Suite, tree), (tree.file,)) from error


def test_file_of(policy_path: str | os.PathLike[str]) -> Path:
    """Where a policy's tests stand: ``x_test.yaml`` beside ``x.yaml``. It need not be there."""
    path = Path(policy_path)
    return path.with_name(f"{path.stem}_test{path.suffix or '.yaml'}")


class _Files:
    """Reads a policy and all that it extends: each file once, what is extended before what extends it."""

    def __init__(self) -> None:
        self.trail: list[Path] = []
        self.done: dict[Path, Node] = {}

    def collect(self, path: Path) -> list[Node]:
        self._visit(path, "")
        return list(self.done.values())

    def _visit(self, path: Path, where: str) -> None:
        key = path.resolve()
        if key in self.trail:
            names = " → ".join(p.name for p in [*self.trail[self.trail.index(key) :], key])
            raise PolicyError("`extends` goes in a circle", where=where, hint=names)
        if key in self.done:
            return
        if len(self.trail) > MAX_EXTENDS:
            raise PolicyError(f"`extends` goes more than {MAX_EXTENDS} files deep", where=where)
        root = read_document(path, where=where)
        if self.trail:
            _require_version(root)
        self.trail.append(key)
        for base in _bases(root):
            self._visit(find_policy(str(base.value), beside=path.parent, where=base.where), base.where)
        self.trail.pop()
        self.done[key] = root


def _bases(root: Node) -> list[Node]:
    extends = root.get("extends")
    if extends is None:
        return []
    bases = extends.items() if isinstance(extends.value, list) else [extends]
    for base in bases:
        if not isinstance(base.value, str) or not base.value:
            hint = "write `extends: [default]`, or a path that ends in .yaml"
            raise PolicyError("`extends` lists names or paths of policies", where=base.where, hint=hint)
    return bases


def _require_version(root: Node) -> None:
    """The merged policy has only its own file's version; those of what it extends are looked at here."""
    version = root.get("version")
    if version is None or isinstance(version.value, bool) or version.value != 1:
        where = version.where if version else root.where
        raise PolicyError("this Lockgate reads version 1", where=where, hint="write `version: 1`")


def _merge(files: Sequence[Node]) -> Node:
    """One tree of all files, the nearest last. Each node keeps the file and the line where it was written."""
    own = files[-1]
    merged: dict[str, Node] = {}
    for root in files:
        for key, node in (root.value if isinstance(root.value, dict) else {}).items():
            if key in _OWN and root is not own:
                continue
            before = merged.get(key)
            if before is not None and key in ("rules", "principles"):
                merged[key] = _merge_entries(before, node)
            elif before is not None and key == "stream":
                merged[key] = _merge_keys(before, node)
            else:
                merged[key] = node
    return Node(merged, own.file, own.line)


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


def _unknown_detectors(policy: Policy, known: Collection[str]) -> list[Placed]:
    return [
        Placed(policy.at("rules", index, "use", kind), f"there is no detector `{kind}`", suggest(kind, known))
        for index, rule in enumerate(policy.rules)
        for kind in rule.use
        if kind not in known
    ]
