"""The members of the Responses API's documents that the lens knows. What stands in none of these tables is unknown.

An item's member is read in one of the ways of `How`; who said it follows from the way, or from the item's role.
"""

from __future__ import annotations

import re
from enum import Enum

from lockgate.exchange import Kind, Role


class How(Enum):
    """What a member holds: who said it, what kind of text it is, and whether it is one string (`fixed`: not to be edited)
    or a value with strings in it."""

    NAME = ("assistant", "tool_call", "fixed")
    CALL = ("assistant", "tool_call", "string")
    CALLS = ("assistant", "tool_call", "strings")
    RESULT = ("tool", "tool_result", "string")
    RESULTS = ("tool", "tool_result", "strings")
    OUTPUT = ("tool", "tool_result", "parts")
    DOCUMENTS = ("tool", "document", "strings")
    SCHEMA = ("tool", "tool_schema", "schema")
    TOOLS = ("system", "tool_schema", "tools")
    FORM = ("system", "tool_schema", "schema")
    ANSWERED = ("user", "text", "string")
    THOUGHT = ("assistant", "reasoning", "parts")
    CONTENT = ("user", "text", "parts")

    @property
    def role(self) -> Role:
        return self.value[0]

    @property
    def kind(self) -> Kind:
        return self.value[1]

    @property
    def shape(self) -> str:
        return self.value[2]


ITEMS: dict[str, dict[str, How]] = {
    "function_call": {"name": How.NAME, "namespace": How.NAME, "arguments": How.CALL},
    "function_call_output": {"name": How.NAME, "namespace": How.NAME, "output": How.OUTPUT},
    "custom_tool_call": {"name": How.NAME, "namespace": How.NAME, "input": How.CALL},
    "custom_tool_call_output": {"output": How.OUTPUT},
    "mcp_call": {
        "name": How.NAME, "server_label": How.NAME, "arguments": How.CALL, "output": How.RESULT, "error": How.RESULTS,
    },
    "mcp_list_tools": {"server_label": How.NAME, "tools": How.SCHEMA, "error": How.RESULTS},
    "mcp_approval_request": {"name": How.NAME, "server_label": How.NAME, "arguments": How.CALL},
    "mcp_approval_response": {"reason": How.ANSWERED},
    "file_search_call": {"queries": How.CALLS, "results": How.DOCUMENTS},
    "web_search_call": {"action": How.CALLS},
    "computer_call": {"action": How.CALLS, "actions": How.CALLS, "pending_safety_checks": How.RESULTS},
    "computer_call_output": {"output": How.OUTPUT, "acknowledged_safety_checks": How.RESULTS},
    "code_interpreter_call": {"code": How.CALL, "outputs": How.OUTPUT},
    "local_shell_call": {"action": How.CALLS},
    "local_shell_call_output": {"output": How.RESULT},
    "shell_call": {"action": How.CALLS, "environment": How.FORM},
    "shell_call_output": {"output": How.RESULTS},
    "apply_patch_call": {"operation": How.CALLS},
    "apply_patch_call_output": {"output": How.RESULT},
    "tool_search_call": {"arguments": How.CALLS},
    "tool_search_output": {"tools": How.TOOLS},
    "additional_tools": {"tools": How.TOOLS},
    "configuration_update": {"text": How.FORM},
    "reasoning": {"summary": How.THOUGHT, "content": How.THOUGHT},
    "image_generation_call": {"revised_prompt": How.CALL, "error": How.RESULTS},
    "program": {"code": How.CALL},
    "program_output": {"result": How.RESULT},
    "compaction": {},
    "compaction_trigger": {},
    "item_reference": {},
    "message": {"content": How.CONTENT},
}  # fmt: skip
"""Type of an item → the members that hold texts."""

_ID = "an id, made by whoever serves the model"
_WORD = "a word of the API"
_NUMBER = "numbers"
_SETTING = "a setting: a number, a switch or a word of the API"
ITEM_PLAIN: dict[str, str] = {
    "id": _ID,
    "call_id": _ID,
    "container_id": _ID,
    "approval_request_id": _ID,
    "created_by": _ID,
    "caller": _ID,
    "type": _WORD,
    "role": _WORD,
    "status": _WORD,
    "phase": _WORD,
    "execution": _WORD,
    "approve": _SETTING,
    "async": _SETTING,
    "action": _WORD,
    "background": _WORD,
    "quality": _WORD,
    "size": _WORD,
    "output_format": _WORD,
    "max_output_length": _NUMBER,
    "svg_usage": _NUMBER,
    "reasoning": _SETTING,
}
"""Members of items, of any type that has no text under that name, that are not read. Their values are one word."""
ITEM_SKIPPED = {
    "encrypted_content": "encrypted: only the upstream can read it",
    "fingerprint": "encrypted: only the upstream can read it",
    "result": "image: not text",
}
PARTS: dict[str, tuple[str, Kind | None]] = {
    "input_text": ("text", None),
    "output_text": ("text", None),
    "text": ("text", None),
    "refusal": ("refusal", None),
    "summary_text": ("text", "reasoning"),
    "reasoning_text": ("text", "reasoning"),
    "logs": ("logs", None),
}
"""Type of a part that is a text → the member that holds it, and its kind where that is not its item's."""
MEDIA = {
    "input_image": "image: not text",
    "computer_screenshot": "image: not text",
    "image": "image: not text",
    "input_audio": "audio: not text",
    "input_file": "file content: not text",
}
"""Type of a part that is no text → why it is not looked into. Its address is read, and a file's name."""
MEDIA_LINKS = ("image_url", "file_url", "url")
MEDIA_PLAIN = frozenset({"type", "detail", "file_id", "input_audio"})
PART_PLAIN = frozenset({"type"})
PART_SETTINGS = frozenset({"prompt_cache_breakpoint", "cache_control"})

INNER = frozenset(
    {
        "action", "attributes", "button", "code", "command", "commands", "content", "created_by", "detail", "diff", "env",
        "exit_code", "file_id", "filename", "id", "keys", "logs", "max_output_length", "message", "outcome", "param",
        "path", "pattern", "queries", "query", "score", "scroll_x", "scroll_y", "sources", "stderr", "stdout", "text",
        "timeout_ms", "type", "url", "user", "working_directory", "x", "y",
    }
)  # fmt: skip
"""Keys of the API within calls and results: nobody's words."""
INNER_PLAIN = frozenset({"type", "file_id", "button"})
"""Among them those whose values are a word of the API or an id."""

REQUEST_PLAIN = frozenset(
    {
        "model", "stream", "stream_options", "background", "background_options", "max_output_tokens", "max_tool_calls",
        "parallel_tool_calls", "temperature", "top_p", "top_k", "top_logprobs", "truncation", "service_tier", "store",
        "include", "reasoning", "moderation", "context_management", "image", "access_programs",
        "prompt_cache_retention", "prompt_cache_options", "tool_choice",
    }
)  # fmt: skip
"""Values that are numbers, switches or words of the API: nothing that a person or a model wrote."""
IDENTIFIERS = ("user", "safety_identifier", "prompt_cache_key")
REQUEST_TEXT = frozenset({"input", "instructions", "tools", "text", "prompt", "metadata"})
UNSEEN = {
    "previous_response_id": "unseen: earlier turns, which the upstream keeps",
    "conversation": "unseen: earlier turns, which the upstream keeps",
}
UNSEEN_PROMPT = "unseen: a prompt that the upstream keeps"
UNSEEN_ITEM = "unseen: an item that the upstream keeps"
CREDENTIAL = "credential: for a tool's server, not for the model"
CREDENTIALS = frozenset({"authorization", "headers", "domain_secrets"})
"""Members of tools that are keys, made to be sent."""

ANSWER_TEXT = frozenset(
    {"output", "output_text", "error", "instructions", "tools", "text", "prompt", "metadata", "moderation"}
)
ANSWER_PLAIN: dict[str, str] = {
    "id": _ID,
    "object": _WORD,
    "created_at": _NUMBER,
    "completed_at": _NUMBER,
    "status": _WORD,
    "incomplete_details": _WORD,
    "usage": _NUMBER,
    "tool_usage": _NUMBER,
    "max_output_tokens": _NUMBER,
    "conversation": _ID,
    "previous_response_id": _ID,
    "input_transformations": _WORD,
    "prompt_cache_diagnostics": _WORD,
    "frequency_penalty": _NUMBER,
    "presence_penalty": _NUMBER,
    "billing": _WORD,
    **dict.fromkeys(sorted(REQUEST_PLAIN - {"stream", "moderation", "max_output_tokens"}), _SETTING),
    "model": "a name of the upstream's",
}
ANSWER_SKIPPED = {
    "content_filters": "filter: the upstream's own",
    "prompt_filter_results": "filter: the upstream's own",
    "content_filter_results": "filter: the upstream's own",
}
LATER = "later: not written yet, guarded when it is fetched"
OPEN = frozenset({"queued", "in_progress"})

PLAIN_VALUE = re.compile(r"[!-~]{0,2048}")
"""What an id or a word may be: anything else may be a sentence, and is unknown."""

BESIDE: dict[str, dict[str, str]] = {
    "responses.prompt": {
        "/model": "a name: the audit line has it",
        **{f"/{key}": _SETTING for key in sorted(REQUEST_PLAIN - {"model"})},
        "/prompt/version": _WORD,
        **{f"/input/*/{key}": why for key, why in ITEM_PLAIN.items()},
        "/input/*/content/*/type": _WORD,
        "/input/*/content/*/file_id": _ID,
        "/input/*/content/*/detail": _WORD,
        "/tools/*/type": _WORD,
        "/text/verbosity": _WORD,
    },
    "responses.completion": {
        **{f"/{key}": why for key, why in ANSWER_PLAIN.items()},
        "/prompt/id": _ID,
        "/prompt/version": _WORD,
        **{f"/output/*/{key}": why for key, why in ITEM_PLAIN.items()},
        "/output/*/content/*/type": _WORD,
        "/output/*/content/*/annotations/*/type": _WORD,
        "/output/*/content/*/annotations/*/file_id": _ID,
        "/output/*/content/*/annotations/*/container_id": _ID,
        "/output/*/content/*/annotations/*/index": _NUMBER,
        "/output/*/content/*/annotations/*/start_index": _NUMBER,
        "/output/*/content/*/annotations/*/end_index": _NUMBER,
        "/output/*/content/*/logprobs/*/logprob": _NUMBER,
        "/output/*/content/*/logprobs/*/bytes": "the token's own bytes, with which they go when its text is edited",
        "/output/*/content/*/logprobs/*/top_logprobs": "single tokens that were not said",
    },
}
"""As `chat_fields.BESIDE`. Of a stream's event, what stands beside `response`, `item` and `part` is ids, indexes and
words."""
