"""A judge that finds nothing is of use only if it finds what is there: each good story is spoilt in one way."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from lockgate_proxy.demo import samples
from lockgate_proxy.demo.judge import problems
from lockgate_proxy.demo.story import Story

Stories = dict[str, Story]


def said(story: Story, **changes: Any) -> Story:
    """The story with its first choice changed, as the client tells it."""
    told = deepcopy(story.told)
    told["choices"][0].update(changes)
    return replace(story, told=told)


def test_what_went_well_is_well(stories: Stories) -> None:
    assert {name: story.problems for name, story in stories.items() if story.problems} == {}


@pytest.mark.parametrize(
    ("scene", "change", "problem"),
    [
        ("clean", {"status": 500}, "the status is 500"),
        ("clean", {"audit": {}}, "no audit line"),
        ("clean", {"got": b"{ }"}, "not every byte"),
        ("clean", {"received": b"{ }"}, "other bytes than were sent"),
        ("clean", {"received": None}, "was not asked"),
        ("private-key", {"received": b"{}"}, "and the upstream was asked"),
        ("refused-stream", {"let_go": False}, "was not let go"),
        ("clean-stream", {"let_go": True}, "was let go"),
        ("private-key", {"status": 503}, "the status is 503"),
    ],
)
def test_what_went_wrong_is_said(stories: Stories, scene: str, change: dict[str, Any], problem: str) -> None:
    found = problems(replace(stories[scene], **change), known_policy=True)
    assert any(problem in each for each in found), found


def test_a_value_that_reaches_the_upstream_or_the_user(stories: Stories) -> None:
    prompt = stories["numbers-in-prompt"]
    assert problems(replace(prompt, received=prompt.sent), known_policy=True)
    answer = stories["numbers-in-answer"]
    assert "the user got what should be taken out (1)" in problems(replace(answer, got=answer.said), known_policy=True)
    escaped = answer.got + samples.EMAIL.replace("@", "\\u0040").join(('{"x": "', '"}')).encode()
    stream = replace(answer, got=b"data: " + escaped[len(answer.got) :])
    assert "the user got what should be taken out (3)" in problems(stream, known_policy=True)


def test_a_value_that_only_the_joined_chunks_spell(stories: Stories) -> None:
    story = said(stories["key-in-stream"], content=f"export BILLING_KEY={samples.STRIPE_KEY}\n")
    found = problems(story, known_policy=True)
    assert "the user got what should be taken out (1)" in found
    assert "the user did not get what should be shown (1)" in found


def test_arguments_that_are_no_longer_json(stories: Stories) -> None:
    story = stories["tool-call"]
    broken = said(
        story, calls=[{"name": "create_refund", "arguments": '{"to": [IBAN_CODE], "x": "[CREDIT_CARD] – “don'}]
    )
    assert any("no longer JSON" in each for each in problems(broken, known_policy=True))


def test_a_finish_a_flag_or_an_error_that_is_not_the_right_one(stories: Stories) -> None:
    assert any(
        "choices end" in each for each in problems(said(stories["cut-stream"], finish="stop"), known_policy=True)
    )
    story = stories["flagged"]
    unflagged = replace(story, told={**story.told, "flags": []})
    assert any("the flags are" in each for each in problems(unflagged, known_policy=True))
    story = stories["code-name"]
    other = replace(story, told={**story.told, "error": {"code": "content_filter", "param": "messages[0]"}})
    assert any("the client's error is" in each for each in problems(other, known_policy=True))


def test_another_verdict(stories: Stories) -> None:
    story = stories["flagged"]
    audit = {**story.audit, "completion": {**story.audit["completion"], "action": "allow"}}
    found = problems(replace(story, audit=audit), known_policy=True)
    assert any("the verdict on the completion is allow, not flag" in each for each in found)


def test_a_false_ending_is_wrong_under_any_policy(stories: Stories) -> None:
    story = stories["cut-stream"]
    found = problems(replace(story, got=story.got + b"data: [DONE]\n\n"), known_policy=False)
    assert found == ["the stream ends as if it were whole"]


def test_changed_bytes_without_a_rule_are_wrong_under_any_policy(stories: Stories) -> None:
    story = stories["clean-stream"]
    found = problems(replace(story, got=story.got.replace(b": keep-alive\n\n", b"")), known_policy=False)
    assert found == ["no rule touches the answer, and the user got other bytes than the upstream said"]


def test_what_another_policy_lets_through_is_its_own_affair(stories: Stories) -> None:
    story = stories["code-name"]
    assert problems(replace(story, status=200, told=stories["clean"].told), known_policy=False) == []
