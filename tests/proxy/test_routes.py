"""Which handler gets a request. That every spelling is met on the wire too is in test_app.py."""

from __future__ import annotations

import pytest

from lockgate_proxy.chat import handle_chat
from lockgate_proxy.forward import handle_unguarded
from lockgate_proxy.routes import Handler, handler_for, refuse_spelling


@pytest.mark.parametrize(
    ("method", "path", "handler"),
    [
        ("POST", "/v1/chat/completions", handle_chat),
        ("POST", "/openai/deployments/gpt-4/chat/completions", handle_chat),
        ("POST", "/api/v3/chat/completions", handle_chat),
        ("GET", "/v1/chat/completions", handle_unguarded),
        ("POST", "/v1/embeddings", handle_unguarded),
        ("POST", "/v1/chat/completions/1", handle_unguarded),
        ("POST", "/v1/chat/completions/", refuse_spelling),
        ("POST", "/v1/chat%2Fcompletions", refuse_spelling),
        ("POST", "/v1/Chat/Completions", refuse_spelling),
    ],
)
def test_a_path_has_one_handler(method: str, path: str, handler: Handler) -> None:
    assert handler_for({"method": method, "path": path, "raw_path": path.encode()}) is handler
    assert handler_for({"method": method, "path": path}) is handler
