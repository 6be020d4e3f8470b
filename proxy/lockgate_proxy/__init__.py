"""The proxy: sockets, the command line, and the way an exchange takes from a client to its upstream and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lockgate_proxy.guarding import guarded

__all__ = ["guarded"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: the command line needs none of it.
    if name == "guarded":
        from lockgate_proxy.guarding import guarded

        return guarded
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
