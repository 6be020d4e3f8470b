from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest

from lockgate import errors
from lockgate.errors import (
    GuardUnavailable,
    LockgateError,
    PatternError,
    PolicyError,
    Refused,
    SettingsError,
    WireError,
)
from lockgate.verdict import Action, Failure, Verdict

REFUSAL = Verdict("prompt", "p", "sha256:0", action=Action.REFUSE, message="Not here.")


def drawn() -> list[tuple[int, str]]:
    """(depth, name) of each class in the tree that the module draws."""
    names = re.findall(r"^    ([│ ]*[├└]── )?([A-Z]\w+)", errors.__doc__ or "", flags=re.MULTILINE)
    return [(len(branch) // 4, name) for branch, name in names]


def grown(root: type[LockgateError] = LockgateError, depth: int = 0) -> list[tuple[int, str]]:
    found = [(depth, root.__name__)]
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            found += grown(child, depth + 1)
    return found


def test_the_tree_is_as_drawn() -> None:
    assert len(grown()) == 7
    assert sorted(drawn()) == sorted(grown())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PolicyError("no"), "no"),
        (PolicyError("no", where="a.yaml:3"), "a.yaml:3: no"),
        (PolicyError("no", hint="write yes"), "no (write yes)"),
        (PatternError("no", where="a.yaml:3", hint="write yes"), "a.yaml:3: no (write yes)"),
        (WireError("no"), "no"),
        (WireError("no", where="byte 7"), "no (at byte 7)"),
        (Refused(REFUSAL), "Not here."),
        (
            GuardUnavailable(Verdict("prompt", "p", "sha256:0")),
            "the guard could not reach a verdict, and the policy fails closed",
        ),
        (SettingsError("no port"), "no port"),
    ],
    ids=repr,
)
def test_what_an_error_says(error: LockgateError, said: str) -> None:
    assert str(error) == said


def test_an_error_is_placed_once_and_keeps_its_class() -> None:
    loose = PatternError("no", hint="write yes")
    placed = loose.at("a.yaml:3")
    assert (type(placed), str(placed)) == (PatternError, "a.yaml:3: no (write yes)")
    assert placed.at("b.yaml:9") is placed
    assert loose.where == ""


def test_what_a_refusal_carries() -> None:
    refused = Refused(REFUSAL)
    assert (refused.verdict, refused.message) == (REFUSAL, "Not here.")


def test_what_a_wire_error_carries() -> None:
    error = WireError("too deep", where="/a", status=413, code="too_deep")
    assert (error.problem, error.where, error.status, error.code) == ("too deep", "/a", 413, "too_deep")
    assert (WireError("x").status, WireError("x").code) == (400, "invalid_json")


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))], ids=["copy", "pickle"])  # noqa: S301
@pytest.mark.parametrize(
    "error",
    [
        PolicyError("no", where="a.yaml:3", hint="write yes"),
        PatternError("no", where="a.yaml:3"),
        WireError("no", where="/a", status=413, code="too_deep"),
        Refused(REFUSAL),
        GuardUnavailable(Verdict("prompt", "p", "sha256:0", failures=[Failure("pii", "timeout")], unavailable=True)),
        SettingsError("no port"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_the_way_between_processes(error: LockgateError, again: Any) -> None:
    """As from a process pool's worker to who waits for it."""
    copied = again(error)
    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert vars(copied) == vars(error)
