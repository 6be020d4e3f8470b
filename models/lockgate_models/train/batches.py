"""From rows to batches: draws rows source by source, windows, tokens, targets and masks."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from tokenizers import Tokenizer
from torch import Tensor

from lockgate_models.labels import ALL, MARKS, TAGS
from lockgate_models.train.augment import disguised, in_company
from lockgate_models.train.rows import Row

_INDEX = {label: i for i, label in enumerate(ALL)}
_TAG = {tag: i for tags in (TAGS, MARKS) for i, tag in enumerate(tags)}
"""Names of two forms never stand in one row."""
_HARMLESS = ("injection", "harm", "toxicity")
IGNORED = -100
_OURS = 4.0
_HARD = 0.25
_STEP = 8  # few widths: each is compiled, and planned, once


@dataclass(slots=True)
class Example:
    """A row's tokens, and their tags where names are known."""

    ids: list[int]
    tags: list[int] | None
    row: Row


@dataclass(slots=True)
class Batch:
    """ids, mask (B, T); target, known (B, labels): 0 or 1, and whether it counts, times the row's weight; tags (B, T)."""

    ids: Tensor
    mask: Tensor
    target: Tensor
    known: Tensor
    tags: Tensor

    @property
    def tokens(self) -> int:
        return int(self.ids.numel())


class Drawer:
    """Endless rows in a fixed mixture, seeded. `longest` in tokens. With a `lead`, rows are pairs, and keep their
    company to themselves."""

    def __init__(self, rows: Sequence[Row], tokenizer: Tokenizer, *, longest: int, seed: int, lead: int = 0) -> None:
        self._lead = lead
        self._draw = random.Random(seed)  # noqa: S311 - an order, not a secret
        self._tokenizer = tokenizer
        self._longest = longest
        by_source: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by_source[row.source].append(row)
        self._sources = list(by_source.values())
        # Square roots: a source ten times as large is drawn three times as often.
        # Ours twice: they are what the heads are for, and the most varied.
        self._weights = [
            len(found) ** 0.5 * found[0].weight * (_OURS if found[0].source.startswith("own/") else 1.0)
            for found in self._sources
        ]
        self._company = [
            row
            for row in rows
            if row.spans is None
            and len(row.text) < 600
            and all(row.labels.get(h, 0.0) == 0.0 for h in _HARMLESS)
            and "injection" in row.labels
        ]
        self._orders: list[list[Row]] = [[] for _ in self._sources]
        self.hard: list[Row] = []
        """Rows of which a share of all draws is taken, once there are any."""

    def row(self) -> Row:
        if self.hard and self._draw.random() < _HARD:
            return self._changed(self._draw.choice(self.hard))
        number = self._draw.choices(range(len(self._sources)), self._weights)[0]
        if not self._orders[number]:
            self._orders[number] = self._draw.sample(self._sources[number], len(self._sources[number]))
        return self._changed(self._orders[number].pop())

    def _changed(self, row: Row) -> Row:
        if row.marks:
            return centred(row, self._draw)
        if "groundedness" in row.labels:
            return row  # a number spelled otherwise is another number
        row = disguised(row, self._draw)
        if self._lead:
            return row
        if row.spans is None and len(row.text) < 400 and self._draw.random() < 0.2:
            row = in_company(row, self._draw.choice(self._company), self._draw)
        return row

    def example(self) -> Example:
        return encode(self.row(), self._tokenizer, self._longest, self._draw, self._lead)

    def batches(self, budget: int, pool: int = 512) -> Iterator[Batch]:
        """Batches of about `budget` padded tokens, alike in length within a pool, in random order."""
        while True:
            examples = sorted((self.example() for _ in range(pool)), key=lambda e: len(e.ids))
            groups: list[list[Example]] = []
            group: list[Example] = []
            for example in examples:
                if group and len(example.ids) * (len(group) + 1) > budget:
                    groups.append(group)
                    group = []
                group.append(example)
            groups.append(group)
            self._draw.shuffle(groups)
            for found in groups:
                yield collate(found)


def encode(row: Row, tokenizer: Tokenizer, longest: int, draw: random.Random | None = None, lead: int = 0) -> Example:
    """The row's tokens: all of them, or one window. With a `lead`, what is answered stands before them, as
    `tokens.Windower` puts it there."""
    encoded = tokenizer.encode(row.text)
    ids, offsets = encoded.ids, encoded.offsets
    head: list[int] = []
    if lead:
        asked = tokenizer.encode(row.prompt).ids[1:-1]
        if len(asked) > lead:
            asked = [*asked[: lead // 3], *asked[len(asked) - (lead - lead // 3) :]]
        head = [*asked, ids[-1]]
    inner = len(ids) - 2
    room = min(longest - 2 - len(head), inner)
    start = 0
    if inner > room:
        start = draw.randrange(inner - room + 1) if draw is not None and draw.random() < 0.5 else 0
    ids = [ids[0], *head, *ids[1 + start : 1 + start + room], ids[-1]]
    offsets = [(0, 0)] * (1 + len(head)) + offsets[1 + start : 1 + start + room] + [(0, 0)]
    tags = _tags(row, offsets) if row.spans is not None else None
    return Example(ids, tags, row)


def _tags(row: Row, offsets: Sequence[tuple[int, int]]) -> list[int]:
    tags = [IGNORED if low == high else 0 for low, high in offsets]
    for start, end, name in row.spans or ():
        first = True
        for i, (low, high) in enumerate(offsets):
            if low < high and low < end and high > start:
                begins = f"B-{name}"
                tags[i] = _TAG[begins if first and begins in _TAG else f"I-{name}"]
                first = False
    return tags


def collate(examples: Sequence[Example]) -> Batch:
    width = -(-max(len(example.ids) for example in examples) // _STEP) * _STEP
    count = len(examples)
    ids = torch.zeros(count, width, dtype=torch.long)
    mask = torch.zeros(count, width, dtype=torch.long)
    tags = torch.full((count, width), IGNORED, dtype=torch.long)
    target = torch.zeros(count, len(ALL))
    known = torch.zeros(count, len(ALL))
    for i, example in enumerate(examples):
        length = len(example.ids)
        ids[i, :length] = torch.tensor(example.ids)
        mask[i, :length] = 1
        if example.tags is not None:
            tags[i, :length] = torch.tensor(example.tags)
        for label, value in example.row.labels.items():
            target[i, _INDEX[label]] = value
            known[i, _INDEX[label]] = example.row.weight
    return Batch(ids, mask, target, known, tags)


def centred(row: Row, draw: random.Random, around: int = 300) -> Row:
    """A document cut to what stands around one of its injections: a window of the rest would not hold what its label
    says."""
    start, end = draw.choice(row.marks)
    low = max(0, start - draw.randrange(around))
    return replace(row, text=row.text[low : end + draw.randrange(around)], marks=())
