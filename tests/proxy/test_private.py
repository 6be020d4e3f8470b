from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import SettingsError
from lockgate_proxy.private import read_private, require_private


def secret(folder: Path, mode: int) -> Path:
    path = folder / "secret"
    path.write_text("s3cret", encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440, 0o700])
def test_what_only_the_owner_and_the_group_can_read(tmp_path: Path, mode: int) -> None:
    path = secret(tmp_path, mode)
    require_private(path)
    assert read_private(path) == b"s3cret"


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o666, 0o660, 0o620, 0o601])
def test_what_others_can_read_or_change(tmp_path: Path, mode: int) -> None:
    path = secret(tmp_path, mode)
    with pytest.raises(SettingsError, match=f"{path}.*{mode:04o}.*chmod 600") as caught:
        require_private(path)
    assert "s3cret" not in str(caught.value)


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(secret(tmp_path, 0o644))
    with pytest.raises(SettingsError, match="by others"):
        require_private(link)


@pytest.mark.parametrize("name", ["none", "."])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="can't be read"):
        require_private(tmp_path / name)
