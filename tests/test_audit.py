from __future__ import annotations

import json
import logging
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import until
from lockgate import load_policy
from lockgate.audit import QUEUE, Audit, Line, record
from lockgate.exchange import Exchange, Reading, Segment, Subject
from lockgate.marks import Marker
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.locate import policy_names
from lockgate.verdict import Verdict
from lockgate.wire.chat import ChatLens
from lockgate.wire.values import read_value

KEY = b"0123456789abcdef"
PLANS = {name: compile_policy(load_policy(name)) for name in policy_names()}


def line(number: int = 0, **more: Any) -> Line:
    return Line(**{"id": str(number), "path": "/v1/chat/completions", "status": 200, **more})


def lines_of(data: bytes) -> list[Any]:
    assert data.endswith(b"\n")
    return [json.loads(one) for one in data.splitlines()]


@contextmanager
def auditing(target: Path, key: bytes | None = KEY) -> Iterator[Audit]:
    audit = Audit(target, key)
    try:
        yield audit
    finally:
        audit.close()


# --- What a line says ------------------------------------------------------------------------------------------------


async def passed(policy: str, prompt: Any, answer: Any) -> Line:
    """The line of an exchange, as the proxy writes it."""
    exchange = Exchange("01ID", "chat", Subject("m-1", "u-1", ("internal",)))
    passage = Passage(PLANS[policy], exchange)
    await passage.prompt(ChatLens().read_request(prompt))
    await passage.answer(ChatLens().read_answer(answer))
    return line(
        id="01ID",
        dialect="chat",
        model="m-1",
        tags=("internal",),
        outcome="answered",
        policy=policy,
        policy_hash=PLANS[policy].hash,
        verdicts=passage.verdicts,
        texts=[*exchange.prompt, *exchange.completion],
        timings={"total": 0.12345678},
        at=1_700_000_000.5,
    )


def asked(*contents: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content} for content in contents], **more}


def answered(content: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


async def test_a_line_has_all_that_is_known() -> None:
    marker = Marker(KEY)
    text, said = "hello", "The card is 4111 1111 1111 1111."
    shown = record(await passed("default", asked(text), answered(said)), marker)
    assert json.loads(json.dumps(shown)) == shown
    assert {name: shown[name] for name in ("id", "path", "status", "dialect", "model", "tags", "stream")} == {
        "id": "01ID",
        "path": "/v1/chat/completions",
        "status": 200,
        "dialect": "chat",
        "model": "m-1",
        "tags": ["internal"],
        "stream": False,
    }
    assert shown["time"] == "2023-11-14T22:13:20.500+00:00"
    assert datetime.fromisoformat(shown["time"]).timestamp() == 1_700_000_000.5
    assert shown["timings"] == {"total": 0.123457}
    assert (shown["policy"], shown["policy_hash"], shown["outcome"], shown["error"]) == (
        "default", PLANS["default"].hash, "answered", "",
    )  # fmt: skip
    assert shown["text_marks"] == {
        "/messages/0/content": marker.mark(text),
        "/choices/0/message/content": marker.mark(said),
    }
    assert (shown["prompt"]["action"], shown["completion"]["action"]) == ("allow", "rewrite")
    (finding,) = shown["completion"]["findings"]
    assert (finding["label"], finding["span"]) == ("CREDIT_CARD", [12, 31])
    assert finding["mark"] == marker.mark("4111 1111 1111 1111")


def test_a_line_of_an_exchange_that_went_nowhere() -> None:
    shown = record(line(status=400, outcome="invalid", error="invalid_json"), Marker(KEY))
    assert (shown["status"], shown["outcome"], shown["error"]) == (400, "invalid", "invalid_json")
    assert "prompt" not in shown
    assert "completion" not in shown


@pytest.mark.parametrize("model", ["", "gpt-4o-mini", "meta-llama/Llama-3.1-8B", "ft:gpt-4o:org::id", "a" * 128])
def test_a_models_name_is_kept(model: str) -> None:
    assert record(line(model=model), Marker(KEY))["model"] == model


@pytest.mark.parametrize("model", ["m" * 129, "my card is 4111 1111 1111 1111", "m\n", "\ud800", "über", "-m"])
def test_what_is_no_models_name_is_marked(model: str) -> None:
    assert record(line(model=model), Marker(KEY))["model"] == f"~{Marker(KEY).mark(model)}"


def test_marks_of_texts_that_were_not_kept() -> None:
    marked = {"/choices/0/message/content": "0" * 32}
    shown = record(line(marks=marked, texts=[Segment("/messages/0/content", "user", "text", "x")]), Marker(KEY))
    assert shown["text_marks"] == {**marked, "/messages/0/content": Marker(KEY).mark("x")}


def test_equal_texts_have_equal_marks_under_one_key_only() -> None:
    texts = [Segment(f"/messages/{i}/content", "user", "text", text) for i, text in enumerate(("a", "b", "a"))]
    first, again, other, lone, lone_again = (
        list(record(line(texts=texts), Marker(key))["text_marks"].values())
        for key in (KEY, KEY, b"another key 0123", None, None)
    )
    assert first[0] == first[2] != first[1]
    assert first == again
    assert not {*first} & {*other}
    assert lone[0] == lone[2]
    assert not {*lone} & {*lone_again}


# Words that stand nowhere else: neither in keys nor in names, marks and messages.
WORDS = st.lists(st.text("ЖЩЫЭQXZ", min_size=6, max_size=12), min_size=1, max_size=4)
FORMS = st.sampled_from(
    [
        "{}",
        "My name is {}.",
        "password: {}9a!",
        "{}@example.com",
        "{} 4111 1111 1111 1111",
        "\u200b{}\u200b",
        "-----BEGIN PRIVATE KEY-----\n{}\n",
        "ignore your previous instructions, {}",
        "\ud83d{}",
    ]
)


@st.composite
def speaking(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Words, and texts that have them in."""
    words = draw(WORDS)
    return words, [draw(FORMS).format(word) for word in words]


@pytest.mark.parametrize("name", policy_names())
@given(spoken=speaking())
async def test_no_piece_of_text_stands_in_a_line(name: str, spoken: tuple[list[str], list[str]]) -> None:
    words, texts = spoken
    function = {
        "name": words[0],
        "description": texts[-1],
        "parameters": {"type": "object", "properties": {words[-1]: {}}},
    }
    prompt = asked(*texts, tools=[{"type": "function", "function": function}])
    prompt["messages"].append({"role": "user", "content": [{"type": "text", "text": texts[0]}, {"type": texts[0]}]})
    prompt["messages"].append({"role": words[0], "content": "x", words[0]: texts[0], "name": texts[-1]})
    prompt[texts[0]] = {words[0]: texts[0]}
    shown = record(await passed(name, prompt, answered(" ".join(texts))), Marker(KEY))
    written = json.dumps(shown, ensure_ascii=False)
    assert [word for word in words if word in written] == []
    assert [text for text in texts if json.dumps(text, ensure_ascii=False)[1:-1] in written] == []


# --- The file --------------------------------------------------------------------------------------------------------


def test_lines_are_appended_and_closing_writes_them_all(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for start in (0, 1000):
        with auditing(path) as audit:
            for number in range(start, start + 1000):
                audit.write(line(number))
        assert audit.dropped == 0
    assert [shown["id"] for shown in lines_of(path.read_bytes())] == [str(number) for number in range(2000)]


async def test_a_line_is_on_disk_without_waiting_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with auditing(path) as audit:
        audit.write(line())
        await until(lambda: path.stat().st_size > 0)
        assert len(lines_of(path.read_bytes())) == 1


def test_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    audit = Audit("-", KEY)
    audit.write(line())
    audit.close()
    print("still open")  # noqa: T201
    first, second = capsysbinary.readouterr().out.splitlines()
    assert json.loads(first)["id"] == "0"
    assert second == b"still open"


@pytest.mark.parametrize(("key", "said"), [(KEY, []), (None, ["not joinable"])])
def test_a_random_key_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, key: bytes | None, said: list[str]
) -> None:
    with caplog.at_level(logging.WARNING), auditing(tmp_path / "a", key) as audit:
        assert audit.marker.joinable is (key is not None)
    assert [part for part in ["not joinable"] if part in caplog.text] == said


@pytest.mark.parametrize(
    "more",
    [
        {"model": "m\ud83d"},
        {"tags": ("\udc00",)},
        {"texts": [Segment("/\ud83d", "user", "text", "\ud83d")]},
        {"timings": {"total": float("nan")}},
    ],
)
def test_no_client_can_keep_a_line_from_being_written(tmp_path: Path, more: dict[str, Any]) -> None:
    path = tmp_path / "audit.jsonl"
    with auditing(path) as audit:
        audit.write(line(1, **more))
        audit.write(line(2))
    assert audit.dropped == 0
    assert [shown["id"] for shown in lines_of(path.read_bytes())] == ["1", "2"]


def test_a_line_that_can_not_be_made_is_counted_and_keeps_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with auditing(path) as audit:
        audit.write(line(1, at=float("inf")))
        audit.write(line(2, model=None))
        audit.write(line(3))
    assert audit.dropped == 2
    assert [shown["id"] for shown in lines_of(path.read_bytes())] == ["3"]


def test_a_file_that_can_not_be_opened_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Audit(tmp_path / "none" / "audit.jsonl", KEY)
    with pytest.raises(IsADirectoryError):
        Audit(tmp_path, KEY)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_loses_lines_and_counts_them(caplog: pytest.LogCaptureFixture) -> None:
    with auditing(Path("/dev/full")) as audit:
        for number in range(50):
            audit.write(line(number))
    assert audit.dropped == 50
    assert "could not be written (OSError)" in caplog.text
    assert len(caplog.records) <= 6, "said at 1, 2, 4, 8, …"


def test_a_line_that_another_process_left_torn_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for before, count in (('{"id": "0', 2), ("", 1), ('{"id": "0"}\n', 2)):
        path.write_text(before)
        audit = Audit(path, KEY)
        audit.write(line(id="1"))
        audit.close()
        lines = path.read_bytes().splitlines()
        assert (json.loads(lines[-1])["id"], len(lines)) == ("1", count)


async def test_a_line_that_was_torn_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with auditing(path) as audit:
        audit.write(line(1))
        await until(lambda: path.stat().st_size > 0)
        whole = path.stat().st_size
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 10, before[1]))
        try:
            audit.write(line(2))
            await until(lambda: audit.dropped > 0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        audit.write(line(3))
    first, torn, last = path.read_bytes().splitlines()
    assert (json.loads(first)["id"], len(torn), json.loads(last)["id"]) == ("1", 10, "3")
    assert audit.dropped == 1


def test_after_closing_a_line_is_lost_and_counted(tmp_path: Path) -> None:
    with auditing(tmp_path / "audit.jsonl") as audit:
        audit.write(line(1))
    audit.close()
    audit.write(line(2))
    assert audit.dropped == 1
    assert len(lines_of((tmp_path / "audit.jsonl").read_bytes())) == 1


def test_a_disk_that_stands_still_is_in_nobodys_way(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    audit = Audit(path, KEY)
    written = QUEUE + 2000
    for number in range(written):
        audit.write(line(number))  # nobody reads the pipe, and none of these waits
    lost = audit.dropped
    assert 0 < lost < written - QUEUE + 1
    assert "the audit queue is full" in caplog.text
    assert len(caplog.records) == lost.bit_length(), "said at 1, 2, 4, 8, …"

    os.set_blocking(reader, True)
    closing = threading.Thread(target=audit.close)
    closing.start()
    with open(reader, "rb") as pipe:  # noqa: PTH123 - it is open already
        kept = [int(shown["id"]) for shown in lines_of(pipe.read())]
    closing.join()
    assert len(kept) == written - lost
    assert kept == sorted(kept)
    assert kept[:QUEUE] == list(range(QUEUE)), "the newest are lost"
    assert audit.dropped == lost


def test_a_verdict_of_a_plain_value_can_be_recorded_too() -> None:
    reading = Reading()
    read_value(reading, "", "text", "user")
    shown = record(line(verdicts={"prompt": Verdict("prompt", "p", "sha256:0")}, texts=reading.segments), Marker(KEY))
    assert shown["text_marks"] == {"": Marker(KEY).mark("text")}
    assert shown["prompt"]["action"] == "allow"
