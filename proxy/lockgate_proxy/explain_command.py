"""`lockgate explain POLICY FILE`: what a policy says of a recorded exchange, and why."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from lockgate.errors import SettingsError, WireError
from lockgate.exchange import Exchange, Subject
from lockgate.explain import explain
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy
from lockgate.policy.merge import overlaid
from lockgate.policy.merged import merge_order, merged_text
from lockgate.policy.scope import ROUTES
from lockgate_proxy.command import OK
from lockgate_proxy.explain_text import render
from lockgate_proxy.recording import placed, read_recording


def explain_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", metavar="POLICY", help="policy file, or the name of one that comes with Lockgate")
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="JSON: a chat request, its messages, an answer, or an object with request and response; or a stream as it "
        "was received; - for standard input",
    )
    parser.add_argument(
        "--effective", action="store_true", help="show the policy with all that it extends, and where each line is from"
    )
    parser.add_argument("--text", action="store_true", help="show the texts, and what was found in them")
    parser.add_argument("--json", action="store_true", help="print JSON, also on a terminal")
    parser.add_argument("--tag", action="append", default=[], metavar="TAG", help="tag of the exchange; repeatable")
    parser.add_argument("--tenant", default="", metavar="NAME", help="tenant of the exchange")
    parser.add_argument("--key", default="", metavar="ID", help="id of the client key")
    parser.add_argument("--country", default="", metavar="CODE", help="country of the asker, as DE")
    parser.add_argument("--language", default="", metavar="CODE", help="language of the asker, as de-AT")
    parser.add_argument("--model", default="", metavar="NAME", help="model that is asked, for --effective")
    parser.add_argument("--route", default="chat", choices=ROUTES, help="API that is used, for --effective (chat)")


def run_explain(given: argparse.Namespace) -> int:
    policy = load_policy(find_policy(given.policy))
    plan = compile_policy(policy)
    if given.effective:
        subject = Subject(given.model, "", tuple(given.tag), given.tenant, given.country, given.language, given.key)
        plan = plan.chosen(Exchange("", given.route, subject))
        policy = overlaid(policy, plan.overlaid) if plan.overlaid else policy
        assert policy.tree is not None
        print(f"# {plan.policy} {plan.hash}\n{merge_order(policy)}{merged_text(policy.tree)}", end="")
        return OK
    if given.file is None:
        raise SettingsError("name the file of an exchange, or say --effective")
    name = "standard input" if given.file == "-" else given.file
    body = _read(given.file)
    recorded = read_recording(name, body)
    try:
        known = {name: getattr(given, name) for name in ("tenant", "country", "language", "key")}
        report = asyncio.run(explain(plan, recorded, tags=given.tag, text=given.text, **known))
    except WireError as error:
        raise placed(error, name, body) from None
    shown, colour = style(sys.stdout, os.environ)
    if given.json or not shown:
        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        print(render(report, colour=colour))
    return OK


def style(out: TextIO, environ: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether to write for a person, and whether in colour: as is usual, a terminal unless FORCE_COLOR says so, and
    colour unless NO_COLOR says not."""
    person = out.isatty() or bool(environ.get("FORCE_COLOR"))
    colour = person and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return person, colour


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise SettingsError(f"{file}: the file can't be read ({error.strerror or type(error).__name__})") from None
