"""The decorator around functions and coroutines, and `check`. Streams are in test_guard_streams.py."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compiling import WORDS, plan_of, policy_of
from lockgate import Action, Engine, Guard, GuardUnavailable, PolicyError, Refused, Verdict, guard
from lockgate.engine import Pin
from lockgate.exchange import Exchange, Reading
from lockgate.passage import Passage
from lockgate.policy.plan import Plan

REDACTS = plan_of({"id": "words", "use": WORDS, "then": {"rewrite": "redact"}})
REFUSES = plan_of({"id": "words", "use": WORDS, "then": {"refuse": {"message": "Not here."}}})
FAILS = plan_of({"id": "rude", "use": {"tone": {}}, "on_error": "refuse"})
FLAGS = plan_of({"id": "words", "use": WORDS, "then": {"flag": {"notice": "Seen."}}})

Caller = Callable[..., Any]


@pytest.fixture(params=["plain", "async"])
def calling(request: pytest.FixtureRequest) -> Callable[[Guard, Callable[..., Any]], Caller]:
    """Guards a function as it is, or as a coroutine, and gives what calls it and waits."""

    def calling(guarding: Guard, function: Callable[..., Any]) -> Caller:
        if request.param == "plain":
            return guarding(function)

        @functools.wraps(function)
        async def later(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            return function(*args, **kwargs)

        guarded = guarding(later)
        assert inspect.iscoroutinefunction(guarded)
        return lambda *args, **kwargs: asyncio.run(guarded(*args, **kwargs))

    return calling


Calling = Callable[[Guard, Callable[..., Any]], Caller]


def ask(question: str, *, tone: str = "kind", times: int = 1) -> tuple[Any, ...]:
    return question, tone, times


def says(answer: Any) -> Callable[..., Any]:
    """A function that always gives this answer."""

    def said(question: Any = None) -> Any:
        return answer

    return said


# --- What a function gets --------------------------------------------------------------------------------------------

MESSAGE = {"role": "user", "content": "a secret", "name": "bob"}
PARTS = {
    "role": "user",
    "content": [{"type": "text", "text": "secret"}, {"type": "image_url", "image_url": {"url": "x"}}],
}


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("a secret", "a [WORDS]"),
        ("nothing", "nothing"),
        ("", ""),
        (MESSAGE, {"role": "user", "content": "a [WORDS]", "name": "bob"}),
        ([{"role": "system", "content": "Be kind."}, MESSAGE], [
            {"role": "system", "content": "Be kind."}, {"role": "user", "content": "a [WORDS]", "name": "bob"}]),
        (PARTS, {"role": "user", "content": [{"type": "text", "text": "[WORDS]"}, PARTS["content"][1]]}),
        ({"role": "assistant", "content": None}, {"role": "assistant", "content": None}),
        (None, None),
        (7, 7),
        (["a secret"], ["a [WORDS]"]),
        ({"text": "a secret", "n": 1}, {"text": "a [WORDS]", "n": 1}),
        ({"a": [{"b": "secret"}, 2]}, {"a": [{"b": "[WORDS]"}, 2]}),
        ([MESSAGE, {"text": "secret"}], [{**MESSAGE, "content": "a [WORDS]"}, {"text": "[WORDS]"}]),
        (("nothing", 7), ("nothing", 7)),
        ((MESSAGE,), ({"role": "user", "content": "a [WORDS]", "name": "bob"},)),
        ({"messages": [MESSAGE]}, {"messages": [{"role": "user", "content": "a [WORDS]", "name": "bob"}]}),
    ],
)  # fmt: skip
def test_edited_arguments_reach_the_function(calling: Calling, given: Any, got: Any) -> None:
    before = repr(given)
    seen: list[Any] = []
    assert calling(Guard(REDACTS), seen.append)(given) is None
    assert seen == [got]
    assert repr(given) == before, "the caller's own value stays as it is"


@pytest.mark.parametrize("given", [("a secret",), {"secret": 1}, [{"a": {"secret": ""}}], {"secret"}], ids=repr)
def test_what_can_not_be_edited_fails_closed(calling: Calling, given: Any) -> None:
    seen: list[Any] = []
    with pytest.raises(GuardUnavailable) as raised:
        calling(Guard(REDACTS), seen.append)(given)
    assert seen == []
    assert [failure.reason for failure in raised.value.verdict.failures] == ["uneditable"]
    with pytest.raises(GuardUnavailable):
        calling(Guard(REDACTS), says(given))()
    with pytest.raises(Refused):
        calling(Guard(REFUSES), seen.append)(given)


def test_what_no_edit_touches_is_the_same_object() -> None:
    message = {"role": "user", "content": "nothing"}
    seen: list[Any] = []
    guard(REDACTS)(seen.append)(message)
    assert seen[0] is message


def test_every_text_among_several_arguments(calling: Calling) -> None:
    def function(first: str, /, second: str, *rest: Any, third: str = "my secret", **others: Any) -> list[Any]:
        seen.append([first, second, rest, third, others])
        return []

    seen: list[Any] = []
    call = calling(Guard(REDACTS), function)
    call("secret 1", "secret 2", "secret 3", 4, MESSAGE, other="secret 5", number=6)
    edited = {**MESSAGE, "content": "a [WORDS]"}
    others = {"other": "[WORDS] 5", "number": 6}
    assert seen == [["[WORDS] 1", "[WORDS] 2", ("[WORDS] 3", 4, edited), "my [WORDS]", others]]


def test_findings_say_which_argument() -> None:
    verdicts: list[Verdict] = []

    @guard(FLAGS, on_verdict=verdicts.append)
    def function(messages: list[Any], *args: str, **kwargs: str) -> None:
        """Say nothing."""

    function([MESSAGE], "x", "secret", key="secret", **{"a/b": "secret"})
    places = [finding.where for finding in verdicts[0].findings]
    assert places == ["/messages/0/content", "/args/1", "/kwargs/key", "/kwargs/a~1b"]


@pytest.mark.parametrize("names", ["tone", ["tone"], ("tone",)])
def test_only_the_named_arguments_are_the_prompt(calling: Calling, names: Any) -> None:
    guarding = Guard(plan_of({"use": WORDS, "side": "prompt", "then": {"rewrite": "redact"}}), prompt=names)
    assert calling(guarding, ask)("secret", tone="secret") == ("secret", "[WORDS]", 1)


def test_a_name_that_the_function_does_not_have() -> None:
    with pytest.raises(TypeError, match="ask has no argument 'quesion' to guard; it has: question, tone, times"):
        guard(REDACTS, prompt=["tone", "quesion"])(ask)


def test_a_call_that_does_not_fit_is_the_functions_own_error(calling: Calling) -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'question'"):
        calling(Guard(REDACTS), ask)()


# --- What the caller gets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "got"),
    [
        ("a secret", "a [WORDS]"),
        ({"role": "assistant", "content": "a secret"}, {"role": "assistant", "content": "a [WORDS]"}),
        ([{"role": "assistant", "content": "secret"}], [{"role": "assistant", "content": "[WORDS]"}]),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"q":"secret"}'}}]},
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"q":"[WORDS]"}'}}]},
        ),
        (["secret", 1], ["[WORDS]", 1]),
        ({"text": "a secret"}, {"text": "a [WORDS]"}),
        ("", ""),
        (None, None),
    ],
)  # fmt: skip
def test_edited_answers(calling: Calling, said: Any, got: Any) -> None:
    assert calling(Guard(REDACTS), lambda: said)() == got


@pytest.mark.parametrize("said", [7, b"secret", object(), iter(["secret"])], ids=type)
@pytest.mark.parametrize("unknown", ["allow", "flag", "refuse"])
def test_an_answer_that_can_not_be_read_is_unknown(calling: Calling, said: Any, unknown: str) -> None:
    verdicts: list[Verdict] = []
    plan = plan_of({"use": WORDS}, unknown=unknown)
    call = calling(Guard(plan, on_verdict=verdicts.append), lambda: said)
    if unknown == "refuse":
        with pytest.raises(Refused, match="has a part that this policy can't check"):
            call()
    else:
        assert call() is said
    prompt, answer = verdicts
    assert prompt.action is Action.ALLOW
    assert answer.action.word == unknown
    assert answer.coverage.skipped == {"": "unread: unknown"}


@pytest.mark.parametrize("unknown", ["allow", "flag", "refuse"])
def test_a_named_prompt_that_can_not_be_read_is_unknown(calling: Calling, unknown: str) -> None:
    verdicts: list[Verdict] = []
    plan = plan_of({"use": WORDS}, unknown=unknown)
    call = calling(Guard(plan, prompt="question", on_verdict=verdicts.append), says(None))
    assert call() is None
    assert [verdict.action for verdict in verdicts] == [Action.ALLOW, Action.ALLOW]
    if unknown == "refuse":
        with pytest.raises(Refused):
            call(b"secret")
    else:
        call(b"secret")
    assert verdicts[2].action.word == unknown
    assert verdicts[2].coverage.skipped == {"/question": "unread: unknown"}


def test_a_refused_prompt_never_reaches_the_function(calling: Calling) -> None:
    seen: list[Any] = []
    with pytest.raises(Refused, match=r"^Not here\.$") as raised:
        calling(Guard(REFUSES), seen.append)("a secret")
    assert seen == []
    verdict = raised.value.verdict
    assert (verdict.side, verdict.action, verdict.applied, verdict.where) == (
        "prompt",
        Action.REFUSE,
        ["words"],
        "/object",
    )


def test_a_refused_answer_never_reaches_the_caller(calling: Calling) -> None:
    with pytest.raises(Refused) as raised:
        calling(Guard(REFUSES), lambda: "a secret")()
    assert raised.value.verdict.side == "completion"
    assert "secret" not in repr(raised.value)


@pytest.mark.parametrize(("given", "said", "side"), [("crash", "", "prompt"), ("", "crash", "completion")])
def test_a_guard_that_fails_closed(calling: Calling, given: str, said: str, side: str) -> None:
    with pytest.raises(GuardUnavailable) as raised:
        calling(Guard(FAILS), says(said))(given)
    verdict = raised.value.verdict
    assert (verdict.side, verdict.unavailable) == (side, True)
    assert [(failure.detector, failure.reason) for failure in verdict.failures] == [("tone", "crash")]


def test_the_functions_own_errors_are_its_own(calling: Calling) -> None:
    def function(text: str) -> str:
        raise KeyError(text)

    with pytest.raises(KeyError, match=r"\[WORDS\]"):
        calling(Guard(REDACTS), function)("secret")


def test_each_verdict_is_told_before_it_acts(calling: Calling) -> None:
    told: list[tuple[str, str]] = []
    guarding = Guard(REFUSES, on_verdict=lambda verdict: told.append((verdict.side, verdict.action.word)))
    calling(guarding, says("fine"))("fine")
    with pytest.raises(Refused):
        calling(guarding, says("secret"))("fine")
    with pytest.raises(Refused):
        calling(guarding, says("secret"))("secret")
    assert told == [
        ("prompt", "allow"), ("completion", "allow"),
        ("prompt", "allow"), ("completion", "refuse"),
        ("prompt", "refuse"),
    ]  # fmt: skip


def test_conditions_see_tags_and_model() -> None:
    plan = plan_of(
        {"use": WORDS, "when": "'public' in request.tags && request.model == 'm' && request.dialect == 'text'"}
    )
    assert guard(plan, tags=["public"])(lambda text: text)("secret") == "secret"
    with pytest.raises(Refused):
        guard(plan, tags=["public"], model="m")(lambda text: text)("secret")


def test_a_function_keeps_its_name_and_its_signature() -> None:
    def function(question: str, times: int = 2) -> str:
        """What it does."""
        return question * times

    guarded = guard(REDACTS)(function)
    assert (guarded.__name__, guarded.__doc__, guarded.__module__) == ("function", "What it does.", __name__)
    assert inspect.signature(guarded) == inspect.signature(function)
    assert inspect.unwrap(guarded) is function
    assert guarded.__annotations__ == function.__annotations__
    assert guarded("secret ") == "[WORDS] [WORDS] "


def test_a_method_can_be_guarded() -> None:
    class Bot:
        name = "bob"

        @guard(REDACTS)
        def ask(self, question: str) -> str:
            return f"{self.name}: {question}"

    assert Bot().ask("a secret") == "bob: a [WORDS]"


# --- The verdict alone -----------------------------------------------------------------------------------------------


def test_check_raises_nothing_and_edited_applies() -> None:
    guarding = Guard(REDACTS)
    verdict = guarding.check([MESSAGE])
    assert (verdict.side, verdict.action) == ("prompt", Action.REWRITE)
    assert guarding.edited([MESSAGE], verdict) == [{**MESSAGE, "content": "a [WORDS]"}]
    refused = Guard(REFUSES).check("a secret", side="completion")
    assert (refused.side, refused.action, refused.refused_choices) == ("completion", Action.REFUSE, {0: "Not here."})
    with pytest.raises(Refused):
        guarding.edited("a secret", refused)
    failed = Guard(FAILS).check("crash")
    assert (failed.unavailable, failed.action) == (True, Action.ALLOW)
    with pytest.raises(GuardUnavailable):
        guarding.edited("crash", failed)


async def test_acheck_gives_what_check_gives() -> None:
    guarding = Guard(REDACTS)
    for side in ("prompt", "completion"):
        waited = await guarding.acheck("a secret", side=side)
        assert waited.public() == guarding.check("a secret", side=side).public()


def test_check_of_what_can_not_be_read() -> None:
    assert Guard(REFUSES).check(None).coverage.public() == {"scanned": {}, "skipped": {}}
    assert Guard(REFUSES).check(7).coverage.skipped == {"": "unread: unknown"}
    broken = Guard(REFUSES).check([{"role": "user", "content": 5}, {"role": "user", "content": "secret"}])
    assert broken.action is Action.REFUSE
    assert list(broken.coverage.skipped) == ["/0/content"]


# --- Which policy ----------------------------------------------------------------------------------------------------


def test_any_form_of_policy(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "version: 1\nname: t\nrules:\n  - {id: r, side: prompt, use: {words: {words: [secret]}}, then: refuse}\n"
    )
    forms: list[str | Path | Any] = [path, str(path), policy_of({"use": WORDS}), REFUSES]
    for form in forms:
        with pytest.raises(Refused):
            guard(form)(ask)("secret")
    assert guard("permissive")(lambda text: text)("secret") == "secret"


def test_a_policy_that_can_not_be_used_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="there is no shipped policy `defualt`"):
        guard("defualt")
    with pytest.raises(PolicyError, match="there is no file"):
        guard(tmp_path / "none.yaml")


def test_an_engine_of_ones_own() -> None:
    plan: Plan = REFUSES
    guarding = Guard(plan, engine=Engine({"words": Pin(fails="timeout")}))
    assert guarding.check("fine").unavailable


def test_a_policy_must_be_given() -> None:
    def ask(question: str) -> str:
        return question

    with pytest.raises(TypeError, match=r'a policy is wanted, as in @guard\("default"\), not function'):
        guard(ask)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not NoneType"):
        Guard(None)  # type: ignore[arg-type]


def test_documents_are_named_and_read_as_such() -> None:
    seen: list[Exchange] = []

    class Noting(Passage):
        async def prompt(self, reading: Reading) -> Verdict:
            seen.append(self.exchange)
            return await super().prompt(reading)

    made = Guard(plan_of({"use": WORDS, "then": "record"}), prompt="question", context=["pages", "more"])
    made._passage = lambda **_: Noting(made.plan, Exchange("01", "text"))  # type: ignore[method-assign]

    def answer(question: str, pages: list[str], tone: str, more: str = "") -> str:
        return f"{question} {pages} {tone} {more}"

    made(answer)("When?", ["In 1780.", "In 1795."], "kind", more="Then.")
    assert [(one.where, one.kind, one.text) for one in seen[0].prompt] == [
        ("/question", "text", "When?"),
        ("/pages/0", "document", "In 1780."),
        ("/pages/1", "document", "In 1795."),
        ("/more", "document", "Then."),
    ]
    with pytest.raises(TypeError, match="no argument 'page'"):
        Guard(made.plan, context="page")(answer)
