"""Where a request goes: from the path as the client wrote it to the upstream's URL, byte for byte.

Percent-escapes are kept as they are: `/v1/models/a%2Fb` and `/v1/models/a/b` are two models. So nothing here rewrites
a path; what could lead out of the base path, or be read in two ways, is refused.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from lockgate.errors import WireError

OWN_BASE = b"/v1"
"""Our base path: what stands below it stands below the upstream's."""

_PLAIN = re.compile(rb"/v1(?:/[A-Za-z0-9_-]+)*(?:\?[A-Za-z0-9_=&.-]*)?")
# Visible ASCII without the characters that end a path or start a fragment.
_VISIBLE = re.compile(rb"[!\"$-\[\]-~]+")
_DOTS = re.compile(rb"(?:^|[/\\])\.{1,2}(?:;[^/\\]*)?(?=[/\\]|$)")
_PARAMETERS = re.compile(rb";[^/]*")
_QUERY = re.compile(rb"[?#].*", re.DOTALL)
_SLASHES = re.compile(rb"/+")
_MOST_DECODINGS = 3  # someone on the way may decode once more than the standard says


def target(raw: bytes, base: str) -> str:
    """The upstream's URL for a request target (path and query as received).

    `base` is the upstream's base URL without a slash at its end: `/v1/x?y` becomes `<base>/x?y`. Raises WireError:
    404 for a path that is not below `/v1`, 400 for dot segments (also percent-encoded), backslashes, control
    characters, and whatever else would not arrive as it was written.
    """
    if not _PLAIN.fullmatch(raw):
        _check(raw)
    return base + raw[len(OWN_BASE) :].decode("ascii")


def meaning(path: bytes) -> bytes:
    """The path as the most obliging server would read it, to find out whether a request goes to a guarded place.

    Escapes are decoded, repeated slashes and a last one dropped, parameters (`;…`) and what an escaped `?` or `#` begins
    cut off, letters made small. Only for comparison: `//V1/chat%2Fcompletions/` means `/v1/chat/completions`, and so
    would some upstream think.
    """
    if b"%" in path:
        path = _QUERY.sub(b"", _decoded(path)[-1]).strip()
    path = _SLASHES.sub(b"/", _PARAMETERS.sub(b"", path.replace(b"\\", b"/")))
    return (path.rstrip(b"/") or b"/").lower()


def _check(raw: bytes) -> None:
    path = raw.partition(b"?")[0]
    if not _VISIBLE.fullmatch(raw):
        raise _refused("holds a character that a URL can't hold")
    forms = _decoded(path)
    if any(_DOTS.search(form) for form in forms):
        raise _refused("has a dot segment")
    if any(b"\\" in form or b"\x00" in form for form in forms):
        raise _refused("holds a backslash or a NUL")
    if path != OWN_BASE and not path.startswith(OWN_BASE + b"/"):
        raise WireError("the path is not below /v1", status=404, code="not_found")


def _decoded(path: bytes) -> list[bytes]:
    """The path as written, and decoded once, twice, … until nothing changes."""
    forms = [path]
    while len(forms) <= _MOST_DECODINGS and (plain := unquote_to_bytes(forms[-1])) != forms[-1]:
        forms.append(plain)
    return forms


def _refused(why: str) -> WireError:
    return WireError(f"the path of the request {why}", code="invalid_path")
