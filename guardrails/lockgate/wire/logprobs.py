"""Log probabilities spell a text token by token: they are read with it, and dropped when it is edited."""

from __future__ import annotations

from typing import Any

from lockgate.exchange import Reading, Segment
from lockgate.wire.pointer import escape


def read_logprobs(reading: Reading, where: str, logprobs: dict[str, Any], message: dict[str, Any], choice: int) -> None:
    """Log probabilities spell the text again. Where they spell exactly it, its own scan covers them; where they don't,
    they are read as a text of their own. Their alternatives are single tokens that were not said."""
    for key, value in logprobs.items():
        at = f"{where}/{escape(key)}"
        if key not in ("content", "refusal") or not isinstance(value, list):
            if value is not None:
                reading.unread(at)
            continue
        spelled = spell(value)
        if spelled == (message.get(key) or ""):
            reading.skip(at, f"spells {key}, which is read; dropped if that is edited")
        elif spelled:
            reading.segments.append(Segment(at, "assistant", "text", spelled, choice))


def spell(tokens: list[Any]) -> str:
    """The text that a list of token log probabilities spells."""
    return "".join(t["token"] for t in tokens if isinstance(t, dict) and isinstance(t.get("token"), str))
