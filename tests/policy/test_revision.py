"""The commit of a policy's files, from real checkouts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lockgate.policy.revision import CHANGED, commit_of

_AUTHOR = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")


def git(folder: Path, *said: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    run = subprocess.run(["git", *_AUTHOR, *said], cwd=folder, env=own, check=True, capture_output=True, text=True)
    return run.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a policy and what it extends, committed."""
    folder = tmp_path / "repo"
    (folder / "policies").mkdir(parents=True)
    for name in ("base", "own"):
        (folder / "policies" / f"{name}.yaml").write_text(f"version: 1\nname: {name}\n", encoding="utf-8")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "policies")
    return folder


def sources(checkout: Path) -> list[str]:
    return [str(checkout / "policies" / name) for name in ("own.yaml", "base.yaml")]


def test_the_commit_of_a_clean_checkout(checkout: Path) -> None:
    assert commit_of(sources(checkout)) == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["own.yaml", "base.yaml"])
def test_a_file_that_was_changed_since(checkout: Path, name: str) -> None:
    before = commit_of(sources(checkout))
    with (checkout / "policies" / name).open("a", encoding="utf-8") as file:
        file.write("# more\n")
    assert commit_of(sources(checkout)) == before + CHANGED
    git(checkout, "commit", "-q", "-am", "more")
    after = commit_of(sources(checkout))
    assert after == git(checkout, "rev-parse", "HEAD") != before


def test_another_file_says_nothing(checkout: Path) -> None:
    (checkout / "notes.txt").write_text("x", encoding="utf-8")
    assert CHANGED not in commit_of(sources(checkout))


def test_an_extended_file_that_no_commit_has(checkout: Path) -> None:
    (checkout / ".gitignore").write_text("secret.yaml\n", encoding="utf-8")
    (checkout / "policies" / "secret.yaml").write_text("version: 1\nname: s\n", encoding="utf-8")
    git(checkout, "add", ".gitignore")
    git(checkout, "commit", "-q", "-m", "ignore")
    assert commit_of([*sources(checkout), str(checkout / "policies" / "secret.yaml")]).endswith(CHANGED)


def test_no_commit_where_there_is_none(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "x.yaml"
    outside.write_text("version: 1\n", encoding="utf-8")
    fresh = checkout / "policies" / "new.yaml"
    fresh.write_text("version: 1\n", encoding="utf-8")
    assert commit_of([]) == commit_of([str(outside)]) == commit_of([str(fresh)]) == ""
    assert commit_of([*sources(checkout), str(outside)]) == git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(sources(checkout)) == ""


def test_a_hook_that_started_us_speaks_of_another_repository(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(checkout / "nowhere"))
    assert commit_of(sources(checkout)) == git(checkout, "rev-parse", "HEAD")
