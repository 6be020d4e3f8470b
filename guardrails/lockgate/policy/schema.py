"""What a policy file says, as frozen models.

Shorthands (a word for a list of one, `then: refuse`) are brought to one form here, so that whoever reads a `Policy`
meets each thing in one shape. `published_schema()` is the same as JSON Schema, with the shorthands, for editors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    PrivateAttr,
    StrictBool,
    StrictInt,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from lockgate.exchange import KINDS, ROLES, Kind, Role, Side
from lockgate.policy.document import Node
from lockgate.policy.flag_note import LANGUAGE
from lockgate.policy.model import Model, problem
from lockgate.policy.nearest import suggest
from lockgate.policy.scope import Scope
from lockgate.policy.surfaces import DEFAULT, NAMES
from lockgate.policy.then import FLAG_NAME, Then, then_of

PROBLEMS = "policy_problems"
"""Type of the pydantic error that carries `Problem` triples (path, problem, hint) in its context."""

Problem = tuple[tuple[str | int, ...], str, str]


def listed(value: Any) -> Any:
    """One value as a list of one."""
    return value if isinstance(value, (list, tuple)) else [value]


# Names of policies and rules stand in HTTP headers, so they are short and plain.
ID = "^[a-z0-9][a-z0-9-]{0,63}$"
NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
PATTERNS = {
    ID: "use a-z, 0-9 and -, at most 64 of them",
    NAME: "use letters, digits, `.`, `_` and `-`, at most 64 of them",
    LANGUAGE: "use a language's code, with a country's or without: de, en-GB",
    FLAG_NAME: "use a-z, 0-9, `_` and `-`, a letter first",
}
"""What to say about a name that does not match."""

Id = Annotated[str, StringConstraints(pattern=ID)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
Sides = Annotated[tuple[Side, ...], BeforeValidator(listed, json_schema_input_type=Side | list[Side])]
Roles = Annotated[tuple[Role, ...], BeforeValidator(listed, json_schema_input_type=Role | list[Role])]
Kinds = Annotated[tuple[Kind, ...], BeforeValidator(listed, json_schema_input_type=Kind | list[Kind])]
Words = Annotated[tuple[str, ...], BeforeValidator(listed, json_schema_input_type=str | list[str])]


def _version(value: Any) -> Any:
    if type(value) is not int or value != 1:
        raise problem("this Lockgate reads version 1", "write `version: 1`")
    return value


Version = Annotated[Literal[1], BeforeValidator(_version)]


class Where(Model):
    """Which texts a rule looks at. All of them unless said."""

    role: Roles = ROLES
    kind: Kinds = KINDS


class Stream(Model):
    """Bounds of what a stream holds back, in characters: `max_hold` for one match, `hold_limit` for `stream: hold`.
    `flag_wait_ms`: how long its end waits for rules that only say something after it."""

    max_hold: Annotated[StrictInt, Field(ge=64, le=65_536)] = 2_048
    hold_limit: Annotated[StrictInt, Field(ge=64, le=16_777_216)] = 262_144
    flag_wait_ms: Annotated[StrictInt, Field(ge=1, le=60_000)] = 500


class Principle(Model):
    """Why a rule is there, in plain words. `priority` settles what happens where rules disagree; `where`, in which
    exchanges it holds: elsewhere its rules take no part."""

    id: Id
    priority: StrictInt = 0
    text: Annotated[str, StringConstraints(min_length=1)]
    where: Scope = Scope()

    @property
    def scope(self) -> Scope | None:
        """Where it holds; None for everywhere."""
        return self.where if self.where.said else None


Judgement = Literal["allow", "flag", "refuse"]
DEADLINE = 1_000
Deadline = Annotated[StrictInt, Field(ge=1, le=60_000)]


def _uses(value: Any) -> Any:
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, (list, tuple)):
        if not all(isinstance(kind, str) for kind in value):
            raise problem("as a list, `use` names detectors", "for one with a configuration, write `KIND: {…}`")
        return {kind: {} for kind in value}
    if isinstance(value, Mapping):
        return {kind: {} if config is None else config for kind, config in value.items()}
    return value


class Rule(Model):
    """Binds detectors (`use`) and a condition (`when`) to what happens (`then`).

    `use` maps a detector's kind to its configuration, which the detector's own model reads. `on_error` is for a check that
    failed, `on_unverified` for a text in a language that a model was not trained on.
    """

    id: Id
    description: str = ""
    principle: str | None = None
    side: Sides
    where: Where = Where()
    use: Annotated[
        dict[str, JsonValue],
        BeforeValidator(_uses, json_schema_input_type=str | list[str] | dict[str, JsonValue]),
    ] = {}  # noqa: RUF012 - as above
    when: Annotated[str, StringConstraints(min_length=1)] | None = None
    then: Annotated[
        Then | None,
        BeforeValidator(then_of, json_schema_input_type=Literal["refuse", "revise", "record"] | Then | None),
    ] = None
    stream: Literal["hold", "after"] | None = None
    mode: Literal["enforce", "shadow"] = "enforce"
    on_error: Literal["refuse", "flag", "allow"] = "refuse"
    on_unverified: Literal["refuse", "flag", "allow"] = "allow"
    permit: Words = ()
    final: StrictBool = False

    @field_validator("side")
    @classmethod
    def _sides(cls, sides: tuple[Side, ...]) -> tuple[Side, ...]:
        if not sides:
            raise problem("`side` is empty", "write prompt, completion or both")
        return tuple(dict.fromkeys(sides))

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.use and self.when is None:
            raise problem("the rule has neither `use` nor `when`", "name the detectors that it acts on")
        if self.then is None and not self.permit:
            raise problem("the rule has neither `then` nor `permit`", "write what happens, `then: record` for nothing")
        if self.then is not None and self.then.restore and "prompt" not in self.side:
            raise problem("`restore` puts back what was taken out of a prompt", "add prompt to `side`, or leave it out")
        if self.then is not None and self.then.rewrite is not None and not self.use:
            raise problem("a rewrite edits what `use` finds, and the rule has no `use`", "name a detector")
        if self.then is not None and self.then.revise is not None:
            if self.side != ("completion",):
                raise problem("`revise` is for answers", "write `side: completion`")
            if not self.use:
                raise problem("`revise` mends what `use` finds, and the rule has no `use`", "name a detector")
        return self


class Overlay(Model):
    """What is different in the exchanges that `where` covers: policies that it `extends`, then what it says itself, laid over
    the policy as a nearer file. `without` names rules that do not hold there; a rule that is `final` stays."""

    id: Id
    description: str = ""
    where: Scope
    extends: Words = ()
    without: Words = ()
    unknown: Judgement = "allow"
    unseen: Judgement = "allow"
    deadline_ms: Deadline = DEADLINE
    stream: Stream = Stream()
    principles: tuple[Principle, ...] = ()
    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.where.said:
            raise problem(
                "`where` says nothing, so the overlay would hold everywhere", "write it into the policy itself"
            )
        if not self.model_fields_set & {*CONTENT, "extends"}:
            raise problem("the overlay changes nothing", f"give it one of {', '.join(('extends', *CONTENT))}")
        return self


CONTENT = ("without", "unknown", "unseen", "deadline_ms", "stream", "principles", "rules")
"""What an overlay may say, as a policy does."""

Unguarded = Literal["allow", "refuse"]


def _surfaces(given: Unguarded | dict[str, Unguarded]) -> Unguarded | dict[str, Unguarded]:
    for name in given if isinstance(given, dict) else ():
        if name not in NAMES:
            raise problem(f"there is no surface `{name}`", suggest(name, NAMES) or "the docs list them")
    if isinstance(given, dict) and DEFAULT not in given:
        raise problem("`default` is missing", "say what happens to the surfaces that are not named")
    return given


@dataclass(frozen=True, slots=True)
class Roots:
    """The trees of a policy's files, the furthest first and its `own` last, and those of each overlay, by its id: of the
    files that it extends, and of what it says itself."""

    files: tuple[Node, ...]
    overlays: Mapping[str, tuple[Node, ...]]

    @property
    def own(self) -> Node:
        return self.files[-1]


class Policy(Model):
    """A policy, with all that it extends merged in.

    `source` is its file ("" if made in Python), `sources` all files it was made from, its own first, `hash` its
    content's. `at()` and `layer()` say where a part of it was written.
    """

    version: Version
    name: Name
    description: str = ""
    extends: Words = ()
    unguarded: Annotated[Unguarded | dict[str, Unguarded], AfterValidator(_surfaces)] = "allow"
    without: Words = ()
    unknown: Judgement = "allow"
    unseen: Judgement = "allow"
    deadline_ms: Deadline = DEADLINE
    stream: Stream = Stream()
    principles: tuple[Principle, ...] = ()
    rules: tuple[Rule, ...] = ()
    overlays: tuple[Overlay, ...] = ()

    _tree: Node | None = PrivateAttr(default=None)
    _sources: tuple[str, ...] = PrivateAttr(default=())
    _layers: Mapping[int, int] = PrivateAttr(default_factory=dict)
    _roots: Roots | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _cross(self) -> Self:
        raise_problems(_cross_problems(self))
        return self

    def placed(
        self, tree: Node, sources: tuple[str, ...], layers: Mapping[int, int] | None = None, roots: Roots | None = None
    ) -> Self:
        """This policy, told where it was written: the merged `tree`, the files, its own first, how near each entry is, and
        the trees that it was merged from."""
        self._tree, self._sources, self._layers, self._roots = tree, sources, layers or {}, roots
        return self

    @property
    def source(self) -> str:
        return self._sources[0] if self._sources else ""

    @property
    def tree(self) -> Node | None:
        """What it was read from, merged; None if it was made in Python."""
        return self._tree

    @property
    def sources(self) -> tuple[str, ...]:
        return self._sources

    @property
    def roots(self) -> Roots | None:
        """The trees that it was merged from, and those of its overlays; None if it was made in Python."""
        return self._roots

    @property
    def hash(self) -> str:
        """``sha256:`` and 16 hex digits of the merged content, overlays included: what is left at its default, and
        `extends`, are not in it, so neither a shorthand nor a comment changes it."""
        content = self.model_dump(mode="json", exclude={"extends", "without"}, exclude_defaults=True)
        if self._roots is not None and self.overlays:
            content["extended"] = {
                name: [root.plain() for root in roots[:-1]] for name, roots in self._roots.overlays.items()
            }
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]

    def at(self, *path: str | int) -> str:
        """``file:line`` of the part at `path`, as ``at("rules", 0, "use", "pii")``, or of the nearest part around it;
        the policy's name if it was made in Python."""
        return self._tree.at(*path).where if self._tree is not None else self.name

    def layer(self, *path: str | int) -> int:
        """How near the file or overlay is in which the entry at `path` was written: 0 the nearest, more for what it extends
        or lies over."""
        return self._layers.get(id(self._tree.at(*path)), 0) if self._tree is not None else 0


def _cross_problems(policy: Policy) -> Iterator[Problem]:
    yield from repeated("principles", "id", [p.id for p in policy.principles])
    yield from repeated("rules", "id", [r.id for r in policy.rules])
    yield from repeated("overlays", "id", [o.id for o in policy.overlays])
    principles = {p.id for p in policy.principles}
    for index, rule in enumerate(policy.rules):
        if rule.principle is not None and rule.principle not in principles:
            hint = suggest(rule.principle, principles) or "`principles` has none"
            yield ("rules", index, "principle"), f"there is no principle `{rule.principle}`", hint
    if policy.stream.hold_limit < policy.stream.max_hold:
        yield ("stream", "hold_limit"), "`hold_limit` is less than `max_hold`", "raise it, or leave it out"


def repeated(group: str, key: str, words: Sequence[str]) -> Iterator[Problem]:
    """A problem for each of `words` that stood before: the `key` of the entries of `group`."""
    seen: set[str] = set()
    for index, word in enumerate(words):
        if word in seen:
            yield (group, index, key), f"the {key} `{word}` stands twice in `{group}`", "give each its own"
        seen.add(word)


def raise_problems(found: Iterable[Problem]) -> None:
    """Raise what a model-wide check found, each at its own path, as one validation error; nothing if it is nothing."""
    problems = list(found)
    if problems:
        text = "; ".join(text for _, text, _ in problems)
        raise PydanticCustomError(PROBLEMS, "{text}", {"text": text, "problems": problems})


def published_schema() -> str:
    """The JSON Schema (2020-12) of a policy file, as the text of ``docs/policy.schema.json``."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Policy.model_json_schema(mode="validation"),
        "title": "Lockgate policy",
    }
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"
