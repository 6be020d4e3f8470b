"""The texts that the benchmarks use: ordinary prose without personal data, prose with it, and chat bodies of a set size.

All of it is made up. The personal data is of the kinds that documentation reserves: example domains, test cards,
documentation networks.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

PROSE = Path(__file__).with_name("prose.txt").read_text(encoding="utf-8").strip()
"""About 3,000 characters of ordinary English."""

ENTITIES = (
    "Write to anna.lindqvist@example.com before Friday.",
    "The card 4111 1111 1111 1111 was charged twice.",
    "Please pay to GB82 WEST 1234 5698 7654 32 by the end of the month.",
    "The form gives 536-22-8941 as her social security number.",
    "Call me on +1 415-555-2671 after six.",
    "The request came from 203.0.113.77 at noon.",
    "His address is j.okafor+orders@example.org and not the other one.",
    "The old account was DE89 3704 0044 0532 0130 00.",
)
"""Sentences with one entity each, of every kind that has a grammar or a checksum."""

_SENTENCES = (
    "the {kind} {thing} near the {place} {did} our {thing} {when}.",
    "a {person} {did} the {kind} {thing}, and the {person} from the {place} {did} another {thing}.",
    "{when} the {person} {did} every {thing} in the {kind} {place}.",
    "we think that the {thing} of the {kind} {person} {did} more than a {kind} {thing} {when}.",
    "in the {place}, the {person} who {did} a {thing} {when} also {did} the {kind} {place}.",
)
_WORDS = {
    "kind": "old new small large quiet green blue heavy light early common simple careful warm narrow second open dry",
    "thing": "report table letter garden window engine plan map song book meal bridge boat lamp price list box camera "
    "chair clock coat door field image kitchen machine paper picture radio ticket wheel",
    "place": "office school village city station museum valley market harbor library factory hall street house farm",
    "person": "teacher farmer driver writer student doctor neighbor manager painter singer visitor guest worker reader",
    "did": "changed followed moved opened found covered reached watched remembered passed counted described helped "
    "improved joined measured needed noticed ordered received repaired showed supported visited",
    "when": "today again yesterday later often once early twice daily then before slowly together",
}
_CHOICES = {slot: words.split() for slot, words in _WORDS.items()}
_PIECE = re.compile(r"\w+|[.,]")
_TOKEN = re.compile(r" ?[A-Za-z]{1,7}|[A-Za-z]{1,7}| ?\d{1,3}|\s+|.", re.DOTALL)
_MESSAGE = (
    "Our team moved the nightly report from one large query to six small ones. It used to take 41 minutes and now takes "
    "9. Two things helped most: an index on the date column, and reading only the changed rows. Can you write three "
    "sentences about this for our newsletter? "
)
REQUEST_BYTES = 574
ANSWER_BYTES = 600


def tokens(text: str) -> list[str]:
    """`text` in pieces of the size in which models stream: a short word with the space before it, or less."""
    return _TOKEN.findall(text)


def clean(length: int, seed: int) -> str:
    """`length` characters of prose without personal data; another order of sentences for each seed."""
    return _joined(_shuffled(random.Random(seed)), length)  # noqa: S311 - the order of sentences is no secret


def personal(length: int, seed: int) -> str:
    """`length` characters of prose, with two sentences that hold personal data near its start and its middle."""
    draw = random.Random(seed)  # noqa: S311 - which ones they are is no secret
    sentences = _shuffled(draw)
    first, second = draw.sample(ENTITIES, 2)
    middle = next(i for i in range(len(sentences)) if len(" ".join(sentences[:i])) > length // 2 - 100)
    sentences.insert(middle, second)
    sentences.insert(1, first)
    return _joined(sentences, length)


def varied(count: int, draw: random.Random) -> str:
    """Ordinary sentences of `count` tokens: each word and mark is one to an encoder for English. No two texts share a
    sentence but by chance, so that nothing can be remembered."""
    pieces: list[str] = []
    while len(pieces) < count:
        sentence = re.sub(r"{(\w+)}", lambda slot: draw.choice(_CHOICES[slot[1]]), draw.choice(_SENTENCES))
        pieces += _PIECE.findall(sentence)
    last = pieces[count - 2 : count - 1] if pieces[count - 2] not in ".," else ["then"]
    return re.sub(r" ([.,])", r"\1", " ".join([*pieces[: count - 2], *last, "."]))


def _shuffled(draw: random.Random) -> list[str]:
    sentences = re.split(r"(?<=[.!?])\s+", PROSE)
    draw.shuffle(sentences)
    return sentences


def _joined(sentences: list[str], length: int) -> str:
    text = " ".join(sentences)
    return text[:length] if len(text) >= length else _joined([*sentences, *sentences], length)


def request(*, stream: bool = False) -> bytes:
    """A chat request of `REQUEST_BYTES` bytes; a streamed one is a little longer."""
    body: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant. Answer briefly and plainly."},
            {"role": "user", "content": _MESSAGE},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
    }
    short = REQUEST_BYTES - len(_compact(body))
    body["messages"][1]["content"] += clean(short, 1)
    if stream:
        body["stream"] = True
    return _compact(body)


def responses_request() -> bytes:
    """The streamed request to the Responses API that says what the streamed chat request says."""
    chat = json.loads(request(stream=True))
    system, user = chat["messages"]
    return _compact(
        {"model": chat["model"], "instructions": system["content"], "input": user["content"], "stream": True}
    )


def question(content: str) -> bytes:
    """A chat request with one message."""
    return _compact({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}]})


def answer(content: str | None = None) -> bytes:
    """A chat answer that says `content`; without it one of `ANSWER_BYTES` bytes."""
    body: dict[str, Any] = {
        "id": "chatcmpl-9x8KqVb2Lm4TzYwR7nJdEo1s",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "gpt-4o-mini",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content or "", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 96, "completion_tokens": 54, "total_tokens": 150},
        "system_fingerprint": "fp_3f2c1d",
    }
    if content is None:
        short = ANSWER_BYTES - len(_compact(body))
        body["choices"][0]["message"]["content"] = clean(short, 2)
    return _compact(body)


def events(count: int) -> list[bytes]:
    """A streamed answer of `count` text chunks, as the bytes of its events: opening, chunks, finish, [DONE]."""
    pieces = tokens(PROSE)
    texts = [pieces[i % len(pieces)] for i in range(count)]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": texts[0]}, *({"content": t} for t in texts[1:])]
    out = [_event(delta, None) for delta in deltas]
    out.extend((_event({}, "stop"), b"data: [DONE]\n\n"))
    return out


def _event(delta: dict[str, Any], finish: str | None) -> bytes:
    body = {
        "id": "chatcmpl-9x8KqVb2Lm4TzYwR7nJdEo1s",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": "gpt-4o-mini",
        "system_fingerprint": "fp_3f2c1d",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    return b"data: " + _compact(body) + b"\n\n"


def responses_events(count: int) -> list[bytes]:
    """The same text as the events of the Responses API: opening, a delta for each chunk, and the end, in which the text
    stands thrice."""
    pieces = tokens(PROSE)
    said = [pieces[i % len(pieces)] for i in range(count)]
    place = {"item_id": "msg_68c9f0", "output_index": 0, "content_index": 0}
    part: dict[str, Any] = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    item: dict[str, Any] = {"id": "msg_68c9f0", "type": "message", "status": "in_progress", "role": "assistant"}
    whole = {**part, "text": "".join(said)}
    done = {**item, "status": "completed", "content": [whole]}
    begun: dict[str, Any] = {
        "id": "resp_68c9ef", "object": "response", "created_at": 1760000000, "status": "in_progress", "error": None,
        "incomplete_details": None, "instructions": None, "model": "gpt-4o-mini", "output": [], "temperature": 0.7,
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}, "usage": None,
    }  # fmt: skip
    used = {"input_tokens": 96, "output_tokens": count, "total_tokens": 96 + count}
    sent: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": text, "logprobs": []} for text in said),
        {"type": "response.output_text.done", **place, "text": whole["text"], "logprobs": []},
        {"type": "response.content_part.done", **place, "part": whole},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": {**begun, "status": "completed", "output": [done], "usage": used}},
    ]
    return [
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _compact({**event, "sequence_number": number}))
        for number, event in enumerate(sent)
    ]


def _compact(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
