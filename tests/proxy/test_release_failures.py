"""What failures, unknown parts and broken upstreams do to a stream, as transcripts."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import CUT, ENDS, LET_GO, Player, failed, flagged, got, refused, says, through_app
from saying import (
    DONE,
    USAGE,
    choice,
    chunk,
    data,
    finish,
    patterns,
    plan_of,
    role,
    rule,
    said,
    text,
    words,
)

STOP = plan_of(rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}))
SAID = "Not that word."
KEYS = plan_of(rule("k", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}))
SHORT: dict[str, Any] = {"stream": {"max_hold": 64, "hold_limit": 64}}


class TestFailures:
    async def test_more_than_can_be_held(self, play: Player) -> None:
        plan = plan_of(rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="hold"), **SHORT)
        await play(plan, says(text("a" * 60)), got(), says(text("b" * 60)), got(failed()), LET_GO)

    async def test_where_the_guard_fails_what_was_cleared_has_left(self, play: Player) -> None:
        plan = plan_of(rule("names", words("plugh"), {"rewrite": "redact"}))
        named = said(tool_calls=[{"index": 0, "id": "c", "function": {"name": "plugh", "arguments": "{}"}}])
        await play(
            plan,
            says(text("fine ")),
            got(text("fine ")),
            says(named, finish()),
            got(),
            says(USAGE),
            got(failed()),
            LET_GO,
        )

    async def test_a_failure_in_one_choice_stops_all(self, play: Player) -> None:
        plan = plan_of(rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="hold"), **SHORT)
        await play(plan, says(text("b" * 100, 1)), got(failed()), LET_GO, choices=2)

    async def test_a_condition_that_fails_on_the_request(self, play: Player) -> None:
        plan = plan_of(rule("odd", words("plugh"), "refuse", when="request.tags[3] == 'x'"))
        # It matters where the rule finds something; until then there is nothing for it to say.
        await play(plan, says(role()), got(role()), says(text("fine ")), got(text("fine ")), says(text("plugh ")),
                   got(failed()), LET_GO)  # fmt: skip

    async def test_the_hold_ends_where_the_rule_fails_open(self, play: Player) -> None:
        plan = plan_of(
            rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="hold", on_error="flag"), **SHORT
        )
        await play(
            plan, says(text("a" * 60)), got(), says(text("b" * 60)), got(text("a" * 60), text("b" * 60)),
            says(finish(), DONE), got(flagged("unverified"), finish(), DONE), ENDS,
        )  # fmt: skip


class TestUnknown:
    ODD = (
        said(content="fine ", mood="plugh"),
        chunk(choice({"content": "fine "}, notes="plugh")),
        chunk(choice({"content": "fine "}), extra={"text": "plugh"}),
        b"data: this is no JSON\n\n",
        b'data: ["a list"]\n\n',
        b'data: {"choices": [{"index": "0"}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": {"content": 5}}]}\n\n',
        b'data: {"choices": [], "choices": []}\n\n',
    )

    @pytest.mark.parametrize("odd", ODD)
    async def test_allowed(self, play: Player, odd: bytes) -> None:
        await play(STOP, says(text("so "), odd), got(text("so "), odd), says(finish(), DONE), got(finish(), DONE), ENDS)

    @pytest.mark.parametrize("odd", ODD)
    async def test_flagged(self, play: Player, odd: bytes) -> None:
        await play(
            plan_of(unknown="flag"), says(text("so "), odd), got(text("so "), odd), says(finish(), DONE),
            got(flagged("unverified"), finish(), DONE), ENDS,
        )  # fmt: skip

    @pytest.mark.parametrize("odd", ODD)
    async def test_refused(self, play: Player, odd: bytes) -> None:
        unread = refused(0, "The request has a part that this policy can't check, and the policy refuses such parts.")
        await play(plan_of(unknown="refuse"), says(text("so ")), got(text("so ")), says(odd), got(unread, DONE), LET_GO)

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    async def test_refused_of_two_choices(self, play: Player, order: tuple[int, int]) -> None:
        message = "The request has a part that this policy can't check, and the policy refuses such parts."
        first, second = order
        await play(
            plan_of(unknown="refuse"), says(text("so ", first)), got(text("so ", first)),
            says(said(first, mood="x")), got(refused(first, message)),
            says(text("on ", second), finish(index=second)), got(text("on ", second)),
            says(USAGE, DONE), got(finish(index=second), USAGE, DONE),
            ENDS, choices=2,
        )  # fmt: skip

    async def test_an_event_with_no_data_at_all_is_no_unknown_part(self, play: Player) -> None:
        await play(plan_of(unknown="refuse"), says(b"data:\n\n", text("so ")), got(b"data:\n\n", text("so ")), ENDS)


class TestUnreadable:
    """What can't be read as a chunk is read as a text: no rule is evaded by a broken event."""

    @pytest.mark.parametrize(
        "odd",
        [b"data: say plugh now\n\n", b'data: {"a": "pl\\u0075gh", "a": 1}\n\n', b'data: {"x": "plugh"} {}\n\n'],
    )
    async def test_a_word_in_it(self, play: Player, odd: bytes) -> None:
        await play(STOP, says(text("so ")), got(text("so ")), says(odd), got(refused(0, SAID), DONE), LET_GO)

    async def test_what_would_be_edited(self, play: Player) -> None:
        await play(KEYS, says(text("so "), b"data: sk-abcd1234\n\n"), got(text("so "), failed()), LET_GO)

    async def test_it_waits_for_nothing(self, play: Player) -> None:
        await play(KEYS, says(b"data: sk-ab\n\n"), got(b"data: sk-ab\n\n"), says(DONE), got(DONE), ENDS)

    async def test_it_does_not_follow_a_refusal(self, play: Player) -> None:
        await play(
            STOP, says(text("plugh."), b"data: more of it\n\n", text("fine ", 1)), got(refused(0, SAID), text("fine ", 1)),
            says(DONE), got(DONE), ENDS, choices=2,
        )  # fmt: skip

    async def test_nor_wait_in_front_of_one(self, play: Player) -> None:
        odd = b"data: no chunk\n\n"
        await play(
            STOP, says(text("plu"), odd, text("fine ", 1)), got(), says(text("gh.")),
            got(text("fine ", 1), refused(0, SAID)), says(DONE), got(DONE), ENDS, choices=2,
        )  # fmt: skip

    async def test_numbers_that_json_does_not_have(self, play: Player) -> None:
        def event(content: str) -> bytes:
            return text(content, logprobs={"content": [{"token": content, "logprob": float("-inf")}]})

        await play(
            STOP, says(event("so ")), got(event("so ")), says(event("plugh.")), got(refused(0, SAID), DONE), LET_GO
        )


class TestTheUpstreamBreaks:
    async def test_and_neither_finish_nor_done_is_made_up(self) -> None:
        await through_app(STOP, says(text("so ")), got(text("so ")), CUT, got(failed("upstream_broken")))

    async def test_where_one_choice_was_refused_the_other_is_not_called_whole(self) -> None:
        await through_app(
            STOP, says(text("so ", 0), text("plugh", 1)), got(text("so ", 0)), CUT,
            got(refused(1, SAID), failed("upstream_broken")), choices=2,
        )  # fmt: skip

    async def test_an_error_of_the_upstream_is_read_and_passed_on(self, play: Player) -> None:
        def error(message: str) -> bytes:
            return data({"error": {"message": message, "code": "overloaded"}})

        await play(STOP, says(text("so "), error("too busy"), DONE), got(text("so "), error("too busy"), DONE), ENDS)
        await play(
            KEYS,
            says(error("bad key sk-abcd1234 "), DONE), got(error("bad key [KEY] "), DONE), ENDS,
        )  # fmt: skip

    async def test_an_error_after_a_refusal_is_told_without_its_words(self, play: Player) -> None:
        error = data({"error": {"message": "say plugh now", "code": "x"}})
        bare = (
            b'data: {"error": {"message":"The upstream failed.","type":"upstream_error","param":null,"code":null}}\n\n'
        )
        await play(STOP, says(text("plugh."), error), got(refused(0, SAID), bare), ENDS, choices=2)
