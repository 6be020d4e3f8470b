"""What a policy's test file says, as frozen models: named cases, each an exchange and what is expected of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, JsonValue, PrivateAttr, StrictInt, StringConstraints, model_validator

from lockgate.exchange import Side, Subject
from lockgate.policy.document import Node
from lockgate.policy.model import Model, problem
from lockgate.policy.nearest import suggest
from lockgate.policy.schema import Problem, Version, Words, raise_problems, repeated
from lockgate.verdict import Reason

Text = Annotated[str, StringConstraints(min_length=1)]


class PinnedFinding(Model):
    """A finding that a detector is made to give.

    `span` counts code points of the text that it is about: the last message's, or the answer's. `side` says which of
    the two, where a case has both; without it, both.
    """

    label: Text
    score: Annotated[float, Field(ge=0, le=1, strict=True)] = 1.0
    span: tuple[StrictInt, StrictInt] | None = None
    side: Side | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.span is not None and not 0 <= self.span[0] <= self.span[1]:
            raise problem("a span is [start, end], 0 ≤ start ≤ end")
        return self


class Pinned(Model):
    """A detector's answer in a case: its findings, or how it fails."""

    findings: tuple[PinnedFinding, ...] = ()
    fails: Reason | None = None


def _pinned(value: Any) -> Any:
    if value is None:
        return {}
    if isinstance(value, str):
        reasons = get_args(Reason)
        if value not in reasons:
            raise problem(f"a detector can't fail by `{value}`", suggest(value, reasons))
        return {"fails": value}
    return {"findings": value} if isinstance(value, (list, tuple)) else value


class ToolCall(Model):
    """A call of a tool in an answer: the `arguments` as a mapping, or as the text that a model wrote."""

    name: Text
    arguments: dict[str, JsonValue] | str = Field(default_factory=dict)

    @property
    def written(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)


class Expect(Model):
    """What is expected; what is None is not looked at.

    `rules` are the ids of the rules that applied, all of them. `prompt` is the last message's text after the edits,
    `completion` the answer's, `tool_calls` its calls. `flags` are names, `overlays` ids in the order in which they lie, `shadow` ids of the rules in shadow that would have applied, `failed` kinds of
    detectors, all of them in any order.
    """

    action: Literal["allow", "flag", "refuse", "rewrite"]
    rules: Words | None = None
    prompt: str | None = None
    completion: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    flags: Words | None = None
    overlays: Words | None = None
    shadow: Words | None = None
    failed: Words | None = None


def _expected(value: Any) -> Any:
    return {"action": value} if isinstance(value, str) else value


class Case(Model):
    """One exchange: a `prompt` (one user message) or `messages`, a `completion` or its `chunks`, or both sides.

    `documents` are files of the last user message, `context` texts that the answer should rest on and that only the guard
    gets. A `prompt` that is a list is read as `messages`; `chunks` without a `completion` are the completion, cut so.
    """

    name: Text
    prompt: str | None = None
    messages: tuple[dict[str, JsonValue], ...] | None = None
    documents: Words = ()
    context: Words = ()
    completion: str | None = None
    chunks: tuple[str, ...] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tags: Words = ()
    model: str = ""
    user: str = ""
    tenant: str = ""
    key: str = ""
    route: Literal["chat", "completions", "responses", "embeddings", "text"] = "chat"
    country: str = ""
    language: str = ""
    pin: dict[
        str,
        Annotated[
            Pinned, BeforeValidator(_pinned, json_schema_input_type=list[PinnedFinding] | Reason | Pinned | None)
        ],
    ] = Field(default_factory=dict)
    expect: Annotated[Expect, BeforeValidator(_expected)]

    @model_validator(mode="before")
    @classmethod
    def _one_form(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        case = dict(value)
        if isinstance(case.get("prompt"), (list, tuple)) and case.get("messages") is None:
            case["messages"] = case.pop("prompt")
        chunks = case.get("chunks")
        if isinstance(chunks, (list, tuple)) and case.get("completion") is None and all(map(_is_text, chunks)):
            case["completion"] = "".join(chunks)
        return case

    @model_validator(mode="after")
    def _fits(self) -> Self:
        asks = self.prompt is not None or self.messages is not None
        if self.prompt is not None and self.messages is not None:
            raise problem("the case has both `prompt` and `messages`", "write one of them")
        if self.messages is not None and not self.messages:
            raise problem("`messages` is empty")
        if not asks and self.completion is None and not self.tool_calls:
            raise problem("the case has no text", "write a `prompt`, `messages`, a `completion` or `chunks`")
        if self.documents and not asks:
            raise problem("`documents` belong to a message, and the case has none", "write a `prompt`")
        if self.chunks is not None and "".join(self.chunks) != self.completion:
            raise problem("the `chunks` do not add up to the `completion`", "leave one of them out")
        if self.expect.prompt is not None and not asks:
            raise problem("a prompt is expected, and the case has none")
        if self.expect.tool_calls is not None and not self.tool_calls:
            raise problem("tool calls are expected, and the case has none")
        if self.expect.completion is not None and self.completion is None:
            raise problem("a completion is expected, and the case has none")
        return self


def subject_of(case: Case) -> Subject:
    """Who asks in a case."""
    return Subject(case.model, case.user, tuple(case.tags), case.tenant, case.country, case.language, case.key)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


class Suite(Model):
    """A test file. `source` is its path; `at()` says where a part of it was written."""

    version: Version
    cases: tuple[Case, ...]

    _tree: Node | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _cross(self) -> Self:
        raise_problems(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        yield from repeated("cases", "name", [case.name for case in self.cases])

    def placed(self, tree: Node) -> Self:
        """This suite, told where it was written."""
        self._tree = tree
        return self

    @property
    def source(self) -> str:
        return self._tree.file if self._tree is not None else ""

    def at(self, *path: str | int) -> str:
        """``file:line`` of the part at `path`, as ``at("cases", 0, "expect")``; "" if made in Python."""
        return self._tree.at(*path).where if self._tree is not None else ""


def each_written_out(tree: Node) -> Node:
    """The tree of a test file with each row of a case's `each` as a case of its own: what a row says goes before what the case
    says, and the row's number stands behind the name."""
    cases = tree.get("cases")
    if cases is None or not isinstance(cases.value, list):
        return tree
    written: list[Node] = []
    for case in cases.value:
        rows = case.get("each")
        if rows is None or not isinstance(case.value, dict) or not isinstance(rows.value, list):
            written.append(case)
            continue
        rest = {key: node for key, node in case.value.items() if key != "each"}
        for number, row in enumerate(rows.value, 1):
            if not isinstance(row.value, dict):
                written.append(row)
                continue
            name = case.get("name")
            said = {**rest, **row.value}
            if name is not None and "name" not in row.value:
                said["name"] = Node(f"{name.value} [{number}]", row.file, row.line)
            whole, part = rest.get("expect"), row.value.get("expect")
            if (
                whole is not None
                and part is not None
                and isinstance(whole.value, dict)
                and isinstance(part.value, dict)
            ):
                said["expect"] = Node({**whole.value, **part.value}, part.file, part.line)
            written.append(Node(said, row.file, row.line))
    assert isinstance(tree.value, dict)
    return Node({**tree.value, "cases": Node(written, cases.file, cases.line)}, tree.file, tree.line)
