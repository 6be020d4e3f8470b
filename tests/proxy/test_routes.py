"""Which handler gets a request. That every spelling is met on the wire too is in test_app.py."""

from __future__ import annotations

from functools import partial

import pytest

from lockgate_proxy.forward import handle_unguarded
from lockgate_proxy.routes import DIALECTS, NOT_HERE, STORED, Handler, handler_for, refuse_here, refuse_spelling

OTHERS: dict[Handler, str] = {handle_unguarded: "unguarded", refuse_spelling: "refused"}
WEBSOCKET = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")


def handled(scope: dict[str, object]) -> str:
    """The dialect that reads a request, or what is done with it."""
    handler = handler_for(scope)
    if not isinstance(handler, partial):
        return OTHERS[handler]
    return (
        "not here" if handler.func is refuse_here else f"{handler.args[0].dialect}{' stored' * handler.args[0].stored}"
    )


@pytest.mark.parametrize(
    ("method", "path", "how"),
    [
        ("POST", "/v1/chat/completions", "chat"),
        ("POST", "/openai/deployments/gpt-4/chat/completions", "chat"),
        ("POST", "/api/v3/chat/completions", "chat"),
        ("GET", "/v1/chat/completions", "chat stored"),
        ("GET", "/v1/chat/completions/", "refused"),
        ("GET", "/v1/chat/completions/chatcmpl-AbC", "chat stored"),
        ("GET", "/openai/deployments/D/chat/completions/chatcmpl-AbC", "chat stored"),
        ("GET", "/v1/chat/completions/chatcmpl-AbC/messages", "chat stored"),
        ("GET", "/v1/chat/completions/chatcmpl-AbC/messages/", "refused"),
        ("GET", "/v1/chat/completions/a%62c", "refused"),
        ("GET", "/v1/chat/Completions/abc", "refused"),
        ("GET", "/v1//chat/completions/abc", "refused"),
        ("GET", "/v1/chat/completions/abc/x", "unguarded"),
        ("DELETE", "/v1/chat/completions/abc", "unguarded"),
        ("HEAD", "/v1/chat/completions/abc", "unguarded"),
        ("POST", "/v1/responses/compact", "not here"),
        ("POST", "/v1/responses/Compact", "refused"),
        ("POST", "/v1/completions", "completions"),
        ("POST", "/openai/deployments/gpt-4/completions", "completions"),
        ("POST", "/v1/completions/", "refused"),
        ("POST", "/v1/embeddings", "embeddings"),
        ("POST", "/openai/deployments/ada/embeddings", "embeddings"),
        ("GET", "/v1/embeddings", "unguarded"),
        ("POST", "/v1/moderations", "moderations"),
        ("POST", "/v1/Moderations", "refused"),
        ("POST", "/v1/files", "unguarded"),
        ("POST", "/v1/chat/completions/1", "chat stored"),
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


@pytest.mark.parametrize("path", ["/v1/realtime", "/v1/responses", "/v1/chat/completions"])
def test_no_websocket_gets_through(path: str) -> None:
    assert handled({"method": "GET", "path": path, "headers": [WEBSOCKET]}) == "not here"


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        (b"stream=true", True),
        (b"starting_after=3&Stream=1", True),
        (b"str%65am=tr%75e", True),
        (b"stream", True),
        (b"stream=false", False),
        (b"include=reasoning", False),
        (b"", False),
    ],
)
def test_a_response_is_not_streamed_again(query: bytes, refused: bool) -> None:
    for path in ("/v1/responses/resp_1", "/v1/Responses/resp_1/"):
        how = handled({"method": "GET", "path": path, "query_string": query})
        assert (how == "not here") == refused


def test_the_tables_name_methods_and_endings() -> None:
    assert {method for method, _ in (*STORED, *NOT_HERE)} <= {"GET", "POST"}
    assert all(ending.startswith("/") for _, ending in (*STORED, *NOT_HERE))
    assert all(dialect.stored and not dialect.operation for dialect in STORED.values())
