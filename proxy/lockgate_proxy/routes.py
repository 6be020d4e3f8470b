"""Which handler a request gets: tells guarded paths from the others, and lets nobody through by spelling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lockgate.ids import new_id
from lockgate_proxy import observe, problems
from lockgate_proxy.admit import Receive, Scope, Send
from lockgate_proxy.chat import handle_chat
from lockgate_proxy.forward import handle_unguarded
from lockgate_proxy.paths import meaning
from lockgate_proxy.visit import Context, Visit, remember

CHAT = b"/v1/chat/completions"
_CHAT_ENDING = b"/chat/completions"

Handler = Callable[[Context, Scope, Receive, Send], Awaitable[None]]


def handler_for(scope: Scope) -> Handler:
    """The handler of a request (an ASGI scope), by its method and its path as it was written."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if scope["method"] != "POST":
        return handle_unguarded
    if raw == CHAT:
        return handle_chat
    plain = meaning(raw)
    if not plain.endswith(_CHAT_ENDING):
        return handle_unguarded
    # Deployments and other prefixes are chat as well; an unusual spelling of it is nobody's honest path.
    return handle_chat if raw.endswith(_CHAT_ENDING) and plain == raw.lower() else refuse_spelling


async def refuse_spelling(context: Context, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - a handler
    visit = Visit(context, send, new_id(), scope["path"], outcome="invalid")
    visit.seen = observe.begin(visit, scope)
    await visit.refuse(
        problems.bad_request(
            "the path is written in a way that the guard and the upstream may read differently", code="invalid_path"
        )
    )
    remember(visit)
