"""Whether the sentences of an answer rest on its context. Each is read behind the parts of the context that are
likeliest to speak of it, and takes its best support. What is found here is the same for a stream and for the whole: a
sentence's score depends on the sentence, the context and the question alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lockgate.detectors.model import Model
from lockgate.detectors.protocol import OverloadError
from lockgate.normalise import Folded, seen
from lockgate.windows import windows

if TYPE_CHECKING:
    from lockgate.detectors.contexts import Contexts
    from lockgate_models.classifier import TextScores

LABEL = "groundedness"
SPAN = "unsupported"
PACKS = 2
"""How many packs of evidence are read for a sentence, at most."""
FIGURE = 0.8
"""Score of a number that no part of the context has."""
MOST_PARTS = 400
"""Parts of a context whose embeddings are made; beyond, words alone choose."""

_WORD = re.compile(r"[^\W_]{2,}|\d")
_CODE = re.compile(r"^(```|~~~).*?(?:^\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_TRIM = " \t\n\r*_#>-•\"'`"


class Sentence(NamedTuple):
    """One sentence: [start, end) of the answer. `score` is that of resting on nothing; `spans` are the parts that do so,
    in code points of the answer; `figures` the numbers that no part of the context has."""

    start: int
    end: int
    score: float
    spans: Sequence[tuple[int, int]]
    figures: Sequence[tuple[int, int]]


def unsupported(said: Sentence, threshold: float, *, figures: bool) -> tuple[float, Sequence[tuple[int, int]]]:
    """A sentence's score, and what of it counts from the threshold on. A number that no part of the context has counts by
    itself."""
    if said.score >= threshold:
        return said.score, said.spans
    if figures and said.figures:
        return max(said.score, FIGURE, threshold), said.figures
    return said.score, ()


def claims(text: str) -> list[tuple[int, int]]:
    """The sentences of an answer that claim something: no questions, no code, and behind the first
    none of a word alone."""
    code = [mark.span() for mark in _CODE.finditer(text)]
    found: list[tuple[int, int]] = []
    for start, end in windows(text):
        said = text[start:end].strip()
        if not said or said.endswith("?") or len(_WORD.findall(said)) < (2 if start else 1):
            continue
        if any(a <= start < b for a, b in code):
            continue
        found.append((start, end))
    return found


async def judge(
    pair: Model, text_model: Model | None, contexts: Contexts, answer: str, spans: Sequence[tuple[int, int]], lane: str
) -> list[Sentence]:
    """What is said of each of `spans` of the answer. Raises OverloadError, BackendError."""
    from lockgate_models.evidence import BUDGET, figures, packs, pieces, premise, strange_figures

    parts = [part for text in contexts.texts for part in pieces(seen(text))]
    if not parts or not spans:
        return []
    folded = [Folded(answer[start:end].strip()) for start, end in spans]
    near: Sequence[Sequence[float] | None] = [None] * len(spans)
    if text_model is not None and text_model.manifest.embedding and sum(map(len, parts)) > BUDGET:
        near = await _near(text_model, parts, [one.text for one in folded], lane)
    asked = [
        [(premise(pack, seen(contexts.question)), one.text) for pack in packs(parts, one.text, near=close, most=PACKS)]
        for one, close in zip(folded, near, strict=True)
    ]
    scores = iter(await _scores(pair, [pair for pairs in asked for pair in pairs], lane))
    known = figures("\n".join((*parts, contexts.question)))
    found: list[Sentence] = []
    for (start, end), one, pairs in zip(spans, folded, asked, strict=True):
        best = min((next(scores) for _ in pairs), key=lambda said: said.labels[LABEL])
        shift = start + len(answer[start:end]) - len(answer[start:end].lstrip())
        wrong = [(name.start, name.end) for name in best.names if name.label == SPAN]
        found.append(
            Sentence(
                start,
                end,
                best.labels[LABEL],
                list(_placed(one, wrong, shift)) or [bare(answer, start, end)],
                list(_placed(one, list(strange_figures(one.text, known)), shift)),
            )
        )
    return found


async def _near(model: Model, parts: Sequence[str], sentences: Sequence[str], lane: str) -> list[list[float] | None]:
    """How alike each sentence and each part are by their embeddings, 0 to 1."""
    import numpy as np

    if len(parts) > MOST_PARTS:
        return [None] * len(sentences)
    scores = await _scores(model, [*parts, *sentences], lane)
    made = np.stack([one.embedding for one in scores if one.embedding is not None])
    alike = np.clip(made[len(parts) :] @ made[: len(parts)].T, 0, 1)
    return [list(map(float, row)) for row in alike]


async def _scores(model: Model, asked: Sequence[str | tuple[str, str]], lane: str) -> list[TextScores]:
    from lockgate_models.errors import OverloadedError

    try:
        return await model.classifier().scores(asked, lane)
    except OverloadedError:
        raise OverloadError from None


def _placed(folded: Folded, spans: Sequence[tuple[int, int]], shift: int) -> Iterator[tuple[int, int]]:
    """Spans of a folded sentence in code points of the answer, grown to whole words; neighbours as one."""
    text = folded.text
    last: tuple[int, int] | None = None
    for start, stop in sorted(spans):
        first, end = start, stop
        while end > first and not text[end - 1].isalnum():
            end -= 1
        while first < end and not text[first].isalnum():
            first += 1
        if first == end:
            continue
        while first > 0 and text[first - 1].isalnum() and text[first].isalnum():
            first -= 1
        while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
            end += 1
        if last is not None and first <= last[1] + 2:
            last = (last[0], max(last[1], end))
            continue
        if last is not None:
            yield shift + folded.original(last[0]), shift + folded.original_end(last[1])
        last = (first, end)
    if last is not None:
        yield shift + folded.original(last[0]), shift + folded.original_end(last[1])


def bare(answer: str, start: int, end: int) -> tuple[int, int]:
    """Where a sentence stands without what stands around it: a list's mark, a line's end, its full stop."""
    while start < end and answer[start] in _TRIM:
        start += 1
    while end > start and answer[end - 1] in _TRIM + ".!":
        end -= 1
    return start, end
