"""What the commands of the command line share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from lockgate.errors import SettingsError

OK, FAILED, WRONG = 0, 1, 2
"""Exit codes: all is well; a check or a test failed; the call or a file is wrong."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it is for, its arguments, and what runs it."""

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def missing(extra: str, error: ImportError) -> Exception:
    """What to raise for an import that failed: the extra to install, where it is that."""
    if not isinstance(error, ModuleNotFoundError) or (error.name or "").startswith("lockgate"):
        return error
    return SettingsError(f"the package {error.name!r} is not installed: pip install 'lockgate[{extra}]'")
