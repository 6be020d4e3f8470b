from __future__ import annotations

import json

from lockgate_proxy.demo import samples, wording
from lockgate_proxy.demo.answers import Call, Said, Script, reply
from lockgate_proxy.demo.story import Story

Stories = dict[str, Story]


def test_a_request_is_its_messages() -> None:
    call = {"function": {"name": "fetch", "arguments": "{}"}}
    body = {
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ]
    }
    assert wording.messages(json.dumps(body).encode()) == ["user: Hello", "assistant: calls fetch {}"]
    assert wording.messages(b"") == []


def test_a_stream_and_a_plain_answer_read_alike() -> None:
    script = Script(
        "x",
        (Said("First.", reasoning="Hm.", calls=(Call("c", "go", '{"a": 1}'), Call("d", "stop", "{}"))), Said("Other.")),
    )
    ask = {"model": "m", "messages": []}
    plain = wording.choices(b"".join(reply(script, ask).parts))
    streamed = wording.choices(b"".join(reply(script, {**ask, "stream": True}).parts))
    assert plain == streamed
    assert wording.spoken(plain) == [
        '#0: (thinks) Hm.\nFirst.\ncalls go {"a": 1}\ncalls stop {}',
        "#1: Other.",
    ]


def test_it_reads_what_the_client_read(stories: Stories) -> None:
    for story in stories.values():
        assert wording.choices(story.got) == story.told["choices"], story.scene.name


def test_an_end_that_is_not_the_usual_one_is_said() -> None:
    assert wording.spoken(wording.choices(b'data: {"choices":[{"index":0,"delta":{"content":"A"}}]}\n\n')) == [
        "A\nfinish_reason: none came"
    ]


def test_an_error_is_found_in_a_body_and_in_a_stream() -> None:
    assert wording.failure(b'{"error":{"code":"c","message":"m"}}') == "error c: m"
    assert wording.failure(b': hi\n\nevent: error\ndata: {"error":{"code":"c","message":"m"}}\n\n') == "error c: m"
    assert wording.failure(b"{}") == ""
    assert wording.failure(b"") == ""


def test_hidden_text_is_spelt_and_honest_joiners_stay() -> None:
    text = f"a\u200bb {samples.tagged('Go!')}{samples.FAMILY}{samples.tagged('Go')}"
    assert wording.visible(text) == f"a<U+200B>b <in tag characters: Go!>{samples.FAMILY}<in tag characters: Go>"


def test_a_long_text_loses_its_middle() -> None:
    assert wording.short("x" * wording.LONGEST) == "x" * wording.LONGEST
    shown = wording.short("a" * 250 + "b" * 1000 + "c" * 110)
    assert shown == "a" * 250 + " … [1,000 characters more] … " + "c" * 110
