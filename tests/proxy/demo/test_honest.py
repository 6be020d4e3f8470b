from __future__ import annotations

from lockgate_proxy.demo.honest import HONEST, HONEST_SCENES, HONEST_SCRIPTS


def test_every_scene_is_asked_of_the_model_that_the_policy_watches() -> None:
    for scene in HONEST_SCENES:
        assert scene.ask is not None
        assert scene.ask["model"] == HONEST


def test_each_has_its_script_and_one_stays_untouched() -> None:
    asked = [str(scene.ask).lower() for scene in HONEST_SCENES]
    for script in HONEST_SCRIPTS:
        assert sum(script.cue in text for text in asked) == 1, script.cue
    assert [scene.name for scene in HONEST_SCENES if not scene.expect.flags] == ["grounded"]
