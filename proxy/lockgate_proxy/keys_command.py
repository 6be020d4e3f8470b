"""`lockgate keys add | list | revoke`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from lockgate.errors import SettingsError
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy, is_path
from lockgate_proxy.command import OK
from lockgate_proxy.effective import option_of, variable_of
from lockgate_proxy.keyfile import add_key, revoke_key
from lockgate_proxy.keys import ClientKey, new_key, read_keys
from lockgate_proxy.serve_command import config_argument, one_setting


def keys_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", allow_abbrev=False, help="make a key, and print it this once")
    add.add_argument("--tenant", required=True, help="whose key it is: request.tenant of conditions")
    add.add_argument("--tag", action="append", default=[], dest="key_tags", metavar="TAG", help="repeatable")
    add.add_argument("--policy", dest="key_policy", default="", metavar="PATH", help="judges this key's exchanges")
    shown = actions.add_parser(
        "list", allow_abbrev=False, help="show whose keys there are; the keys themselves are not kept"
    )
    shown.add_argument("--json", action="store_true", help="print each as a line of JSON")
    revoke = actions.add_parser("revoke", allow_abbrev=False, help="refuse a key from now on")
    revoke.add_argument("id", help="the key's id: what stands between lg- and the next hyphen")
    for each in (add, shown, revoke):
        each.add_argument("--keys", metavar="FILE", help="the file of client keys (that of the settings)")
        config_argument(each)


def run_keys(given: argparse.Namespace) -> int:
    path = _file(given)
    if given.action == "add":
        text, key = new_key(given.tenant, tuple(given.key_tags), _policy(given.key_policy))
        add_key(path, key)
        print(text)
    elif given.action == "revoke":
        key = revoke_key(path, given.id)
        print(f"{key.id} of {key.tenant} is revoked")
    else:
        _show([placed.key for placed in read_keys(path).values()], as_json=given.json)
    return OK


def _file(given: argparse.Namespace) -> Path:
    path = one_setting("keys", given)
    if path is None:
        raise SettingsError(f"keys: is required: give {option_of('keys')} or {variable_of('keys')}")
    return Path(path)


def _policy(name: str) -> str:
    """The policy as the file names it. Raises PolicyError now rather than when the server starts."""
    if not name:
        return ""
    load_policy(name)
    return str(find_policy(name).resolve()) if is_path(name) else name


def _show(keys: list[ClientKey], *, as_json: bool) -> None:
    if as_json:
        for key in keys:
            print(json.dumps(key.public()))
        return
    rows = [("id", "tenant", "tags", "policy", "created", "")]
    rows += [
        (key.id, key.tenant, ",".join(key.tags) or "-", key.policy or "-", key.created or "-",
         f"revoked {key.revoked}" if key.revoked else "")
        for key in keys
    ]  # fmt: skip
    wide = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, [*wide, 0], strict=True)).rstrip())
