"""What a rule does, as a policy says it: the part under `then`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StringConstraints, model_validator

from lockgate.policy.flag_note import FlagNote, Said
from lockgate.policy.model import Model, problem
from lockgate.policy.nearest import suggest

DEFAULT_MESSAGE = "This was stopped by a rule of this service."

FLAG_NAME = "^[a-z][a-z0-9_-]{0,63}$"
FlagName = Annotated[str, StringConstraints(pattern=FLAG_NAME)]


class Refusal(Model):
    """`message` is for the user. `status` is a refused prompt's: 400, or 200 with the message as the answer. `explain`:
    what kind of thing was found is told, and said where there is no message."""

    message: Annotated[str, StringConstraints(min_length=1)] = DEFAULT_MESSAGE
    status: Literal[200, 400] = 400
    explain: StrictBool = True


class Rewrite(Model):
    """What stands in a finding's place: `mode` redact → ``[LABEL]``, mask → ``*`` a character, remove → nothing,
    replace → `text`, hash and pseudonym → a mask that is the value's own."""

    mode: Literal["redact", "mask", "remove", "replace", "hash", "pseudonym"]
    text: str = ""


MODES = ("redact", "mask", "remove", "hash", "pseudonym")
"""Ways to rewrite that are one word."""

_Mode = Literal["redact", "mask", "remove", "hash", "pseudonym"]


class Revise(Model):
    """A model writes the answer anew, at most so many times."""

    rounds: Annotated[StrictInt, Field(ge=1, le=4)] = 2


class _Replacement(Model):
    replace: str


def _refusal(value: Any) -> Any:
    if value is False:
        raise problem("`refuse` is true or a mapping", "leave it out where nothing is refused")
    return {} if value is True else value


def _revision(value: Any) -> Any:
    if value is False:
        raise problem("`revise` is true or a mapping", "leave it out where nothing is revised")
    return {} if value is True else value


def _rewrite(value: Any) -> Any:
    if value is None or isinstance(value, Rewrite):
        return value
    if isinstance(value, Mapping):
        if set(value) == {"mode", "text"} or set(value) == {"mode"}:
            return value
        if set(value) != {"replace"} or not isinstance(value["replace"], str):
            raise problem("as a mapping, `rewrite` has the key `replace` and a text", "write {replace: TEXT}")
        return {"mode": "replace", "text": value["replace"]}
    if value not in MODES:
        said = "`rewrite` is redact, mask, remove, hash, pseudonym or {replace: TEXT}"
        raise problem(said, suggest(str(value), [*MODES, "replace"]))
    return {"mode": value}


class Then(Model):
    """What a rule does: one of `refuse`, `rewrite`, `revise`, `record`, and a `flag` beside it or alone. `restore` puts what a
    rewrite has masked in a prompt back in the answer."""

    refuse: Annotated[
        Refusal | None, BeforeValidator(_refusal, json_schema_input_type=Literal[True] | Refusal | None)
    ] = None
    rewrite: Annotated[
        Rewrite | None,
        BeforeValidator(_rewrite, json_schema_input_type=_Mode | _Replacement | None),
    ] = None
    restore: StrictBool = False
    revise: Annotated[
        Revise | None, BeforeValidator(_revision, json_schema_input_type=Literal[True] | Revise | None)
    ] = None
    flag: dict[FlagName, Said | FlagNote] = {}  # noqa: RUF012 - pydantic copies it
    record: StrictBool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        chosen = [name for name in ("refuse", "rewrite", "revise", "record") if getattr(self, name)]
        if len(chosen) > 1:
            raise problem(
                f"`then` has both `{chosen[0]}` and `{chosen[1]}`", "a rule does one of them; write two rules"
            )
        if self.restore and (self.rewrite is None or self.rewrite.mode not in ("hash", "pseudonym")):
            raise problem("`restore` puts back what a mask stands for", "write rewrite: pseudonym (or hash) beside it")
        if not chosen and not self.flag:
            raise problem("`then` is empty", "write one of refuse, rewrite, revise, flag, record")
        return self


def then_of(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value in ("refuse", "revise", "record"):
        return {value: True}
    if value in MODES:
        raise problem(f"`{value}` is a way to rewrite", f"write {{rewrite: {value}}}")
    raise problem("as one word, `then` is refuse, revise or record", suggest(value, ["refuse", "revise", "record"]))
