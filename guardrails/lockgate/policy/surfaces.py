"""The surfaces of the API that no lens reads, as a policy's `unguarded:` may name them, and as they are recorded."""

from __future__ import annotations

from collections.abc import Sequence

SURFACES = (
    "assistants", "audio", "batches", "containers", "content_provenance_checks", "conversations", "decisions", "evals",
    "files", "fine_tuning", "images", "live", "models", "organization", "realtime", "responses", "safety", "skills",
    "threads", "uploads", "vector_stores", "videos",
)  # fmt: skip
"""The path's word that names a surface, which is below the base URL and whatever prefix."""
OTHER = "other"
"""Any other path."""
DEFAULT = "default"
"""What a policy calls all those that it does not name."""
NAMES = frozenset({*SURFACES, OTHER, DEFAULT})


def surfaces_of(path: str) -> Sequence[str]:
    """The surfaces that a path (decoded, in small letters) may be of, the first one first. More than one where an id or a
    prefix is called like one: what is said of any of them concerns it."""
    found = [word for word in dict.fromkeys(path.split("/")) if word in SURFACES]
    return found or [OTHER]
