from __future__ import annotations

import re
import typing

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice
from openai.types.chat.chat_completion_chunk import Choice as ChunkChoice
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from pydantic import BaseModel

import pages
from lockgate.exchange import ROLES as KNOWN_ROLES
from lockgate.wire import chat_fields as fields


def test_the_tables_of_a_request_are_apart() -> None:
    tables = [fields.REQUEST_PLAIN, fields.REQUEST_TEXT, frozenset(fields.IDENTIFIERS)]
    assert sum(map(len, tables)) == len(fields.REQUEST_KNOWN)
    assert not fields.ANSWER_KNOWN & fields.ANSWER_SKIPPED.keys()


@pytest.mark.parametrize("name", list(fields.BESIDE))
def test_what_is_never_read_is_in_the_docs(name: str) -> None:
    rows = [row for row in pages.text_of("docs/audit.md").splitlines() if row.startswith(f"| `{name}` |")]
    said = {place: row.split(" | ")[2].removesuffix(" |") for row in rows for place in re.findall(r"`(/[^`]*)`", row)}
    assert said == fields.BESIDE[name]


def test_every_setting_is_in_the_list() -> None:
    assert {f"/{key}" for key in fields.REQUEST_PLAIN} <= fields.BESIDE["chat.prompt"].keys()


def test_every_role_is_one_of_ours() -> None:
    assert set(fields.ROLES.values()) <= set(KNOWN_ROLES)


def test_every_member_of_a_request_that_the_sdk_knows_is_known() -> None:
    sdk = typing.get_type_hints(CompletionCreateParamsBase).keys() | {"stream"}
    assert sdk - fields.REQUEST_KNOWN == set()


def test_every_member_of_an_answer_that_the_sdk_knows_is_known() -> None:
    def members(*models: type[BaseModel]) -> set[str]:
        return {name for model in models for name in model.model_fields}

    documents = members(ChatCompletion, ChatCompletionChunk)
    assert documents - fields.ANSWER_KNOWN - fields.ANSWER_SKIPPED.keys() <= {"metadata"}  # text: read as unknown
    choices = members(Choice, ChunkChoice)
    assert choices - {"message", "delta"} - fields.CHOICE_KNOWN - fields.ANSWER_SKIPPED.keys() == set()
    assert members(ChatCompletionMessage) - fields.MESSAGE_KNOWN == set()
