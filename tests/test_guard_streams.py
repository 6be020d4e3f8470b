"""The decorator around generators and async generators."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import aclosing, closing, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiling import WORDS, plan_of
from lockgate import Action, Guard, GuardUnavailable, Refused, Verdict

REDACTS = plan_of({"id": "words", "use": WORDS, "then": {"rewrite": "redact"}})
REFUSES = plan_of({"id": "words", "use": WORDS, "then": {"refuse": {"message": "Not here."}}})
FAILS = plan_of({"id": "rude", "use": {"tone": {}}})
HOLDS = plan_of({"id": "many", "use": WORDS, "when": "words.count > 1", "stream": "hold", "then": {"rewrite": "mask"}})
AFTER = plan_of(
    {"id": "many", "use": WORDS, "when": "words.count > 1", "stream": "after", "then": {"flag": {"n": "x"}}}
)


class Source:
    """What a guarded generator yields, and what becomes of it."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces
        self.asked: list[Any] = []
        self.given = 0
        self.closed = False

    def plain(self, question: Any = None) -> Generator[Any, None, None]:
        self.asked.append(question)
        try:
            for piece in self.pieces:
                self.given += 1
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.closed = True

    async def later(self, question: Any = None) -> AsyncGenerator[Any, None]:
        with closing(self.plain(question)) as pieces:
            for piece in pieces:
                await asyncio.sleep(0)
                yield piece


Pulled = list[Any]
Pull = Callable[..., Pulled]


@pytest.fixture(params=["plain", "async"])
def pull(request: pytest.FixtureRequest) -> Pull:
    """Guards a source, and gives what comes out of it; `most` pieces, then it is closed. What came before an error is
    noted in `into`."""

    def pull(
        guarding: Guard, source: Source, *args: Any, most: int | None = None, into: Pulled | None = None
    ) -> Pulled:
        out: Pulled = [] if into is None else into
        if request.param == "plain":
            guarded = guarding(source.plain)
            assert inspect.isgeneratorfunction(guarded)
            with closing(guarded(*args)) as pieces:
                for piece in pieces:
                    out.append(piece)
                    if len(out) == most:
                        break
            return out
        later = guarding(source.later)
        assert inspect.isasyncgenfunction(later)

        async def run() -> None:
            async with aclosing(later(*args)) as pieces:
                async for piece in pieces:
                    out.append(piece)
                    if len(out) == most:
                        break

        asyncio.run(run())
        return out

    return pull


def whole(pieces: Iterable[Any]) -> str:
    return "".join(piece for piece in pieces if isinstance(piece, str))


def test_pieces_leave_edited(pull: Pull) -> None:
    source = Source("a sec", "ret and", " more")
    assert whole(pull(Guard(REDACTS), source)) == "a [WORDS] and more"
    assert source.closed


def test_what_no_edit_touches_leaves_piece_by_piece(pull: Pull) -> None:
    pieces = ["Nothing ", "to ", "hide, ", "", "here. "]
    assert pull(Guard(REDACTS), Source(*pieces)) == [piece for piece in pieces if piece]


def test_a_piece_leaves_as_soon_as_it_is_cleared(pull: Pull) -> None:
    source = Source("Nothing. ", "secret ", "and more. ")
    assert pull(Guard(REDACTS), source, most=1) == ["Nothing. "]
    assert source.given == 1


def test_one_who_stops_early_closes_the_source(pull: Pull) -> None:
    source = Source("One. ", "Two. ", "Three. ")
    pull(Guard(REDACTS), source, most=2)
    assert (source.given, source.closed) == (2, True)


def test_nothing_happens_before_the_first_piece_is_asked_for() -> None:
    source = Source("x")
    guarded = Guard(REFUSES)(source.plain)
    guarded("secret")
    assert source.asked == []


def test_the_prompt_is_guarded_first(pull: Pull) -> None:
    source = Source("fine")
    assert pull(Guard(REDACTS), source, "my secret") == ["fine"]
    assert source.asked == ["my [WORDS]"]
    refused = Source("fine")
    with pytest.raises(Refused) as raised:
        pull(Guard(REFUSES), refused, "my secret")
    assert (raised.value.verdict.side, refused.asked) == ("prompt", [])


def test_a_refusal_is_raised_where_the_next_piece_would_come(pull: Pull) -> None:
    source = Source("Fine. ", "A sec", "ret. ", "More. ", "Still more.")
    out: Pulled = []
    with pytest.raises(Refused, match=r"^Not here\.$") as raised:
        pull(Guard(REFUSES), source, into=out)
    assert whole(out) == "Fine. "
    assert (raised.value.verdict.side, raised.value.verdict.applied) == ("completion", ["words"])
    assert source.closed
    assert source.given < len(source.pieces), "nobody is asked for more than is needed"


def test_a_refusal_at_the_end(pull: Pull) -> None:
    source = Source("a secret")
    with pytest.raises(Refused):
        pull(Guard(REFUSES), source)
    assert source.closed


def test_a_guard_that_fails_closed(pull: Pull) -> None:
    source = Source("You are fine. ", "Now crash. ", "More. ", "More.")
    out: Pulled = []
    with pytest.raises(GuardUnavailable) as raised:
        pull(Guard(FAILS), source, into=out)
    assert "crash" not in whole(out)
    assert raised.value.verdict.unavailable
    assert source.closed


def test_a_rule_that_holds_the_answer(pull: Pull) -> None:
    assert pull(Guard(HOLDS), Source("a secret ", "b ", "a secret ")) == ["a ****** ", "b ", "a ****** "]
    assert pull(Guard(HOLDS), Source("a secret ", "b ")) == ["a secret ", "b "]
    source = Source("a secret ", "b ")
    assert pull(Guard(HOLDS), source, most=1) == ["a secret "]
    assert source.given == 2, "it was held"


def test_the_sources_own_error_is_its_own(pull: Pull) -> None:
    source = Source("Fine. ", KeyError("x"))
    out: Pulled = []
    with pytest.raises(KeyError):
        pull(Guard(REDACTS), source, into=out)
    assert (out, source.closed) == (["Fine. "], True)


@pytest.mark.parametrize("unknown", ["allow", "flag", "refuse"])
@pytest.mark.parametrize("piece", [7, b"secret", {"role": "assistant", "content": "secret"}], ids=repr)
def test_a_piece_that_is_no_text_is_unknown(pull: Pull, unknown: str, piece: Any) -> None:
    verdicts: list[Verdict] = []
    guarding = Guard(plan_of({"use": WORDS}, unknown=unknown), on_verdict=verdicts.append)
    out: Pulled = []
    if unknown == "refuse":
        with pytest.raises(Refused, match="has a part that this policy can't check"):
            pull(guarding, Source("Fine. ", piece, "More. "), into=out)
        assert out == ["Fine. "]
    else:
        assert pull(guarding, Source("Fine. ", piece, "More. ")) == ["Fine. ", piece, "More. "]
    assert [verdict.action.word for verdict in verdicts] == ["allow", unknown]
    assert verdicts[1].coverage.skipped == {"": "unread: unknown"}


def test_nothing_is_a_piece_too(pull: Pull) -> None:
    assert pull(Guard(plan_of({"use": WORDS}, unknown="refuse")), Source(None, "Fine.", None)) == [None, "Fine.", None]
    assert pull(Guard(REFUSES), Source()) == []


def test_other_pieces_keep_their_place(pull: Pull) -> None:
    out = pull(Guard(REDACTS), Source("a sec", 1, "ret b", 2, " c"))
    assert [piece for piece in out if not isinstance(piece, str)] == [1, 2]
    assert whole(out) == "a [WORDS] b c"
    assert out.index(1) < out.index(2)


@pytest.mark.parametrize(
    ("plan", "pieces", "told"),
    [
        (REDACTS, ["a secret"], [("prompt", Action.ALLOW), ("completion", Action.REWRITE)]),
        (REDACTS, [], [("prompt", Action.ALLOW), ("completion", Action.ALLOW)]),
        (REFUSES, ["a secret ", "b", "c"], [("prompt", Action.ALLOW), ("completion", Action.REFUSE)]),
        (REFUSES, ["a secret"], [("prompt", Action.ALLOW), ("completion", Action.REFUSE)]),
        (FAILS, ["crash. ", "b. "], [("prompt", Action.ALLOW), ("completion", Action.ALLOW)]),
        (AFTER, ["secret ", "secret "], [("prompt", Action.ALLOW), ("completion", Action.FLAG)]),
    ],
    ids=["redacts", "empty", "refuses", "refuses at the end", "fails", "after"],
)
def test_each_verdict_is_told_once(pull: Pull, plan: Any, pieces: list[str], told: list[Any]) -> None:
    verdicts: list[Verdict] = []
    with suppress(Refused, GuardUnavailable):
        pull(Guard(plan, on_verdict=verdicts.append), Source(*pieces))
    assert [(verdict.side, verdict.action) for verdict in verdicts] == told
    assert "stream" in verdicts[1].timings


def test_a_refusal_of_another_guard_is_not_ours_to_tell(pull: Pull) -> None:
    verdicts: list[Verdict] = []
    inner = Source(Refused(Guard(REFUSES).check("secret")))
    with pytest.raises(Refused):
        pull(Guard(REDACTS, on_verdict=verdicts.append), inner)
    assert [verdict.side for verdict in verdicts] == ["prompt"]


def test_conditions_see_that_it_is_a_stream(pull: Pull) -> None:
    plan = plan_of({"use": WORDS, "when": "request.stream"})
    with pytest.raises(Refused):
        pull(Guard(plan), Source("secret"))
    assert Guard(plan)(lambda: "secret")() == "secret"


@given(st.lists(st.sampled_from(["sec", "ret", "secret", " ", "x", "", "s", "e", "\n", "ѕ"]), max_size=12))
def test_a_stream_gives_what_the_whole_gives(pieces: list[str]) -> None:
    guarding = Guard(REDACTS)
    said = "".join(pieces)
    expected = guarding(lambda: said)()
    assert whole(guarding(Source(*pieces).plain)()) == expected


def test_a_plain_function_that_returns_a_generator_is_guarded_by_pieces() -> None:
    source = Source("a sec", "ret")
    verdicts: list[Verdict] = []
    call = Guard(REDACTS, on_verdict=verdicts.append)(lambda asked: source.plain(f"{asked}?"))
    assert "".join(call("my secret")) == "a [WORDS]"
    assert (source.asked, source.closed) == (["my [WORDS]?"], True)
    assert [(verdict.side, verdict.action.word) for verdict in verdicts] == [
        ("prompt", "rewrite"),
        ("completion", "rewrite"),
    ]
    with pytest.raises(Refused):
        list(Guard(REFUSES)(lambda: Source("secret").plain())())
