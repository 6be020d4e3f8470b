from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Required

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from sdk_types import places, smallest


class Said(TypedDict, total=False):
    type: Required[Literal["said"]]
    text: Required[str]
    note: str


class Seen(TypedDict, total=False):
    type: Literal["seen"]
    url: str


class Tree(BaseModel):
    kind: Literal["tree"]
    name: str
    below: list[Tree] | None = None
    schema_: dict[str, object] | None = Field(alias="schema", default=None)


SAID = {"type": "said", "text": ""}


@pytest.mark.parametrize(
    ("of", "found"),
    [
        (str, {"": "X"}),
        (Literal["a", "b"], {}),
        (int, {}),
        (list[str], {"/*": ["X"]}),
        (Iterable[str] | str | None, {"/*": ["X"], "": "X"}),
        (dict[str, int], {"/{name}": {"X": 1}}),
        (dict[str, Any], {"/{name}": {"X": None}, "/{}": {"key": "X"}}),
        (Said, {"/text": {**SAID, "text": "X"}, "/note": {**SAID, "note": "X"}}),
        (
            list[Said | Seen],
            {
                "/*(said)/text": [{**SAID, "text": "X"}],
                "/*(said)/note": [{**SAID, "note": "X"}],
                "/*(seen)/url": [{"type": "seen", "url": "X"}],
            },
        ),
        (
            Tree,
            {
                "/name": {"kind": "tree", "name": "X"},
                "/schema/{name}": {"kind": "tree", "name": "", "schema": {"X": None}},
                "/schema/{}": {"kind": "tree", "name": "", "schema": {"key": "X"}},
            },
        ),
    ],
    ids=str,
)
def test_places(of: Any, found: dict[str, Any]) -> None:
    assert {place.where: place.make("X") for place in places(of)} == found


def test_the_smallest_of_an_object_says_what_it_is() -> None:
    assert smallest(Seen) == {"type": "seen"}
