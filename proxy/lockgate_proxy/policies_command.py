"""`lockgate check` and `lockgate test`: whether policies compile, and whether they do what their tests say."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.errors import PolicyError, SettingsError
from lockgate.policy.cases import SuiteResult, run_suite
from lockgate.policy.compile import compile_policy
from lockgate.policy.lint import Remark, lint
from lockgate.policy.load import load_policy, load_suite, test_file_of
from lockgate.policy.locate import find_policy, policies_dir
from lockgate.policy.plan import Plan
from lockgate.policy.scope import combinations
from lockgate_proxy.command import FAILED, OK, WRONG
from lockgate_proxy.confidence_command import write_out
from lockgate_proxy.junit import TestSuite, junit


def check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="+", help="policy files or folders of them; names of shipped policies work too")

    parser.add_argument("--json", action="store_true", help="print all as JSON")
    parser.add_argument("--strict", action="store_true", help="a warning fails, too (exit code 1)")


def run_check(given: argparse.Namespace) -> int:
    checked = [_checked(path) for path in _policies(given.path)]
    if given.json:
        print(json.dumps({"policies": [one.public() for one in checked]}, indent=2, ensure_ascii=False))
    else:
        for one in checked:
            one.print()
    warned = any(remark.level == "warning" for one in checked for remark in one.remarks)
    return FAILED if any(one.error is not None for one in checked) or (given.strict and warned) else OK


@dataclass(frozen=True, slots=True)
class _Checked:
    """A policy's file, and the plan with the remarks on it, or what is wrong."""

    path: Path
    plan: Plan | None = None
    remarks: Sequence[Remark] = ()
    error: PolicyError | None = None
    combined: int = 0

    @property
    def rules(self) -> int:
        return len({rule.id for rule in (*self.plan.prompt.rules, *self.plan.completion.rules)}) if self.plan else 0

    @property
    def _overlays(self) -> str:
        overlays = self.plan.overlays if self.plan is not None else None
        return f", {len(overlays.scopes)} overlays in {self.combined} combinations" if overlays is not None else ""

    def public(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"path": str(self.path), "ok": self.error is None}
        if self.error is not None:
            return shown | {"at": self.error.where, "error": str(self.error)}
        assert self.plan is not None
        shown |= {"policy": self.plan.policy, "hash": self.plan.hash, "rules": self.rules}
        if self.plan.overlays is not None:
            shown |= {"overlays": [name for name, _ in self.plan.overlays.scopes], "combinations": self.combined}
        return shown | {"remarks": [remark.public() for remark in self.remarks]}

    def print(self) -> None:
        if self.plan is None:
            print(f"WRONG {self.path}\n  {self.error}")
            return
        print(f"ok    {self.path}  {self.plan.policy} {self.plan.hash}, {self.rules} rules{self._overlays}")
        for remark in self.remarks:
            about = f"{remark.rule}: " if remark.rule and remark.kind != "conflict" else ""
            level = "warning: " if remark.level == "warning" else ""
            place = f" ({remark.where})" if level and remark.where else ""
            print(f"      {level}{about}{remark.says}{place}")


def _checked(path: Path) -> _Checked:
    try:
        policy = load_policy(path)
        plan = compile_policy(policy)
        tests = test_file_of(path)
        combined = _combined(plan)
        suite = load_suite(tests) if tests.exists() else None
    except PolicyError as error:
        return _Checked(path, error=error)
    return _Checked(path, plan, lint(policy, plan, suite), combined=combined)


MOST_COMBINATIONS = 4096
"""Combinations of overlays that are compiled to check a policy."""


def _combined(plan: Plan) -> int:
    """How many combinations of overlays there are. Raises PolicyError for one that does not compile."""
    if plan.overlays is None:
        return 0
    names = [name for name, _ in plan.overlays.scopes]
    found = combinations([scope for _, scope in plan.overlays.scopes], MOST_COMBINATIONS)
    for holding in found:
        plan.overlays.plan_for_ids(tuple(names[i] for i in holding))
    return len(found)


def _plan(path: Path) -> Plan:
    return compile_policy(load_policy(path))


def _policies(given: Sequence[str]) -> list[Path]:
    """The policy files that are meant: a folder means those in it."""
    paths: list[Path] = []
    for name in given:
        path = Path(name)
        if path.is_dir():
            found = sorted(p for p in path.glob("*.yaml") if not p.stem.endswith("_test"))
            if not found:
                raise PolicyError("the folder holds no policy (*.yaml)", where=name)
            paths.extend(found)
        else:
            paths.append(find_policy(name))
    return paths


def suite_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="*", help="policy files or folders; the tests of x.yaml are in x_test.yaml (the shipped policies)"
    )
    parser.add_argument(
        "--fail-under", type=float, metavar="PERCENT", help="fail where cases reach fewer of a policy's rules"
    )
    parser.add_argument("--junit", type=Path, metavar="OUT.xml", help="write the results as JUnit's XML, for CI")


def run_tests(given: argparse.Namespace) -> int:
    if given.fail_under is not None and not 0 <= given.fail_under <= 100:
        raise SettingsError("--fail-under: must be a percentage, 0 to 100")
    passed = failed = wrong = 0
    suites: list[TestSuite] = []
    for path in _policies(given.path or [str(policies_dir())]):
        try:
            plan = _plan(path)
            result = asyncio.run(run_suite(plan, load_suite(test_file_of(path))))
        except PolicyError as error:
            wrong += 1
            print(f"ERROR {path}\n  {error}")
            suites.append(TestSuite(str(path), (), str(error)))
            continue
        _report(path, result)
        short = _too_few(plan, result, given.fail_under)
        if short:
            print(f"  FAIL  {short}")
        suites.append(TestSuite(str(path), result.cases, failure=short))
        passed += sum(case.status == "PASS" for case in result.cases)
        failed += sum(case.status == "FAIL" for case in result.cases) + (not result.cases) + bool(short)
        wrong += sum(case.status == "ERROR" for case in result.cases)
    print(f"{passed} passed, {failed} failed, {wrong} errors")
    if given.junit is not None:
        write_out(given.junit, junit(suites))
    if wrong:
        return WRONG
    return FAILED if failed else OK


def _too_few(plan: Plan, result: SuiteResult, least: float | None) -> str:
    """What is said where cases reach too few of the rules; "" where they reach enough, or nobody asked."""
    share = 100 * (result.parts - len(result.uncovered)) / result.parts if result.parts else 100.0
    over = " and overlays" if plan.overlays is not None else ""
    return (
        f"cases reach {share:.1f} % of the rules{over}, which is under {least:g} %"
        if least is not None and share < least
        else ""
    )


def _report(path: Path, result: SuiteResult) -> None:
    print(f"{path}")
    for case in result.cases:
        print(f"  {case.status:5} {case.name}")
        if case.status != "PASS":
            for problem in case.problems:
                print(f"        {problem}")
            print(f"        at {case.where}")
    if not result.cases:
        print("  FAIL  the suite is empty: a policy without cases is not tested")
    if result.uncovered:
        print(f"  what no case reaches: {', '.join(result.uncovered)}")
