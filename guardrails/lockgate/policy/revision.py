"""Which commit a policy's files are of, where they stand in a git checkout: what a reviewer has read.

The hash of the merged content says what is in force; the commit says where to read why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

CHANGED = "-changed"
"""Stands behind the commit of which the files are not any more."""

_SECONDS = 5.0


def commit_of(sources: Sequence[str]) -> str:
    """The commit that is checked out where the first of these files stands: 40 or 64 hex digits, with `CHANGED` behind
    them if one of the files that stand there is not as in the commit. "" where there is no git, no checkout, or the
    first file is none of its own."""
    git = shutil.which("git")
    if git is None or not sources:
        return ""
    folder = Path(sources[0]).resolve().parent
    top = _said(git, folder, "rev-parse", "--show-toplevel").rstrip("\n")
    if not top or not _said(git, folder, "ls-files", "--", str(Path(sources[0]).resolve())):
        return ""
    commit = _said(git, folder, "rev-parse", "--verify", "HEAD").strip()
    inside = [str(path) for one in sources if (path := Path(one).resolve()).is_relative_to(top)]
    changed = _said(git, folder, "status", "--porcelain", "--ignored=matching", "--untracked-files=all", "--", *inside)
    return f"{commit}{CHANGED if changed else ''}" if commit else ""


def _said(git: str, folder: Path, *asked: str) -> str:
    """What git says; "" where it fails. It is asked about this folder, whatever a hook that started us has set, and
    starts nothing that the checkout's own configuration names."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        run = subprocess.run(  # noqa: S603 - no shell, and no word of a client's
            [git, "-c", "core.fsmonitor=false", *asked],
            cwd=folder, env=environment | {"GIT_OPTIONAL_LOCKS": "0"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return run.stdout if run.returncode == 0 else ""
