from __future__ import annotations

from lockgate_proxy.demo.attacks import ATTACKS


def test_beside_what_is_refused_stands_honest_work_with_the_same_words() -> None:
    outcomes = {scene.name: scene.expect.prompt for scene in ATTACKS}
    assert set(outcomes.values()) == {"refuse", "allow"}
    asked = {scene.name: str(scene.ask).lower() for scene in ATTACKS}
    assert all(word in asked["look-alike"] for word in ("kill", "ignores", "override", "system"))


def test_what_is_refused_does_not_leave() -> None:
    for scene in ATTACKS:
        if scene.expect.prompt == "refuse":
            assert scene.expect.kept_back
            assert all(part.lower() in str(scene.ask).lower() for part in scene.expect.kept_back)
