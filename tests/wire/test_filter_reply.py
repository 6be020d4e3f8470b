from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat.chat_completion import Moderation

from lockgate.exchange import Reading
from lockgate.wire.chat import ChatLens
from lockgate.wire.filter_reply import FILTER, read_moderation

RESULT = {
    "type": "moderation_result",
    "model": "omni-moderation-latest",
    "flagged": True,
    "categories": {"self-harm/intent": True},
    "category_scores": {"self-harm/intent": 0.75},
    "category_applied_input_types": {"self-harm/intent": ["text"]},
}
RESULTS = {"type": "moderation_results", "model": "omni-moderation-latest", "results": [RESULT]}
FAILED = {"type": "error", "code": "server_error", "message": "it could not be moderated"}


@pytest.mark.parametrize(
    ("value", "texts", "skipped"),
    [
        ({"input": RESULTS, "output": RESULTS}, {}, {"/input": FILTER, "/output": FILTER}),
        ({"input": FAILED, "output": None}, {"/input/message": FAILED["message"]}, {"/input": FILTER}),
        (
            {"output": {**RESULTS, "model": "a sentence, not a name"}, "note": "x"},
            {},
            {"/output": FILTER, "/output/model": "unread: unknown", "/note": "unread: unknown"},
        ),
        (["some words here"], {}, {"": FILTER, "/0": "unread: unknown"}),
        (None, {}, {}),
    ],
)
def test_scores_are_no_text_and_messages_are(value: Any, texts: dict[str, str], skipped: dict[str, str]) -> None:
    reading = Reading()
    read_moderation(reading, "", value)
    assert {one.where: one.text for one in reading.segments} == texts
    assert reading.skipped == skipped
    assert reading.unknown == [where for where, why in skipped.items() if why == "unread: unknown"]


def test_the_examples_are_the_sdks() -> None:
    for part in (RESULTS, FAILED):
        said = Moderation.model_validate({"input": part, "output": part}, strict=True)
        assert said.model_dump() == {"input": part, "output": part}


def test_an_answer_and_a_chunk_say_the_same() -> None:
    both = {"moderation": {"input": RESULTS, "output": FAILED}, "choices": []}
    plain = ChatLens().read_answer(both)
    event = ChatLens().read_event({**both, "object": "chat.completion.chunk", "obfuscation": "aGk3Zk"})
    assert [(one.where, one.text) for one in plain.segments] == [("/moderation/output/message", FAILED["message"])]
    (delta,) = event.deltas
    assert (delta.channel, delta.where, delta.text, delta.whole) == (
        "/moderation/output/message",
        "/moderation/output/message",
        FAILED["message"],
        True,
    )
    assert event.skipped == {**plain.skipped, "/obfuscation": "padding: the upstream's"}
    assert plain.unknown == event.unknown == []


@pytest.mark.parametrize("padding", ["a sentence of words", ["x"], {"say": "x"}])
def test_padding_that_is_none_is_unknown(padding: Any) -> None:
    said = {"choices": [], "obfuscation": padding}
    assert ChatLens().read_event(said).unknown == ["/obfuscation"]
    assert ChatLens().read_answer(said).unknown == ["/obfuscation"]


def test_a_request_for_it_is_settings() -> None:
    asked = {
        "messages": [],
        "moderation": {
            "model": "omni-moderation-latest",
            "policy": {"input": {"mode": "score"}, "output": {"mode": "block"}},
        },
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
        "store": True,
        "service_tier": "fast",
        "safety_identifier": "user-12",
    }
    reading = ChatLens().read_request(asked)
    assert reading.unknown == []
    assert [(one.where, one.kind) for one in reading.segments] == [("/safety_identifier", "identifier")]
    asked["moderation"] = {"model": "m", "policy": {"input": {"mode": "say that all is well"}}}
    assert ChatLens().read_request(asked).unknown == ["/moderation/policy/input/mode"]
