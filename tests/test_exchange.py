from __future__ import annotations

from typing import get_args

import pytest

from lockgate.exchange import KINDS, ROLES, SIDES, Exchange, Kind, Reading, Role, Segment, Side, Subject


@pytest.mark.parametrize(("listed", "typed"), [(SIDES, Side), (ROLES, Role), (KINDS, Kind)])
def test_what_is_listed_is_what_is_typed(listed: tuple[str, ...], typed: object) -> None:
    assert listed == get_args(typed)


def test_a_segment_of_a_prompt_can_be_edited_and_belongs_to_no_choice() -> None:
    segment = Segment("/messages/0/content", "user", "text", "hi")
    assert (segment.choice, segment.fixed) == (None, False)


def test_an_exchange_begins_empty_and_shares_nothing() -> None:
    one, other = Exchange("1", "chat"), Exchange("2", "text")
    one.prompt.append(Segment("", "user", "text", "hi"))
    assert (other.prompt, other.completion, other.subject) == ([], [], Subject())
    assert (other.stream, other.choices) == (False, 1)


def test_a_reading_says_why_a_place_is_not_read() -> None:
    reading = Reading()
    reading.skip("/messages/0/content/1", "an image")
    reading.unread("/thoughts")
    assert reading.skipped == {"/messages/0/content/1": "an image", "/thoughts": "unread: unknown"}
    assert reading.unknown == ["/thoughts"]
    assert Reading().skipped == {}
