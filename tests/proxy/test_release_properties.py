"""What holds of any stream, however it is cut: nothing is touched that no rule touches, and what is touched equals the
plain answer's edit."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.policy.plan import Plan
from lockgate.wire.chat import ChatLens
from lockgate.wire.edit import edit_document
from lockgate_proxy.release import MAX_WAITING, Release
from lockgate_proxy.sse import Event, Splitter
from playbook import whole_through_app
from saying import DONE, USAGE, choice, chunk, data, finish, patterns, plan_of, role, rule, words

RECORD = plan_of(
    rule("keys", patterns(KEY=r"sk-[a-z0-9]{4}"), "record"),
    rule("words", words("plugh"), "record"),
    rule("long", {"size": {"max_characters": 3}}, "record", stream="after"),
)
REWRITE = plan_of(
    rule("keys", patterns(KEY=r"sk-[a-z0-9]{4}"), {"rewrite": "redact"}),
    rule("words", words("plugh", "xy"), {"rewrite": "mask"}),
    rule("hidden", {"invisible": {}}, {"rewrite": "remove"}),
)
REFUSE = plan_of(rule("words", words("plugh"), "refuse"))

TEXTS = st.one_of(
    st.sampled_from(
        [
            "sk-",
            "ab12",
            "sk-ab12",
            "plugh",
            "plu",
            "gh",
            "p l u g h",
            "ＰＬＵＧＨ",
            "xy",
            " ",
            "  ",
            ".",
            "\n",
            '"',
            "\\",
            "\u200b",
            "é",
            "😀",
            "\ud83d",
            "a",
            "the key is ",
            "",
            "\u202e",
            "0",
        ]
    ),
    st.text(max_size=4),
)
FIELDS = st.sampled_from(["content", "reasoning", "reasoning_content", "refusal", "arguments"])


@st.composite
def deltas(draw: st.DrawFn) -> list[tuple[int, str, str]]:
    """(choice, field, text), in the order in which they come."""
    few = draw(st.lists(FIELDS, min_size=1, max_size=2))
    return draw(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(few), TEXTS), max_size=12))


def event_of(parts: list[tuple[int, str, str]], **more: Any) -> bytes:
    choices: dict[int, dict[str, Any]] = {}
    for index, field, text in parts:
        delta = choices.setdefault(index, {})
        if field == "arguments":
            delta["tool_calls"] = [{"index": 0, "function": {"arguments": text}}]
        else:
            delta[field] = text
    body = json.dumps({"choices": [choice(delta, index) for index, delta in choices.items()], **more})
    return f"data: {body}\n\n".encode()


def texts_of(events: list[Event]) -> dict[tuple[int, str], str]:
    """All the text of a stream, by choice and field."""
    found: dict[tuple[int, str], str] = defaultdict(str)
    for event in events:
        if event.data is None or event.done:
            continue
        for one in json.loads(event.data).get("choices", ()):
            for field, value in one["delta"].items():
                if field == "tool_calls":
                    found[one["index"], "arguments"] += value[0]["function"]["arguments"]
                elif isinstance(value, str) and field != "role":
                    found[one["index"], field] += value
    return {key: text for key, text in found.items() if text}


async def plain(plan: Plan, said: list[tuple[int, str, str]]) -> tuple[dict[tuple[int, str], str], set[int]]:
    """What the same texts become in a plain answer, and which choices are refused."""
    whole: dict[tuple[int, str], str] = defaultdict(str)
    for index, field, text in said:
        whole[index, field] += text
    messages: list[dict[str, Any]] = [{"role": "assistant"}, {"role": "assistant"}]
    for (index, field), text in whole.items():
        if field == "arguments":
            messages[index]["tool_calls"] = [{"function": {"arguments": text}}]
        else:
            messages[index][field] = text
    document = {"choices": [{"index": i, "message": message} for i, message in enumerate(messages)]}
    verdict = await Passage(plan, Exchange("x", "chat")).answer(ChatLens().read_answer(document))
    edited = json.loads(edit_document(json.dumps(document).encode(), document, verdict.edits))
    out: dict[tuple[int, str], str] = {}
    for index, field in whole:
        message = edited["choices"][index]["message"]
        out[index, field] = (
            message["tool_calls"][0]["function"]["arguments"] if field == "arguments" else message[field]
        )
    return {key: text for key, text in out.items() if text}, set(verdict.refused_choices)


async def streamed(plan: Plan, events: list[bytes], *, limit: int = MAX_WAITING) -> tuple[list[bytes], bool]:
    """What leaves, and whether the guard failed closed."""
    stream = Passage(plan, Exchange("x", "chat", stream=True, choices=2)).stream()
    release = Release(stream, ChatLens(), choices=2, note={}, prompt_flags=[], limit=limit)
    out: list[bytes] = []
    for event in Splitter().feed(b"".join(events)):
        out.extend(await release.add(event))
        if release.finished:
            return out, release.failed is not None
    return [*out, *await release.end()], release.failed is not None


def come_back(said: list[tuple[int, str, str]]) -> bool:
    """Whether a field goes on after its choice has said so much in other fields that nobody waited for it."""
    last: dict[tuple[int, str], int] = {}
    count: dict[int, int] = defaultdict(int)
    for index, field, text in said:
        if text:
            count[index] += 1
            if count[index] - last.get((index, field), count[index]) > 3:
                return True
            last[index, field] = count[index]
    return False


ODD = st.sampled_from(
    [
        b": ping\n\n", b"\n", b"event: x\n\n", b"id: 3\nretry: 4\n\n", b"data:\n\n", b"data: {}\n\n", b"data: [1]\n\n",
        b"data: no json\n\n", b'data: {"choices":[{"index":0,"delta":{"content":7}}]}\n\n', b"data: \xff\xfe\n\n",
        b'data: {"a":1,"a":2}\n\n', b'data: {"choices":[{"delta":{"content":"NaN","x":NaN}}]}\n\n', b"nonsense\n\n",
        b"data: {\ndata: }\n\n", b"event: chunk\r\ndata: {}\r\n\r\n", b"data: {}\r\r", USAGE, DONE, role(), role(1),
        finish(), finish(index=1), chunk(choice({"content": "sk-ab12"}, finish="stop")), data({"error": {"message": "x"}}),
        data({"error": "plugh"}), chunk(choice({}, 0, "length"), choice({"content": "plugh"}, 1)),
        chunk({"index": 5}), chunk(choice({"tool_calls": [{"index": 9, "id": "c"}]})), b"data: " + b"[" * 300 + b"\n\n",
    ]
)  # fmt: skip


@given(
    events=st.lists(st.one_of(ODD, deltas().map(event_of)), max_size=12),
    cut=st.integers(0, 12),
    size=st.integers(1, 200),
)
@settings(max_examples=150)
async def test_what_is_only_recorded_leaves_byte_for_byte(events: list[bytes], cut: int, size: int) -> None:
    sent = b"".join(events)
    sent = sent[: len(sent) - cut]
    pieces = [sent[i : i + size] for i in range(0, len(sent), size)]
    assert await whole_through_app(RECORD, pieces, choices=2) == sent


@given(said=deltas(), joined=st.booleans())
@settings(max_examples=250)
async def test_rewriting_equals_the_plain_edit_and_touches_nothing_else(
    said: list[tuple[int, str, str]], joined: bool
) -> None:
    groups = [said[i : i + 2] for i in range(0, len(said), 2)] if joined else [[one] for one in said]
    groups = [group for group in groups if len({(index, field) for index, field, _ in group}) == len(group)]
    said = [one for group in groups for one in group]
    events = [event_of(group, n=i) for i, group in enumerate(groups)]
    ends = [finish(), finish(index=1), USAGE, DONE]
    out, failed = await streamed(REWRITE, [role(), *events, *ends])
    came = Splitter().feed(b"".join(out))
    want, _ = await plain(REWRITE, said)
    if failed and come_back(said):
        return
    assert not failed
    assert texts_of(came) == want
    assert out[0] == role()
    assert out[-4:] == ends
    for sent, got in zip(events, out[1:-4], strict=True):
        before, after = Splitter().feed(sent), Splitter().feed(got)
        if texts_of(before) == texts_of(after):
            assert got == sent


@given(said=deltas())
@settings(max_examples=250)
async def test_refusing_equals_the_plain_refusal(said: list[tuple[int, str, str]]) -> None:
    events = [event_of([one]) for one in said]
    out, failed = await streamed(REFUSE, [*events, finish(), finish(index=1), DONE])
    came = Splitter().feed(b"".join(out))
    want, refused = await plain(REFUSE, said)
    if failed and come_back(said):
        return
    assert not failed
    ended = [
        (one["index"], one["finish_reason"])
        for event in came
        if event.data is not None and not event.done
        for one in json.loads(event.data)["choices"]
        if one["finish_reason"]
    ]
    if come_back(said):
        # What a rule finds at the end of a text that nobody waits for is refused, although more comes of it.
        refused |= {index for index, reason in ended if reason == "content_filter"}
    assert sorted(ended) == [(index, "content_filter" if index in refused else "stop") for index in (0, 1)]
    assert out[-1] == DONE
    assert out.count(DONE) == 1
    for key, text in texts_of([event for event in came if b"content_filter" not in event.raw]).items():
        assert text == want[key] if key[0] not in refused else want[key].startswith(text)


@st.composite
def turns(draw: st.DrawFn) -> list[tuple[int, str, str]]:
    """What one choice says in one field after another, some of it again in the first."""
    fields = draw(st.lists(FIELDS, min_size=1, max_size=3))
    return [(0, field, text) for field in fields for text in draw(st.lists(TEXTS, max_size=9))]


@given(said=turns(), limit=st.sampled_from([0, 700, MAX_WAITING]))
@settings(max_examples=200)
async def test_a_text_that_fell_silent_is_what_it_would_be_or_nothing_more_leaves(
    said: list[tuple[int, str, str]], limit: int
) -> None:
    out, failed = await streamed(REWRITE, [*(event_of([one]) for one in said), finish(), DONE], limit=limit)
    came = texts_of(Splitter().feed(b"".join(out)))
    want, _ = await plain(REWRITE, said)
    if not failed:
        assert came == want
        return
    assert limit < MAX_WAITING or come_back(said)


@given(said=turns())
@settings(max_examples=150)
async def test_who_speaks_does_not_wait_long_for_who_has_spoken(said: list[tuple[int, str, str]]) -> None:
    stream = Passage(REWRITE, Exchange("x", "chat", stream=True)).stream()
    release = Release(stream, ChatLens(), choices=1, note={}, prompt_flags=[])
    last, since = "", 0
    for one in said:
        await release.add(*Splitter().feed(event_of([one])))
        if release.finished or not one[2]:
            continue
        since = since + 1 if one[1] == last else 1
        last = one[1]
        if since > 3:
            own = {one[1], "reasoning", "reasoning_content"} if one[1].startswith("reasoning") else {one[1]}
            waits = {part.gate.where for held in release._queue for part in held.parts if part.gate.cleared < part.end}
            assert all(where.rsplit("/", 1)[-1] in own for where in waits)
