"""The members of chat documents that the lens knows. What stands in none of these tables is unknown."""

from __future__ import annotations

import re

from lockgate.exchange import Kind, Role

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
API_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
"""What a setting's value or the reason of an end may be. Anything longer or with a space may be a sentence."""
_SETTING = "a setting: a number, a switch or a word of the API"
_ID = "an id, made by whoever serves the model"
_WORD = "a word of the API"
_NUMBER = "numbers"
REQUEST_PLAIN = frozenset(
    {
        "model", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "temperature", "top_p",
        "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "seed", "service_tier",
        "store", "modalities", "audio", "parallel_tool_calls", "tool_choice", "function_call", "reasoning_effort",
        "verbosity", "prompt_cache_retention", "prompt_cache_options", "moderation", "top_k", "min_p",
        "repetition_penalty", "include_reasoning", "enable_thinking",
    }
)  # fmt: skip
"""Values that are numbers, switches or enumerations of the API: nothing that a person or a model wrote."""
BESIDE: dict[str, dict[str, str]] = {
    "chat.prompt": {
        "/model": "a name: the audit line has it",
        **{f"/{key}": _SETTING for key in sorted(REQUEST_PLAIN - {"model"})},
        "/messages/*/role": _WORD,
        "/messages/*/tool_call_id": _ID,
        "/messages/*/prefix": _SETTING,
        "/messages/*/audio/id": _ID,
        "/messages/*/tool_calls/*/id": _ID,
        "/messages/*/tool_calls/*/type": _WORD,
        "/messages/*/content/*/type": _WORD,
        "/tools/*/type": _WORD,
        "/tools/*/function/strict": _SETTING,
        "/functions/*/strict": _SETTING,
        "/response_format/type": _WORD,
        "/prediction/type": _WORD,
        "/prediction/content/*/type": _WORD,
    },
    "chat.completion": {
        "/id": _ID,
        "/object": _WORD,
        "/created": _NUMBER,
        "/model": "a name of the upstream's",
        "/usage": _NUMBER,
        "/system_fingerprint": _ID,
        "/service_tier": _WORD,
        "/request_id": _ID,
        "/choices/*/index": _NUMBER,
        "/choices/*/finish_reason": _WORD,
        "/choices/*/stop_reason": "the request's own `stop` that was met, or a token's number",
        "/choices/*/message/role": _WORD,
        "/choices/*/message/tool_call_id": _ID,
        "/choices/*/message/prefix": _SETTING,
        "/choices/*/message/content/*/type": _WORD,
        "/choices/*/message/annotations/*/type": _WORD,
        "/choices/*/message/audio/id": _ID,
        "/choices/*/message/audio/expires_at": _NUMBER,
        "/choices/*/message/tool_calls/*/id": _ID,
        "/choices/*/message/tool_calls/*/type": _WORD,
        "/choices/*/message/tool_calls/*/index": _NUMBER,
        "/choices/*/logprobs/*/*/logprob": _NUMBER,
        "/choices/*/logprobs/*/*/bytes": "the token's own bytes, with which they go when its text is edited",
        "/choices/*/logprobs/*/*/top_logprobs": "single tokens that were not said",
    },
}
"""What the chat API has beside texts: dialect and side → pointer (`*` for any one name) → why it is not read. The
coverage record of an exchange names the list and does not repeat it. Of a stream, what stands in `message` here stands
in `delta`."""
PART_SETTINGS = frozenset({"cache_control", "prompt_cache_breakpoint"})
SETTINGS = "settings: not text"
IDENTIFIERS = ("user", "safety_identifier", "prompt_cache_key")
"""Names that a client chose for whom it asks, and so text."""
REQUEST_TEXT = frozenset(
    {"messages", "tools", "functions", "response_format", "stop", "metadata", "prediction", "web_search_options"}
)
REQUEST_KNOWN = REQUEST_PLAIN | REQUEST_TEXT | frozenset(IDENTIFIERS)
MESSAGE_KNOWN = frozenset(
    {
        "role", "content", "name", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call", "audio",
        "tool_call_id", "annotations", "prefix",
    }
)  # fmt: skip
MESSAGE_STRINGS: dict[str, Kind] = {
    "name": "text",
    "refusal": "text",
    "reasoning_content": "reasoning",
    "reasoning": "reasoning",
}
ANSWER_STRINGS = ("error", "metadata")
"""Members of an answer of which every string is read: an error, and what a stored request was given."""
ANSWER_KNOWN = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier", "request_id"}
).union(ANSWER_STRINGS)
ANSWER_SKIPPED = {
    "obfuscation": "padding: the upstream's",
    "prompt_filter_results": "filter: the upstream's own",
    "moderation": "filter: the upstream's own",
    "content_filter_results": "filter: the upstream's own",
    "content_filter_offsets": "filter: the upstream's own",
    "token_ids": "tokens: not text",
}
"""Members of an answer, a chunk or a choice that are known and not read, with the reason."""
CHOICE_KNOWN = frozenset({"index", "message", "finish_reason", "logprobs", "stop_reason"})
CHUNK_CHOICE_KNOWN = frozenset({"index", "delta", "finish_reason", "logprobs", "stop_reason"})
MEDIA = {
    "image_url": "image: not text",
    "input_audio": "audio: not text",
    "file": "file content: not text",
    "input_image": "image: not text",
    "video_url": "video: not text",
    "audio_url": "audio: not text",
}
"""Parts whose content is not text. An address in one is read, and a file's name."""
LINKS = ("url", "file_url")
