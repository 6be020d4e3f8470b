"""What was said, by whom, and where it stands in the wire document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Side = Literal["prompt", "completion"]
Role = Literal["system", "user", "assistant", "tool", "upstream"]
Kind = Literal["text", "tool_call", "tool_result", "tool_schema", "reasoning", "document", "identifier", "link"]

SIDES: tuple[Side, ...] = ("prompt", "completion")
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool", "upstream")
KINDS: tuple[Kind, ...] = (
    "text", "tool_call", "tool_result", "tool_schema", "reasoning", "document", "identifier", "link",
)  # fmt: skip


@dataclass(slots=True)
class Segment:
    """One text of an exchange.

    `where` is the JSON pointer (RFC 6901) of the string in its document; `choice` the index of the answer's choice
    that it belongs to (None in a prompt). Offsets of findings count code points of `text`. A `fixed` text can be read
    but not edited (the name of a tool, a schema's keys): a rewrite that would have to is a failure of its rule. Of a
    window of a stream, `before` is what stands before it, as much as a detector may read with it; None of whole texts.
    """

    where: str
    role: Role
    kind: Kind
    text: str
    choice: int | None = None
    fixed: bool = False
    before: str | None = None


class Token(NamedTuple):
    """A token that an answer's upstream tells of: the bytes it spells, and the natural logarithm of its probability, None
    where none was said."""

    spelled: bytes
    logprob: float | None


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks, and in what setting: what `request.*` shows to a condition. `tenant` is whose key was used, `key` its id. `country` (ISO
    3166) and `language` (ISO 639, with a country's or without) are what a trusted door says of the asker; "" unknown."""

    model: str = ""
    user: str = ""
    tags: tuple[str, ...] = ()
    tenant: str = ""
    country: str = ""
    language: str = ""
    key: str = ""


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    `given` are texts that the client gave the guard alone, for the answer to rest on; `asked` is what the answer answers,
    as the upstream got it, kept where a judge is asked. `logprobs` are the tokens of the answer's own texts, by pointer, none
    of a text whose upstream told none; None where nobody looked for any. `id` is a ULID; `dialect` names the lens
    (``chat``, or ``text`` for plain Python values).
    """

    id: str
    dialect: str
    subject: Subject = field(default_factory=Subject)
    stream: bool = False
    choices: int = 1
    prompt: list[Segment] = field(default_factory=list)
    completion: list[Segment] = field(default_factory=list)
    given: tuple[str, ...] = ()
    asked: str = ""
    logprobs: dict[str, list[Token]] | None = None


@dataclass(slots=True)
class Reading:
    """What a lens saw in one document.

    `segments` are the texts; `skipped` maps the pointer of each text-bearing place that is not read to the reason;
    `unknown` lists the pointers of what the lens does not know (also in `skipped`, as ``unread: unknown``), `unseen`
    those that name texts which the upstream keeps (also in `skipped`, as ``unseen: …``). `logprobs` as of an `Exchange`.
    """

    segments: list[Segment] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    logprobs: dict[str, list[Token]] | None = None

    def skip(self, where: str, reason: str) -> None:
        self.skipped[where] = reason

    def unread(self, where: str) -> None:
        """Record a place that no lens knows; the policy's `unknown:` judges it."""
        self.skipped[where] = "unread: unknown"
        self.unknown.append(where)

    def hidden(self, where: str, reason: str) -> None:
        """Record a place that names texts which the upstream keeps; the policy's `unseen:` judges it."""
        self.skipped[where] = reason
        self.unseen.append(where)
