"""Files → `Policy` and `Suite`. Whatever is wrong with a file is a `PolicyError` with file, line and what to do."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import ValidationError

from lockgate.errors import PolicyError
from lockgate.policy.document import Node, read_document
from lockgate.policy.locate import find_policy
from lockgate.policy.merge import checked, merged, overlays_of, own_content
from lockgate.policy.nearest import suggest
from lockgate.policy.problems import Placed, one_error, placed_problems
from lockgate.policy.schema import Policy, Roots
from lockgate.policy.suite import Suite, each_written_out

MAX_EXTENDS = 16
"""How many files deep `extends` may go."""


def load_policy(path: str | os.PathLike[str], *, known_detectors: Collection[str] | None = None) -> Policy:
    """The policy in the file at `path`, or the shipped one of that bare name, with all that it extends merged in.

    Where `known_detectors` are given, a `use:` of any other one is an error. Raises PolicyError and nothing else; it
    lists all problems, and its `where` is the first one's.
    """
    files = _Files()
    roots = files.collect(find_policy(path))
    found = merged(roots, roots[-1])
    overlays = {name: _of_overlay(node, files) for name, node in overlays_of(found.tree)}
    beside = (root.file for parts in overlays.values() for root in parts)
    sources = tuple(dict.fromkeys((*(node.file for node in reversed(roots)), *beside)))
    policy = checked(found, sources, Roots(tuple(roots), overlays))
    if known_detectors is not None:
        unknown = _unknown_detectors(policy, known_detectors)
        if unknown:
            raise one_error(unknown, sources)
    return policy


def load_suite(path: str | os.PathLike[str]) -> Suite:
    """The policy tests in the file at `path`. Raises PolicyError and nothing else."""
    tree = each_written_out(read_document(Path(path)))
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

    def __init__(self, done: Mapping[Path, Node] | None = None) -> None:
        self.trail: list[Path] = []
        self.done: dict[Path, Node] = dict(done or {})

    def collect(self, path: Path) -> list[Node]:
        self._visit(path, "")
        return list(self.done.values())

    def collect_more(self, asking: Node) -> list[Node]:
        """What `extends` of an overlay brings that is not there already."""
        before = len(self.done)
        for base in _bases(asking):
            self.trail.append(Path(asking.file).resolve())
            path = find_policy(str(base.value), beside=Path(asking.file).parent, where=base.where)
            if path.resolve() == self.trail[-1]:
                raise PolicyError("an overlay extends the policy that it lies over", where=base.where)
            self._visit(path, base.where)
            self.trail.pop()
        new = list(self.done.values())[before:]
        for root in new:
            if (nested := root.get("overlays")) is not None:
                raise PolicyError(
                    "a policy that an overlay extends has overlays itself", where=nested.where,
                    hint="list them beside this one",
                )  # fmt: skip
        return new

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


def _of_overlay(node: Node, files: _Files) -> tuple[Node, ...]:
    """The trees of an overlay: of what it extends and the policy has not, and of what it says itself."""
    return (*_Files(files.done).collect_more(node), own_content(node))


def _unknown_detectors(policy: Policy, known: Collection[str]) -> list[Placed]:
    return [
        Placed(policy.at("rules", index, "use", kind), f"there is no detector `{kind}`", suggest(kind, known))
        for index, rule in enumerate(policy.rules)
        for kind in rule.use
        if kind not in known
    ]
