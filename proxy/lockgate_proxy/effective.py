"""The settings that are in force: from options, the environment and a file, each with where it came from.

Options go before the environment, the environment before the file, the file before the defaults; a setting is taken
whole from the first that has it. Its name is `max_body` in the file, ``LOCKGATE_MAX_BODY`` in the environment and
``--max-body`` among the options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lockgate.errors import PolicyError, SettingsError
from lockgate.policy.document import Node, read_document
from lockgate.policy.locate import is_path
from lockgate.policy.nearest import suggest
from lockgate_proxy.settings import Settings, WrongSettingsError

PREFIX = "LOCKGATE_"
FILE_VARIABLE = f"{PREFIX}CONFIG"
"""Names the settings file; it is no setting itself."""

DEFAULT = "default"
MISSING = "missing"
HIDDEN = "********"

_SECRETS = frozenset({"audit_key", "judge_key", "mask_key", "model_key"})
_LISTS = frozenset({"tags"})
_PATHS = frozenset(
    {
        "audit",
        "audit_key_file",
        "keys",
        "mask_key_file",
        "model_ca",
        "model_key_file",
        "judge_key_file",
        "judge_ca",
        "models",
        "tls_cert",
        "tls_key",
        "upstream_ca",
    }
)

_STAND_INS = {"policy": "-", "upstream": "http://-"}
"""For what is required and missing or wrong; never shown."""

_SERVICE_LINK = re.compile(
    r"(?:\w+_)?(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_SERVICE_VALUE = re.compile(r"(?:tcp|udp|sctp)://")
"""What Kubernetes puts into the environment of each pod beside a service called `lockgate`."""


class Given(NamedTuple):
    """A value as it was given, and where: ``--port``, ``LOCKGATE_PORT``, ``settings.yaml:3``."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings in force. `origins` says of each whence it came: DEFAULT, or as in `Given`.

    `problems` are those that keep them from being in force: name → what is wrong, with its place.
    """

    settings: Settings
    origins: Mapping[str, str]
    problems: Mapping[str, str] = field(default_factory=dict)

    def public(self) -> dict[str, dict[str, Any]]:
        """Name → value and origin, JSON-ready; secrets are hidden. What is wrong has its problem for a value."""
        shown = self.settings.model_dump(mode="json")
        for name in _SECRETS:
            shown[name] = HIDDEN if shown[name] is not None else None
        return {
            name: {"problem": self.problems[name], "origin": self.origins[name]}
            if name in self.problems
            else {"value": value, "origin": self.origins[name]}
            for name, value in shown.items()
        }

    def wrong(self) -> SettingsError | None:
        """What to raise for the problems; None if there are none."""
        return SettingsError("\n".join(self.problems.values())) if self.problems else None


def option_of(name: str) -> str:
    """The option that sets `name`, as argparse is told."""
    return "--tag" if name == "tags" else f"--{name.replace('_', '-')}"


def variable_of(name: str) -> str:
    return PREFIX + name.upper()


def read_effective(options: Mapping[str, Any], environment: Mapping[str, str], file: Path | None) -> Effective:
    """All settings. `options` are by setting's name, None where not given; `file` is that of ``--config``.

    Raises SettingsError for whatever is unknown or wrong, with its place.
    """
    found = look_at(options, environment, file)
    if error := found.wrong():
        raise error
    return found


def look_at(options: Mapping[str, Any], environment: Mapping[str, str], file: Path | None) -> Effective:
    """All settings, with what is missing or wrong among them. Raises SettingsError for what is not known at all."""
    given = gather(options, environment, file)
    origins = {name: given[name].origin if name in given else DEFAULT for name in Settings.model_fields}
    values = {name: each.value for name, each in given.items()}
    problems: dict[str, str] = {}
    try:
        return Effective(Settings.read(**values), origins)
    except WrongSettingsError as error:
        for name, problem in error.problems:
            placed = _placed(name, problem, given)
            problems[name] = f"{problems[name]}\n{placed}" if name in problems else placed
    origins.update({name: MISSING for name in problems if name not in given})
    good = {name: value for name, value in values.items() if name not in problems}
    return Effective(Settings(**{**_STAND_INS, **good}), origins, problems)


def gather(options: Mapping[str, Any], environment: Mapping[str, str], file: Path | None) -> dict[str, Given]:
    """What was given, not yet looked at closely, by setting's name. Raises SettingsError for unknown names."""
    if file is None and environment.get(FILE_VARIABLE):
        file = Path(environment[FILE_VARIABLE])
    found = _from_file(file) if file is not None else {}
    by_option = {name: Given(value, option_of(name)) for name, value in options.items() if value is not None}
    named = (by_option.get("upstream_key_env") or found.get("upstream_key_env") or Given(None, "")).value
    found.update(_from_environment(environment, str(named or environment.get(variable_of("upstream_key_env")))))
    found.update(by_option)
    return found


def _placed(name: str, problem: str, given: Mapping[str, Given]) -> str:
    if name in given:
        return f"{given[name].origin}: {name}: {problem}"
    if problem == "is required":
        problem = f"is required: give {option_of(name)}, {variable_of(name)}, or `{name}:` in the settings file"
    return f"{name}: {problem}"


# From a file


def _from_file(path: Path) -> dict[str, Given]:
    try:
        tree = read_document(path, first="a setting in each line, as in `port: 8080`")
    except PolicyError as error:
        raise SettingsError(str(error)) from None
    assert isinstance(tree.value, dict)
    return {name: Given(_value(name, node, path.parent), node.where) for name, node in tree.value.items()}


def _value(name: str, node: Node, folder: Path) -> Any:
    if name not in Settings.model_fields:
        hint = suggest(name, Settings.model_fields)
        raise SettingsError(f"{node.where}: there is no setting `{name}`" + (f" ({hint})" if hint else ""))
    if name in _SECRETS:
        raise SettingsError(f"{node.where}: {name}: a secret does not belong here; use {name}_file")
    value = node.plain()
    if value is None:
        raise SettingsError(f"{node.where}: {name}: there is no value; leave the line out, or write one")
    if isinstance(value, (bool, dict)) or isinstance(value, list) != (name in _LISTS):
        wanted = (
            "a list" if name in _LISTS else "a single value" if isinstance(value, (dict, list)) else "a number or text"
        )
        raise SettingsError(f"{node.where}: {name}: must be {wanted}")
    if isinstance(value, str) and value and value != "-" and (name in _PATHS or (name == "policy" and is_path(value))):
        return str(folder / value)  # a file speaks of what lies beside it
    return value


# From the environment


def _from_environment(environment: Mapping[str, str], key_variable: str) -> dict[str, Given]:
    found = {}
    known = {variable_of(name): name for name in Settings.model_fields}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable in {FILE_VARIABLE, key_variable} or _is_service(variable, value):
            continue
        name = known.get(variable)
        if name is None:
            hint = suggest(variable, [*known, FILE_VARIABLE])
            raise SettingsError(f"{variable}: there is no such setting" + (f" ({hint})" if hint else ""))
        if value:
            found[name] = Given(_words(value) if name in _LISTS else value, variable)
    return found


def _words(value: str) -> list[str]:
    return [word for word in map(str.strip, value.split(",")) if word]


def _is_service(variable: str, value: str) -> bool:
    name = variable.removeprefix(PREFIX)
    return bool(_SERVICE_LINK.fullmatch(name) or (name.endswith("PORT") and _SERVICE_VALUE.match(value)))
