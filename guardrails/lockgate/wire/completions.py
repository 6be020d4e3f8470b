"""The older completions API (`POST /completions`): a prompt and its continuations, plain and streamed.

Sources: the OpenAI API reference and the types of its Python SDK; vLLM's further members. A chunk of a stream has the
form of a whole answer. What is not named here is recorded as ``unread: unknown``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Exchange, Reading, Segment, Subject
from lockgate.verdict import Edit, Flag
from lockgate.wire.chat import MOST_CHOICES, read_count, read_flag, read_other, read_rest
from lockgate.wire.chat_fields import ANSWER_KNOWN, ANSWER_STRINGS, API_WORD, IDENTIFIERS
from lockgate.wire.chat_stream import add_other, add_rest, add_text, add_unread, add_whole, index_of, strip
from lockgate.wire.edit import choices_in
from lockgate.wire.lens import Delta, Dialect, EventReading, Note, RequestReading, Said, Voice
from lockgate.wire.pointer import escape, tokens
from lockgate.wire.schema_text import read_odd, read_setting, read_strings
from lockgate.wire.splice import splice

TOKENS = "unread: tokens"
_PLAIN = frozenset(
    {
        "best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "min_p", "n", "presence_penalty",
        "prompt_cache_retention", "repetition_penalty", "seed", "service_tier", "stream", "stream_options", "temperature",
        "top_k", "top_p",
    }
)  # fmt: skip
_SPELLING = {
    "logprobs": "spells text, which is read; dropped if that is edited",
    "token_ids": "tokens: not text",
    "prompt_token_ids": "tokens: not text",
    "prompt_logprobs": "unread: unknown",
}
"""Members of a choice that spell its text again, and what they are listed as. They go when it is edited."""
_CHOICE_KNOWN = frozenset({"text", "index", "finish_reason", "stop_reason", *_SPELLING})
_LOGPROBS_KNOWN = frozenset({"tokens", "token_logprobs", "top_logprobs", "text_offset"})
_SETTING = "a setting: a number, a switch or a word of the API"
_WORD = "a word of the API"
_NUMBER = "numbers"
_ID = "an id, made by whoever serves the model"
BESIDE: dict[str, dict[str, str]] = {
    "completions.prompt": {
        "/model": "a name: the audit line has it",
        **{f"/{key}": _SETTING for key in sorted(_PLAIN)},
    },
    "completions.completion": {
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
        "/choices/*/logprobs/token_logprobs": _NUMBER,
        "/choices/*/logprobs/text_offset": _NUMBER,
        "/choices/*/logprobs/top_logprobs": "single tokens that were not said",
    },
}
"""As `chat_fields.BESIDE`."""


class CompletionsLens(Dialect):
    """The dialect of `/completions`. An answer has `n` choices for each prompt."""

    dialect = "completions"
    operation = "text_completion"
    path = "/completions"
    done = True

    def read_request(self, document: Any) -> RequestReading:
        """Raises WireError where the document can't be a request for completions."""
        if not isinstance(document, dict):
            raise WireError("the body must be a JSON object", code="invalid_type")
        reading = RequestReading()
        prompts = _prompt(reading, document.get("prompt"))
        for key, value in document.items():
            where = f"/{escape(key)}"
            if key in ("prompt", "model") or value is None:
                continue
            if key in _PLAIN:
                read_setting(reading, where, value)
            elif key == "suffix":
                if not isinstance(value, str):
                    raise WireError("suffix must be a string", where=where, code="invalid_type")
                read_strings(reading, where, value, role="user", kind="text")
            elif key in ("stop", "metadata"):
                read_strings(reading, where, value, role="user", kind="text")
            elif key in IDENTIFIERS:
                read_odd(reading, where, value, role="user", kind="identifier", choice=None)
            else:
                reading.unread(where)
        reading.stream = read_flag(document, "stream")
        reading.choices = prompts * read_count(document)
        model, user = document.get("model"), document.get("user")
        reading.subject = Subject(
            model=model if isinstance(model, str) else "", user=user if isinstance(user, str) else ""
        )
        return reading

    def read_answer(self, document: Any) -> Reading:
        """Read a plain answer. Raises WireError where it can't be one."""
        if not isinstance(document, dict):
            raise WireError("the upstream's answer is not a JSON object", code="invalid_type")
        reading = Reading()
        for key in ANSWER_STRINGS:
            read_strings(reading, f"/{key}", document.get(key), role="upstream", kind="text")
        choices = document.get("choices")
        for i, choice in enumerate(choices if isinstance(choices, list) else ()):
            _choice(reading, f"/choices/{i}", choice, i)
        if not isinstance(choices, list):
            read_other(reading, "/choices", choices, "assistant", "text", 0, "choices must be an array")
        read_rest(reading, "", document.keys() - ANSWER_KNOWN)
        return reading

    def read_event(self, document: Any) -> EventReading:
        """Read one event of a stream. Raises WireError where it can't be one."""
        if not isinstance(document, dict):
            raise WireError("an event's data must be a JSON object", code="invalid_type")
        reading = EventReading()
        choices = document.get("choices")
        for i, choice in enumerate(choices if isinstance(choices, list) else ()):
            _piece(reading, f"/choices/{i}", choice, i)
        if not isinstance(choices, list):
            add_other(reading, "/choices", choices, 0, "/choices")
        for key in ANSWER_STRINGS:
            add_whole(reading, f"/{key}", document.get(key), 0, f"/{key}")
        add_rest(reading, "", document.keys() - ANSWER_KNOWN)
        return reading

    def choices(self, document: Any) -> int:
        return len(choices_in(document))

    def refuse(self, body: bytes, document: Any, refused: Mapping[int, str]) -> bytes:
        values = {}
        for position, message in refused.items():
            said = _refused(index_of(document["choices"][position], position), message)
            values[f"/choices/{position}"] = json.dumps(said, separators=(",", ":")).encode()
        return splice(body, values)

    def dependants(self, document: Any, where: str, edits: Sequence[Edit]) -> dict[str, bytes | None]:  # noqa: ARG002
        path = tokens(where)
        if len(path) != 3 or path[0] != "choices" or path[2] != "text":
            return {}
        choice = document["choices"][int(path[1])]
        return {f"/choices/{path[1]}/{key}": b"null" for key in _SPELLING if choice.get(key) is not None}

    def refusal(self, exchange: Exchange, message: str) -> dict[str, Any]:
        return {
            "id": f"cmpl-{exchange.id}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": exchange.subject.model,
            "choices": [_refused(i, message) for i in range(min(exchange.choices, MOST_CHOICES))],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }

    def voice(self) -> _Voice:
        return _Voice()

    def strip(self, document: Any, gone: Collection[int]) -> dict[str, bytes] | None:
        return strip(document, gone, _empty)

    def refusal_stream(self, exchange: Exchange, message: str, note: Note) -> list[Said]:
        voice = _Voice()
        voice.hear({"id": f"cmpl-{exchange.id}", "created": int(time.time()), "model": exchange.subject.model})
        return [said for i in range(min(exchange.choices, MOST_CHOICES)) for said in voice.refuse(i, message, note)]


class _Voice(Voice):
    """What the guard says in a stream, as of the stream's own id, time and model."""

    def __init__(self) -> None:
        self._seen: dict[str, Any] = {}

    def hear(self, document: Any) -> None:
        if document and not self._seen.get("id"):
            self._seen = document

    def flags(self, choice: int, flags: Sequence[Flag], note: Note) -> list[Said]:
        shown = {**note, "flags": [flag.public() for flag in flags]}
        return self._chunk(_said(choice, None), shown)

    def refuse(self, choice: int, message: str, note: Note) -> list[Said]:
        return self._chunk(_refused(choice, message), note)

    def _chunk(self, choice: dict[str, Any], note: Note) -> list[Said]:
        document = {
            "id": self._seen.get("id", ""),
            "object": "text_completion",
            "created": self._seen.get("created", 0),
            "model": self._seen.get("model", ""),
            "choices": [choice],
            "lockgate": note,
        }
        return [
            ("", json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace"))
        ]


def _said(index: int, reason: str | None) -> dict[str, Any]:
    return {"text": "", "index": index, "logprobs": None, "finish_reason": reason}


def _refused(index: int, message: str) -> dict[str, Any]:
    """A refused choice. This API has no member for a refusal: it is named as in chat."""
    return {**_said(index, "content_filter"), **({"refusal": message} if message else {})}


def _empty(index: int) -> bytes:
    """What is left in an event of a choice whose text may not leave."""
    return b'{"text":"","index":%d,"logprobs":null,"finish_reason":null}' % index


def _prompt(reading: Reading, prompt: Any) -> int:
    """Read a request's prompt; how many prompts it is."""
    if prompt is None or isinstance(prompt, str):
        read_strings(reading, "/prompt", prompt, role="user", kind="text")
        return 1
    if not isinstance(prompt, list):
        raise WireError("prompt must be a string or an array", where="/prompt", code="invalid_type")
    if _is_tokens(prompt):
        _unread(reading, "/prompt")
        return 1
    for i, one in enumerate(prompt):
        where = f"/prompt/{i}"
        if isinstance(one, str):
            read_strings(reading, where, one, role="user", kind="text")
        elif isinstance(one, list) and _is_tokens(one):
            _unread(reading, where)
        else:
            raise WireError("a prompt must be a string or an array of tokens", where=where, code="invalid_type")
    return max(len(prompt), 1)


def _is_tokens(value: list[Any]) -> bool:
    return bool(value) and set(map(type, value)) <= {int, float}


def _unread(reading: Reading, where: str) -> None:
    """Token numbers are text that only the model's own tokeniser can read: `unknown:` judges them."""
    reading.unread(where)
    reading.skip(where, TOKENS)


def _choice(reading: Reading, where: str, choice: Any, position: int) -> None:
    if not isinstance(choice, dict):
        read_other(reading, where, choice, "assistant", "text", position, "a choice must be an object")
        return
    text = choice.get("text")
    if isinstance(text, str):
        if text:
            reading.segments.append(Segment(f"{where}/text", "assistant", "text", text, position))
    else:
        read_other(reading, f"{where}/text", text, "assistant", "text", position, "a text must be a string")
    for key, reason in _SPELLING.items():
        at = f"{where}/{key}"
        spelled, unknown = _spelled(key, choice.get(key))
        for name in unknown:
            reading.unread(f"{at}{name}")
        if spelled is not None and spelled != (text or ""):
            reading.segments.append(Segment(f"{at}/tokens", "assistant", "text", spelled, position))
        elif choice.get(key) is not None and not unknown:
            reading.skip(at, reason)
    ending = choice.get("finish_reason")
    if isinstance(ending, str) and ending and not API_WORD.fullmatch(ending):
        reading.unread(f"{where}/finish_reason")
    read_rest(reading, where, choice.keys() - _CHOICE_KNOWN)


def _piece(reading: EventReading, where: str, choice: Any, position: int) -> None:
    if not isinstance(choice, dict):
        add_other(reading, where, choice, position, where)
        return
    index = index_of(choice, position)
    channel = f"/choices/{index}"
    if choice.get("index", index) != index:
        add_unread(reading, f"{channel}/index")
    text = choice.get("text")
    add_text(reading, index, f"{channel}/text", f"{where}/text", "text", text)
    drop = tuple(f"{where}/{key}" for key in _SPELLING if choice.get(key) is not None)
    for said in reading.deltas if drop else ():
        if said.where.startswith(f"{where}/text"):
            said.drop = drop
    for key in _SPELLING if drop else ():
        spelled, unknown = _spelled(key, choice.get(key))
        for name in unknown:
            add_unread(reading, f"{channel}/{key}{name}")
        if spelled and spelled != (text or ""):
            at = f"/{key}/tokens"
            reading.deltas.append(Delta(index, channel + at, where + at, "text", spelled, drop=(f"{where}/{key}",)))
        elif choice.get(key) is not None and not unknown:
            reading.skipped[f"{channel}/{key}"] = _SPELLING[key]
    reason = choice.get("finish_reason")
    if reason and index not in reading.ended:
        reading.ended.append(index)
        if isinstance(reason, str) and not API_WORD.fullmatch(reason):
            add_unread(reading, f"{channel}/finish_reason")
    if not choice.keys() <= _CHOICE_KNOWN:
        add_rest(reading, channel, choice.keys() - _CHOICE_KNOWN)


def _spelled(key: str, value: Any) -> tuple[str | None, list[str]]:
    """What log probabilities spell, if they spell anything; and the pointers in them of what is not known."""
    if value is None:
        return None, []
    if key != "logprobs":
        return None, [] if isinstance(value, list) and (not value or _is_tokens(value)) else [""]
    if not isinstance(value, dict):
        return None, [""]
    unknown = [f"/{escape(name)}" for name in value.keys() - _LOGPROBS_KNOWN]
    said = value.get("tokens")
    if said is None:
        return None, unknown
    if not isinstance(said, list) or not all(isinstance(token, str) for token in said):
        return None, [*unknown, "/tokens"]
    return "".join(said), unknown
