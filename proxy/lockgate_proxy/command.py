"""What the commands of the command line share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

OK, FAILED, WRONG = 0, 1, 2
"""Exit codes: all is well; a check or a test failed; the call or a file is wrong."""

Parts = tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]
"""What says a command's arguments, and what runs it."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it is for, and where its parts come from, which imports them."""

    help: str
    parts: Callable[[], Parts]


def missing(extra: str, error: ImportError) -> Exception:
    """What to raise for an import that failed: the extra to install, where it is that."""
    from lockgate.errors import SettingsError

    if not isinstance(error, ModuleNotFoundError) or (error.name or "").startswith("lockgate"):
        return error
    return SettingsError(f"the package {error.name!r} is not installed: pip install 'lockgate[{extra}]'")
