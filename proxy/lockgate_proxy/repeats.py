"""Streams that say a text more than once: in pieces, and whole when it, its part, its item and the answer are done.

What was said already is not looked at again: it waits for the gate that its pieces went through, and leaves with the
same edits. What differs from it is another text, with a gate of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from lockgate.gate import Gate
from lockgate.passage import Stream
from lockgate.verdict import Edit
from lockgate.wire.lens import Cite, Delta
from lockgate_proxy.held import Cited, Part, Taken


class _Text:
    """What a channel has said, by its hash: the text itself is not kept."""

    __slots__ = ("_hash", "ended", "gate", "length")

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.ended = False
        self.length = 0
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, text: str) -> None:
        self.length += len(text)
        self._hash.update(_bytes(text))

    def says(self, text: str) -> bool:
        return (
            len(text) == self.length and hashlib.blake2b(_bytes(text), digest_size=16).digest() == self._hash.digest()
        )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class _Again(Part):
    """A whole text that was said before."""

    __slots__ = ()

    def follow(self, values: dict[str, bytes], edits: list[Edit], dropped: bytes) -> bool:
        if self.drop and any(self.where.startswith(f"{pointer}/") or self.where == pointer for pointer in self.drop):
            values.update(dict.fromkeys(self.drop, dropped))
            return True
        edits.extend(Edit(self.where, edit.span, edit.replacement, edit.rule) for edit in self.gate.edits)
        return True


class Repeats:
    """What one stream has said so far."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._texts: dict[str, list[_Text]] = {}
        self._dropped: dict[str, list[int]] = {}

    def feed(self, delta: Delta, taken: Taken) -> bool:
        """Take a text of an event. False: its channel has ended before, and this piece is none of it."""
        known = self._texts.setdefault(delta.channel, [])
        if not delta.again:
            if known and known[0].ended:
                return False
            taken.feed(self._stream, delta)
            if not known:
                known.append(_Text(self._stream.gate(delta.channel)))
            known[0].add(delta.text)
            return True
        if known:
            self._end(known[0], taken)
        if not delta.text:
            return True
        said = next((text for text in known if text.says(delta.text)), None)
        if said is None:
            name = f"{delta.channel}#{len(known) + 1}" if known else delta.channel
            taken.due = self._stream.feed(delta.choice, name, delta.kind, delta.text, fixed=delta.fixed) or taken.due
            said = _Text(self._stream.gate(name))
            said.add(delta.text)
            known.append(said)
            self._end(said, taken)
        taken.held.parts.append(_Again(said.gate, delta.text, said.gate.length, delta.where, delta.drop))
        return True

    def cited(self, cites: Iterable[Cite]) -> Sequence[Part]:
        """The parts that an event's citations are."""
        return [
            Cited(known[0].gate, cite, self._dropped.setdefault(cite.channel, [0]))
            for cite in cites
            if (known := self._texts.get(cite.channel))
        ]

    def _end(self, text: _Text, taken: Taken) -> None:
        if not text.ended:
            text.ended = True
            taken.due = self._stream.flush(text.gate) or taken.due
