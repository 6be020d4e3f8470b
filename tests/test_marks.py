from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate.marks import Marker, encode, mark_of

KEY = b"0123456789abcdef"


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_a_text_in_pieces_has_the_mark_of_the_whole(pieces: list[str]) -> None:
    marker = Marker(KEY)
    running = marker.running()
    for piece in pieces:
        running.update(encode(piece))
    assert mark_of(running) == marker.mark("".join(pieces))


def test_marks_join_under_one_key_only() -> None:
    assert Marker(KEY).mark("a text") == Marker(KEY).mark("a text")
    assert Marker(KEY).mark("a text") != Marker(KEY).mark("another text")
    assert Marker(KEY).mark("a text") != Marker(b"another key 1234").mark("a text")
    assert Marker(None).mark("a text") != Marker(None).mark("a text")
    assert Marker(KEY).joinable
    assert not Marker(None).joinable
