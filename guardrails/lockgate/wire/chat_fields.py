"""The members of chat documents that the lens knows. What stands in none of these tables is unknown."""

from __future__ import annotations

from lockgate.exchange import Kind, Role

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
# Values that are numbers, switches, ids or enumerations of the API: nothing that a person or a model wrote.
REQUEST_PLAIN = frozenset(
    {
        "model", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "temperature", "top_p",
        "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "seed", "service_tier",
        "store", "modalities", "audio", "parallel_tool_calls", "tool_choice", "function_call", "reasoning_effort",
        "verbosity", "prompt_cache_retention", "prompt_cache_options", "moderation", "top_k", "min_p",
        "repetition_penalty", "include_reasoning", "enable_thinking",
    }
)  # fmt: skip
PART_SETTINGS = frozenset({"cache_control", "prompt_cache_breakpoint"})
SETTINGS = "settings: not text"
IDENTIFIERS = ("user", "safety_identifier", "prompt_cache_key")
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
MESSAGE_STRINGS: tuple[tuple[str, Kind], ...] = (
    ("refusal", "text"),
    ("reasoning_content", "reasoning"),
    ("reasoning", "reasoning"),
)
ANSWER_KNOWN = frozenset(
    {
        "id",
        "object",
        "created",
        "model",
        "choices",
        "usage",
        "system_fingerprint",
        "service_tier",
        "error",
        "request_id",
    }
)
ANSWER_SKIPPED = {
    "obfuscation": "padding of the upstream's",
    "prompt_filter_results": "the upstream's own filter",
    "moderation": "the upstream's own filter",
    "content_filter_results": "the upstream's own filter",
    "content_filter_offsets": "the upstream's own filter",
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
}
