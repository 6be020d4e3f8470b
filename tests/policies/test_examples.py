"""The worked examples beside the shipped policies: each passes its own tests, and these reach every rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.policy import load
from lockgate.policy.cases import run_suite
from lockgate.policy.compile import compile_policy

EXAMPLES = Path(__file__).resolve().parents[2] / "policies" / "examples"
FILES = sorted(path for path in EXAMPLES.rglob("*.yaml") if not path.stem.endswith("_test"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXAMPLES)))
async def test_an_example_does_what_it_says(path: Path) -> None:
    result = await run_suite(compile_policy(load.load_policy(str(path))), load.load_suite(load.test_file_of(path)))
    assert [(case.name, case.problems) for case in result.cases if case.status != "PASS"] == []
    assert set(result.uncovered) <= {"doses-for-lessons"}
