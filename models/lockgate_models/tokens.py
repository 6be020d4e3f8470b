"""Text → token windows. Windows overlap; nothing is cut off.

Offsets are in code points of the text that was given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

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
    """Cuts texts for one model. `longest` tokens of a window, special ones included; neighbours share `overlap`.

    Safe to share between threads. Raises ManifestError for a file that is no tokeniser.
    """

    def __init__(self, path: Path, *, longest: int, overlap: int) -> None:
        if not 0 <= overlap < longest - 2:
            raise ManifestError("overlap: must be less than a window holds", where=str(path))
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception:  # noqa: BLE001 - the library raises bare Exception, with its own words
            raise ManifestError(
                "is not a tokeniser; put back the file that the model came with", where=str(path)
            ) from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._room = longest - 2
        self._step = self._room - overlap

    def windows(self, text: str) -> list[Window]:
        """At least one. The last one begins early enough to be full."""
        try:
            encoding = self._tokenizer.encode(text)
        except TypeError:  # a lone surrogate, which JSON can spell and UTF-8 can't
            encoding = self._tokenizer.encode(_SURROGATE.sub("\ufffd", text))
        ids, offsets = encoding.ids, encoding.offsets
        inner = len(ids) - 2
        if inner <= self._room:
            return [Window(ids, offsets)]
        starts = [*range(0, inner - self._room, self._step), inner - self._room]
        return [
            Window(
                [ids[0], *ids[1 + start : 1 + start + self._room], ids[-1]],
                [(0, 0), *offsets[1 + start : 1 + start + self._room], (0, 0)],
            )
            for start in starts
        ]
