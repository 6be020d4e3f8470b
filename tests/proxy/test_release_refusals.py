"""What refusals do to a stream, as transcripts: through the release alone, and through the application."""

from __future__ import annotations

import pytest

from playbook import ENDS, LET_GO, Player, flagged, got, refused, says
from saying import (
    DONE,
    USAGE,
    arguments,
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
HOLD = plan_of(rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="hold"))
AFTER = plan_of(rule("twice", words("plugh"), {"flag": {"notice": "Twice."}}, when="words.count > 1", stream="after"))


class TestOneChoice:
    async def test_ends_with_the_refusal_and_done_and_the_upstream_is_let_go(self, play: Player) -> None:
        await play(
            STOP,
            says(role(), text("say ")),
            got(role(), text("say ")),
            says(text("plu")),
            got(),
            says(text("gh now")),
            got(refused(0, SAID), DONE),
            LET_GO,
        )

    async def test_what_stands_before_it_in_its_event_does_not_leave(self, play: Player) -> None:
        await play(STOP, says(text("say plugh now")), got(refused(0, SAID), DONE), LET_GO)

    async def test_at_the_finish(self, play: Player) -> None:
        await play(
            STOP, says(text("say plugh")), got(), says(finish(), USAGE), got(refused(0, SAID), USAGE, DONE), LET_GO
        )

    async def test_in_the_event_that_finishes(self, play: Player) -> None:
        last = chunk(choice({"content": "plugh"}, finish="stop"))
        await play(STOP, says(text("say "), last, USAGE), got(text("say "), refused(0, SAID), USAGE, DONE), LET_GO)

    async def test_at_done(self, play: Player) -> None:
        await play(STOP, says(text("say plugh"), DONE), got(refused(0, SAID), DONE), ENDS)

    async def test_at_the_end_without_done(self, play: Player) -> None:
        await play(STOP, says(text("say plugh")), got(), ENDS, got(refused(0, SAID), DONE))

    @pytest.mark.parametrize("field", ["reasoning", "reasoning_content", "refusal"])
    async def test_by_another_channel(self, play: Player, field: str) -> None:
        await play(
            STOP, says(text("so ")), got(text("so ")), says(said(**{field: "plugh."})), got(refused(0, SAID), DONE),
            LET_GO,
        )  # fmt: skip

    async def test_by_a_calls_arguments(self, play: Player) -> None:
        await play(
            STOP, says(arguments('{"q": "plu', call=3), arguments('gh"}', call=3)), got(refused(0, SAID), DONE), LET_GO
        )

    async def test_by_the_name_of_a_call(self, play: Player) -> None:
        named = said(tool_calls=[{"index": 0, "id": "c", "function": {"name": "plugh", "arguments": ""}}])
        await play(STOP, says(named, finish(), USAGE), got(refused(0, SAID), USAGE, DONE), LET_GO)

    async def test_held_events_without_text_do_not_follow_the_refusal(self, play: Player) -> None:
        call = said(tool_calls=[{"index": 0, "id": "c", "type": "function"}])
        await play(
            STOP, says(text("plu"), call, b": ping\n\n"), got(), says(text("gh.")),
            got(b": ping\n\n", refused(0, SAID), DONE), LET_GO,
        )  # fmt: skip

    async def test_a_first_chunk_that_says_nothing_does_not_name_the_refusal(self, play: Player) -> None:
        # Azure begins so.
        begin = data({"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []})
        await play(STOP, says(begin, text("say plugh.")), got(begin, refused(0, SAID), DONE), LET_GO)

    async def test_its_flags_come_with_it(self, play: Player) -> None:
        plan = plan_of(rule("stop", words("plugh"), {"refuse": True, "flag": {"notice": "So it is."}}))
        came: list[bytes] = []

        class Noted:
            def miss(self, event: bytes) -> str:
                came.append(event)
                return "" if b'"name":"notice"' in event and b'"content_filter"' in event else "no flag"

        await play(plan, says(text("plugh.")), got(Noted(), DONE), LET_GO)
        assert came


class TestSeveralChoices:
    async def test_one_ends_alone(self, play: Player) -> None:
        await play(
            STOP,
            says(text("one "), text("uno ", 1)),
            got(text("one "), text("uno ", 1)),
            says(text("plugh.")),
            got(refused(0, SAID)),
            says(text("dos ", 1), text("no more of this"), finish(), text("nor of this")),
            got(text("dos ", 1)),
            says(finish(index=1), USAGE, DONE),
            got(finish(index=1), USAGE, DONE),
            ENDS,
            choices=2,
        )

    async def test_all_of_them(self, play: Player) -> None:
        await play(
            STOP,
            says(text("plugh.", 1)),
            got(refused(1, SAID)),
            says(text("plugh.", 0)),
            got(refused(0, SAID), DONE),
            LET_GO,
            choices=2,
        )

    async def test_the_last_one_after_the_others_have_finished(self, play: Player) -> None:
        await play(
            STOP,
            says(text("fine "), finish(), text("plugh.", 1)),
            got(text("fine "), finish(), refused(1, SAID), DONE),
            LET_GO,
            choices=2,
        )

    async def test_one_that_has_not_begun_is_waited_for(self, play: Player) -> None:
        await play(
            STOP,
            says(text("plugh.")),
            got(refused(0, SAID)),
            says(text("late ", 1), finish(index=1), DONE),
            got(text("late ", 1), finish(index=1), DONE),
            ENDS,
            choices=2,
        )

    async def test_the_other_text_of_its_events_goes_on(self, play: Player) -> None:
        def both(first: dict[str, str], second: str) -> bytes:
            return chunk(choice(first, 0), choice({"content": second}, 1))

        await play(
            STOP,
            says(both({"content": "plu"}, "uno "), both({"content": "gh."}, "dos ")),
            got(gone(both({}, "uno ")), refused(0, SAID), gone(both({}, "dos "))),
            says(both({"content": "more"}, "tres ")),
            got(gone(both({}, "tres "))),
            says(finish(index=1), DONE),
            got(finish(index=1), DONE),
            ENDS,
            choices=2,
        )

    async def test_the_other_finish_of_its_event_comes(self, play: Player) -> None:
        last = chunk(choice({"content": "plugh"}, 0, "stop"), choice({"content": "fine"}, 1, "length"))
        left = chunk(choice({}, 0), choice({"content": "fine"}, 1, "length"))
        await play(STOP, says(last, USAGE), got(refused(0, SAID), gone(left), USAGE, DONE), LET_GO, choices=2)

    async def test_nothing_unread_of_a_refused_choice_rides_on(self, play: Player) -> None:
        extra = chunk(choice({"content": "x"}, 0, notes="plugh"), choice({"content": "uno "}, 1))
        await play(
            STOP, says(text("plugh.")), got(refused(0, SAID)), says(extra),
            got(gone(chunk(choice({}, 0), choice({"content": "uno "}, 1)))), says(DONE), got(DONE), ENDS, choices=2,
        )  # fmt: skip

    async def test_a_choice_without_a_delta(self, play: Player) -> None:
        bare = chunk({"index": 0, "finish_reason": "stop"}, choice({"content": "uno "}, 1))
        await play(
            STOP, says(text("plugh.")), got(refused(0, SAID)), says(bare),
            got(gone(chunk(choice({}, 0), choice({"content": "uno "}, 1)))), says(DONE), got(DONE), ENDS, choices=2,
        )  # fmt: skip


def gone(event: bytes) -> bytes:
    """The event with choice 0, which has nothing in it, as the guard writes it."""
    return event.replace(data(choice({}, 0))[6:-2], b'{"index":0,"delta":{},"finish_reason":null}')


class TestHoldAndAfter:
    async def test_a_held_answer_leaves_whole(self, play: Player) -> None:
        await play(
            HOLD,
            says(role(), text("plugh and "), b": ping\n\n", text("no more")),
            got(role()),
            says(finish()),
            got(),
            says(USAGE),
            got(text("plugh and "), b": ping\n\n", text("no more"), finish(), USAGE),
            says(DONE),
            got(DONE),
            ENDS,
        )

    async def test_a_held_answer_that_is_refused_does_not_leave_at_all(self, play: Player) -> None:
        await play(
            HOLD,
            says(text("plugh and "), text("plugh"), finish()),
            got(),
            says(USAGE),
            got(refused(), USAGE, DONE),
            LET_GO,
        )

    @pytest.mark.parametrize("end", [DONE, b""])
    async def test_nor_where_no_finish_comes(self, play: Player, end: bytes) -> None:
        await play(HOLD, says(text("plugh and "), text("plugh"), end), ENDS, got(refused(), DONE))

    async def test_of_two_held_choices_one_is_refused(self, play: Player) -> None:
        await play(
            HOLD,
            says(text("plugh plugh"), text("fine", 1), finish(index=1), finish(index=0)),
            got(),
            says(USAGE),
            got(text("fine", 1), finish(index=1), refused(), USAGE, DONE),
            LET_GO,
            choices=2,
        )

    async def test_a_held_rewrite(self, play: Player) -> None:
        plan = plan_of(rule("twice", words("plugh"), {"rewrite": "mask"}, when="words.count > 1", stream="hold"))
        await play(
            plan,
            says(text("plugh "), text("and "), text("plugh"), said(reasoning="fine")),
            got(),
            says(finish(), DONE),
            got(text("***** "), text("and "), text("*****"), said(reasoning="fine"), finish(), DONE),
            ENDS,
        )

    async def test_a_refusal_by_span_ends_a_held_answer_at_once(self, play: Player) -> None:
        plan = plan_of(
            rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="hold"),
            rule("never", patterns(KEY=r"sk-[a-z0-9]{8}"), "refuse"),
        )
        await play(plan, says(text("it is sk-abcd1234 ")), got(refused(), DONE), LET_GO)

    async def test_after_leaves_at_once_and_flags_at_the_end(self, play: Player) -> None:
        await play(
            AFTER,
            says(text("plugh and "), text("plugh")),
            got(text("plugh and "), text("plugh")),
            says(finish(), DONE),
            got(flagged("notice"), finish(), DONE),
            ENDS,
        )

    async def test_a_refusal_that_comes_after_ends_with_content_filter(self, play: Player) -> None:
        plan = plan_of(rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="after"))
        await play(
            plan,
            says(text("plugh plugh")),
            got(text("plugh plugh")),
            says(finish(), USAGE),
            got(refused(), USAGE, DONE),
            LET_GO,
        )
