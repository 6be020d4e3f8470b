"""What a client is told of what was looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import LAST_CHUNK, chat_answer, chat_events, chunk, head, json_answer, replying
from lockgate.audit import Audit
from proxied import proxied
from saying import plan_of, rule, words

PLAN = plan_of(rule("stop", words("plugh"), "refuse", side=["prompt", "completion"]), unknown="flag")
ASKS_ONLY = plan_of(rule("stop", words("plugh"), "refuse", side=["prompt"]))
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TWO = {"role": "user", "content": [{"type": "text", "text": "hello"}, IMAGE, IMAGE]}
ANSWER = json_answer(chat_answer("hi"))
STREAM = head() + chunk(b"".join(chat_events("hi"))) + LAST_CHUNK
CLEAN = "prompt;scanned=1;skipped=0;unknown=0"
SAID = "completion;scanned=1;skipped=0;unknown=0"


@pytest.mark.parametrize(
    ("message", "more", "answer", "told"),
    [
        ("hello", {}, ANSWER, f"{CLEAN}, {SAID}"),
        ("hello", {"stream": True}, STREAM, CLEAN),  # the answer is not known yet
        ("plugh", {}, ANSWER, CLEAN),
        (TWO, {}, ANSWER, f"prompt;scanned=1;skipped=2;unknown=0;image=2, {SAID}"),
        ("hello", {"x_new": "words"}, ANSWER, f"prompt;scanned=1;skipped=0;unknown=1, {SAID}"),
        (
            "hello",
            {},
            json_answer(chat_answer("hi", "ho") | {"more": 1, "obfuscation": "xx", "prompt_filter_results": []}),
            f"{CLEAN}, completion;scanned=2;skipped=2;unknown=1;padding=1;filter=1",
        ),
        ("hello", {}, b"not HTTP\r\n\r\n", CLEAN),
    ],
)
async def test_each_side_that_was_judged_is_counted(message: Any, more: Any, answer: bytes, told: str) -> None:
    async with proxied(PLAN, replying(answer)) as proxy:
        reply = await proxy.chat(message, **more)
    shown = reply.header("x-lockgate-coverage") or ""
    assert sorted(shown.split(";")) == sorted(told.split(";"))


async def test_a_text_that_no_rule_looks_at_is_not_scanned() -> None:
    async with proxied(ASKS_ONLY, replying(ANSWER)) as proxy:
        reply = await proxy.chat("hello")
    assert reply.header("x-lockgate-coverage") == f"{CLEAN}, completion;scanned=0;skipped=1;unknown=0;unwatched=1"


async def test_other_paths_are_not_guarded_and_say_so() -> None:
    async with proxied(PLAN, replying(ANSWER)) as proxy:
        reply = await proxy.ask("GET", "/v1/files")
    assert reply.header("x-lockgate-coverage") == "unguarded"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"messages": 1}'])
async def test_what_could_not_be_read_has_no_coverage(body: bytes) -> None:
    async with proxied(PLAN, replying(ANSWER)) as proxy:
        reply = await proxy.post(body)
    assert reply.status == 400
    assert reply.header("x-lockgate-coverage") is None


async def test_a_line_of_very_many_texts_has_an_end(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl", b"key")
    many = [{"role": "user", "content": f"hello {i}"} for i in range(5000)]
    async with proxied(PLAN, replying(ANSWER), audit=audit) as proxy:
        reply = await proxy.chat(*many)
    audit.close()
    assert reply.header("x-lockgate-coverage") == f"prompt;scanned=5000;skipped=0;unknown=0, {SAID}"
    raw = (tmp_path / "audit.jsonl").read_bytes()
    line = json.loads(raw)
    assert line["prompt"]["coverage"]["more"] == {"scanned": {"words": {"/messages/*/content": 4000}}}
    assert line["text_marks_more"] == 4001
    assert "/choices/0/message/content" in line["text_marks"]
    assert len(raw) < 200_000
