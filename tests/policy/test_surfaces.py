"""What the policy says of paths that no lens reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import PolicyError
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.plan import Plan
from lockgate.policy.surfaces import NAMES, OTHER, SURFACES, surfaces_of

HEAD = "version: 1\nname: t\nrules: []\n"


def plan_of(folder: Path, said: str) -> Plan:
    file = folder / "p.yaml"
    file.write_text(f"{HEAD}unguarded: {said}\n")
    return compile_policy(load_policy(file))


def test_a_path_is_of_the_surface_that_it_names() -> None:
    assert surfaces_of("/v1/files/file-1/content") == ["files"]
    assert surfaces_of("/openai/deployments/x/audio/speech") == ["audio"]
    assert surfaces_of("/v1/vector_stores/vs_1/files/f") == ["vector_stores", "files"]
    assert surfaces_of("/v1/whatever") == [OTHER]
    assert surfaces_of("/v1/files.x") == [OTHER]
    assert {*SURFACES} < NAMES


@pytest.mark.parametrize(
    ("said", "passing", "refused"),
    [
        ("allow", ["files", "other"], []),
        ("refuse", [], ["files", "other"]),
        ("{default: allow, batches: refuse}", ["files", "other"], ["batches"]),
        ("{default: refuse, models: allow}", ["models"], ["files", "other"]),
        ("{default: allow, other: refuse}", ["files"], ["other"]),
    ],
)
def test_each_surface_has_its_judgement(tmp_path: Path, said: str, passing: list[str], refused: list[str]) -> None:
    plan = plan_of(tmp_path, said)
    assert [name for name in passing if not plan.forwards([name])] == []
    assert [name for name in refused if plan.forwards([name])] == []


def test_what_is_of_two_surfaces_is_refused_by_either(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "{default: allow, files: refuse}")
    assert not plan.forwards(surfaces_of("/v1/vector_stores/vs_1/files"))


def test_a_mistyped_surface_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"(?s)p\.yaml:4.*batchs.*batches"):
        plan_of(tmp_path, "{default: allow, batchs: refuse}")


def test_what_is_not_named_has_to_be_said(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"(?s)p\.yaml:4.*`default` is missing"):
        plan_of(tmp_path, "{batches: refuse}")
