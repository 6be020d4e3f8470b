"""Items and parts of the Responses API, which stand alike in requests, in answers and in events of a stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Kind, Reading, Role, Segment
from lockgate.wire.chat_fields import API_WORD, ROLES, SETTINGS
from lockgate.wire.data_url import text_of
from lockgate.wire.logprobs import spell
from lockgate.wire.pointer import escape
from lockgate.wire.responses_fields import (
    CREDENTIAL,
    CREDENTIALS,
    INNER,
    INNER_PLAIN,
    ITEM_PLAIN,
    ITEM_SKIPPED,
    ITEMS,
    MEDIA,
    MEDIA_LINKS,
    MEDIA_PLAIN,
    PART_PLAIN,
    PART_SETTINGS,
    PARTS,
    PLAIN_VALUE,
    UNSEEN_ITEM,
    How,
)
from lockgate.wire.schema_text import read_odd, read_strings

_TOOL_PLAIN = frozenset({"type", "strict", "async", "defer_loading", "allowed_callers", "connector_id", "tunnel_id"})


class Items:
    """Reads into `reading`. Of a request (`choice` None) a value of another shape than the API's is a WireError, and
    each text has the role of who said it; all of an answer is said by the assistant, and read as it stands."""

    def __init__(self, reading: Reading, choice: int | None) -> None:
        self._reading = reading
        self._choice = choice

    def items(self, where: str, items: Any) -> None:
        """A list of items. A string in it is a user's text."""
        if not isinstance(items, list):
            self.odd(where, items, "user", "text", "an array of items was expected")
            return
        for i, item in enumerate(items):
            self.item(f"{where}/{i}", item)

    def item(self, where: str, item: Any) -> None:
        if not isinstance(item, dict):
            self.odd(where, item, "user", "text", "an item must be an object")
            return
        name = item.get("type")
        if name is None:
            name = "message" if "role" in item else "item_reference"
        known = ITEMS.get(name) if isinstance(name, str) else None
        if known is None:
            self._reading.unread(where)
            return
        if name == "item_reference":
            self._reading.hidden(where, UNSEEN_ITEM)
        role = self._role_of(where, item) if name == "message" else None
        for key, value in item.items():
            at = f"{where}/{escape(key)}"
            how = known.get(key)
            if how is not None:
                self._member(at, value, how, role)
            elif key in ITEM_SKIPPED and value is not None:
                self._reading.skip(at, ITEM_SKIPPED[key])
            elif key not in ITEM_PLAIN or not is_plain(value):
                self._reading.unread(at)

    def _role_of(self, where: str, item: dict[str, Any]) -> Role:
        name = item.get("role")
        role = ROLES.get(name) if isinstance(name, str) else None
        if role is None:
            if self._choice is None and not isinstance(name, str):
                raise WireError("a message must have a role", where=f"{where}/role", code="invalid_type")
            self._reading.unread(f"{where}/role")
        return role or "user"

    def _member(self, where: str, value: Any, how: How, role: Role | None) -> None:
        who = role or how.role
        if how.shape == "fixed":
            self.string(where, value, who, how.kind, fixed=True)
        elif how.shape == "string":
            self.string(where, value, who, how.kind)
        elif how.shape == "parts":
            self.parts(where, value, who, how.kind)
        elif how.shape == "tools":
            self.tools(where, value)
        elif how.shape == "schema":
            self.schema(where, value, who)
        else:
            self.strings(where, value, who, how.kind)

    def string(self, where: str, value: Any, role: Role, kind: Kind, *, fixed: bool = False) -> None:
        if not isinstance(value, str):
            self.odd(where, value, role, kind, "a string was expected")
        else:
            self.add(where, value, role, kind, fixed=fixed)

    def add(self, where: str, text: str, role: Role, kind: Kind, *, fixed: bool = False) -> None:
        if text:
            self._reading.segments.append(Segment(where, self._who(role), kind, text, self._choice, fixed))

    def _who(self, role: Role) -> Role:
        return role if self._choice is None or role == "upstream" else "assistant"

    def odd(self, where: str, value: Any, role: Role, kind: Kind, problem: str) -> None:
        if value is None:
            return
        if self._choice is None:
            raise WireError(problem, where=where, code="invalid_type")
        read_odd(self._reading, where, value, role=self._who(role), kind=kind, choice=self._choice)

    def strings(self, where: str, value: Any, role: Role, kind: Kind) -> None:
        """Every string below `where`, and every key that is not one of the API's."""
        if isinstance(value, str):
            self.add(where, value, role, kind)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                self.strings(f"{where}/{i}", item, role, kind)
        elif isinstance(value, dict):
            self.add(where, "\n".join(key for key in value if key not in INNER), role, kind, fixed=True)
            for key, item in value.items():
                if key not in INNER_PLAIN or not isinstance(item, str) or not API_WORD.fullmatch(item):
                    self.strings(f"{where}/{escape(key)}", item, role, kind)

    # Parts of messages, outputs and thoughts.

    def parts(self, where: str, value: Any, role: Role, kind: Kind) -> None:
        """A text, one part or a list of parts."""
        if isinstance(value, str):
            self.add(where, value, role, kind)
        elif isinstance(value, list):
            for i, part in enumerate(value):
                self.part(f"{where}/{i}", part, role, kind)
        elif isinstance(value, dict):
            self.part(where, value, role, kind)
        else:
            self.odd(where, value, role, kind, "a string or an array of parts was expected")

    def part(self, where: str, part: Any, role: Role, kind: Kind) -> None:
        if not isinstance(part, dict):
            self.odd(where, part, role, kind, "a part must be an object")
            return
        name = part.get("type")
        if not isinstance(name, str) or (name not in PARTS and name not in MEDIA):
            self._reading.unread(where)
            return
        if name in MEDIA:
            self._media(where, name, part, role, kind)
            return
        member, other = PARTS[name]
        for key, value in part.items():
            at = f"{where}/{escape(key)}"
            if key == member:
                self.string(at, value, role, other or kind)
            elif key == "annotations":
                self._annotations(at, value, role)
            elif key == "logprobs":
                self._logprobs(at, value, part.get(member), role, kind)
            else:
                self._rest(at, key, value, PART_PLAIN)

    def _media(self, where: str, name: str, part: dict[str, Any], role: Role, kind: Kind) -> None:
        """Media are not looked into, but for data that is a text. Where they stand elsewhere, their address is a text: it can carry one out."""
        self._reading.skip(where, MEDIA[name])
        for key, value in part.items():
            at = f"{where}/{escape(key)}"
            if key in MEDIA_LINKS and not (isinstance(value, str) and value[:5].lower() == "data:"):
                self.string(at, value, role, "link")
            elif key in MEDIA_LINKS or key == "file_data":
                self.add(at, (isinstance(value, str) and text_of(value)) or "", role, "document", fixed=True)
            elif key == "filename":
                self.string(at, value, role, kind)
            else:
                self._rest(at, key, value, MEDIA_PLAIN)

    def _rest(self, where: str, key: str, value: Any, plain: Iterable[str]) -> None:
        if key in PART_SETTINGS:
            self._reading.skip(where, SETTINGS)
        elif key not in plain and value is not None:
            self._reading.unread(where)

    def _annotations(self, where: str, notes: Any, role: Role) -> None:
        if not isinstance(notes, list):
            self.odd(where, notes, role, "text", "annotations must be an array")
            return
        for i, note in enumerate(notes):
            self.annotation(f"{where}/{i}", note, role)

    def annotation(self, where: str, note: Any, role: Role) -> None:
        """A citation: its title, its file's name, its address."""
        if not isinstance(note, dict):
            self.odd(where, note, role, "text", "an annotation must be an object")
            return
        for key, value in note.items():
            at = f"{where}/{escape(key)}"
            if key in ("title", "filename"):
                self.string(at, value, role, "text")
            elif key == "url":
                self.string(at, value, role, "link")
            elif key not in _NOTE_PLAIN or not is_plain(value):
                self.strings(at, value, role, "text")
                self._reading.unread(at)

    def _logprobs(self, where: str, value: Any, text: Any, role: Role, kind: Kind) -> None:
        if not value:
            return
        if not isinstance(value, list):
            self._reading.unread(where)
            return
        spelled = spell(value)
        if spelled == (text or ""):
            self._reading.skip(where, "spells: text, which is read; dropped if that is edited")
        else:
            self.add(where, spelled, role, kind)

    # Tools.

    def tools(self, where: str, tools: Any) -> None:
        if not isinstance(tools, list):
            self.odd(where, tools, "system", "tool_schema", "tools must be an array")
            return
        for i, tool in enumerate(tools):
            self._tool(f"{where}/{i}", tool)

    def _tool(self, where: str, tool: Any) -> None:
        """A tool: its name, its description, and every string and key of its schema."""
        if not isinstance(tool, dict):
            self.odd(where, tool, "system", "tool_schema", "a tool must be an object")
            return
        for key, value in tool.items():
            at = f"{where}/{escape(key)}"
            if key in ("name", "server_label"):
                self.string(at, value, "system", "tool_schema", fixed=True)
            elif key == "tools":
                self.tools(at, value)
            elif key in CREDENTIALS:
                self._reading.skip(at, CREDENTIAL)
            elif key == "server_url":
                self.string(at, value, "system", "link")
            elif key not in _TOOL_PLAIN or not is_plain(value):
                self.schema(at, value, "system")

    def schema(self, where: str, value: Any, role: Role) -> None:
        """What tells a model about a tool or a form: every string, and every key."""
        read_strings(
            self._reading, where, value, role=self._who(role), kind="tool_schema", choice=self._choice, plain=("type",)
        )


_NOTE_PLAIN = frozenset({"type", "file_id", "container_id", "index", "start_index", "end_index"})


def is_plain(value: Any) -> bool:
    """Nothing that may be a sentence: numbers, switches, ids and words of the API, and what is made of them."""
    if isinstance(value, str):
        return PLAIN_VALUE.fullmatch(value) is not None
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return True
