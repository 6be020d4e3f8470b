from __future__ import annotations

import pytest

from lockgate_models.errors import BackendError, DeviceError, ManifestError, ModelError, OverloadedError


@pytest.mark.parametrize("kind", [ManifestError, DeviceError])
def test_an_error_at_start_says_where(kind: type[ModelError]) -> None:
    error = kind("is not YAML", where="m/manifest.yaml:3")
    assert str(error) == "m/manifest.yaml:3: is not YAML"
    assert str(kind("no GPU")) == "no GPU"


def test_what_fails_at_work_is_no_error_at_start() -> None:
    assert not issubclass(OverloadedError, ModelError)
    assert not issubclass(BackendError, ModelError)
