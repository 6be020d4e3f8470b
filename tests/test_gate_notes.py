from __future__ import annotations

from typing import Any

from lockgate.editing import Editing
from lockgate.exchange import Exchange
from lockgate.gate_notes import NotedGate
from lockgate.masks import Masker
from lockgate.placing import FOOTNOTE, Notes
from lockgate.policy.plan import Plan
from lockgate.settling import settled
from lockgate.verdict import Edit
from lockgate.wire.declared import Declared
from saying import plan_of, rule, words

MARKS = plan_of(rule("moon", words("cheese"), {"flag": {"u": {"message": "unsupported", "as": "inline"}}}))
NOTE = Edit("/output/0/content/0/text", (6, 6), "!", kind=FOOTNOTE)


def gate_of(plan: Plan = MARKS, where: str = "/output/0/content/0/text", **more: Any) -> NotedGate:
    exchange = Exchange("X", "responses")
    editing = Editing(Masker(b"a key of sixteen").masks(), Declared(), limit=200)
    look = plan.completion.look("assistant", "text")
    given = {"settled": settled(plan.completion, exchange), "max_hold": 200, "hold_limit": 1000, **more}
    return NotedGate(look, where, 0, editing, Notes(plan, exchange, editing), **given)


def test_the_last_character_stays_until_the_choice_has_ended() -> None:
    gate = gate_of()
    gate.feed("Hello ")
    assert (gate.cleared, gate.length) == (5, 6)
    gate.flush()
    assert gate.cleared == 5
    gate.release_held([NOTE])
    assert gate.cleared == 6
    assert gate.edited("Hello ", 0, 6) == "Hello !"


def test_a_note_leaves_with_the_piece_that_it_stands_behind() -> None:
    gate = gate_of()
    gate.feed("of cheese")
    gate.feed(", they say")
    gate.flush()
    gate.release_held([])
    assert gate.edited("of cheese", 0, 9) == "of cheese [unsupported]"
    assert gate.edited(", they say", 9, 19) is None


def test_text_is_held_until_it_is_known_where_its_mark_stands() -> None:
    gate = gate_of()
    gate.feed("see [blue cheese")
    assert gate.cleared < 16
    gate.feed(" and more of that](http")
    assert gate.cleared < 16
    gate.feed("://a.b/) now ")
    assert gate.cleared == gate.length - 1


def test_a_text_that_goes_on_elsewhere_gets_no_note_behind_it() -> None:
    first, second = gate_of(), gate_of(where="/output/1/content/0/text")
    first.feed("One.")
    second.following([first])
    assert first.cleared == first.length
    assert second.given is first.given
    second.feed("Two.")
    first.following([second])  # it stands before it
    assert second.cleared == second.length - 1


def test_where_too_much_waits_there_are_no_notes() -> None:
    gate = gate_of()
    gate.feed("see [the cheese")
    gate.give_up()
    assert gate.cleared < gate.length
    gate.give_up(overflow=True)
    assert gate.cleared == gate.length
    assert gate.edits == []
