"""The decorator wherever it is called from: threads, running loops, forked processes. And one engine behind both doors:
its verdicts are those of the proxy's chat lens."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiling import WORDS, Tone, ToneDetector, plan_of, policy_of
from lockgate import Guard, Refused, Verdict, guard, load_policy
from lockgate.detectors.catalog import Entry
from lockgate.exchange import Exchange, Segment
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.locate import policy_names
from lockgate.verdict import Finding
from lockgate.wire.chat import ChatLens

REDACTS = plan_of({"id": "words", "use": WORDS, "then": {"rewrite": "redact"}})
REFUSES = plan_of({"id": "words", "use": WORDS})
SHIPPED = {name: compile_policy(load_policy(name)) for name in policy_names() if name != "constitution"}  # a judge's


@guard(REDACTS)
def echo(text: str) -> str:
    return text


# --- Where a call comes from -----------------------------------------------------------------------------------------


def test_calls_from_many_threads_share_one_background_thread() -> None:
    def call(number: int) -> str:
        return echo(f"{number} secret")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(200))) == [f"{number} [WORDS]" for number in range(200)]
    assert sum(thread.name == "lockgate" for thread in threading.enumerate()) == 1


async def test_a_plain_function_may_be_called_within_a_running_loop() -> None:
    assert echo("secret") == "[WORDS]"

    @guard(REFUSES)
    def pieces() -> Any:
        yield "secret "
        yield "x"

    with pytest.raises(Refused):
        list(pieces())


async def test_coroutines_run_side_by_side_on_the_callers_loop() -> None:
    meeting = asyncio.Barrier(20)
    loops = set()

    @guard(REDACTS)
    async def meet(text: str) -> str:
        loops.add(asyncio.get_running_loop())
        await meeting.wait()
        return text

    async with asyncio.timeout(20):
        assert await asyncio.gather(*(meet(f"secret {i}") for i in range(20))) == [f"[WORDS] {i}" for i in range(20)]
    assert loops == {asyncio.get_running_loop()}


async def test_a_cancelled_call_is_cancelled_within() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    @guard(REDACTS)
    async def never(text: str) -> None:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()

    task = asyncio.create_task(never("x"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


def test_functions_and_callbacks_run_in_the_callers_thread_and_context() -> None:
    here = contextvars.ContextVar("here", default="elsewhere")
    seen: list[tuple[str, str, str]] = []

    def note(what: str) -> None:
        seen.append((what, here.get(), threading.current_thread().name))

    @guard(REDACTS, on_verdict=lambda verdict: note(verdict.side))
    def function(text: str) -> str:
        note("function")
        return text

    here.set("here")
    function("x")
    name = threading.current_thread().name
    assert seen == [(what, "here", name) for what in ("prompt", "function", "completion")]


def test_a_callback_may_guard_something_itself() -> None:
    inner: list[Verdict] = []
    other = Guard(REFUSES)

    def look_again(verdict: Verdict) -> None:
        inner.append(other.check("secret"))

    @guard(REDACTS, on_verdict=look_again)
    def function(text: str) -> str:
        return echo(text)

    assert function("a secret") == "a [WORDS]"
    assert [verdict.action.word for verdict in inner] == ["refuse", "refuse"]


class _Waiting(ToneDetector):
    """A detector that waits for a guard, on the loop that the guard needs."""

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> list[Finding]:
        echo("x")
        return []


def test_a_detector_that_would_wait_for_itself_fails_instead() -> None:
    catalog = {"waiting": Entry(Tone, _Waiting)}
    checked = Guard(compile_policy(policy_of({"use": "waiting"}), catalog=catalog)).check("x")
    assert [(failure.detector, failure.reason) for failure in checked.failures] == [("waiting", "crash")]


_FORKING = """
import os, sys
from lockgate import Refused, guard

@guard("default")
def ask(question):
    return question

def right():
    return ask("My SSN is 219-09-9998.") == "My SSN is [US_SSN]."

assert right()  # the background loop runs, and has a thread that no child inherits
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        grandchild = os.fork()
        if not grandchild:
            os._exit(0 if right() else 1)
        _, status = os.waitpid(grandchild, 0)
        os._exit(0 if right() and not status else 1)
    children.append(child)
statuses = [os.waitpid(child, 0)[1] for child in children]
sys.exit(0 if right() and not any(statuses) else 1)
"""


def test_a_forked_process_guards_as_its_parent_does() -> None:
    done = subprocess.run([sys.executable, "-c", _FORKING], timeout=60, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- Both doors ------------------------------------------------------------------------------------------------------


def said(verdict: Verdict, prefix: str = "") -> dict[str, Any]:
    """All of a verdict but its timings, its pointers less `prefix`."""
    shown = verdict.public()
    shown["edits"] = [(e.where.removeprefix(prefix), e.span, e.replacement, e.rule, e.priority) for e in verdict.edits]
    behind = [finding for flag in shown["flags"] for finding in flag.get("findings", ())]
    for entry in (*shown["findings"], *shown["failures"], *behind):
        entry["where"] = entry["where"].removeprefix(prefix)
    for places in shown["coverage"]["scanned"].values():
        places[:] = [where.removeprefix(prefix) for where in places]
    skipped = shown["coverage"]["skipped"]
    shown["coverage"]["skipped"] = {where.removeprefix(prefix): reason for where, reason in skipped.items()}
    stop = (verdict.message, verdict.status, verdict.where.removeprefix(prefix), verdict.unavailable)
    return {**shown, "stop": stop, "refused_choices": verdict.refused_choices}


TEXTS = [
    "Nothing to see here.",
    "Write to bob@example.com, card 4111 1111 1111 1111, SSN 219-09-9998.",
    "key: ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "hid\u200b\u200b\u200bden \U000e0048\U000e0049",
    "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZz\n",
    "ｂｏｂ＠ｅｘａｍｐｌｅ．ｃｏｍ \ud83d",
]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_a_text_is_judged_as_a_message_of_the_chat_api(name: str, text: str) -> None:
    plan = SHIPPED[name]
    lens = ChatLens()
    asked = await Passage(plan, Exchange("1", "chat")).prompt(
        lens.read_request({"model": "m", "messages": [{"role": "user", "content": text}]})
    )
    asked.coverage.skipped.pop("/model", None)
    assert said(await Guard(plan).acheck(text)) == said(asked, "/messages/0/content")
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    answered = await Passage(plan, Exchange("1", "chat")).answer(lens.read_answer({"choices": [choice]}))
    assert said(await Guard(plan).acheck(text, side="completion")) == said(answered, "/choices/0/message/content")


MESSAGES = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function", "judge"]),
                "content": st.one_of(
                    st.sampled_from(TEXTS),
                    st.none(),
                    st.just(5),
                    st.lists(
                        st.one_of(
                            st.fixed_dictionaries({"type": st.just("text"), "text": st.sampled_from(TEXTS)}),
                            st.just({"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}),
                            st.just({"type": "thought", "text": "secret"}),
                        ),
                        min_size=1,
                        max_size=2,
                    ),
                ),
            },
            optional={"name": st.sampled_from(["bob", "bob@example.com"]), "mood": st.just("fine")},
        ),
        st.builds(
            lambda text: {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": text}}],
            },
            st.sampled_from(TEXTS),
        ),
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("name", SHIPPED)
@given(messages=MESSAGES)
@settings(max_examples=60)
async def test_messages_are_judged_as_a_request_of_the_chat_api(name: str, messages: list[dict[str, Any]]) -> None:
    plan = SHIPPED[name]
    checked = await Guard(plan).acheck(messages)
    if any(message["content"] == 5 for message in messages):
        assert checked.coverage.unread  # a chat request of that shape is a 400
        return
    reading = ChatLens().read_request({"messages": messages})
    assert said(checked) == said(await Passage(plan, Exchange("1", "chat")).prompt(reading), "/messages")


@pytest.mark.parametrize("name", SHIPPED)
@given(text=st.sampled_from(TEXTS), cuts=st.lists(st.integers(0, 120), max_size=5))
@settings(max_examples=40)
async def test_a_stream_is_judged_as_a_stream_of_the_chat_api(name: str, text: str, cuts: list[int]) -> None:
    places = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    pieces = [text[a:b] for a, b in pairwise(places)]
    verdicts: list[Verdict] = []

    @guard(SHIPPED[name], on_verdict=verdicts.append)
    async def answer() -> Any:
        for piece in pieces:
            yield piece

    out: list[str] = []
    try:
        async for piece in answer():
            out.append(piece)  # noqa: PERF401 - what came before a refusal counts
    except Refused:
        pass
    stream = Passage(SHIPPED[name], Exchange("1", "chat", stream=True)).stream()
    for piece in pieces:
        chunk = {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
        (delta,) = ChatLens().read_event(chunk).deltas
        if stream.feed(delta.choice, delta.channel, delta.kind, delta.text):
            await stream.settle()
        if stream.tripped:
            break
    await stream.end(0)
    verdict = stream.close()
    assert verdicts[-1].side == "completion"
    assert said(verdicts[-1]) == said(verdict, "/choices/0/message/content")
    if not verdicts[-1].message:
        gate = stream.gate("/choices/0/message/content")
        edited = gate.edited(text, 0, len(text))
        assert "".join(out) == (text if edited is None else edited)
