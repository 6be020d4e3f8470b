"""The completions API: where its texts stand, what spells them again, and what the guard says in it."""

from __future__ import annotations

import json
import re
import typing
from typing import Any

import pytest
from openai.types import Completion, CompletionChoice
from openai.types.completion_create_params import CompletionCreateParamsBase

import pages
from lockgate.errors import WireError
from lockgate.exchange import Exchange, Subject
from lockgate.verdict import Edit, Flag
from lockgate.wire import completions
from lockgate.wire.completions import CompletionsLens
from lockgate.wire.edit import edit_document

LENS = CompletionsLens()
LOGPROBS = {
    "tokens": ["Call ", "555"],
    "token_logprobs": [-0.1, None],
    "top_logprobs": [{"Call ": -0.1, "Phone ": -2}, {}],
    "text_offset": [0, 5],
}
NOTE = {"id": "01TEST"}


def read(**request: Any) -> dict[str, tuple[str, str]]:
    segments = LENS.read_request({"model": "m", **request}).segments
    return {segment.where: (segment.role, segment.text) for segment in segments}


@pytest.mark.parametrize(
    ("prompt", "found", "choices"),
    [
        ("hello", {"/prompt": "hello"}, 2),
        (["one", "", "three"], {"/prompt/0": "one", "/prompt/2": "three"}, 6),
        ("", {}, 2),
        ([], {}, 2),
        (None, {}, 2),
    ],
)
def test_prompts(prompt: Any, found: dict[str, str], choices: int) -> None:
    reading = LENS.read_request({"model": "m", "prompt": prompt, "n": 2, "stream": True, "user": "u"})
    texts = {s.where: s.text for s in reading.segments if s.where != "/user"}
    assert (texts, reading.choices, reading.stream, reading.unknown) == (found, choices, True, [])
    assert reading.subject == Subject("m", "u")


@pytest.mark.parametrize(
    ("prompt", "places", "choices"),
    [([1, 2, 3], ["/prompt"], 1), ([[1, 2], [3]], ["/prompt/0", "/prompt/1"], 2), (["a", [3]], ["/prompt/1"], 2)],
)
def test_tokens_are_unread_and_the_policy_judges_them(prompt: Any, places: list[str], choices: int) -> None:
    reading = LENS.read_request({"prompt": prompt})
    assert reading.unknown == places
    assert reading.skipped == dict.fromkeys(places, "unread: tokens")
    assert reading.choices == choices


def test_the_other_texts_of_a_request() -> None:
    assert read(prompt="a", suffix="b", stop=["c", "d"], user="e", metadata={"k": "f"}) == {
        "/prompt": ("user", "a"),
        "/suffix": ("user", "b"),
        "/stop/0": ("user", "c"),
        "/stop/1": ("user", "d"),
        "/user": ("user", "e"),
        "/metadata": ("user", "k"),
        "/metadata/k": ("user", "f"),
    }
    reading = LENS.read_request({"prompt": "a", "guided": "x", "service_tier": "a whole sentence", "echo": True})
    assert sorted(reading.unknown) == ["/guided", "/service_tier"]


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        ([], ""),
        ({"prompt": {"a": "b"}}, "/prompt"),
        ({"prompt": 5}, "/prompt"),
        ({"prompt": ["a", {"text": "b"}]}, "/prompt/1"),
        ({"prompt": [True, False]}, "/prompt/0"),
        ({"prompt": ["a", [1, "b"]]}, "/prompt/1"),
        ({"suffix": ["b"]}, "/suffix"),
        ({"stream": "yes"}, "/stream"),
        ({"n": 0}, "/n"),
    ],
)
def test_what_can_be_no_request(request_: Any, where: str) -> None:
    with pytest.raises(WireError) as caught:
        LENS.read_request(request_)
    assert caught.value.where == where


def test_the_texts_of_an_answer() -> None:
    reading = LENS.read_answer(
        {
            "choices": [
                {"text": "Call 555", "index": 0, "logprobs": LOGPROBS, "finish_reason": "stop"},
                {"text": "other", "index": 1, "logprobs": {**LOGPROBS, "new": 1}, "finish_reason": "a long story"},
                {"text": ["odd"], "token_ids": [1, 2], "prompt_logprobs": [None, {"7": {"decoded_token": "x"}}]},
                "bare",
            ],
            "error": {"message": "no"},
            "metadata": {"k": "v"},
            "extra": 1,
        }
    )
    assert {(s.where, s.text, s.role, s.choice) for s in reading.segments} == {
        ("/error", "message", "upstream", None),
        ("/error/message", "no", "upstream", None),
        ("/metadata", "k", "upstream", None),
        ("/metadata/k", "v", "upstream", None),
        ("/choices/0/text", "Call 555", "assistant", 0),
        ("/choices/1/text", "other", "assistant", 1),
        ("/choices/1/logprobs/tokens", "Call 555", "assistant", 1),
        ("/choices/2/text/0", "odd", "assistant", 2),
        ("/choices/3", "bare", "assistant", 3),
    }
    assert sorted(reading.unknown) == [
        "/choices/1/finish_reason", "/choices/1/logprobs/new", "/choices/2/prompt_logprobs", "/extra",
    ]  # fmt: skip
    assert reading.skipped["/choices/0/logprobs"].startswith("spells text")
    assert reading.skipped["/choices/2/token_ids"] == "tokens: not text"
    with pytest.raises(WireError):
        LENS.read_answer([])


@pytest.mark.parametrize("logprobs", [{"tokens": ["a", 1]}, {"tokens": "ab"}, [1], "ab"])
def test_log_probabilities_of_another_shape_are_unknown(logprobs: Any) -> None:
    choice = {"text": "ab", "index": 0, "logprobs": logprobs, "finish_reason": None}
    assert len(LENS.read_answer({"choices": [choice]}).unknown) == 1
    assert len(LENS.read_event({"choices": [choice]}).unknown) == 1


def test_a_piece_of_a_stream() -> None:
    spelled = {"text": "Call 555", "index": 1, "logprobs": LOGPROBS, "token_ids": [1], "finish_reason": None}
    other = {"text": "x", "index": 0, "logprobs": LOGPROBS, "finish_reason": "length"}
    reading = LENS.read_event({"id": "c", "choices": [spelled, other]})
    assert [(d.choice, d.channel, d.where, d.text, d.drop) for d in reading.deltas] == [
        (1, "/choices/1/text", "/choices/0/text", "Call 555", ("/choices/0/logprobs", "/choices/0/token_ids")),
        (0, "/choices/0/text", "/choices/1/text", "x", ("/choices/1/logprobs",)),
        (0, "/choices/0/logprobs/tokens", "/choices/1/logprobs/tokens", "Call 555", ("/choices/1/logprobs",)),
    ]
    assert (reading.ended, reading.unknown) == ([0], [])
    usage = LENS.read_event({"choices": [], "usage": {"total_tokens": 3}})
    assert (usage.deltas, usage.ended, usage.unknown) == ([], [], [])
    odd = LENS.read_event({"choices": [{"index": -1, "text": 5, "finish_reason": "two words"}, "x"], "new": 1})
    assert sorted(odd.unknown) == ["/choices/0/finish_reason", "/choices/0/index", "/choices/0/text", "/new"]
    assert [(d.channel, d.text) for d in odd.deltas] == [("/choices/1", "x")]
    with pytest.raises(WireError):
        LENS.read_event(["x"])


def test_pieces_read_the_places_of_the_whole() -> None:
    whole = {"choices": [{"text": "Call 555", "index": 0, "logprobs": {**LOGPROBS, "tokens": ["z"]}}]}
    plain = {segment.where for segment in LENS.read_answer(whole).segments}
    assert plain == {delta.channel for delta in LENS.read_event(whole).deltas}


def test_what_spells_an_edited_text_goes() -> None:
    choice = {"text": "Call 555", "index": 0, "logprobs": LOGPROBS, "token_ids": [1], "finish_reason": "stop"}
    answer = {"choices": [choice, {**choice, "index": 1, "token_ids": None}]}
    body = json.dumps(answer).encode()
    edits = [Edit("/choices/1/text", (5, 8), "[PHONE]", "r")]
    edited = json.loads(edit_document(body, answer, edits, LENS.dependants))
    assert edited["choices"][0] == choice
    assert edited["choices"][1] == {**choice, "index": 1, "text": "Call [PHONE]", "logprobs": None, "token_ids": None}
    tokens = [Edit("/choices/0/logprobs/tokens", (5, 8), "[PHONE]", "r")]
    edited = json.loads(edit_document(body, answer, tokens, LENS.dependants))
    assert edited["choices"][0] == {**choice, "logprobs": None}


def test_a_refused_choice_keeps_its_index_and_nothing_else() -> None:
    answer = {"id": "c", "choices": [{"text": "a", "index": 0, "x": "a"}, {"text": "b", "index": 7, "token_ids": [1]}]}
    assert LENS.choices(answer) == 2
    refused = json.loads(LENS.refuse(json.dumps(answer).encode(), answer, {1: "No “this”."}))
    gone = {"text": "", "index": 7, "logprobs": None, "finish_reason": "content_filter", "refusal": "No “this”."}
    assert refused == {**answer, "choices": [answer["choices"][0], gone]}
    assert "refusal" not in json.loads(LENS.refuse(json.dumps(answer).encode(), answer, {0: ""}))["choices"][0]


def test_an_answer_and_a_stream_that_never_were_are_what_the_sdk_reads() -> None:
    exchange = Exchange("01X", "completions", Subject("m"), choices=2)
    made = Completion.model_validate(LENS.refusal(exchange, "No."))
    assert [(c.index, c.text, c.finish_reason) for c in made.choices] == [(i, "", "content_filter") for i in (0, 1)]
    said = [Completion.model_validate_json(data) for name, data in LENS.refusal_stream(exchange, "No.", NOTE)]
    assert [(chunk.id, chunk.model, chunk.choices[0].index) for chunk in said] == [
        ("cmpl-01X", "m", 0),
        ("cmpl-01X", "m", 1),
    ]
    assert len(LENS.refusal(Exchange("x", "completions", choices=10**9), "")["choices"]) == 128


def test_the_voice_is_that_of_its_stream() -> None:
    voice = LENS.voice()
    voice.hear({"id": "cmpl-7", "created": 5, "model": "m"})
    voice.hear({"id": "cmpl-8"})
    [(name, flagged)] = voice.flags(1, [Flag("notice", "text", "r", 1)], NOTE)
    assert name == ""
    assert json.loads(flagged) == {
        "id": "cmpl-7", "object": "text_completion", "created": 5, "model": "m",
        "choices": [{"text": "", "index": 1, "logprobs": None, "finish_reason": None}],
        "lockgate": {**NOTE, "flags": [{"name": "notice", "text": "text", "rule": "r", "choice": 1}]},
    }  # fmt: skip
    [(_, refused)] = voice.refuse(0, "No \ud83d.", NOTE)
    assert json.loads(refused)["choices"][0]["finish_reason"] == "content_filter"


def test_a_choice_is_taken_out_of_an_event() -> None:
    event = {"choices": [{"index": 1, "text": "a"}, {"index": 0, "text": "b"}]}
    assert LENS.strip(event, {2}) == {}
    assert LENS.strip(event, {0, 1}) is None
    gone = LENS.strip(event, {0})
    assert gone is not None
    assert {where: json.loads(value) for where, value in gone.items()} == {
        "/choices/1": {"text": "", "index": 0, "logprobs": None, "finish_reason": None}
    }


@pytest.mark.parametrize("name", list(completions.BESIDE))
def test_what_is_never_read_is_in_the_docs(name: str) -> None:
    rows = [row for row in pages.text_of("docs/audit.md").splitlines() if row.startswith(f"| `{name}` |")]
    said = {place: row.split(" | ")[2].removesuffix(" |") for row in rows for place in re.findall(r"`(/[^`]*)`", row)}
    assert said == completions.BESIDE[name]


def test_every_member_that_the_sdk_knows_is_known() -> None:
    request = dict.fromkeys(
        typing.get_type_hints(CompletionCreateParamsBase).keys() - {"prompt", "suffix", "n"}, "word"
    )
    assert LENS.read_request({**request, "suffix": "x"}).unknown == []
    answer = dict.fromkeys(Completion.model_fields.keys() - {"choices"}, "word")
    choice = {**dict.fromkeys(CompletionChoice.model_fields, "word"), "logprobs": LOGPROBS}
    assert LENS.read_answer({**answer, "choices": [choice]}).unknown == []
