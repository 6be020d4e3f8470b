from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from lockgate.errors import SettingsError
from lockgate_proxy.keyfile import add_key, revoke_key
from lockgate_proxy.keys import new_key, read_keys


def added(path: Path, tenant: str = "acme") -> str:
    _, key = new_key(tenant)
    add_key(path, key)
    return key.id


class TestAdding:
    def test_the_file_is_made_for_its_owner_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        text, key = new_key("acme", ("a",))
        before = os.umask(0)
        try:
            add_key(path, key)
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert text not in path.read_text(encoding="utf-8")
        assert read_keys(path)[key.id].key == key
        assert [name.name for name in tmp_path.iterdir()] == ["keys"]

    def test_the_others_stay_as_they_were_written(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        added(path, "a")
        written = b"# a note\n" + path.read_bytes().rstrip(b"\n")
        path.write_bytes(written)
        added(path, "b")
        assert path.read_bytes().startswith(written + b"\n")
        assert [each.key.tenant for each in read_keys(path).values()] == ["a", "b"]

    def test_the_group_that_may_read_it_still_may(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        added(path)
        path.chmod(0o640)
        added(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_a_link_stays_one(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        path = tmp_path / "keys"
        path.symlink_to(tmp_path / "real" / "keys")
        added(path)
        assert path.is_symlink()
        assert len(read_keys(tmp_path / "real" / "keys")) == 1

    def test_nothing_is_added_to_a_file_that_others_can_read(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        added(path)
        path.chmod(0o644)
        before = path.read_bytes()
        with pytest.raises(SettingsError, match="by others"):
            added(path)
        assert path.read_bytes() == before

    def test_nothing_is_added_to_a_file_that_is_wrong(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        path.write_text("nonsense\n", encoding="utf-8")
        path.chmod(0o600)
        with pytest.raises(SettingsError, match="keys:1: "):
            added(path)
        assert path.read_text(encoding="utf-8") == "nonsense\n"

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="can't be written"):
            added(tmp_path / "no" / "keys")

    def test_many_at_once_are_all_added(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            ids = pool.map(added, [path] * 20)
        assert set(read_keys(path)) == set(ids)


class TestRevoking:
    def test_a_revoked_key_stays_and_says_when(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        first, second = added(path, "a"), added(path, "b")
        revoked = revoke_key(path, first)
        found = read_keys(path)
        assert (found[first].key, found[first].line) == (revoked, 1)
        assert revoked.revoked.endswith("+00:00")
        assert not found[second].key.revoked

    def test_twice(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        name = added(path)
        revoke_key(path, name)
        with pytest.raises(SettingsError, match="keys:1: the key was revoked at"):
            revoke_key(path, name)

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        name = added(path)
        with pytest.raises(SettingsError, match=f"no key of that id .*{name}"):
            revoke_key(path, name[:-1])
        with pytest.raises(SettingsError, match="there is no file"):
            revoke_key(tmp_path / "none", name)
