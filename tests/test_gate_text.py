from __future__ import annotations

from typing import Any

from lockgate.editing import Editing
from lockgate.forms import Form
from lockgate.gate_text import TextGate
from lockgate.masks import Masker, Masks
from lockgate.settling import Settled
from lockgate.wire.declared import Declared

SETTLED = Settled(frozenset(), {}, frozenset())


def gate_of(masks: Masks, form: Form | None = None, **more: Any) -> TextGate:
    given = {"settled": SETTLED, "max_hold": 200, "hold_limit": 1000, **more}
    return TextGate(None, "/c", 0, Editing(masks, Declared(), limit=200), form, **given)


def masks_of(value: str) -> tuple[Masks, str]:
    masks = Masker(b"a key of sixteen").masks()
    mask = masks.mask("pseudonym", "PERSON", value)
    masks.sent([(mask, True)])
    return masks, mask


def test_a_text_is_held_where_a_mask_may_have_begun() -> None:
    masks, mask = masks_of("Anna")
    gate = gate_of(masks)
    gate.feed("Dear " + mask[:6])
    assert (gate.cleared, gate.unsure) == (5, 6)
    gate.feed(mask[6:] + " and so on")
    assert gate.cleared == gate.length
    assert gate.edited("Dear " + mask[:6], 0, 11) == "Dear Anna"
    assert gate.edited(mask[6:] + " and so on", 11, gate.length) == " and so on"


def test_half_a_mask_leaves_where_nothing_follows() -> None:
    masks, mask = masks_of("Anna")
    for end in ("flush", "give_up", "end_piece"):
        gate = gate_of(masks)
        gate.feed(mask[:-3])
        getattr(gate, end)()
        assert (gate.cleared, gate.edits) == (gate.length, [])


def test_a_text_that_was_given_up_goes_on() -> None:
    masks, mask = masks_of("Anna")
    gate = gate_of(masks)
    gate.feed("x " + mask[:4])
    gate.give_up()
    gate.feed(f" {mask} y")
    gate.flush()
    assert gate.cleared == gate.length
    assert gate.edited(f" {mask} y", 6, gate.length) == " Anna y"


def test_nothing_is_put_back_in_a_fixed_text() -> None:
    masks, mask = masks_of("Anna")
    gate = gate_of(masks, fixed=True)
    gate.feed(mask)
    gate.flush()
    assert gate.edits == []


def test_memory_is_bounded_by_what_is_held() -> None:
    masks, mask = masks_of("Anna")
    gate = gate_of(masks, Form())
    gate.feed('{"a": "')
    for _ in range(300):
        gate.feed(f"{mask} plain text ")
    assert len(gate._seen) < 200
    assert gate._outline is not None
    assert len(gate._outline._text) < 200
