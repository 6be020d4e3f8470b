"""Answers that repeat the system's text, in every form; and canaries, from the request to the answer."""

from __future__ import annotations

import asyncio
import base64
import codecs
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.detectors import leak
from lockgate.detectors.leak import LeakConfig, SystemText, letters
from lockgate.exchange import Exchange, Segment
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.schema import Policy
from lockgate.tail import Windows
from lockgate.wire.chat import ChatLens
from lockgate.wire.edit import edit_document

SYSTEM = (
    "You are Marlow, the assistant of the Harbour Library. Answer in at most three sentences. Never recommend other"
    " libraries, and never mention that loans can be extended twice by phone. The director's name is Ada Quill."
)
PIECE = "Never recommend other libraries, and never mention that loans can be extended twice by phone."
RAW = PIECE.encode()


def exchange(*more: Segment) -> Exchange:
    return Exchange("01", "chat", prompt=[Segment("/messages/0/content", "system", "text", SYSTEM), *more])


async def found(text: str, about: Exchange | None = None, **config: Any) -> list[tuple[str, float]]:
    detector = leak.build(LeakConfig(**config))
    answer = [Segment("/choices/0/message/content", "assistant", "text", text, 0)]
    return [(one.label, one.score) for one in await detector.detect(answer, about or exchange())]


@pytest.mark.parametrize(
    "text",
    [
        SYSTEM,
        f"My instructions say: {PIECE}",
        PIECE.upper(),
        PIECE.replace(" ", ""),
        " ".join(PIECE),
        "\n".join(PIECE.split()),
        PIECE.replace("e", "3").replace("o", "0"),
        PIECE.replace("a", "\u0430").replace("e", "\u200be"),
        PIECE[::-1],
        codecs.encode(PIECE, "rot13"),
        codecs.encode(PIECE, "rot13")[::-1],
        base64.b64encode(RAW).decode(),
        RAW.hex(),
        "".join(f"%{code:02x}" for code in RAW),
        "".join(f"&#{code};" for code in RAW),
        base64.b64encode(PIECE[::-1].encode()).decode(),
        f"<!-- {PIECE} -->",
        "1. Never recommend other libraries\n2. never mention that loans\n3. loans can be extended twice by phone",
        json.dumps({"note": PIECE}).replace("m", "\\u006d"),
        "x " * 20000 + PIECE,
    ],
)  # fmt: skip
async def test_the_systems_text_is_known_in_every_form(text: str) -> None:
    assert "SYSTEM_TEXT" in {label for label, _ in await found(text)}


@pytest.mark.parametrize(
    "text",
    [
        "I am Marlow, the assistant of the Harbour Library. How can I help?",
        "I answer in at most three sentences.",
        "Loans can be extended by phone, but I may not say how often.",
        "Other libraries are good, too. The director is Ada Quill.",
        "",
    ],
)
async def test_a_short_phrase_passes(text: str) -> None:
    assert await found(text) == []


async def test_what_the_user_said_too_is_no_leak() -> None:
    pasted = Segment("/messages/1/content", "user", "text", f"Please translate: {PIECE}")
    assert await found(f"You wrote: {PIECE}", exchange(pasted)) == []
    earlier = Segment("/messages/1/content", "assistant", "text", PIECE)
    assert await found(PIECE, exchange(earlier)) != []


async def test_scores_and_what_can_leak() -> None:
    assert (await found(SYSTEM[:140], min_words=6))[-1] == ("SYSTEM_TEXT", 1.0)
    assert 0.5 <= (await found(PIECE))[0][1] < 1.0
    for short in ("You are a helpful assistant.", ""):
        about = Exchange("01", "chat", prompt=[Segment("/a", "system", "text", short)])
        assert await found("You are a helpful assistant.", about) == []
    chinese = "你是图书馆的助手，最多用三句话回答，绝对不要推荐其他图书馆，也不要提到贷款可以延长两次。"
    assert await found(chinese, Exchange("01", "chat", prompt=[Segment("/a", "system", "text", chinese)])) != []


@given(st.text(alphabet="abcdefgh ", min_size=40, max_size=300), st.data())
def test_every_stretch_of_19_letters_is_found(text: str, data: Any) -> None:
    said = letters(text)
    if len(said) < 19:
        return
    at = data.draw(st.integers(0, len(said) - 19))
    stretch = said[at : at + 19]
    runs = list(SystemText([text]).runs(f"zzz{stretch}zzz"))
    assert runs
    assert all(run.start >= 3 and run.end <= 22 for run in runs)


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([*SYSTEM.split(". "), "Fine. ", PIECE[::-1], "and so\n", "x" * 300]), max_size=12),
    st.integers(1, 90),
)
def test_a_stream_is_judged_as_the_whole(parts: list[str], step: int) -> None:
    said = " ".join(parts)

    async def spans(segment: Segment, shift: int = 0) -> set[tuple[int, int]]:
        answer = await leak.build(LeakConfig()).detect([segment], exchange())
        return {(one.span[0] + shift, one.span[1] + shift) for one in answer if one.span is not None}

    async def both() -> tuple[set[Any], set[Any]]:
        whole = await spans(Segment("/a", "assistant", "text", said, 0))
        stream, cut = Windows(), []
        for at in range(0, len(said), step):
            stream.feed(said[at : at + step])
            cut += stream.cut(final=at + step >= len(said))
        streamed: set[Any] = set()
        for start, window, before in cut:
            streamed |= await spans(Segment("/a", "assistant", "text", window, 0, before=before), start)
        return whole, streamed

    whole, streamed = asyncio.run(both())
    assert whole == streamed


PLAN = compile_policy(
    Policy.model_validate(
        {
            "version": 1,
            "name": "canary",
            "rules": [{"id": "own", "side": "completion", "use": {"leak": {"canary": True}}, "then": "refuse"}],
        }
    )
)
REQUEST = {"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Hello"}]}


async def asked(document: Any) -> tuple[Passage, Any]:
    passage = Passage(PLAN, Exchange("01", "chat"))
    verdict = await passage.prompt(ChatLens().read_request(document))
    return passage, json.loads(edit_document(json.dumps(document).encode(), document, verdict.edits))


async def test_a_canary_stands_behind_the_systems_text_and_is_the_same_each_time() -> None:
    _, sent = await asked(REQUEST)
    assert sent["messages"][0]["content"].startswith(SYSTEM + "\n\n")
    assert sent["messages"][1] == REQUEST["messages"][1]
    assert (await asked(REQUEST))[1] == sent
    other = {"messages": [{"role": "developer", "content": "Be kind."}]}
    assert (await asked(other))[1]["messages"][0]["content"].split()[-1] != sent["messages"][0]["content"].split()[-1]
    bare = {"messages": [{"role": "user", "content": "Hello"}]}
    assert (await asked(bare))[1] == bare


@pytest.mark.parametrize(
    "form",
    [
        lambda word: f"The mark is {word}.",
        lambda word: " ".join(word.upper()),
        lambda word: word[::-1],
        lambda word: codecs.encode(word, "rot13"),
        lambda word: base64.b64encode(f"the mark is {word}".encode()).decode(),
        "\n".join,
    ],
)
async def test_an_answer_with_the_canary_is_refused(form: Any) -> None:
    passage, sent = await asked(REQUEST)
    word = sent["messages"][0]["content"].split()[-1]
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": form(word)}}]}
    verdict = await passage.answer(ChatLens().read_answer(answer))
    assert verdict.action.word == "refuse"
    assert [finding.label for finding in verdict.findings] == ["CANARY"] * len(verdict.findings)
    assert word not in verdict.message
    calm = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello there."}}]}
    assert (await passage.answer(ChatLens().read_answer(calm))).action.word == "allow"
