"""What a rewrite does to a stream, as transcripts: through the release alone, and through the whole application."""

from __future__ import annotations

import json

import pytest

from lockgate.verdict import Flag
from playbook import ENDS, Player, flagged, got, says, through_release
from saying import (
    DONE,
    USAGE,
    arguments,
    choice,
    chunk,
    finish,
    patterns,
    plan_of,
    role,
    rule,
    said,
    text,
    words,
)

KEYS = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}))
NOTED = plan_of(
    rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact", "flag": {"notice": "A key was taken out."}}),
)
WATCHED = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"flag": {"notice": "There is a key."}}))


class TestRewriting:
    async def test_a_match_over_chunk_borders(self, play: Player) -> None:
        await play(
            KEYS,
            says(role(), text("the key is ")),
            got(role(), text("the key is ")),
            says(text("it: sk-"), text("ab"), text("cd12")),
            got(),
            says(text("34 and more. ")),
            got(text("it: [KEY]"), text(""), text(""), text(" and more. ")),
            says(finish(), USAGE, DONE),
            got(finish(), USAGE, DONE),
            ENDS,
        )

    async def test_what_only_began_like_a_match_leaves_as_it_came(self, play: Player) -> None:
        await play(
            KEYS,
            says(text("a sk-ab"), text("cd")),
            got(),
            says(text(" no")),
            got(text("a sk-ab"), text("cd"), text(" no")),
            says(text(" sk-abcd")),
            got(),
            says(finish()),
            got(),
            says(DONE),
            got(text(" sk-abcd"), finish(), DONE),
            ENDS,
        )

    async def test_a_match_at_the_very_end(self, play: Player) -> None:
        await play(
            KEYS,
            says(text("sk-abcd1"), text("234"), finish(), USAGE),
            got(text("[KEY]"), text(""), finish(), USAGE),
            says(DONE),
            got(DONE),
            ENDS,
        )

    async def test_two_matches_in_one_event_and_one_over_the_border(self, play: Player) -> None:
        await play(
            KEYS,
            says(text("sk-aaaaaaaa, sk-bbbbbbbb, sk-cc")),
            got(),
            says(text("cccccc, end")),
            got(text("[KEY], [KEY], [KEY]"), text(", end")),
            says(DONE),
            got(DONE),
            ENDS,
        )

    async def test_text_and_finish_in_one_event(self, play: Player) -> None:
        last = chunk(choice({"content": "34"}, finish="stop"))
        await play(
            KEYS,
            says(text("so: sk-abcd12")),
            got(),
            says(last, DONE),
            got(text("so: [KEY]"), chunk(choice({"content": ""}, finish="stop")), DONE),
            ENDS,
        )

    async def test_events_without_text_wait_their_turn(self, play: Player) -> None:
        ping, empty = b": ping\n\n", chunk()
        await play(
            KEYS,
            says(ping, text("a sk-ab"), ping, empty, USAGE),
            got(ping),
            says(text(".")),
            got(text("a sk-ab"), ping, empty, USAGE, text(".")),
            says(DONE),
            got(DONE),
            ENDS,
        )


class TestChannels:
    @pytest.mark.parametrize("field", ["content", "reasoning_content", "reasoning", "refusal"])
    async def test_each_is_read_for_itself(self, play: Player, field: str) -> None:
        other = "content" if field != "content" else "reasoning"
        await play(
            KEYS,
            says(said(**{field: "a sk-ab"})),
            got(),
            says(said(**{other: "cd1234 is not its end"})),
            got(),
            says(said(**{field: "cd1234!"})),
            got(said(**{field: "a [KEY]"}), said(**{other: "cd1234 is not its end"}), said(**{field: "!"})),
            says(finish(), DONE),
            got(finish(), DONE),
            ENDS,
        )

    async def test_two_of_them_in_one_event(self, play: Player) -> None:
        both = said(reasoning="sk-abcd1234 ", content="sk-ab")
        await play(
            KEYS,
            says(both),
            got(),
            says(text("cd1234 ")),
            got(said(reasoning="[KEY] ", content="[KEY]"), text(" ")),
            says(DONE),
            got(DONE),
            ENDS,
        )

    async def test_arguments_of_two_calls_in_fragments(self, play: Player) -> None:
        start = said(
            tool_calls=[
                {"index": i, "id": f"call_{i}", "type": "function", "function": {"name": "look", "arguments": ""}}
                for i in (0, 1)
            ]
        )
        await play(
            KEYS,
            says(start),
            got(start),
            says(arguments('{"q": "sk-'), arguments('{"q": "plain"}', call=1)),
            got(),
            says(arguments('abcd1234"}')),
            got(arguments('{"q": "[KEY]'), arguments('{"q": "plain"}', call=1), arguments('"}')),
            says(finish("tool_calls"), DONE),
            got(finish("tool_calls"), DONE),
            ENDS,
        )

    async def test_the_older_function_call_and_a_custom_tool(self, play: Player) -> None:
        custom = '{{"index": 0, "custom": {{"input": "{}"}}}}'
        await play(
            KEYS,
            says(said(function_call={"arguments": "sk-abcd1234 "})),
            got(said(function_call={"arguments": "[KEY] "})),
            says(said(tool_calls=[json.loads(custom.format("sk-abcd1234 "))])),
            got(said(tool_calls=[json.loads(custom.format("[KEY] "))])),
            says(DONE),
            got(DONE),
            ENDS,
        )

    async def test_choices_interleave(self, play: Player) -> None:
        await play(
            KEYS,
            says(text("a sk-ab"), text("b sk-ef", 1), text("cd1234 ")),
            got(text("a [KEY]")),
            says(text("gh5678 ", 1)),
            got(text("b [KEY]", 1), text(" "), text(" ", 1)),
            says(finish(index=1)),
            got(),
            says(text("on")),
            got(finish(index=1), text("on")),
            says(finish(), USAGE, DONE),
            got(finish(), USAGE, DONE),
            ENDS,
            choices=2,
        )

    async def test_several_choices_in_one_event(self, play: Player) -> None:
        def both(first: str, second: str) -> bytes:
            return chunk(choice({"content": first}, 0), choice({"content": second}, 1))

        await play(
            KEYS,
            says(both("a sk-ab", "b "), both("cd1234 ", "sk-")),
            got(both("a [KEY]", "b ")),
            says(both("xx ", "abcd1234. ")),
            got(both(" ", "[KEY]"), both("xx ", ". ")),
            says(finish(), finish(index=1), DONE),
            got(finish(), finish(index=1), DONE),
            ENDS,
            choices=2,
        )

    async def test_the_index_counts_and_not_the_place(self, play: Player) -> None:
        def both(first: str, second: str) -> bytes:
            return chunk(choice({"content": first}, 1), choice({"content": second}, 0))

        await play(
            KEYS,
            says(both("sk-ab", "x "), text("cd1234 ", 1), DONE),
            got(both("[KEY]", "x "), text(" ", 1), DONE),
            ENDS,
            choices=2,
        )


class TestLogprobs:
    @staticmethod
    def spelled(*tokens: str) -> dict[str, object]:
        return {"logprobs": {"content": [{"token": t, "logprob": -0.5, "top_logprobs": []} for t in tokens]}}

    async def test_dropped_where_the_text_is_edited_and_kept_where_not(self, play: Player) -> None:
        before, after = text("well ", **self.spelled("well", " ")), text(" done", **self.spelled(" ", "done"))
        await play(
            KEYS,
            says(before),
            got(before),
            says(text("sk-abcd", **self.spelled("sk", "-", "abcd")), text("1234", **self.spelled("1234")), after),
            got(text("[KEY]", logprobs=None), text("", logprobs=None), after),
            says(DONE),
            got(DONE),
            ENDS,
        )

    async def test_that_spell_something_else_are_read_for_themselves(self, play: Player) -> None:
        late = text("fine ", **self.spelled("sk-", "abcd", "1234", " "))
        await play(KEYS, says(late), got(text("fine ", logprobs=None)), says(DONE), got(DONE), ENDS)

    async def test_that_come_after_their_text(self, play: Player) -> None:
        await play(
            KEYS,
            says(text("sk-abcd1234 ", **self.spelled("sk-"))),
            got(),
            says(text("", **self.spelled("abcd", "1234", " "))),
            got(text("[KEY] ", logprobs=None), text("", logprobs=None)),
            says(DONE),
            got(DONE),
            ENDS,
        )


class TestFlags:
    async def test_stand_right_before_the_finish(self, play: Player) -> None:
        await play(
            NOTED,
            says(text("sk-abcd1234 "), text("sk-ab"), finish()),
            got(text("[KEY] ")),
            says(USAGE),
            got(text("sk-ab"), flagged("notice"), finish(), USAGE),
            says(DONE),
            got(DONE),
            ENDS,
        )

    async def test_of_each_choice(self, play: Player) -> None:
        await play(
            WATCHED,
            says(text("sk-abcd1234 "), text("clean", 1), text("sk-abcd1234", 2)),
            got(text("sk-abcd1234 "), text("clean", 1), text("sk-abcd1234", 2)),
            says(finish(index=1), finish(index=2), finish(index=0), DONE),
            got(
                finish(index=1),
                flagged("notice", index=2),
                finish(index=2),
                flagged("notice", index=0),
                finish(index=0),
                DONE,
            ),
            ENDS,
            choices=3,
        )

    async def test_before_done_where_no_finish_came(self, play: Player) -> None:
        await play(
            WATCHED, says(text("sk-abcd1234"), DONE), got(text("sk-abcd1234"), flagged("notice"), DONE), ENDS
        )  # fmt: skip

    async def test_before_the_event_that_brings_the_last_text_and_the_finish(self, play: Player) -> None:
        last = chunk(choice({"content": "sk-abcd1234"}, finish="stop"))
        await play(WATCHED, says(last, DONE), got(flagged("notice"), last, DONE), ENDS)


async def test_prompt_flags_come_with_the_first_choice_that_ends() -> None:
    asked = [Flag("asked", "The question has a key.", "keys")]
    await through_release(
        WATCHED,
        says(text("sk-abcd1234", 1), finish(index=1), text("x")),
        got(text("sk-abcd1234", 1), flagged("asked", "notice", index=1), finish(index=1), text("x")),
        says(finish(), DONE),
        got(finish(), DONE),
        ENDS,
        choices=2,
        prompt_flags=asked,
    )


async def test_words_are_found_in_any_spelling() -> None:
    plan = plan_of(rule("w", words("plugh"), {"rewrite": "mask"}))
    await through_release(
        plan, says(text("PL"), text("\u200buＧ"), text("h!")), got(text("******"), text(""), text("!")), says(DONE),
        got(DONE), ENDS,
    )  # fmt: skip
