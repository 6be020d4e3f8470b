from __future__ import annotations

import json

from lockgate_proxy.demo.scenes import SCENES
from lockgate_proxy.demo.script import SCRIPTS


def test_each_call_in_it_has_arguments_that_are_json() -> None:
    calls = [call for script in SCRIPTS for said in script.said for call in said.calls]
    assert calls
    for call in calls:
        assert isinstance(json.loads(call.arguments), dict)


def test_each_question_has_one_answer() -> None:
    for scene in SCENES:
        if scene.ask is None or scene.expect.prompt == "refuse":
            continue
        asked = [m["content"] for m in scene.ask["messages"] if m["role"] == "user"][-1].lower()
        assert len([script for script in SCRIPTS if script.cue in asked]) == 1, scene.name


def test_each_answer_has_a_question() -> None:
    asked = "\n".join(
        str(message["content"]).lower() for scene in SCENES if scene.ask for message in scene.ask["messages"]
    )
    assert [script.cue for script in SCRIPTS if script.cue not in asked] == []
