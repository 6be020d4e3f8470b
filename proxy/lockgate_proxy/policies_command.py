"""`lockgate check` and `lockgate test`: whether policies compile, and whether they do what their tests say."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from lockgate.errors import PolicyError
from lockgate.explain import does
from lockgate.policy.cases import SuiteResult, run_suite
from lockgate.policy.compile import compile_policy
from lockgate.policy.conflicts import conflicts
from lockgate.policy.load import load_policy, load_suite, test_file_of
from lockgate.policy.locate import find_policy, policies_dir
from lockgate.policy.plan import Plan
from lockgate_proxy.command import FAILED, OK, WRONG


def check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="+", help="policy files or folders of them; names of shipped policies work too")


def run_check(given: argparse.Namespace) -> int:
    failed = False
    for path in _policies(given.path):
        try:
            plan = _plan(path)
        except PolicyError as error:
            failed = True
            print(f"WRONG {path}\n  {error}")
            continue
        rules = dict.fromkeys(rule.id for side in (plan.prompt, plan.completion) for rule in side.rules)
        print(f"ok    {path}  {plan.policy} {plan.hash}, {len(rules)} rules")
        for rule in plan.completion.rules:
            if rule.stream in ("hold", "after"):
                print(f"      {rule.id}: a streamed answer is {_STREAMED[rule.stream]}")
            if not all(getattr(use.detector, "calibrated", True) for use in rule.uses):
                print(f"      {rule.id}: {_UNCALIBRATED}")
        for rule in {rule.id: rule for side in (plan.prompt, plan.completion) for rule in side.rules}.values():
            if rule.would is not None:
                print(f"      {rule.id}: {does(rule)}")
        if plan.judged:
            print(f"      asks a judge, who has {plan.deadline:g} s (deadline_ms){_SHORT if plan.deadline < 5 else ''}")
        for conflict in conflicts(plan):
            print(f"      {conflict}")
    return FAILED if failed else OK


_UNCALIBRATED = "`confidence` has no calibration: it is the model's own, and no share of right answers"
_SHORT = ": few models answer in that time"
_STREAMED = {"hold": "held back whole until its verdict", "after": "judged after it has left"}


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


def run_tests(given: argparse.Namespace) -> int:
    passed = failed = wrong = 0
    for path in _policies(given.path or [str(policies_dir())]):
        try:
            result = asyncio.run(run_suite(_plan(path), load_suite(test_file_of(path))))
        except PolicyError as error:
            wrong += 1
            print(f"ERROR {path}\n  {error}")
            continue
        _report(path, result)
        passed += sum(case.status == "PASS" for case in result.cases)
        failed += sum(case.status == "FAIL" for case in result.cases) + (not result.cases)
        wrong += sum(case.status == "ERROR" for case in result.cases)
    print(f"{passed} passed, {failed} failed, {wrong} errors")
    if wrong:
        return WRONG
    return FAILED if failed else OK


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
        print(f"  rules that no case reaches: {', '.join(result.uncovered)}")
