"""The form of a stream, and its end, as transcripts: through the release alone, and through the application."""

from __future__ import annotations

import json

import pytest

from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.wire.chat import ChatLens
from lockgate_proxy.release import BESIDE_DATA, Release
from lockgate_proxy.sse import Splitter
from playbook import CUT, ENDS, Player, failed, flagged, got, says, through_app
from saying import DONE, USAGE, choice, chunk, data, finish, patterns, plan_of, rule, text

KEYS = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}))
WATCHED = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"flag": {"notice": "There is a key."}}))


class TestForm:
    @pytest.mark.parametrize("end", ["\r\n", "\r"])
    async def test_other_line_ends(self, play: Player, end: str) -> None:
        def line(content: str) -> bytes:
            return data({"choices": [choice({"content": content})]}, end)

        blank = end.encode() * 2
        await play(
            KEYS,
            says(line("sk-ab"), line("cd1234 ")),
            says(b"data: [DONE]" + blank),
            ENDS,
            got(line("[KEY]"), line(" "), b"data: [DONE]" + blank),
        )

    async def test_other_fields_of_an_event_stay(self, play: Player) -> None:
        def event(content: str) -> bytes:
            body = json.dumps({"choices": [choice({"content": content})]})
            return f": seen\nevent: chunk\nid: 17\nretry: 10\ndata:{body}\nother\n\n".encode()

        def rebuilt(content: str) -> bytes:
            return event(content).replace(b"data:", b"data: ")

        await play(
            KEYS, says(event("plain ")), got(event("plain ")), says(event("sk-abcd1234 ")), got(rebuilt("[KEY] ")),
            says(DONE), got(DONE), ENDS,
        )  # fmt: skip

    async def test_data_over_several_lines(self, play: Player) -> None:
        def event(content: str) -> bytes:
            return (
                b'data: {"choices": [{"index": 0,\ndata:  "delta": {"content":\ndata: "%s"}}]}\n\n' % content.encode()
            )

        await play(
            KEYS, says(event("plain ")), got(event("plain ")), says(event("sk-abcd1234 ")), got(event("[KEY] ")),
            says(DONE), got(DONE), ENDS,
        )  # fmt: skip

    async def test_odd_spelling_of_what_is_not_edited_stays(self, play: Player) -> None:
        def event(content: str) -> bytes:
            return (
                b'data: { "id":1e3 ,"z":-0.0,"big":123456789012345678901,"choices":[{"delta":{"content":"'
                + content.encode()
                + b'","role":"\\u0061ssistant"},"index":0}],"s":"\\/\\ud83d\\n"}  \n\n'
            )

        await play(
            KEYS, says(event("\\u0073k-abcd")), got(), says(event("\\u0031234\\t")),
            got(event("[KEY]"), event("\\t")), says(DONE), got(DONE), ENDS,
        )  # fmt: skip

    async def test_a_byte_order_mark_at_the_start(self, play: Player) -> None:
        await play(
            KEYS, says(b"\xef\xbb\xbf" + text("sk-abcd1234 ")), got(b"\xef\xbb\xbf" + text("[KEY] ")), says(DONE),
            got(DONE), ENDS,
        )  # fmt: skip


class TestTheEnd:
    async def test_without_done(self, play: Player) -> None:
        await play(KEYS, says(text("a sk-ab"), finish()), got(), ENDS, got(text("a sk-ab"), finish()))

    async def test_without_done_or_finish(self, play: Player) -> None:
        await play(WATCHED, says(text("sk-abcd1234 sk-")), got(text("sk-abcd1234 sk-")), ENDS, got(flagged("notice")))

    async def test_an_empty_stream(self, play: Player) -> None:
        await play(KEYS, ENDS, got())

    @pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n", b"\r\n\r"])
    async def test_an_event_without_its_blank_line(self, end: bytes) -> None:
        last = text("the key ").rstrip() + end
        await through_app(KEYS, says(text("so "), last), got(text("so ")), ENDS, got(last))

    async def test_such_an_event_is_edited(self, play: Player) -> None:
        await play(KEYS, says(text("sk-abcd1234 ").rstrip()), got(), ENDS, got(text("[KEY] ")))

    async def test_such_an_event_does_not_run_into_the_flags(self, play: Player) -> None:
        await play(
            WATCHED, says(text("sk-abcd1234 ").rstrip()), ENDS, got(text("sk-abcd1234 "), flagged("notice"))
        )  # fmt: skip

    async def test_text_after_the_finish_is_read_like_any_other(self, play: Player) -> None:
        # Some upstreams give a finish_reason with every chunk.
        def each(content: str) -> bytes:
            return chunk(choice({"content": content}, finish="stop"))

        await play(
            KEYS, says(each("a sk-ab"), each("cd1234 "), DONE), got(each("a [KEY]"), each(" "), DONE), ENDS
        )  # fmt: skip

    async def test_an_empty_finish_reason_is_none(self, play: Player) -> None:
        def each(content: str, reason: str = "") -> bytes:
            return chunk(choice({"content": content}, finish=reason))

        await play(
            KEYS, says(each("a sk-ab")), says(USAGE, each("cd1234 ", "stop"), DONE),
            got(each("a [KEY]"), USAGE, each(" ", "stop"), DONE), ENDS,
        )  # fmt: skip

    async def test_text_after_its_choice_has_ended_does_not_leave(self, play: Player) -> None:
        late = text("cd1234")
        await play(
            KEYS, says(text("sk-ab"), finish(), USAGE), got(text("sk-ab"), finish(), USAGE), says(late), got(),
            says(DONE, late), got(DONE), ENDS,
        )  # fmt: skip

    async def test_unless_no_rule_would_act_on_it(self, play: Player) -> None:
        await play(
            WATCHED, says(text("sk-ab"), finish(), USAGE, text("cd1234"), DONE),
            got(text("sk-ab"), finish(), USAGE, text("cd1234"), DONE), ENDS,
        )  # fmt: skip

    async def test_a_choice_that_begins_after_done_is_read_like_any_other(self, play: Player) -> None:
        await play(
            KEYS, says(text("y ", 1), DONE, text("sk-ab"), text("cd1234")), ENDS,
            got(text("y ", 1), DONE, text("[KEY]"), text("")),
        )  # fmt: skip


async def test_a_cut_lets_out_what_was_held_and_is_told() -> None:
    await through_app(
        KEYS, says(text("a sk-ab")), got(), CUT, got(text("a sk-ab"), failed("upstream_broken"))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "noted"), [(b": sk-abcd1234\n\n", True), (b"event: x\n" + text("a "), True), (text("a "), False)]
)
async def test_what_is_no_data_is_in_the_record(event: bytes, noted: bool) -> None:
    stream = Passage(KEYS, Exchange("x", "chat", stream=True)).stream()
    release = Release(stream, ChatLens(), choices=1, note={}, prompt_flags=[])
    for one in Splitter().feed(event + DONE):
        await release.add(one)
    assert (stream.close().coverage.skipped.get("#lines") == BESIDE_DATA) == noted
