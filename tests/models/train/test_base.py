from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lockgate_models.train.base import HASHES, BaseError, check, packaged_base


def test_a_file_that_is_another_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"weights")
    check(tmp_path, {"model": hashlib.sha256(b"weights").hexdigest()})
    with pytest.raises(BaseError, match="is not the file that is meant"):
        check(tmp_path, {"model": "0" * 64})
    with pytest.raises(BaseError, match="FileNotFoundError"):
        check(tmp_path, {"other": "0" * 64})


@pytest.mark.train
def test_the_packaged_weights_are_the_ones_that_are_meant() -> None:
    folder = packaged_base()
    assert {path.name for path in folder.iterdir()} >= HASHES.keys()


def test_a_package_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate_models.train.base.PACKAGE", "no_such_package")
    with pytest.raises(BaseError, match="make train"):
        packaged_base()
