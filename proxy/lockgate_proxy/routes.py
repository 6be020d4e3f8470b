"""Which handler a request gets: tells guarded paths from the others, and lets nobody through by spelling."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import parse_qsl

from lockgate.ids import new_id
from lockgate.wire.chat import ChatLens
from lockgate.wire.completions import CompletionsLens
from lockgate.wire.inputs import EmbeddingsLens
from lockgate.wire.lens import Dialect
from lockgate.wire.responses import InputTokens, ResponsesLens, StoredItems, StoredResponse
from lockgate.wire.stored import StoredChat, StoredChats, StoredMessages
from lockgate_proxy import moderations, observe, problems
from lockgate_proxy.admit import Receive, Scope, Send
from lockgate_proxy.forward import handle_unguarded
from lockgate_proxy.handle import handle
from lockgate_proxy.paths import meaning
from lockgate_proxy.visit import Context, Visit, remember

Handler = Callable[[Context, Scope, Receive, Send], Awaitable[None]]

DIALECTS: dict[str, Dialect] = {
    "/chat/completions": ChatLens(),
    "/completions": CompletionsLens(),
    "/responses": ResponsesLens(),
    "/responses/input_tokens": InputTokens(),
    "/embeddings": EmbeddingsLens(),
    "/moderations": moderations.DIALECT,
}
"""How a guarded path ends, whatever prefix or deployment stands before it → its dialect. The longest that fits is meant."""

_OWN: dict[Dialect, Callable[..., Awaitable[None]]] = {moderations.DIALECT: moderations.handle_moderations}
"""What some dialects are handled by, in place of `handle`."""

_HANDLERS: dict[bytes, Handler] = {
    ending.encode(): partial(_OWN.get(dialect, handle), dialect)
    for ending, dialect in sorted(DIALECTS.items(), key=lambda entry: -len(entry[0]))
}
_USUAL = {b"/v1" + ending: handler for ending, handler in _HANDLERS.items()}


async def refuse_here(what: str, context: Context, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - a handler
    """Say that it can't be done here, in a way that clients don't try again."""
    visit = Visit(context, send, new_id(), scope["path"], outcome="refused_path")
    visit.seen = observe.begin(visit, scope)
    await visit.refuse(problems.not_here(what))
    remember(visit)


STORED: dict[tuple[str, str], Dialect] = {
    ("GET", "/chat/completions"): StoredChats(),
    ("GET", "/chat/completions/*"): StoredChat(),
    ("POST", "/chat/completions/*"): StoredChat(),
    ("GET", "/chat/completions/*/messages"): StoredMessages(),
    ("GET", "/responses/*"): StoredResponse(),
    ("POST", "/responses/*/cancel"): StoredResponse(),
    ("GET", "/responses/*/input_items"): StoredItems(),
}
"""Method and end of a path at which texts are kept → the dialect that reads them as they come back. `*` is an id."""

NOT_HERE: dict[tuple[str, str], str] = {
    ("POST", "/responses/compact"): "compacting a conversation",
}
"""Method and end of a path of what can't be guarded, and is refused. So are WebSockets, and responses streamed again."""


def _pattern(ending: str) -> re.Pattern[bytes]:
    return re.compile(b".*" + re.escape(ending).replace(r"\*", "[^/]+").encode(), re.DOTALL)


_RESPONSE = re.compile(rb"/responses/[^/]+$")
_BY_METHOD: dict[str, list[tuple[re.Pattern[bytes], Handler]]] = {}
for (_method, _ending), _what in NOT_HERE.items():
    _BY_METHOD.setdefault(_method, []).append((_pattern(_ending), partial(refuse_here, _what)))
for (_method, _ending), _dialect in STORED.items():
    _BY_METHOD.setdefault(_method, []).append((_pattern(_ending), partial(handle, _dialect)))


def handler_for(scope: Scope) -> Handler:
    """The handler of a request (an ASGI scope), by its method and its path as it was written."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    method = scope["method"]
    if method == "POST":
        usual = _USUAL.get(raw)
        if usual is not None:
            return usual
    elif method == "GET" and (no := _not_to_get(scope)):
        return partial(refuse_here, no)
    plain = meaning(raw)
    for ending, handler in _HANDLERS.items() if method == "POST" else ():
        if plain.endswith(ending):
            # An unusual spelling of a guarded path is nobody's honest one.
            return handler if raw.endswith(ending) and plain == raw.lower() else refuse_spelling
    for pattern, handler in _BY_METHOD.get(method, ()):
        if pattern.fullmatch(plain):
            return handler if pattern.fullmatch(raw) and plain == raw.lower() else refuse_spelling
    return handle_unguarded


def _not_to_get(scope: Scope) -> str:
    """What a GET asks for that can't be guarded; "" if it can."""
    if any(name == b"sec-websocket-key" for name, _ in scope.get("headers", ())):
        return "a WebSocket"
    query: bytes = scope.get("query_string", b"")
    if query and _RESPONSE.search(meaning(scope.get("raw_path") or scope["path"].encode())):
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if name.lower() == "stream" and value.lower() not in ("false", "0"):
                return "a response that is streamed again"
    return ""


async def refuse_spelling(context: Context, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - a handler
    visit = Visit(context, send, new_id(), scope["path"], outcome="invalid")
    visit.seen = observe.begin(visit, scope)
    await visit.refuse(
        problems.bad_request(
            "the path is written in a way that the guard and the upstream may read differently", code="invalid_path"
        )
    )
    remember(visit)
