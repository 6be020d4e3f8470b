"""The command line: `lockgate serve | check | test | demo`.

`check` and `test` need nothing but the core package; `serve` and `demo` say which extra they miss.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lockgate.errors import LockgateError, PolicyError, SettingsError
from lockgate.policy.cases import SuiteResult, run_suite
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy, load_suite, test_file_of
from lockgate.policy.locate import find_policy, policies_dir
from lockgate.policy.plan import Plan

OK, FAILED, WRONG = 0, 1, 2
"""Exit codes: all is well; a check or a test failed; the call or a file is wrong."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it is for, its arguments, and what runs it."""

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    made = argparse.ArgumentParser(prog="lockgate", description="A runtime guardrail for LLM applications.")
    made.add_argument("--version", action="version", version=f"lockgate {_version()}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.arguments(commands.add_parser(name, help=command.help, description=command.help))
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


# serve


def _serve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", required=True, help="policy file, or the name of one that comes with Lockgate")
    parser.add_argument("--upstream", required=True, help="the upstream's OpenAI base URL, as in https://host/v1")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8080)")
    parser.add_argument("--max-body", type=int, metavar="BYTES", help="largest request body (33554432)")
    parser.add_argument("--max-answer", type=int, metavar="BYTES", help="largest answer read whole (67108864)")
    parser.add_argument("--upstream-timeout", type=float, metavar="SECONDS", help="until an answer begins (600)")
    parser.add_argument("--stream-idle-timeout", type=float, metavar="SECONDS", help="silence in an answer (300)")
    parser.add_argument("--keepalive-comment", type=float, metavar="SECONDS", help="between comments (15)")
    parser.add_argument("--audit", metavar="FILE", help="file for audit lines, - for standard output")
    parser.add_argument("--audit-key-file", metavar="FILE", help="file with the key that marks texts in audit lines")
    parser.add_argument("--tag", action="append", dest="tags", metavar="TAG", help="tag of every exchange; repeatable")
    parser.add_argument("--upstream-ca", metavar="FILE", help="certificates (PEM) to trust for the upstream")


def _serve(given: argparse.Namespace) -> int:
    try:
        from lockgate_proxy.serve import serve
    except ImportError as error:
        raise _missing("proxy", error) from None
    settings = {
        name: value
        for name, value in vars(given).items()
        if value is not None and name not in ("command", "audit_key_file")
    }
    if given.audit_key_file is not None:
        settings["audit_key"] = _key(Path(given.audit_key_file))
    return serve(settings)


def _key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"audit_key_file: {path} can't be read ({type(error).__name__})") from None


def _missing(extra: str, error: ImportError) -> Exception:
    if not isinstance(error, ModuleNotFoundError) or (error.name or "").startswith("lockgate"):
        return error
    return SettingsError(f"the package {error.name!r} is not installed: pip install 'lockgate[{extra}]'")


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
        raise _missing("demo", error) from None
    return run_demo(given.policy, as_json=given.json)


COMMANDS: dict[str, Command] = {
    "serve": Command("Run the guarded proxy.", _serve_arguments, _serve),
    "check": Command(
        "Check policies: they compile, or what is wrong is said with file and line.", _check_arguments, _check
    ),
    "test": Command("Run the tests that stand beside policies.", _test_arguments, _test),
    "demo": Command("Show a guarded exchange of every sort on an embedded upstream.", _demo_arguments, _demo),
}


if __name__ == "__main__":
    raise SystemExit(main())
