"""What a body says, in the few words that a reader needs: requests, plain answers and streams of the chat API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

LONGEST = 420
"""Characters of a text that is shown whole; of a longer one, its beginning and its end."""

_HEAD, _TAIL = 250, 110

_TAGS = range(0xE0000, 0xE0080)
_HIDDEN = {0x00AD, 0x200B, 0x200C, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def messages(body: bytes) -> list[str]:
    """A request's messages: role, text, tool calls."""
    said = []
    for message in json.loads(body).get("messages", []) if body else []:
        parts = [message.get("content") or ""]
        calls = message.get("tool_calls") or ()
        parts.extend(f"calls {call['function']['name']} {call['function']['arguments']}" for call in calls)
        said.append(f"{message['role']}: " + "\n".join(filter(None, parts)))
    return said


def choices(body: bytes) -> list[dict[str, Any]]:
    """An answer's choices as the client would put them together, from the bytes alone."""
    found: list[dict[str, Any]] = []
    for document in _documents(body):
        for place, choice in enumerate(document.get("choices") or ()):
            index = choice.get("index", place)
            while len(found) <= index:
                found.append({"content": "", "reasoning": "", "refusal": "", "calls": [], "finish": None})
            _add(found[index], choice.get("message") or choice.get("delta") or {})
            found[index]["finish"] = choice.get("finish_reason") or found[index]["finish"]
    return found


def spoken(answer: Sequence[dict[str, Any]]) -> list[str]:
    """Choices in lines, each under its number where there are several."""
    lines = []
    for number, choice in enumerate(answer):
        mine = []
        if choice["reasoning"]:
            mine.append(f"(thinks) {choice['reasoning']}")
        if choice["content"]:
            mine.append(choice["content"])
        mine.extend(f"calls {call['name']} {call['arguments']}" for call in choice["calls"])
        if choice["refusal"]:
            mine.append(f"refusal: {choice['refusal']}")
        if choice["finish"] not in {"stop", "tool_calls"}:
            mine.append(f"finish_reason: {choice['finish'] or 'none came'}")
        label = f"#{number}: " if len(answer) > 1 else ""
        lines.append(label + "\n".join(mine))
    return lines


def failure(body: bytes) -> str:
    """The message of an error; "" if there is none."""
    for document in _documents(body):
        error = document.get("error")
        if error:
            return f"error {error.get('code')}: {error.get('message')}"
    return ""


def visible(text: str) -> str:
    """`text` with what nobody would see spelt out; honest joiners stay."""
    out: list[str] = []
    run = ""
    for char in text:
        if ord(char) in _TAGS:
            run += chr(ord(char) - _TAGS.start)
            continue
        if run:
            out.append(f"<in tag characters: {run}>")
            run = ""
        out.append(f"<U+{ord(char):04X}>" if ord(char) in _HIDDEN else char)
    if run:
        out.append(f"<in tag characters: {run}>")
    return "".join(out)


def short(text: str) -> str:
    """`text`, less its middle if it is long."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:_HEAD].rstrip()} … [{len(text) - _HEAD - _TAIL:,} characters more] … {text[-_TAIL:].lstrip()}"


def _documents(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a body: it may be one, or a stream of events."""
    text = body.decode("utf-8", "replace")
    if text.startswith(("data:", "event:", ":")):
        for line in text.splitlines():
            data = line.removeprefix("data: ")
            if data is not line and data != "[DONE]":
                yield json.loads(data)
    elif text:
        document = json.loads(text)
        if isinstance(document, dict):
            yield document


def _add(choice: dict[str, Any], message: dict[str, Any]) -> None:
    choice["content"] += message.get("content") or ""
    choice["reasoning"] += message.get("reasoning_content") or message.get("reasoning") or ""
    choice["refusal"] += message.get("refusal") or ""
    for place, call in enumerate(message.get("tool_calls") or ()):
        index = call.get("index", place)
        while len(choice["calls"]) <= index:
            choice["calls"].append({"name": "", "arguments": ""})
        function = call.get("function") or {}
        choice["calls"][index]["name"] += function.get("name") or ""
        choice["calls"][index]["arguments"] += function.get("arguments") or ""
