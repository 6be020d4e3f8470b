"""Every string of the `openai` SDK's types, at the pinned version, is read by a lens, or stands in a table with the
reason why not (sdk_unread.yaml). A later version that knows more of them fails here, and says which."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from openai.types import (
    Completion,
    CreateEmbeddingResponse,
    EmbeddingCreateParams,
    ModerationCreateParams,
    ModerationCreateResponse,
)
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams as ChatParams
from openai.types.completion_create_params import CompletionCreateParams as CompletionParams
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParams as ResponseParams
from ruamel.yaml import YAML

from lockgate.wire import chat_fields, completions, inputs
from lockgate.wire.chat import ChatLens
from lockgate.wire.completions import CompletionsLens
from lockgate.wire.inputs import EmbeddingsLens, ModerationsLens
from lockgate.wire.lens import EventReading
from lockgate.wire.responses import ResponsesLens
from sdk_types import Place, arms, members, places, word_of

MARK = "mArKeR7"
TABLE: dict[str, dict[str, str]] = YAML(typ="safe").load(Path(__file__).with_name("sdk_unread.yaml").read_text("utf-8"))


class Document(NamedTuple):
    """What is walked, how it is read, and what the records of its exchanges leave unsaid (None: such a list is not kept)."""

    type: Any
    read: Callable[[Any], Any]
    beside: dict[str, str] | None = None


CHAT, COMPLETIONS, EMBEDDINGS, MODERATIONS = ChatLens(), CompletionsLens(), EmbeddingsLens(), ModerationsLens()
RESPONSES = ResponsesLens()
BESIDE = {**chat_fields.BESIDE, **completions.BESIDE, **inputs.BESIDE}

DOCUMENTS = {
    "chat.request": Document(ChatParams, CHAT.read_request, BESIDE["chat.prompt"]),
    "chat.answer": Document(ChatCompletion, CHAT.read_answer, BESIDE["chat.completion"]),
    "chat.event": Document(ChatCompletionChunk, CHAT.read_event, BESIDE["chat.completion"]),
    "completions.request": Document(CompletionParams, COMPLETIONS.read_request, BESIDE["completions.prompt"]),
    "completions.answer": Document(Completion, COMPLETIONS.read_answer, BESIDE["completions.completion"]),
    "completions.event": Document(Completion, COMPLETIONS.read_event, BESIDE["completions.completion"]),
    "embeddings.request": Document(EmbeddingCreateParams, EMBEDDINGS.read_request, BESIDE["embeddings.prompt"]),
    "embeddings.answer": Document(CreateEmbeddingResponse, EMBEDDINGS.read_answer, BESIDE["embeddings.completion"]),
    "responses.request": Document(ResponseParams, RESPONSES.read_request),
    "responses.answer": Document(Response, RESPONSES.read_answer),
    "responses.event": Document(ResponseStreamEvent, RESPONSES.read_event),
    "moderations.request": Document(ModerationCreateParams, MODERATIONS.read_request, BESIDE["moderations.prompt"]),
    "moderations.answer": Document(ModerationCreateResponse, MODERATIONS.read_answer, BESIDE["moderations.completion"]),
}


@cache
def walked(name: str) -> dict[str, Place]:
    """Of a union, each arm that says what it is by itself; those that don't are one document with and without more."""
    found = {}
    for arm in arms(DOCUMENTS[name].type):
        told = f"({word_of(arm)})" if "type" in members(arm) else ""
        found.update({told + place.where: place for place in places(arm)})
    return found


def texts_of(reading: Any) -> list[str]:
    if isinstance(reading, EventReading):
        return [delta.text for delta in reading.deltas]
    return [segment.text for segment in reading.segments]


@cache
def unread(name: str) -> dict[str, Any]:
    """Place → what the lens says of a document that has a text there, which it has not read."""
    found = {}
    for where, place in walked(name).items():
        reading = DOCUMENTS[name].read(place.make(MARK))
        if not any(MARK in text for text in texts_of(reading)):
            found[where] = reading
    return found


def matches(pattern: str, where: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("**"))), where, re.DOTALL) is not None


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_string_is_read_or_listed(name: str) -> None:
    missing = [where for where in unread(name) if not any(matches(pattern, where) for pattern in TABLE[name])]
    assert not missing, f"{name}: no lens reads these, and sdk_unread.yaml has no reason: {missing}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_listed_is_not_read(name: str) -> None:
    stale = [pattern for pattern in TABLE[name] if not any(matches(pattern, where) for where in unread(name))]
    assert not stale, f"{name}: a lens reads these, or the SDK has them no more: {stale}"


@pytest.mark.parametrize("name", [name for name, document in DOCUMENTS.items() if document.beside is not None])
def test_what_is_not_read_is_on_record(name: str) -> None:
    """An exchange's own record says so too, with a reason; or the list that it names does."""
    beside = DOCUMENTS[name].beside or {}
    patterns = [re.escape(place).replace(r"\*", "[^/]+") + "(?:/.*)?" for place in beside]
    silent = []
    for where, reading in unread(name).items():
        bare = re.sub(r"\([^)]*\)", "", where)
        listed = any(re.fullmatch(pattern, bare.replace("/delta/", "/message/")) for pattern in patterns)
        if not listed and not any(not why.startswith("unread") for why in reading.skipped.values()):
            silent.append(where)
    assert not silent


def test_the_table_and_the_documents_are_the_same() -> None:
    assert set(TABLE) == set(DOCUMENTS)


@pytest.mark.parametrize(
    ("name", "fewest"),
    [
        ("chat.request", 60),
        ("chat.answer", 30),
        ("chat.event", 25),
        ("responses.request", 400),
        ("responses.answer", 700),
        ("responses.event", 4000),
    ],
)
def test_the_walk_goes_everywhere(name: str, fewest: int) -> None:
    assert len(walked(name)) >= fewest


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("chat.request", "/messages/*(user)/content/*(text)/text"),
        ("chat.request", "/messages/*(assistant)/tool_calls/*(function)/function/arguments"),
        ("chat.request", "/tools/*(function)/function/parameters/{name}"),
        ("chat.request", "/metadata/{}"),
        ("chat.answer", "/choices/*/message/annotations/*/url_citation/title"),
        ("chat.answer", "/metadata/{}"),
        ("chat.event", "/choices/*/delta/content"),
    ],
)
def test_these_are_among_the_places_and_read(name: str, where: str) -> None:
    assert where in walked(name)
    assert where not in unread(name)
