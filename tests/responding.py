"""What an upstream of the Responses API says: whole responses, and the events of streams, as OpenAI's servers send them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

BASE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1767225600,
    "status": "in_progress",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "model": "m",
    "output": [],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": None,
}
USAGE = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 1,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 2,
}


def response(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A response that is complete."""
    return {**BASE, "status": "completed", "output": list(output), "usage": USAGE, **more}


def message(*content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": list(content), **more,
    }  # fmt: skip


def output_text(text: str, annotations: Sequence[dict[str, Any]] = (), **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "annotations": list(annotations), "logprobs": [], "text": text, **more}


def cites(start: int, end: int, title: str = "A page") -> dict[str, Any]:
    return {
        "type": "url_citation",
        "start_index": start,
        "end_index": end,
        "title": title,
        "url": "https://example.com/",
    }


def call(arguments: str, name: str = "look") -> dict[str, Any]:
    return {
        "id": "fc_1", "type": "function_call", "status": "completed", "arguments": arguments, "call_id": "call_1",
        "name": name,
    }  # fmt: skip


def thought(summary: str) -> dict[str, Any]:
    return {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": summary}]}


def cut(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


def events(whole: dict[str, Any], size: int = 4) -> list[dict[str, Any]]:
    """The events in which `whole` is streamed, its texts in pieces of `size` characters."""
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    found: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for i, item in enumerate(whole["output"]):
        found.extend(_item(item, i, size))
    found.append({"type": f"response.{whole['status']}", "response": whole})
    return [{**event, "sequence_number": number} for number, event in enumerate(found)]


def _item(item: dict[str, Any], at: int, size: int) -> Iterable[dict[str, Any]]:
    place = {"output_index": at, "item_id": item["id"]}
    empty = {**item, "status": "in_progress"}
    if item["type"] == "message":
        yield {"type": "response.output_item.added", "output_index": at, "item": {**empty, "content": []}}
        for j, part in enumerate(item["content"]):
            yield from _part(part, {**place, "content_index": j}, size)
    elif item["type"] == "function_call":
        yield {"type": "response.output_item.added", "output_index": at, "item": {**empty, "arguments": ""}}
        for piece in cut(item["arguments"], size):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece, "obfuscation": "x"}
        yield {"type": "response.function_call_arguments.done", **place, "arguments": item["arguments"]}
    elif item["type"] == "reasoning":
        yield {"type": "response.output_item.added", "output_index": at, "item": {**item, "summary": []}}
        for j, part in enumerate(item["summary"]):
            here = {**place, "summary_index": j}
            yield {"type": "response.reasoning_summary_part.added", **here, "part": {**part, "text": ""}}
            for piece in cut(part["text"], size):
                yield {"type": "response.reasoning_summary_text.delta", **here, "delta": piece, "obfuscation": "x"}
            yield {"type": "response.reasoning_summary_text.done", **here, "text": part["text"]}
            yield {"type": "response.reasoning_summary_part.done", **here, "part": part}
    else:
        yield {"type": "response.output_item.added", "output_index": at, "item": item}
    yield {"type": "response.output_item.done", "output_index": at, "item": item}


def _part(part: dict[str, Any], place: dict[str, Any], size: int) -> Iterable[dict[str, Any]]:
    key = "refusal" if part["type"] == "refusal" else "text"
    name = "refusal" if key == "refusal" else "output_text"
    empty: dict[str, Any] = {**part, key: ""}
    spelled: dict[str, Any] = {}
    if key == "text":
        empty["annotations"] = []
        spelled = {"logprobs": []}
    yield {"type": "response.content_part.added", **place, "part": empty}
    for piece in cut(part[key], size):
        yield {"type": f"response.{name}.delta", **place, "delta": piece, **spelled, "obfuscation": "abc"}
    for number, note in enumerate(part.get("annotations", ())):
        yield {"type": "response.output_text.annotation.added", **place, "annotation_index": number, "annotation": note}
    yield {"type": f"response.{name}.done", **place, key: part[key], **spelled}
    yield {"type": "response.content_part.done", **place, "part": part}


def wire(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode("utf-8", "surrogatepass")
