"""What a process that is ours alone does to start sooner and to stay small.

All of it is global to a process: commands ask for it, imports never do.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def uncollected() -> Iterator[None]:
    """Within it, no garbage is looked for: next to nothing of what is imported and compiled is any, and looking for it
    takes a quarter of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


_OBJECTS = 50_000  # new containers, less those that are gone, before the collector looks at the youngest


def settle() -> None:
    """What has been made so far stays as long as the process. The collector need not go through it again and again,
    nor look for cycles after every few requests, which leave next to none: that was an eighth of a request's CPU
    time."""
    gc.freeze()
    gc.set_threshold(_OBJECTS, 20, 50)
    gc.enable()


def without_plugins() -> None:
    """Let Pydantic not read the metadata of every package that is installed for plugins of its own: none of ours is
    one. For a process that has not imported it yet, and whose user has not said which to take."""
    if "pydantic" not in sys.modules:
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


@contextmanager
def without_authorities() -> Iterator[None]:
    """Within it, a TLS context knows no certificate authority, so that it trusts nobody. aiohttp makes two when it is
    imported, and reads the machine's authorities twice; ours is made when it is needed."""
    import ssl

    kept = ssl.SSLContext.load_default_certs, ssl.SSLContext.set_default_verify_paths

    def nothing(*_: object) -> None:
        return

    ssl.SSLContext.load_default_certs = nothing  # type: ignore[method-assign,assignment]
    ssl.SSLContext.set_default_verify_paths = nothing  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        ssl.SSLContext.load_default_certs, ssl.SSLContext.set_default_verify_paths = kept  # type: ignore[method-assign]


def trim() -> None:
    """Give memory that is free back to the system, where the C library can: glibc keeps it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
