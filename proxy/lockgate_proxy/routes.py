"""Which handler a request gets: tells guarded paths from the others, and lets nobody through by spelling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from lockgate.ids import new_id
from lockgate.wire.chat import ChatLens
from lockgate.wire.completions import CompletionsLens
from lockgate.wire.inputs import EmbeddingsLens
from lockgate.wire.lens import Dialect
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
    "/embeddings": EmbeddingsLens(),
    "/moderations": moderations.DIALECT,
}
"""How a guarded path ends, whatever prefix or deployment stands before it → its dialect. The longest that fits is meant."""

_OWN = {moderations.DIALECT: moderations.handle_moderations}
"""What some dialects are handled by, in place of `handle`."""

_HANDLERS: dict[bytes, Handler] = {
    ending.encode(): partial(_OWN.get(dialect, handle), dialect)
    for ending, dialect in sorted(DIALECTS.items(), key=lambda entry: -len(entry[0]))
}
_USUAL = {b"/v1" + ending: handler for ending, handler in _HANDLERS.items()}


def handler_for(scope: Scope) -> Handler:
    """The handler of a request (an ASGI scope), by its method and its path as it was written."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if scope["method"] != "POST":
        return handle_unguarded
    usual = _USUAL.get(raw)
    if usual is not None:
        return usual
    plain = meaning(raw)
    for ending, handler in _HANDLERS.items():
        if plain.endswith(ending):
            # An unusual spelling of a guarded path is nobody's honest one.
            return handler if raw.endswith(ending) and plain == raw.lower() else refuse_spelling
    return handle_unguarded


async def refuse_spelling(context: Context, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - a handler
    visit = Visit(context, send, new_id(), scope["path"], outcome="invalid")
    visit.seen = observe.begin(visit, scope)
    await visit.refuse(
        problems.bad_request(
            "the path is written in a way that the guard and the upstream may read differently", code="invalid_path"
        )
    )
    remember(visit)
