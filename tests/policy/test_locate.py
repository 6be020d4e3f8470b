from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import PolicyError
from lockgate.policy import locate


def _package(root: Path, parent: str = "guardrails") -> Path:
    package = root / parent / "lockgate"
    package.mkdir(parents=True)
    return package


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shipped"
    folder.mkdir()
    for name in ("default", "strict", "default_test"):
        (folder / f"{name}.yaml").write_text("version: 1\n")
    monkeypatch.setattr(locate, "policies_dir", lambda: folder)
    return folder


def test_a_checkout_comes_first(tmp_path: Path) -> None:
    package = _package(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "policies").mkdir()
    (package / "_policies").mkdir()
    assert locate.data_dir("policies", package=package) == tmp_path / "policies"


@pytest.mark.parametrize("missing", ["pyproject.toml", "policies"])
def test_else_the_installed_package(tmp_path: Path, missing: str) -> None:
    package = _package(tmp_path)
    if missing != "pyproject.toml":
        (tmp_path / "pyproject.toml").touch()
    if missing != "policies":
        (tmp_path / "policies").mkdir()
    (package / "_policies").mkdir()
    assert locate.data_dir("policies", package=package) == package / "_policies"


def test_a_foreign_project_around_the_installed_package_is_no_checkout(tmp_path: Path) -> None:
    package = _package(tmp_path, "site-packages")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "policies").mkdir()
    assert locate.data_dir("policies", package=package) is None


def test_this_checkout_has_policies() -> None:
    assert locate.policies_dir() == Path(__file__).resolve().parents[2] / "policies"


def test_an_installation_without_policies_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "data_dir", lambda _name: None)
    with pytest.raises(PolicyError, match="no policies are installed"):
        locate.policies_dir()


def test_names_leave_test_files_out(shipped: Path) -> None:
    assert locate.policy_names() == ["default", "strict"]
    assert locate.find_policy("strict") == shipped / "strict.yaml"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("default", False),
        ("support-bot_2", False),
        ("default.yaml", True),
        ("x.yml", True),
        ("a/b", True),
        ("..", True),
        ("", True),
        (Path("default"), True),
    ],
)
def test_what_is_meant_as_a_path(given: str | Path, expected: bool) -> None:
    assert locate.is_path(given) is expected


def test_paths_are_relative_to_the_folder_given(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").touch()
    assert locate.find_policy("base.yaml", beside=tmp_path) == tmp_path / "base.yaml"
    assert locate.find_policy(str(tmp_path / "base.yaml"), beside=Path("elsewhere")) == tmp_path / "base.yaml"


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    ("given", "problem", "hint"),
    [
        ("strct", "there is no shipped policy `strct`", "did you mean `strict`?"),
        ("beside", "there is no shipped policy `beside`", "write `beside.yaml`"),
        ("besde.yaml", "there is no file", "did you mean `beside.yaml`?"),
        ("nowhere/x.yaml", "there is no file", "there is no folder"),
        ("folder.yaml", "is a folder", ""),
        ("nul\0.yaml", "", ""),
    ],
)
def test_what_is_not_there_is_an_error_with_the_nearest_name(
    tmp_path: Path, given: str, problem: str, hint: str
) -> None:
    (tmp_path / "beside.yaml").touch()
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(PolicyError) as raised:
        locate.find_policy(given, beside=tmp_path, where="p.yaml:3")
    assert problem in raised.value.problem
    assert hint in raised.value.hint
    assert raised.value.where == "p.yaml:3"


def test_a_path_that_the_system_refuses(tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        locate.find_policy("x" * 5000 + ".yaml", beside=tmp_path)
