from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate.verdict import Edit, Flag
from lockgate.wire.document import parse
from lockgate.wire.edit import edit_document, refuse_choices, with_note

MESSAGE = "/choices/0/message"


def edited(body: bytes, *edits: Edit) -> bytes:
    return edit_document(body, parse(body), edits)


def test_a_request_is_edited_in_place() -> None:
    body = b'{ "temperature": 1e0, "messages" : [ {"role":"user","content":"I am \\u0062ob \\/ x"} ], "seed":9007199254740993}'
    done = edited(body, Edit("/messages/0/content", (5, 8), "[NAME]"))
    assert done == body.replace(b'"I am \\u0062ob \\/ x"', b'"I am [NAME] / x"')


def test_many_edits_of_many_texts() -> None:
    body = b'{"a":"0123456789","b":["abc"],"c":"untouched \\u00e9"}'
    done = edited(
        body, Edit("/a", (0, 2), "<"), Edit("/b/0", (0, 3), ""), Edit("/a", (5, 5), "+"), Edit("/a", (8, 10), "é\n")
    )
    assert done == '{"a":"<234+567é\\n","b":[""],"c":"untouched \\u00e9"}'.encode()


def test_no_edit_changes_no_byte() -> None:
    body = b'{"a": 1 }'
    assert edited(body) is body


def answer(**choice: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "choices": [{"index": 0, **choice}, {"index": 1, "message": {"content": "other"}, "logprobs": {}}],
    }


TOKENS = {"content": [{"token": "Bob", "logprob": -1, "bytes": [66, 111, 98], "top_logprobs": [{"token": "Bob"}]}]}


@pytest.mark.parametrize("where", ["content", "refusal", "reasoning", "tool_calls/0/function/arguments"])
def test_what_spells_the_text_again_goes_with_it(where: str) -> None:
    message = {
        "content": "Bob here",
        "refusal": "Bob here",
        "reasoning": "Bob here",
        "tool_calls": [{"function": {"arguments": "Bob here"}}],
    }
    document = answer(message=message, logprobs=TOKENS, token_ids=[1, 2])
    body = json.dumps(document).encode()
    done = parse(edited(body, Edit(f"{MESSAGE}/{where}", (0, 3), "[NAME]")))
    assert done["choices"][0]["logprobs"] is None
    assert done["choices"][0]["token_ids"] is None
    assert done["choices"][1] == document["choices"][1]
    assert json.dumps(done).count("[NAME] here") == 1


def test_logprobs_that_are_null_stay_as_they_are() -> None:
    body = json.dumps(answer(message={"content": "Bob"}, logprobs=None)).encode()
    assert edited(body, Edit(f"{MESSAGE}/content", (0, 3), "x")) == body.replace(b'"Bob"', b'"x"')


def test_logprobs_found_on_their_own_go_as_a_whole() -> None:
    body = json.dumps(answer(message={"content": None}, logprobs=TOKENS)).encode()
    done = parse(edited(body, Edit("/choices/0/logprobs/content", (0, 3), "x")))
    assert done["choices"][0]["logprobs"] is None
    body = json.dumps(answer(message={"content": "Bob"}, logprobs=TOKENS)).encode()
    done = parse(
        edited(body, Edit("/choices/0/logprobs/content", (0, 3), "x"), Edit(f"{MESSAGE}/content", (0, 3), "x"))
    )
    assert (done["choices"][0]["logprobs"], done["choices"][0]["message"]["content"]) == (None, "x")


def test_offsets_of_annotations_follow() -> None:
    notes = [
        {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 3, "title": "Bob"}},
        {"type": "url_citation", "url_citation": {"start_index": 4, "end_index": 8, "title": "Bob"}},
        {"type": "odd", "a/b~": {"start_index": 8, "end_index": None}, "x": {"start_index": True}},
        "none",
        {"type": "url_citation", "url_citation": {"start_index": 2, "end_index": 5}},
    ]
    body = json.dumps(answer(message={"content": "Bob here", "annotations": notes})).encode()
    edits = [
        Edit(f"{MESSAGE}/content", (0, 3), "[NAME]"),
        Edit(f"{MESSAGE}/annotations/1/url_citation/title", (0, 3), "-"),
    ]
    done = parse(edited(body, *edits))["choices"][0]["message"]["annotations"]
    assert done == [
        {"type": "url_citation", "url_citation": {"start_index": 7, "end_index": 11, "title": "-"}},
        notes[2],
        "none",
    ]


def test_an_annotation_goes_with_what_it_cites() -> None:
    note = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 3}}
    body = json.dumps(answer(message={"content": "Bob", "annotations": [note, note]})).encode()
    done = parse(edited(body, Edit(f"{MESSAGE}/content", (1, 2), "x")))["choices"][0]["message"]
    assert (done["content"], done["annotations"]) == ("Bxb", [])


@pytest.mark.parametrize("notes", [None, {}, "x", 5, [None], [{"url_citation": "x"}]])
def test_annotations_of_another_shape(notes: Any) -> None:
    body = json.dumps(answer(message={"content": "Bob", "annotations": notes})).encode()
    assert edited(body, Edit(f"{MESSAGE}/content", (0, 3), "x")) == body.replace(b'"Bob"', b'"x"')


def test_a_place_that_is_no_string() -> None:
    with pytest.raises(ValueError, match="is not a string"):
        edited(b'{"a":[1]}', Edit("/a", (0, 1), ""))
    with pytest.raises(KeyError):
        edited(b'{"a":"x"}', Edit("/b", (0, 1), ""))


class TestRefusedChoices:
    def test_nothing_of_the_choice_is_left(self) -> None:
        choice = {
            "index": 3,
            "message": {"role": "assistant", "content": "secret", "reasoning": "secret"},
            "logprobs": TOKENS,
            "token_ids": [1],
            "text": "secret",
            "finish_reason": "stop",
            "stop_reason": "secret",
        }
        body = json.dumps({"id": "x", "choices": [{"index": 0, "message": {}}, choice], "usage": {"n": 1}}).encode()
        done = refuse_choices(body, parse(body), {1: "Not “this”."})
        assert b"secret" not in done
        assert done.startswith(body[: body.index(b'{"index": 3')])
        assert parse(done)["choices"][1] == {
            "index": 3,
            "message": {"role": "assistant", "content": None, "refusal": "Not “this”."},
            "logprobs": None,
            "finish_reason": "content_filter",
        }

    @pytest.mark.parametrize("choice", ["secret", None, ["secret"], {}, {"text": "secret"}, {"index": "secret"}])
    def test_of_any_shape(self, choice: Any) -> None:
        body = json.dumps({"choices": [choice]}).encode()
        done = parse(refuse_choices(body, parse(body), {0: ""}))
        assert done["choices"][0]["message"]["refusal"] is None
        assert done["choices"][0]["index"] == 0

    def test_of_none(self) -> None:
        body = b'{"choices":[{}]}'
        assert refuse_choices(body, parse(body), {}) is body


def test_the_note() -> None:
    flags = [Flag("notice", "“x”", "r", 0)]
    assert parse(with_note(b'{"a":1}', {"id": "1"}, flags)) == {
        "a": 1,
        "lockgate": {"id": "1", "flags": [{"name": "notice", "text": "“x”", "rule": "r", "choice": 0}]},
    }
    assert parse(with_note(b'{"lockgate":"forged","a":1}', {"id": "1"}, [])) == {"lockgate": {"id": "1"}, "a": 1}
