"""The tiny model on servers of both kinds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oip_server import WAYS, Model, served


@pytest.fixture(params=WAYS)
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    with served(request.param) as found:
        yield found


@pytest.fixture(params=["rest", "grpc"])
def either(request: pytest.FixtureRequest) -> Iterator[Model]:
    """Where it does not matter how tensors are written."""
    with served(request.param) as found:
        yield found
