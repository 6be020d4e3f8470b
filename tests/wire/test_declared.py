from __future__ import annotations

from typing import Any

import pytest

from lockgate.exchange import Kind
from lockgate.wire.declared import Declared

SCHEMA = {"properties": {"to": {"enum": ["x"]}}}
CALL = "/choices/0/message/tool_calls/1/function/arguments"
CONTENT = "/choices/0/message/content"
CHAT = {"tools": [{"type": "function", "function": {"name": "send", "parameters": SCHEMA}}]}
FLAT = {"tools": [{"type": "function", "name": "send", "parameters": SCHEMA}]}
OLD = {"functions": [{"name": "send", "parameters": SCHEMA}]}


@pytest.mark.parametrize("document", [CHAT, FLAT, OLD])
@pytest.mark.parametrize("where", [CALL, "/output/2/arguments", "/messages/3/tool_calls/0/function/arguments"])
def test_arguments_have_the_form_of_their_tool(document: Any, where: str) -> None:
    form = Declared(document).form(where, "tool_call", "send")
    assert form is not None
    assert form.member("to").confines


@pytest.mark.parametrize("document", [None, {}, CHAT, {"tools": 5, "functions": [None, {"name": 3}]}])
def test_arguments_of_others_are_json_without_a_form(document: Any) -> None:
    form = Declared(document).form(CALL, "tool_call", "other")
    assert form is not None
    assert not form.member("to").confines


CHAT_FORM = {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}}
FLAT_FORM = {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}}


@pytest.mark.parametrize(
    ("document", "where", "kind", "confines"),
    [
        (CHAT_FORM, CONTENT, "text", True),
        (FLAT_FORM, "/output/0/content/1/text", "text", True),
        ({"response_format": {"type": "json_object"}}, CONTENT, "text", False),
        (CHAT_FORM, "/choices/0/message/refusal", "text", None),
        (CHAT_FORM, "/messages/0/content", "text", None),
        (CHAT_FORM, "/choices/0/message/reasoning", "reasoning", None),
        ({"response_format": {"type": "text"}}, CONTENT, "text", None),
        ({}, CONTENT, "text", None),
        (CHAT, "/choices/0/message/tool_calls/0/custom/input", "tool_call", None),
    ],
)
def test_answers(document: Any, where: str, kind: Kind, confines: bool | None) -> None:
    form = Declared(document).form(where, kind)
    assert (form.member("to").confines if form is not None else None) is confines
