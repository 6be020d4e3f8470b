"""The event loop of the proxy's tests is the one that it runs on; the client is tested on both kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import uvloop

from asking import Guarding, guarding
from fakes import Script
from guarding_setup import PLAN
from lockgate.policy.plan import Plan
from playbook import Player, through_app, through_release, through_server


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.name.startswith("test_client"):
        return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(params=[through_release, through_app, through_server], ids=["release", "app", "server"])
def play(request: pytest.FixtureRequest) -> Player:
    """Plays a transcript of a stream through the release alone, through the whole application, and
    through that with what its server offers."""
    player: Player = request.param
    return player


@pytest.fixture(params=[True, False], ids=["sync", "async"])
def ask_by(request: pytest.FixtureRequest) -> Guarding:
    """Asks a guarded client, plain or async, whose model does as a script says."""

    def ask_by(script: Script, plan: Plan = PLAN, **given: Any) -> Any:
        return guarding(request.param, script, plan, **given)

    return ask_by
