"""The command line: `lockgate serve | settings | keys | check | explain | test | demo`.

`serve` and `demo` say which extra they miss; the others need nothing but the core package.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from lockgate.errors import LockgateError, PolicyError
from lockgate.policy.cases import SuiteResult, run_suite
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy, load_suite, test_file_of
from lockgate.policy.locate import find_policy, policies_dir
from lockgate.policy.plan import Plan
from lockgate_proxy.command import FAILED, OK, WRONG, Command, missing
from lockgate_proxy.explain_command import explain_arguments, run_explain
from lockgate_proxy.keys_command import keys_arguments, run_keys
from lockgate_proxy.serve_command import run_serve, run_settings, serve_arguments, settings_arguments


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    made = argparse.ArgumentParser(prog="lockgate", description="A runtime guardrail for LLM applications.")
    made.add_argument("--version", action="version", version=f"lockgate {_version()}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        # No abbreviations: what is short for one option today is short for two tomorrow.
        command.arguments(commands.add_parser(name, help=command.help, description=command.help, allow_abbrev=False))
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Gives the exit code."""
    given = parser().parse_args(argv)
    try:
        return COMMANDS[given.command].run(given)
    except LockgateError as error:
        print(f"lockgate {given.command}: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return 130


def _version() -> str:
    from lockgate import __version__

    return __version__


# check


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="+", help="policy files or folders of them; names of shipped policies work too")


def _check(given: argparse.Namespace) -> int:
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
        for side in (plan.completion,):
            for rule in side.rules:
                if rule.stream in ("hold", "after"):
                    print(f"      {rule.id}: a streamed answer is {_STREAMED[rule.stream]}")
    return FAILED if failed else OK


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


# test


def _test_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="*", help="policy files or folders; the tests of x.yaml are in x_test.yaml (the shipped policies)"
    )


def _test(given: argparse.Namespace) -> int:
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


# demo


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print each exchange as a line of JSON")
    parser.add_argument("--policy", default="default", help="the policy to show (default)")


def _demo(given: argparse.Namespace) -> int:
    try:
        from lockgate_proxy.demo.run import run_demo
    except ImportError as error:
        raise missing("demo", error) from None
    return run_demo(given.policy, as_json=given.json)


COMMANDS: dict[str, Command] = {
    "serve": Command("Run the guarded proxy.", serve_arguments, run_serve),
    "settings": Command("Show the settings in force, and where they come from.", settings_arguments, run_settings),
    "keys": Command("Make, list and revoke client keys.", keys_arguments, run_keys),
    "check": Command(
        "Check policies: they compile, or what is wrong is said with file and line.", _check_arguments, _check
    ),
    "explain": Command("Say what a policy does with a recorded exchange, and why.", explain_arguments, run_explain),
    "test": Command("Run the tests that stand beside policies.", _test_arguments, _test),
    "demo": Command("Show a guarded exchange of every sort on an embedded upstream.", _demo_arguments, _demo),
}


if __name__ == "__main__":
    raise SystemExit(main())
