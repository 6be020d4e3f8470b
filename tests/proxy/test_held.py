from __future__ import annotations

import json

from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.wire.chat import ChatLens
from lockgate_proxy.held import Held, Taken, choices_of
from lockgate_proxy.sse import Splitter
from saying import DONE, choice, chunk, patterns, plan_of, rule, text

PLAN = plan_of(rule("k", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}))
CHAT = ChatLens()


def held(raw: bytes) -> Held:
    [event] = Splitter().feed(raw)
    assert event.data is not None
    one = Held(event)
    stream = Passage(PLAN, Exchange("x", "chat")).stream()
    for delta in CHAT.read_event(json.loads(event.data)).deltas:
        Taken(one, []).feed(stream, delta)
    return one


def test_it_leaves_as_it_came_or_edited() -> None:
    assert held(text("plain")).leave(CHAT) == text("plain")
    assert held(text("a sk-abcd1234 b")).leave(CHAT) == text("a [KEY] b")


def test_a_choice_is_taken_out() -> None:
    both = held(chunk(choice({"content": "a"}), choice({"content": "b"}, 1)))
    assert both.strip(CHAT, {1})
    assert [part.text for part in both.parts] == ["a"]
    assert json.loads(both.leave(CHAT)[6:]) == json.loads(chunk(choice({"content": "a"}), choice({}, 1))[6:])
    assert not both.strip(CHAT, {0, 1})


def test_what_has_no_choices_stays() -> None:
    assert held(chunk()).strip(CHAT, {0})
    [done] = Splitter().feed(DONE)
    assert Held(done).strip(CHAT, {0})
    [comment] = Splitter().feed(b": x\n\n")
    assert Held(comment).strip(CHAT, {0})


def test_an_event_that_is_no_json_goes_with_its_choice() -> None:
    one = held(text("a"))
    one.unread = True
    assert one.strip(CHAT, {1})
    assert not one.strip(CHAT, {0})


def test_choices_of_pointers() -> None:
    assert choices_of(["/choices/3/message/x", "/choices/x/y", "/model", "", "/choices/3/z"]) == {3}
