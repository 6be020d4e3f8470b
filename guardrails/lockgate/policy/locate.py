"""Where the shipped data lies: in a checkout beside the source roots, else inside the installed package.

A checkout comes first, so that an editable install sees a changed policy at once and never a stale copy.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from lockgate.errors import PolicyError
from lockgate.policy.nearest import suggest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SUFFIXES = (".yaml", ".yml")
_PACKAGE = Path(__file__).resolve().parents[1]


def data_dir(name: str, *, package: Path = _PACKAGE) -> Path | None:
    """The folder of shipped data called `name` (``policies``, ``models``), or None if there is none.

    `package` is the folder of the `lockgate` package: ``<root>/guardrails/lockgate`` in a checkout, where the data
    is ``<root>/<name>``; in an installed package it is ``lockgate/_<name>``.
    """
    root = package.parent.parent
    if package.parent.name == "guardrails" and (root / "pyproject.toml").is_file() and (root / name).is_dir():
        return root / name
    installed = package / f"_{name}"
    return installed if installed.is_dir() else None


def policies_dir() -> Path:
    """The folder of the shipped policies. Raises PolicyError where the installation has none."""
    found = data_dir("policies")
    if found is None:
        raise PolicyError("no policies are installed with Lockgate", hint="install the package again")
    return found


def policy_names() -> list[str]:
    """Names of the shipped policies, sorted; their test files are left out."""
    return sorted(p.stem for p in policies_dir().glob("*.yaml") if not p.stem.endswith("_test"))


def is_path(name_or_path: str | os.PathLike[str]) -> bool:
    """Whether this is meant as a path and not as the name of a shipped policy."""
    if not isinstance(name_or_path, str):
        return True
    return name_or_path.endswith(_SUFFIXES) or not _NAME.fullmatch(name_or_path)


def find_policy(name_or_path: str | os.PathLike[str], *, beside: Path | None = None, where: str = "") -> Path:
    """The file of a policy: of a shipped one by its bare name, else of the path, which is relative to `beside`.

    `beside` is the working directory unless said. Raises PolicyError at `where`, with the nearest name, if there is
    no such file.
    """
    if is_path(name_or_path):
        path = Path(beside or "", name_or_path)
        require_file(path, where=where)
        return path
    name = str(name_or_path)
    path = policies_dir() / f"{name}.yaml"
    if path.is_file():
        return path
    hint = suggest(name, policy_names())
    if Path(beside or "", f"{name}.yaml").is_file():
        hint = f"a bare name means a shipped policy; for the file beside, write `{name}.yaml`"
    raise PolicyError(f"there is no shipped policy `{name}`", where=where, hint=hint)


def require_file(path: Path, *, where: str = "") -> None:
    """Raise PolicyError, with the nearest file name, unless `path` is a file."""
    try:
        if path.is_file():
            return
        if path.is_dir():
            raise PolicyError(f"{path} is a folder, not a policy file", where=where)
        folder = path.parent
        names = [p.name for p in folder.iterdir() if p.suffix in _SUFFIXES] if folder.is_dir() else []
    except (OSError, ValueError) as error:
        raise PolicyError(f"the path can't be used: {reason(error)}", where=where) from error
    hint = suggest(path.name, names) if folder.is_dir() else f"there is no folder {folder}"
    raise PolicyError(f"there is no file {path}", where=where, hint=hint)


def reason(error: Exception) -> str:
    """What the operating system says about a file, without its path and number."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
