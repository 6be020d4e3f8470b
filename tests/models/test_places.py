from __future__ import annotations

from pathlib import Path

import pytest

from lockgate_models import places
from lockgate_models.errors import ManifestError
from tiny_model import write_model


def test_a_model_is_found_by_name_or_path_and_the_nearest_wins(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    write_model(near / "tiny")
    write_model(far / "tiny")
    write_model(far / "other")
    assert [path.parent.name for path in places.models([near, far])] == ["near", "far"]
    assert places.find("tiny", [near, far]) == near / "tiny"
    assert places.find(str(far / "other"), []) == far / "other"
    with pytest.raises(ManifestError, match=r"there is no model 'tny'; there are: other, tiny"):
        places.find("tny", [near, far])
    with pytest.raises(ManifestError, match="there are: none"):
        places.find("tiny", [tmp_path / "nowhere"])


def test_models_lie_beside_the_sources() -> None:
    first = places.folders([Path("mine")])
    assert first[0] == Path("mine")
    assert (first[1] / "lockgate_models").is_dir()
