"""The scenes are played once for all tests of the demo."""

from __future__ import annotations

import pytest

from lockgate import Guard
from lockgate_proxy.demo.run import POLICY, play
from lockgate_proxy.demo.story import Story

Stories = dict[str, Story]


@pytest.fixture(scope="session")
def guard() -> Guard:
    """The demo's policy, ready to look."""
    return Guard(POLICY)


@pytest.fixture(scope="session")
def stories() -> Stories:
    """The demo's scenes under its own policy, by name."""
    return {story.scene.name: story for story in play(str(POLICY), known_policy=True)}
