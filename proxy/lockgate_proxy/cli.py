"""The command line: `lockgate serve | settings | keys | check | explain | test | score | eval | models
| demo`.

`serve` and `demo` say which extra they miss; the others need nothing but the core package. What a command needs is
imported when it is called.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import Any

from lockgate_proxy.command import WRONG, Command, Parts, missing
from lockgate_proxy.lean import uncollected, without_plugins


class _Grammar(argparse.ArgumentParser):
    """Of an option that it does not know it says which is the nearest; a command does, and not the whole."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        given, unknown = super().parse_known_args(args, namespace)
        if unknown:
            from lockgate.policy.nearest import suggest

            known = [word for action in self._actions for word in action.option_strings if word.startswith("--")]
            hint = suggest(unknown[0].partition("=")[0], known) if unknown[0].startswith("-") else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}" + (f" ({hint})" if hint else ""))
        return given, unknown


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The command line's grammar. `only` is the one command whose arguments are wanted: those of all, unless said."""
    made = _Grammar(prog="lockgate", description="A runtime guardrail for LLM applications.")
    made.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        # No abbreviations: what is short for one option today is short for two tomorrow.
        mine = commands.add_parser(name, help=command.help, description=command.help, allow_abbrev=False)
        if only in (None, name):
            arguments, _ = command.parts()
            arguments(mine)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Gives the exit code."""
    words = sys.argv[1:] if argv is None else argv
    without_plugins()
    with uncollected():
        given = parser(next((word for word in words if word in COMMANDS), "")).parse_args(words)
        from lockgate.errors import LockgateError

        _, run = COMMANDS[given.command].parts()
        if argv is None:
            gc.freeze()  # what has been imported stays
    try:
        code = run(given)
        sys.stdout.flush()
    except LockgateError as error:
        print(f"lockgate {given.command}: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has had enough, as `| head` has. What is left must not be tried again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from lockgate import __version__

        print(f"lockgate {__version__}")
        parser.exit()


def _serve() -> Parts:
    from lockgate_proxy.serve_command import run_serve, serve_arguments

    return serve_arguments, run_serve


def _settings() -> Parts:
    from lockgate_proxy.serve_command import run_settings, settings_arguments

    return settings_arguments, run_settings


def _keys() -> Parts:
    from lockgate_proxy.keys_command import keys_arguments, run_keys

    return keys_arguments, run_keys


def _check() -> Parts:
    from lockgate_proxy.policies_command import check_arguments, run_check

    return check_arguments, run_check


def _explain() -> Parts:
    from lockgate_proxy.explain_command import explain_arguments, run_explain

    return explain_arguments, run_explain


def _test() -> Parts:
    from lockgate_proxy.policies_command import run_tests, suite_arguments

    return suite_arguments, run_tests


def _score() -> Parts:
    from lockgate_proxy.score_command import run_score, score_arguments

    return score_arguments, run_score


def _eval() -> Parts:
    from lockgate_proxy.eval_command import eval_arguments, run_eval

    return eval_arguments, run_eval


def _calibrate() -> Parts:
    from lockgate_proxy.calibrate_command import calibrate_arguments, run_calibrate

    return calibrate_arguments, run_calibrate


def _models() -> Parts:
    from lockgate_proxy.models_command import models_arguments, run_models_command

    return models_arguments, run_models_command


def _demo() -> Parts:
    return _demo_arguments, _run_demo


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print each exchange as a line of JSON")
    parser.add_argument("--policy", default="default", help="the policy to show (default)")


def _run_demo(given: argparse.Namespace) -> int:
    try:
        from lockgate_proxy.demo.run import run_demo
    except ImportError as error:
        raise missing("demo", error) from None
    return run_demo(given.policy, as_json=given.json)


COMMANDS: dict[str, Command] = {
    "serve": Command("Run the guarded proxy.", _serve),
    "settings": Command("Show the settings in force, and where they come from.", _settings),
    "keys": Command("Make, list and revoke client keys.", _keys),
    "check": Command("Check policies: they compile, or what is wrong is said with file and line.", _check),
    "explain": Command("Say what a policy does with a recorded exchange, and why.", _explain),
    "test": Command("Run the tests that stand beside policies.", _test),
    "score": Command("Say what the models find in each row of a file.", _score),
    "eval": Command("Say how right the models are on labelled rows.", _eval),
    "calibrate": Command("Choose a policy's thresholds by labelled rows, with a guarantee.", _calibrate),
    "models": Command("List and verify models, or build one.", _models),
    "demo": Command("Show a guarded exchange of every sort on an embedded upstream.", _demo),
}


if __name__ == "__main__":
    raise SystemExit(main())
