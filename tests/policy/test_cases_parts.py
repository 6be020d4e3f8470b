"""Cases with calls of tools and documents, and the coverage of overlays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compiling import WORDS, plan_of
from lockgate.policy.cases import CaseResult, run_suite
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy, load_suite
from lockgate.policy.plan import Plan
from lockgate.policy.suite import Suite


async def run_one(plan: Plan, **case: Any) -> CaseResult:
    suite = Suite.model_validate({"version": 1, "cases": [{"name": "case", **case}]})
    (result,) = (await run_suite(plan, suite)).cases
    return result


TOOLS = plan_of(
    {"id": "cards", "use": {"pii": {"kinds": ["CREDIT_CARD"]}}, "then": {"rewrite": "redact"}},
    {"id": "files", "where": {"kind": "document"}, "side": "prompt", "use": WORDS, "then": {"flag": {"seen": "x"}}},
)
CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize(
    "case",
    [
        {
            "tool_calls": [{"name": "pay", "arguments": {"card": CARD, "n": 1}}],
            "expect": {
                "action": "rewrite",
                "rules": ["cards"],
                "tool_calls": [{"name": "pay", "arguments": {"card": "[CREDIT_CARD]", "n": 1}}],
            },
        },
        {
            "completion": f"Paying from {CARD}.",
            "tool_calls": [{"name": "pay", "arguments": "not JSON"}],
            "expect": {
                "action": "rewrite",
                "completion": "Paying from [CREDIT_CARD].",
                "tool_calls": [{"name": "pay", "arguments": "not JSON"}],
            },
        },
        {
            "prompt": "read it",
            "documents": "a secret",
            "expect": {"action": "flag", "flags": ["seen"], "prompt": "read it"},
        },
        {
            "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}],
            "documents": ["nothing", "a secret"],
            "expect": {"action": "flag", "rules": ["files"]},
        },
    ],
)
async def test_calls_and_documents(case: dict[str, Any]) -> None:
    result = await run_one(TOOLS, **case)
    assert (result.status, result.problems) == ("PASS", ())


async def test_calls_that_differ_are_shown() -> None:
    case = {"tool_calls": [{"name": "pay"}], "expect": {"action": "allow", "tool_calls": [{"name": "get"}]}}
    result = await run_one(TOOLS, **case)
    assert result.problems == ("tool_calls: expected ['get({})'], came ['pay({})']",)


OVERLAID = """\
version: 1
name: overlaid
rules:
  - {id: tea, side: prompt, use: {words: {words: [tea]}}, then: refuse}
overlays:
  - {id: acme, where: {tenant: acme}, rules: [{id: tea, side: prompt, use: {words: {words: [gin]}}, then: refuse}]}
  - {id: api, where: {route: responses}, without: tea}
"""


@pytest.mark.parametrize(
    ("cases", "uncovered"),
    [
        ([], ("tea", "overlay acme", "tea (overlay acme)", "overlay api")),
        (["{prompt: tea, expect: refuse}"], ("overlay acme", "tea (overlay acme)", "overlay api")),
        (
            ["{prompt: tea, tenant: acme, expect: {action: allow, overlays: acme}}"],
            ("tea", "tea (overlay acme)", "overlay api"),
        ),
        (
            [
                "{tenant: acme, expect: refuse, each: [{prompt: gin}, {prompt: gin and tea}]}",
                "{prompt: tea, route: responses, expect: {action: allow, overlays: [api]}}",
                "{prompt: tea, expect: {action: refuse, overlays: []}}",
            ],
            (),
        ),
    ],
)
async def test_coverage_of_overlays(tmp_path: Path, cases: list[str], uncovered: tuple[str, ...]) -> None:
    (tmp_path / "p.yaml").write_text(OVERLAID, encoding="utf-8")
    named = [f"  - {{name: c{i}, {case[1:]}\n" for i, case in enumerate(cases)]
    (tmp_path / "p_test.yaml").write_text("version: 1\ncases:\n" + ("".join(named) or "  []\n"), encoding="utf-8")
    plan = compile_policy(load_policy(tmp_path / "p.yaml"))
    result = await run_suite(plan, load_suite(tmp_path / "p_test.yaml"))
    assert [case.status for case in result.cases] == ["PASS"] * len(result.cases), result
    assert (result.uncovered, result.parts) == (uncovered, 4)
