"""The merged text of a policy: it is the same policy, and each line says where it is from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.policy.document import Node, parse_document
from lockgate.policy.load import load_policy
from lockgate.policy.merge import overlaid
from lockgate.policy.merged import merge_order, merged_text

POLICIES = Path(__file__).resolve().parents[2] / "policies"


@pytest.mark.parametrize(
    "path", sorted([*POLICIES.glob("*[!_test].yaml"), *POLICIES.glob("examples/*/[bcs]*.yaml")], key=str)
)
def test_it_is_the_same_policy(path: Path, tmp_path: Path) -> None:
    if path.stem.endswith("_test"):
        return
    policy = load_policy(path)
    assert policy.tree is not None
    text = merged_text(policy.tree)
    again = tmp_path / "again.yaml"
    again.write_text(text, encoding="utf-8")
    assert load_policy(again).hash == policy.hash
    files = {Path(source).name for source in policy.sources}
    for line in text.splitlines():
        found = re.search(r"  # (\S+):(\d+)$", line)
        assert found is not None
        assert Path(found[1]).name in files


def test_a_line_is_where_it_says(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "version: 1\nname: base\nrules:\n  - id: a\n    side: prompt\n    use: {words: {words: [x]}}\n    then: refuse\n"
        "  - id: b\n    side: prompt\n    use: {words: {words: [y]}}\n    then: refuse\n",
        encoding="utf-8",
    )
    own = tmp_path / "own.yaml"
    own.write_text(
        "version: 1\nname: own\nextends: [base.yaml]\nrules:\n  - id: a\n    side: prompt\n    use: {words: {words: [z]}}\n"
        "    then: record\n",
        encoding="utf-8",
    )
    policy = load_policy(own)
    assert policy.tree is not None
    lines = merged_text(policy.tree).splitlines()
    said = {line.split("#")[0].strip(): line.rpartition("  # ")[2] for line in lines}
    assert said["- id: a"] == f"{own}:5"
    assert said["use: {words: {words: [z]}}"] == f"{own}:7"
    assert said["- id: b"] == f"{tmp_path / 'base.yaml'}:8"
    assert "extends" not in "".join(lines)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(0, 1) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc:#-' ", min_size=1, max_size=5), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def node(value: object) -> Node:
    if isinstance(value, dict):
        return Node({key: node(one) for key, one in value.items()}, "f", 1)
    if isinstance(value, list):
        return Node([node(one) for one in value], "f", 1)
    assert value is None or isinstance(value, str | int | float | bool)
    return Node(value, "f", 1)


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=4), TREES, min_size=1, max_size=3))
def test_whatever_is_in_it_is_read_again(tree: dict[str, object]) -> None:
    assert parse_document(merged_text(node(tree)).encode(), "x").plain() == tree


def test_the_order_of_the_merge(tmp_path: Path) -> None:
    (tmp_path / "far.yaml").write_text("version: 1\nname: far\nunknown: flag\n", encoding="utf-8")
    (tmp_path / "part.yaml").write_text("version: 1\nname: part\nunseen: flag\n", encoding="utf-8")
    near = tmp_path / "near.yaml"
    near.write_text(
        "version: 1\nname: near\nextends: [far.yaml]\noverlays:\n"
        "  - {id: a, where: {tenant: a}, extends: [part.yaml]}\n  - {id: b, where: {tenant: b}, unknown: refuse}\n",
        encoding="utf-8",
    )
    policy = load_policy(near)
    assert merge_order(policy) == (
        f"# merge order, the last goes first:\n#   1. {tmp_path}/far.yaml\n#   2. {near}\n"
        "# overlays, where they hold: a, b\n"
    )
    assert merge_order(overlaid(policy, ("a",))) == (
        f"# merge order, the last goes first:\n#   1. {tmp_path}/far.yaml\n#   2. {near}\n"
        f"#   3. {tmp_path}/part.yaml\n#   4. {near}:5, overlay a\n"
    )
    under = overlaid(policy, ("a",))
    assert under.tree is not None
    again = tmp_path / "again.yaml"
    again.write_text(merged_text(under.tree), encoding="utf-8")
    assert load_policy(again).hash == under.hash
