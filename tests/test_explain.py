from __future__ import annotations

import json
from typing import Any

import pytest

import knowing
from compiling import plan_of
from lockgate.errors import WireError
from lockgate.explain import Recorded, edited, explain
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy, policy_names
from lockgate.policy.plan import Plan

CARD = "4111 1111 1111 1111"
WORDS: dict[str, Any] = {"words": {"words": ["secret"]}}


def request(*contents: str, **more: Any) -> bytes:
    messages = [{"role": "user", "content": content} for content in contents]
    return json.dumps({"model": "m", "messages": messages, **more}).encode()


def answer(*contents: str) -> bytes:
    choices = [{"index": i, "message": {"role": "assistant", "content": c}} for i, c in enumerate(contents)]
    return json.dumps({"object": "chat.completion", "choices": choices}).encode()


def shipped(name: str) -> Plan:
    return compile_policy(load_policy(find_policy(name)))


def why(side: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {rule["rule"]: (rule["outcome"], rule["why"]) for rule in side["rules"]}


# --- Rules, and why ---------------------------------------------------------------------------------------------------

NEVER = 'request.model == "never"'


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"use": WORDS}, ("applied", "found WORDS 2 times")),
        ({"use": WORDS, "when": "words.count > 1"}, ("applied", "found WORDS 2 times; its condition is true")),
        ({"use": {"words": {"words": ["other"]}}}, ("did not apply", "found nothing")),
        ({"use": WORDS, "when": "words.count > 2"},
         ("did not apply", "found something, and its condition is false: words.count > 2")),
        ({"when": NEVER}, ("did not apply", f"its condition is false: {NEVER}")),
        ({"when": 'request.model == "m"'}, ("applied", "its condition is true")),
        ({"use": WORDS, "where": {"role": "tool"}},
         ("did not apply", "no text here has a role and kind that it looks at")),
        ({"use": {"tone": {}}, "on_error": "allow"},
         ("failed", "tone: crash; on_error: allow, so it passes")),
        ({"use": {"tone": {}}, "on_error": "flag"},
         ("failed", "tone: crash; on_error: flag, so it passes, flagged")),
        ({"use": {"tone": {}}}, ("failed", "tone: crash; on_error: refuse, so it fails closed")),
    ],
)  # fmt: skip
async def test_each_rule_says_why(rule: dict[str, Any], expected: tuple[str, str]) -> None:
    plan = plan_of({"side": "prompt", "then": "record", **rule})
    report = await explain(plan, Recorded(request("a secret crash", "secret")))
    assert why(report["prompt"]) == {"r0": expected}


async def test_a_permit_says_what_it_sets_aside() -> None:
    permit = {"when": 'request.tags.exists(t, t == "ok")', "permit": ["WORDS"], "then": None}
    plan = plan_of({"use": WORDS}, permit, principles=[{"id": "p", "priority": 1, "text": "p"}])
    recorded = Recorded(request("a secret"))
    assert why((await explain(plan, recorded))["prompt"])["r0"] == ("applied", "found WORDS")
    report = (await explain(plan, recorded, tags=["ok"]))["prompt"]
    assert why(report)["r0"] == ("set aside", "by r1, which permits it")
    assert report["action"] == "allow"


async def test_a_permit_of_one_label_leaves_the_other() -> None:
    both = {"words": {"words": {"A": ["apple"], "B": ["berry"]}}}
    plan = plan_of({"use": both, "then": {"rewrite": "redact"}}, {"when": "true", "permit": ["A"], "then": None})
    report = (await explain(plan, Recorded(request("apple berry"))))["prompt"]
    assert why(report)["r0"] == ("applied", "found A; found B; r1 permits A")
    assert [edit["puts"] for edit in report["edits"]] == ["[B]"]


async def test_what_was_not_asked_and_what_has_no_effect() -> None:
    plan = plan_of(
        {"use": WORDS}, {"use": {"tone": {}}}, {"use": WORDS, "then": {"rewrite": "redact"}}, unknown="refuse"
    )
    report = (await explain(plan, Recorded(request("a secret", odd=1))))["prompt"]
    assert why(report) == {
        "r0": ("applied", "found WORDS"),
        "r1": ("did not apply", "refused before it was asked"),
        "r2": ("applied", "found WORDS; without effect beside a refusal"),
        "unknown": ("applied", "a part could not be read"),
    }
    assert report["skipped"] == {"/odd": "unread: unknown"}


@pytest.mark.parametrize(
    ("rule", "does", "stream"),
    [
        ({"use": WORDS}, "refuse", ("span", "match")),
        ({"use": WORDS, "then": {"rewrite": "mask"}}, "rewrite: mask", ("span", "match")),
        ({"use": WORDS, "then": {"flag": {"a": "b"}}}, "flag", ("span", "nothing")),
        ({"use": WORDS, "then": "record"}, "record", ("span", "nothing")),
        ({"use": {"tone": {}}}, "refuse", ("window", "window")),
        ({"use": {"size": {"max_characters": 1}}, "stream": "hold"}, "refuse", ("hold", "answer")),
        ({"use": {"size": {"max_characters": 1}}, "stream": "after"}, "refuse", ("after", "nothing")),
        ({"when": "true", "permit": ["r1"], "then": None}, "permit", ("span", "nothing")),
    ],
)
async def test_each_rule_has_its_stream_class(rule: dict[str, Any], does: str, stream: tuple[str, str]) -> None:
    report = await explain(plan_of(rule, {"use": WORDS}), Recorded(request("a")))
    shown = report["rules"][0]
    assert (shown["rule"], shown["does"]) == ("r0", does)
    assert (shown["stream"]["class"], shown["stream"]["holds"]) == stream


async def test_hold_back_is_in_characters() -> None:
    patterns = {"patterns": {"patterns": {"A": {"regex": "a+", "max_width": 77}}}}
    report = await explain(
        plan_of({"use": patterns}, {"use": {"tone": {}}}, {"side": "prompt", "use": WORDS}), Recorded()
    )
    assert [rule["stream"] and rule["stream"]["characters"] for rule in report["rules"]] == [77, 400, None]
    assert "prompt" not in report
    assert "answer" not in report


# --- Texts and edits --------------------------------------------------------------------------------------------------


async def test_no_text_is_in_the_report_unless_asked_for() -> None:
    recorded = Recorded(request(f"My card is {CARD}.", odd="odd text"), answer(f"Your card is {CARD}."))
    report = await explain(shipped("default"), recorded)
    assert "1111" not in json.dumps(report)
    assert "card is" not in json.dumps(report)
    (finding,) = report["prompt"]["findings"]
    assert (finding["label"], finding["span"], finding["shape"]) == ("CREDIT_CARD", [11, 30], "9999 9999 9999 9999")
    told = await explain(shipped("default"), recorded, text=True)
    assert told["prompt"]["texts"][0]["text"] == f"My card is {CARD}."
    assert told["prompt"]["findings"][0]["text"] == CARD
    assert told["streamed"]["texts"][0]["text"] == "Your card is [CREDIT_CARD]."


async def test_a_request_that_is_edited_and_one_that_is_not() -> None:
    body = request(f"My card is {CARD}.")
    report = await explain(shipped("default"), Recorded(body))
    assert report["prompt"]["action"] == "rewrite"
    assert report["prompt"]["result"] == {
        "goes": True, "status": None, "bytes": [len(body), len(body) - 6], "changed": True,
    }  # fmt: skip
    report = await explain(shipped("default"), Recorded(request("Hello.")))
    assert report["prompt"]["result"]["changed"] is False


async def test_coverage_is_by_text() -> None:
    report = await explain(plan_of({"use": WORDS, "where": {"kind": "text"}}), Recorded(request("a", tools=[
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    ], metadata={"a": "b"}, seed=1)))  # fmt: skip
    texts = {text["where"]: text for text in report["prompt"]["texts"]}
    assert texts["/messages/0/content"]["looked_by"] == ["words"]
    name = texts["/tools/0/function/name"]
    assert (name["kind"], name["fixed"], name["looked_by"]) == ("tool_schema", True, [])
    assert name["skipped"] == "unwatched: no rule looks at this kind of text"


@pytest.mark.parametrize("status", [400, 200])
async def test_a_refused_prompt(status: int) -> None:
    plan = plan_of({"use": WORDS, "then": {"refuse": {"message": "No.", "status": status}}})
    report = await explain(plan, Recorded(request("a secret"), answer("fine")))
    assert report["prompt"]["result"] == {
        "goes": False, "status": status, "message": "No.", "where": "/messages/0/content",
    }  # fmt: skip
    assert report["answer"]["asked"] is False
    assert report["answer"]["action"] == "allow"


async def test_a_guard_that_fails_closed() -> None:
    report = await explain(plan_of({"use": {"tone": {}}}), Recorded(request("crash"), answer("crash")))
    assert report["prompt"]["action"] == "unavailable"
    assert report["prompt"]["result"]["status"] == report["answer"]["result"]["status"] == 503
    assert report["prompt"]["failures"] == [
        {"rule": "r0", "detector": "tone", "reason": "crash", "where": "/messages/0/content", "on_error": "refuse"}
    ]


async def test_one_of_two_choices_is_refused() -> None:
    plan = plan_of({"use": WORDS, "then": {"refuse": {"message": "No."}}})
    report = await explain(plan, Recorded(answer=answer("fine", "a secret")))
    assert report["answer"]["result"]["refused"] == {"1": "No."}
    assert report["answer"]["result"]["changed"] is True
    assert [(end["choice"], end["ends"]) for end in report["streamed"]["choices"]] == [
        (0, "as it came"),
        (1, "content_filter"),
    ]


@pytest.mark.parametrize("name", [name for name in policy_names() if name != "constitution"])  # that asks a judge
async def test_both_ways_agree_under_the_shipped_policies(name: str) -> None:
    text = f"Write to anna@example.com, the card is {CARD}. Nothing\u200b else."
    report = await explain(shipped(name), Recorded(answer=answer(text)), text=True)
    whole = edited(text, "/choices/0/message/content", report["answer"]["edits"])
    assert report["streamed"]["texts"][0]["text"] == whole
    assert report["streamed"]["action"] == report["answer"]["action"]


async def test_a_recorded_stream_is_explained_as_a_whole_and_as_it_came() -> None:
    chunks = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("a sec", "ret")]
    plan = plan_of({"use": WORDS, "then": {"rewrite": "redact"}})
    report = await explain(plan, Recorded(events=[json.dumps(chunk).encode() for chunk in chunks]))
    assert report["answer"]["edits"] == [
        {"rule": "r0", "where": "/choices/0/message/content", "span": [2, 8], "puts": "[WORDS]"}
    ]
    assert "bytes" not in report["answer"]["result"]
    assert report["streamed"]["texts"][0]["most_held"] == 6


# --- What is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "says"),
    [
        (Recorded(b'{"messages": 1}'), "messages must be an array (at /messages)"),
        (Recorded(b'{"messages": []'), "JSON"),
        (Recorded(answer=b"[]"), "the upstream's answer is not a JSON object"),
        (Recorded(events=[b"{}", b"[]"]), "event 2 of the stream: an event's data must be a JSON object"),
    ],
)
async def test_what_is_no_exchange(recorded: Recorded, says: str) -> None:
    with pytest.raises(WireError) as caught:
        await explain(plan_of({"use": WORDS}), recorded)
    assert says in str(caught.value)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_recorded_log_probabilities_are_read(stream: bool) -> None:
    unsure: knowing.Said = [("It", -0.5), (" was", -1.5), (" Ada", -3.0), (".", -0.1)]
    plan = plan_of({"id": "unsure", "use": {"confidence": {}}, "then": {"flag": {"u": "?"}}, "stream": "after"})
    for tells, said in ((True, "u"), (False, None)):
        whole = json.dumps(knowing.plain("chat", [unsure], tells=tells)).encode()
        pieces = [event[6:-2] for event in knowing.streamed("chat", [unsure], tells=tells)[:-1]]
        report = await explain(plan, Recorded(events=pieces) if stream else Recorded(answer=whole))
        for side in ("answer", "streamed"):
            assert [flag["name"] for flag in report[side]["flags"]] == ([said] if said else [])
