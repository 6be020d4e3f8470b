"""Which handler gets a request. That every spelling is met on the wire too is in test_app.py."""

from __future__ import annotations

from functools import partial

import pytest

from lockgate_proxy.forward import handle_unguarded
from lockgate_proxy.routes import DIALECTS, handler_for, refuse_spelling

OTHERS = {handle_unguarded: "unguarded", refuse_spelling: "refused"}


def handled(scope: dict[str, object]) -> str:
    """The dialect that reads a request, or what is done with it."""
    handler = handler_for(scope)
    return handler.args[0].dialect if isinstance(handler, partial) else OTHERS[handler]


@pytest.mark.parametrize(
    ("method", "path", "how"),
    [
        ("POST", "/v1/chat/completions", "chat"),
        ("POST", "/openai/deployments/gpt-4/chat/completions", "chat"),
        ("POST", "/api/v3/chat/completions", "chat"),
        ("GET", "/v1/chat/completions", "unguarded"),
        ("POST", "/v1/completions", "completions"),
        ("POST", "/openai/deployments/gpt-4/completions", "completions"),
        ("POST", "/v1/completions/", "refused"),
        ("POST", "/v1/embeddings", "embeddings"),
        ("POST", "/openai/deployments/ada/embeddings", "embeddings"),
        ("GET", "/v1/embeddings", "unguarded"),
        ("POST", "/v1/moderations", "moderations"),
        ("POST", "/v1/Moderations", "refused"),
        ("POST", "/v1/files", "unguarded"),
        ("POST", "/v1/chat/completions/1", "unguarded"),
        ("POST", "/v1/chat/completions/", "refused"),
        ("POST", "/v1/chat%2Fcompletions", "refused"),
        ("POST", "/v1/Chat/Completions", "refused"),
    ],
)
def test_a_path_has_one_handler(method: str, path: str, how: str) -> None:
    assert handled({"method": method, "path": path, "raw_path": path.encode()}) == how
    assert handled({"method": method, "path": path}) == how


def test_dialects_are_told_apart() -> None:
    assert all(ending.startswith("/") and ending == ending.lower() for ending in DIALECTS)
    assert all(dialect.dialect and dialect.operation and dialect.path.startswith("/") for dialect in DIALECTS.values())
