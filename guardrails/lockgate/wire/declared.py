"""What a request declares of the JSON in its answer and in its tool calls: the parameters of its tools, and the form of
the answer. Both APIs' spellings are read: a chat's `response_format` and nested functions, and the flat ones of
Responses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lockgate.exchange import Kind
from lockgate.forms import Form

_ANSWER = re.compile(r"/choices/\d+/message/content|/output/\d+/content/\d+/text")
_ANYTHING = Form()


class Declared:
    """See the module. `document` is the request, which is read when it is asked for the first time; None where there is
    none."""

    def __init__(self, document: Any = None) -> None:
        self._document = document if isinstance(document, dict) else {}
        self._tools: dict[str, Any] | None = None

    def form(self, where: str, kind: Kind, name: str = "") -> Form | None:
        """What is declared of the text at a pointer, with the tool's `name` where it is a call's arguments. None: it is
        not declared to be JSON."""
        if kind == "tool_call":
            return self._arguments(name) if where.endswith("/arguments") else None
        return self._answer() if kind == "text" and _ANSWER.fullmatch(where) else None

    def _arguments(self, name: str) -> Form:
        if self._tools is None:
            self._tools = dict(_parameters(self._document))
        schema = self._tools.get(name)
        return Form(schema) if schema is not None else _ANYTHING

    def _answer(self) -> Form | None:
        text = self._document.get("text")
        for form in (self._document.get("response_format"), text.get("format") if isinstance(text, dict) else None):
            if isinstance(form, dict) and form.get("type") in ("json_object", "json_schema"):
                inner = form.get("json_schema")
                return Form((inner if isinstance(inner, dict) else form).get("schema"))
        return None


def _parameters(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each function's name, and the schema of its arguments."""
    tools, functions = document.get("tools"), document.get("functions")
    for tool in (*(functions if isinstance(functions, list) else ()), *(tools if isinstance(tools, list) else ())):
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            yield function["name"], function.get("parameters")
