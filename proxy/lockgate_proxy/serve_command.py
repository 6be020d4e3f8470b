"""`lockgate serve` and `lockgate settings`: one set of options, which is the settings' own."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, get_args

from lockgate_proxy.command import OK, missing
from lockgate_proxy.effective import Effective, gather, look_at, option_of, read_effective
from lockgate_proxy.lean import uncollected, without_authorities
from lockgate_proxy.settings import Settings

_METAVARS = {
    "policy": "PATH", "upstream": "URL", "host": "ADDRESS", "tags": "TAG", "upstream_key_env": "NAME",
    "upstream_key_header": "HEADER", "max_body": "BYTES", "max_answer": "BYTES", "admin_host": "ADDRESS",
    "provider": "NAME",
}  # fmt: skip
_NO_OPTION = frozenset({"audit_key", "judge_key", "mask_key", "model_key"})
"""A command line is there for every user of the machine to read."""


def config_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (YAML)")


def serve_arguments(parser: argparse.ArgumentParser) -> None:
    """The option of each setting, and of their file. argparse takes all values as text: the settings judge them."""
    config_argument(parser)
    for name, field in Settings.model_fields.items():
        if name in _NO_OPTION:
            continue
        default = "" if field.default in (None, ()) else f" (default: {field.default})"
        if field.is_required():
            default = " (required)"
        more: dict[str, Any] = {"action": "append"} if name == "tags" else {}
        parser.add_argument(
            option_of(name),
            dest=name,
            metavar=_METAVARS.get(name, _metavar(field.annotation)),
            help=f"{field.description}{default}".replace("%", "%%"),
            **more,
        )


def settings_arguments(parser: argparse.ArgumentParser) -> None:
    serve_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print them as JSON")


def run_serve(given: argparse.Namespace) -> int:
    with uncollected():  # until it serves
        try:
            with without_authorities():
                from lockgate_proxy.serve import serve
        except ImportError as error:
            raise missing("proxy", error) from None
        return serve(effective_of(given).settings)


def run_settings(given: argparse.Namespace) -> int:
    """Print the settings in force, and where each comes from; also when some of them are missing or wrong."""
    found = look_at(_options(given), os.environ, given.config)
    shown = found.public()
    if given.json:
        print(json.dumps(shown, indent=2))
    else:
        rows = [(name, _plain(each.get("value")), each["origin"]) for name, each in shown.items()]
        rows = [(name, "?" if name in found.problems else value, origin) for name, value, origin in rows]
        wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
        for name, value, origin in rows:
            print(f"{name:{wide[0]}}  {value:{wide[1]}}  {origin}")
    if error := found.wrong():
        sys.stdout.flush()
        raise error
    return OK


def effective_of(given: argparse.Namespace) -> Effective:
    """The settings that a call of `serve` or `settings` means. Raises SettingsError."""
    return read_effective(_options(given), os.environ, given.config)


def one_setting(name: str, given: argparse.Namespace) -> Any:
    """The value of one setting, without a look at the others; None where it is not given. Raises SettingsError."""
    found = gather(_options(given), os.environ, given.config)
    return found[name].value if name in found else None


def _options(given: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(given).items() if name in Settings.model_fields}


def _plain(value: Any) -> str:
    if value is None or value == []:
        return "none"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _metavar(annotation: Any) -> str:
    kinds = {annotation, *get_args(annotation)}
    if Path in kinds:
        return "FILE"
    return "SECONDS" if float in kinds else "NUMBER" if int in kinds else "TEXT"
