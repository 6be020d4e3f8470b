"""What a detector is.

There are two families. *Pattern detectors* are data: a table of `PatternSpec` rows, which the plan compiles together
into one linear-time pass (`scanner.py`). *Detectors* are code: they get segments and answer with findings. Both say
how far they reach, and that alone decides how they behave in a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from lockgate.errors import LockgateError
from lockgate.exchange import Exchange, Segment
from lockgate.verdict import Finding

MAX_WIDTH = 256
"""Widest match of a pattern, in code points of the folded text, unless its row or the policy says otherwise."""

Spans = Sequence[tuple[int, int]]

Validate = Callable[[str, int, int], Spans]
"""(text, start, end) → the accepted sub-spans of text[start:end], none to reject the candidate.

`text` is the folded text being scanned. It may look at text[start:end] and at one character on each side of it,
never further: in a stream, no more is there.
"""


class Derived(NamedTuple):
    """What a match says in another view: character i of `text` is written in [starts[i], ends[i]) of the match. Without
    `ends`, in one character."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int] | None = None


Expand = Callable[[str], Derived | None]
"""A derived view of a match: matched text → what it says there; None where it says nothing.

All other rows are run over the derived text, and their findings are mapped back.
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """How much text a detector needs to see at once: `characters` up to n, a `sentence`, or the `whole`."""

    kind: Literal["characters", "sentence", "whole"]
    characters: int = 0


SENTENCE = Reach("sentence")
WHOLE = Reach("whole")


@dataclass(frozen=True, slots=True)
class PatternSpec:
    """One row of a pattern table.

    `regex` has Python's syntax, without look-around and back-references. Where it has a capturing group, group 1 is
    the finding's span, else the whole match is. Text is matched after folding (`normalise.py`): look-alike letters,
    accents, full-width forms and non-ASCII digits are plain ASCII by then, invisible characters are gone.
    `view="raw"` matches the text as it stands, and is only run over text that is not plain ASCII. `shipped` rows are
    known to compile (a test compiles each), so their span form is made when it is first needed, not at load. `views`
    are the disguises in which the row is looked for, by the names of `views.py`.
    """

    label: str
    regex: str
    score: float = 1.0
    ignore_case: bool = False
    max_width: int = MAX_WIDTH
    validate: Validate | None = None
    view: Literal["folded", "raw"] = "folded"
    expand: Expand | None = None
    shipped: bool = False
    views: frozenset[str] = frozenset({"spaced", "tags"})


@dataclass(frozen=True, slots=True)
class PatternDetector:
    """A detector that is a table. `labels` may hold more than its rows have, never less."""

    kind: str
    specs: tuple[PatternSpec, ...]
    labels: frozenset[str]
    languages: frozenset[str] = field(default_factory=frozenset)

    @property
    def reach(self) -> Reach:
        return Reach("characters", max((spec.max_width for spec in self.specs), default=0))


@dataclass(frozen=True, slots=True)
class Doubt:
    """Among a detector's findings: it can't say anything of the text at `where`, because it does not know its language, or
    lacks what it judges by. The rule's `on_unverified` decides."""

    where: str
    language: str = ""


class OverloadError(LockgateError):
    """A detector has more to do than it can. Raised by `detect`, it is a failure of its own sort, `overload`: the client
    may try again."""


@runtime_checkable
class Detector(Protocol):
    """A detector that is code.

    `labels` are all the labels it can ever give (a condition that names another one is a load error); `languages`
    the ISO 639-1 codes it was made for, empty for any; `gives_spans` whether its findings have spans, so that a
    rewrite can use them. `detect` may raise: that is a failure of the guard, never a finding. One whose class says
    ``instant = True`` never waits for anything, and is run without a deadline. One whose reach is a sentence gets a text
    cut into sentence windows, unless its class says ``cuts = True``: then it gets whole texts and windows of streams
    (`Segment.before`), and must say the same of both. One that asks models names them, as ``name@revision``, in `models`. One that reads
    `Exchange.logprobs` says ``reads_logprobs = True``: the proxy asks the upstream for them then.
    """

    kind: str
    labels: frozenset[str]
    languages: frozenset[str]
    reach: Reach
    gives_spans: bool

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding | Doubt]: ...


def accept_if(check: Callable[[str], bool]) -> Validate:
    """A `Validate` from a yes-or-no check of the matched text."""

    def validate(text: str, start: int, end: int) -> Spans:
        return ((start, end),) if check(text[start:end]) else ()

    return validate
