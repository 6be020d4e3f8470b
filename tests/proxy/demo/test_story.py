from __future__ import annotations

import json
from dataclasses import replace

from lockgate_proxy.demo import samples
from lockgate_proxy.demo.story import Story

Stories = dict[str, Story]


def test_it_is_json_with_every_byte_in_it(stories: Stories) -> None:
    for story in stories.values():
        shown = json.loads(json.dumps(story.public()))
        assert shown["user_got"]["raw"].encode() == story.got
        assert shown["sent"].encode() == story.sent
        assert shown["upstream_said"].encode() == story.said
        assert shown["ok"] is True
        assert shown["scene"] == story.scene.name


def test_bytes_that_are_no_text_are_spelt(stories: Stories) -> None:
    spoiled = replace(stories["clean"], got=b"\xff{}", received=None)
    assert spoiled.public()["user_got"]["raw"] == "\\xff{}"
    assert spoiled.public()["upstream_received"] is None


def test_its_texts_are_all_that_the_caller_was_given(stories: Stories) -> None:
    texts = "\n".join(stories["tool-calls-in-stream"].texts())
    assert "find_employee" in texts
    assert "[US_SSN]" in texts
    assert "I'll look the person up" in texts
    assert samples.SSN not in texts


def test_an_action_that_was_not_reached_is_empty(stories: Stories) -> None:
    assert stories["private-key"].action("prompt") == "refuse"
    assert stories["private-key"].action("completion") == ""
    assert stories["models"].action("prompt") == ""


def test_a_problem_makes_it_not_well(stories: Stories) -> None:
    assert not replace(stories["clean"], problems=["late"]).ok
