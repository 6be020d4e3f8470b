"""Text → token windows. Windows overlap; nothing is cut off.

Offsets are in code points of the text that was given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from lockgate_models.errors import ManifestError

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Window:
    """`ids` with the special tokens at both ends; `offsets` (start, end) of each in the text, (0, 0) of special ones."""

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]

    @property
    def start(self) -> int:
        return self.offsets[1][0] if len(self.offsets) > 2 else 0

    @property
    def end(self) -> int:
        return self.offsets[-2][1] if len(self.offsets) > 2 else 0


class Windower:
    """Cuts texts for one model. `longest` tokens of a window, special ones included; neighbours share `overlap`. `lead`
    is for the pair form.

    Safe to share between threads. Raises ManifestError for a file that is no tokeniser.
    """

    def __init__(self, path: Path, *, longest: int, overlap: int, lead: int = 0) -> None:
        if not 0 <= overlap < longest - 2 - (lead and lead + 1):
            raise ManifestError("overlap: must be less than a window holds", where=str(path))
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception:  # noqa: BLE001 - the library raises bare Exception, with its own words
            raise ManifestError(
                "is not a tokeniser; put back the file that the model came with", where=str(path)
            ) from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._longest_lead = lead
        self._room = longest - 2
        self._step = self._room - overlap

    def windows(self, text: str, before: str | None = None) -> list[Window]:
        """At least one. The last one begins early enough to be full. With `before`, of the pair form: what the text
        answers stands at the head of each window, cut to `lead` tokens: its beginning and its end."""
        encoding = self._encode(text)
        ids, offsets = encoding.ids, encoding.offsets
        head, marks = ids[:1], [(0, 0)]
        if before is not None:
            head = [*head, *self._lead(self._encode(before).ids[1:-1]), ids[-1]]
            marks = [(0, 0)] * len(head)
        inner = len(ids) - 2
        room = self._room + 1 - len(head)
        if inner <= room:
            return [Window([*head, *ids[1:]], [*marks, *offsets[1:]])]
        starts = [*range(0, inner - room, max(1, self._step + 1 - len(head))), inner - room]
        return [
            Window(
                [*head, *ids[1 + start : 1 + start + room], ids[-1]],
                [*marks, *offsets[1 + start : 1 + start + room], (0, 0)],
            )
            for start in starts
        ]

    def _lead(self, ids: Sequence[int]) -> Sequence[int]:
        if len(ids) <= self._longest_lead:
            return ids
        first = self._longest_lead // 3
        return [*ids[:first], *ids[len(ids) - (self._longest_lead - first) :]]

    def _encode(self, text: str) -> Encoding:
        try:
            return self._tokenizer.encode(text)
        except TypeError:  # a lone surrogate, which JSON can spell and UTF-8 can't
            return self._tokenizer.encode(_SURROGATE.sub("\ufffd", text))
