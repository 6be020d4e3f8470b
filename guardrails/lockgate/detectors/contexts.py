"""What an answer was given to rest on: documents, tools' results, and the parts of messages that are marked as such."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lockgate.exchange import Exchange, Segment

MARKS = (
    "context", "document", "documents", "source", "sources", "passage", "passages", "excerpt", "excerpts", "article",
    "reference", "references", "search results", "retrieved", "knowledge", "knowledge base", "facts", "background",
)  # fmt: skip
"""What stands over such a part, as ``Context:`` or ``# Context``, or around it, as ``<context>``."""

_KINDS = frozenset({"document", "tool_result"})
_PROSE = frozenset({"", "text", "txt", "md", "markdown", "json", "csv", "html", "xml", "yaml", "context", "document"})
"""Languages of Markdown fences that hold what is read, not what is run."""
_FENCE = re.compile(r"^(```|~~~)[ \t]*([\w-]*)[^\n]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_ENDS = re.compile(
    r"^[#*\s]*(?:question|query|user|task|instructions?|request|q|answer|frage|pregunta|consigne)[*\s]*:|^#",
    re.IGNORECASE | re.MULTILINE,
)
_ASKING = re.compile(
    r"^[#*\s]*(?:user )?(?:question|query|q|frage|pregunta)[*\s]*:[*\s]*", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Contexts:
    """`texts` in the order in which they were said; `question`: the user's last words outside of them."""

    texts: tuple[str, ...] = ()
    question: str = ""

    def __bool__(self) -> bool:
        return bool(self.texts)


def contexts_of(exchange: Exchange, marks: Sequence[str] = MARKS) -> Contexts:
    """What an exchange's answer should rest on: what was given for that, and of the answer, too, what a search has
    brought."""
    texts = list(exchange.given)
    question = ""
    for segment in (*exchange.prompt, *(one for one in exchange.completion if one.kind in _KINDS)):
        if segment.kind in _KINDS:
            texts.append(segment.text)
        elif segment.kind == "text" and segment.role in ("system", "user"):
            spans = list(marked(segment.text, marks))
            texts += [segment.text[start:end] for start, end in spans]
            if segment.role == "user":
                question = _asked(segment, spans)
    return Contexts(tuple(text for text in texts if text.strip()), question)


def marked(text: str, marks: Sequence[str] = MARKS) -> Iterator[tuple[int, int]]:
    """The parts of a message that are marked as something to rest on, in order; none lies in another."""
    found: list[tuple[int, int]] = []
    around, over = _patterns(tuple(marks))
    found += [mark.span(2) for mark in around.finditer(text)]
    found += [mark.span(3) for mark in _FENCE.finditer(text) if mark[2].lower() in _PROSE]
    for mark in over.finditer(text):
        stop = _ENDS.search(text, mark.end())
        found.append((mark.end(), stop.start() if stop is not None else len(text)))
    reach = 0
    for start, end in sorted(found, key=lambda span: (span[0], -span[1])):
        if start >= reach and text[start:end].strip():
            yield start, end
            reach = end


@lru_cache(maxsize=64)
def _patterns(marks: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    names = "|".join(re.escape(mark).replace(r"\ ", "[ _-]?") for mark in sorted(marks, key=len, reverse=True))
    # Without a mark, what matches nothing.
    names = names or r"(?!)"
    around = re.compile(rf"<({names})(?:\s[^<>]{{0,200}})?>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
    over = re.compile(
        rf"^[#*\s]{{0,8}}(?:{names})(?:[ ]\d{{1,3}})?[*\s]{{0,4}}:[*]{{0,2}}|^#{{1,6}}[ ](?:{names})[ ]*$",
        re.IGNORECASE | re.MULTILINE,
    )
    return around, over


def _asked(segment: Segment, spans: Iterable[tuple[int, int]]) -> str:
    kept, at = [], 0
    for start, end in spans:
        kept.append(segment.text[at:start])
        at = end
    rest = "\n".join([*kept, segment.text[at:]])
    found = list(_ASKING.finditer(rest))
    return rest[found[-1].end() :].strip() if found else rest.strip()


def conversation(exchange: Exchange) -> str:
    """The turns of a conversation, as a model reads them before it judges the answer."""
    names = {"user": "User", "assistant": "Assistant"}
    return "\n".join(
        f"{names[segment.role]}: {segment.text.strip()}"
        for segment in exchange.prompt
        if segment.role in names and segment.kind == "text"
    )
