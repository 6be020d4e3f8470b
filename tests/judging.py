"""Judges for tests: models that are functions, and what they were asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fakes import chat_answer
from lockgate.detectors.judging import JUDGES, Judge, run_judge

Says = Callable[[Mapping[str, Any]], Any]
"""The body of a question → what is said: a JSON value, or an answer's whole body as `Whole`."""


class Whole(dict[str, Any]):
    """The body of an answer, as it stands."""


def violations(*found: tuple[str, float, str]) -> dict[str, Any]:
    return {"violations": [{"principle": a, "score": b, "quote": c} for a, b, c in found]}


def revision(text: str) -> dict[str, Any]:
    return {"critique": "It was wrong.", "answer": text}


def body_of(said: Any) -> dict[str, Any]:
    """The answer of a chat model that says a JSON value."""
    if isinstance(said, Whole):
        return said
    return chat_answer(said if isinstance(said, str) else json.dumps(said))


class Model:
    """A chat model that says what `says` says; `asked` are the bodies of its questions."""

    def __init__(self, says: Says) -> None:
        self.asked: list[dict[str, Any]] = []
        self._says = says

    async def __call__(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(dict(body))
        return body_of(self._says(body))

    @property
    def said(self) -> list[str]:
        """What stood in the questions, less what is always the same."""
        return [one["messages"][1]["content"] for one in self.asked]


def wants(body: Mapping[str, Any]) -> str:
    """What is asked for: `judgement` or `revision`."""
    name: str = body["response_format"]["json_schema"]["name"]
    return name


@contextmanager
def judged_by(says: Says, **options: Any) -> Iterator[Model]:
    """This process's judge, for a while."""
    model, before = Model(says), JUDGES.current
    run_judge(Judge(model, "judge-model", **options))
    try:
        yield model
    finally:
        run_judge(before)
