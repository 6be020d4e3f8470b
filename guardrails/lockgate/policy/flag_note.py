"""A flag that readers see, as a policy writes it."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from lockgate.messages import catalogue
from lockgate.notes import At, Form
from lockgate.policy.model import Model, problem
from lockgate.policy.nearest import suggest

LANGUAGE = "^[a-z]{2,3}(-[A-Z]{2})?$"
_MARK = re.compile(r"[^\s|\[\]`()][^\n|\[\]`()]{0,59}")

Said = Annotated[str, StringConstraints(min_length=1)]
Texts = dict[Annotated[str, StringConstraints(pattern=LANGUAGE)], Said]


class FlagNote(Model):
    """A flag that readers see. `text` is the policy's own words, in one language or by language (``de``, ``en-GB``);
    `message` a key of the catalogue, for what those leave out. `form` (``as``) and `at` say where it stands."""

    text: Said | Texts | None = None
    message: str | None = None
    form: Annotated[Form, Field(alias="as")] = "footnote"
    at: At = "end"

    @property
    def texts(self) -> dict[str, str]:
        return {"en": self.text} if isinstance(self.text, str) else dict(self.text or {})

    @model_validator(mode="after")
    def _said(self) -> Self:
        if not self.text and self.message is None:
            raise problem("the flag says nothing", "write `message`, `text` or both")
        if self.message is not None and self.message not in catalogue():
            hint = suggest(self.message, catalogue()) or f"the catalogue has {', '.join(catalogue())}"
            raise problem(f"the catalogue has no message `{self.message}`", hint)
        if self.form == "inline" and not all(_MARK.fullmatch(text) for text in self.texts.values()):
            raise problem("an inline mark is a few plain words", "60 characters at most, without brackets, ` and |")
        if self.form != "footnote" and self.at != "end":
            raise problem("`at` is where a footnote stands", "leave it out")
        return self
