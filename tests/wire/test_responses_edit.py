from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.responses import Response

from lockgate.verdict import Edit
from lockgate.wire.edit import edit_document
from lockgate.wire.responses_edit import (
    dependants,
    made_up,
    moved_note,
    noted,
    reach,
    refusal_item,
    refuse_output,
    refused,
)
from responding import cites, message, output_text, response

EDITS = [Edit("/x", (4, 8), "[X]")]


@pytest.mark.parametrize(
    ("note", "moved"),
    [
        (cites(0, 4), {"start_index": 0, "end_index": 4}),
        (cites(8, 12), {"start_index": 7, "end_index": 11}),
        (cites(5, 12), None),
        ({"type": "file_citation", "index": 10, "file_id": "f"}, {"index": 9}),
        ({"type": "file_citation", "index": 6, "file_id": "f"}, None),
        ({"type": "file_path", "file_id": "f"}, {}),
        ({"type": "url_citation", "start_index": "0", "end_index": True}, {}),
        ("text", {}),
    ],
)
def test_a_citation_follows_its_text(note: Any, moved: dict[str, int] | None) -> None:
    assert moved_note(note, EDITS) == moved


def test_how_far_a_citation_reaches() -> None:
    assert [reach(cites(3, 9)), reach({"index": 4}), reach({}), reach(None)] == [9, 4, 0, 0]


def test_an_edit_takes_what_spells_the_text_with_it() -> None:
    spelled = [{"token": "abcdsecret", "logprob": 0, "bytes": None, "top_logprobs": []}]
    whole = response(
        message(output_text("abcdsecr and on", [cites(0, 3), cites(4, 8), cites(9, 12)], logprobs=spelled))
    )
    edits = [Edit("/output/0/content/0/text", (4, 8), "[X]")]
    got = json.loads(edit_document(json.dumps(whole).encode(), whole, edits, dependants))
    part = got["output"][0]["content"][0]
    assert (part["text"], part["logprobs"]) == ("abcd[X] and on", [])
    assert [(note["start_index"], note["end_index"]) for note in part["annotations"]] == [(0, 3), (8, 11)]


def test_a_title_is_edited_where_its_citation_goes() -> None:
    whole = response(message(output_text("abcdsecr", [cites(4, 8, "the secret")])))
    part = "/output/0/content/0"
    edits = [Edit(f"{part}/text", (4, 8), "[X]"), Edit(f"{part}/annotations/0/title", (4, 10), "[Y]")]
    got = json.loads(edit_document(json.dumps(whole).encode(), whole, edits, dependants))
    assert got["output"][0]["content"][0]["annotations"] == []


def test_a_refused_response_holds_nothing_of_what_was_said() -> None:
    whole = response(
        message(output_text("plugh")), instructions="plugh", metadata={"a": "plugh"}, output_text="plugh",
        tools=[{"type": "function", "name": "plugh"}], user="plugh",
    )  # fmt: skip
    sent = refuse_output(json.dumps(whole).encode(), whole, "Not that.")
    assert b"plugh" not in sent
    got: Any = Response.model_validate_json(sent)
    assert (got.id, got.status, got.incomplete_details and got.incomplete_details.reason) == (
        "resp_1", "incomplete", "content_filter",
    )  # fmt: skip
    assert got.output[0].content[0].refusal == "Not that."
    assert got.usage is not None


def test_a_response_that_never_was() -> None:
    got: Any = Response.model_validate(refused(made_up("resp_x", "m", 1), [refusal_item("msg_x", "")]))
    assert (got.status, got.output[0].content) == ("incomplete", [])


def test_flags_stand_in_the_response_of_the_last_event() -> None:
    event = {"type": "response.completed", "response": response()}
    data = noted(json.dumps(event).encode(), {"id": "x"})
    assert data is not None
    assert json.loads(data)["response"]["lockgate"] == {"id": "x"}
    assert noted(b'{"type":"error"}', {}) is None
    assert noted(b'{"response":"text"}', {}) is None
