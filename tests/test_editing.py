"""Masks, JSON that stays JSON, and values that are put back, through a whole exchange."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.exchange import Exchange, Subject
from lockgate.masks import Masker
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Action, Verdict
from lockgate.wire.chat import ChatLens
from lockgate.wire.edit import edit_document

LENS = ChatLens()
KEY = b"a key of sixteen"
NAMES = {"patterns": {"patterns": {"PERSON": "Anna|Bob|4111"}}}
TAKE = {"side": ["prompt", "completion"], "use": NAMES}
BACK = {"side": "prompt", "use": NAMES, "then": {"rewrite": "pseudonym", "restore": True}}


def plan_of(*rules: dict[str, Any]) -> Plan:
    filled = [{"id": f"r{i}", **rule} for i, rule in enumerate(rules)]
    return compile_policy(Policy.model_validate({"version": 1, "name": "t", "rules": filled}))


def passage_of(plan: Plan, request: Any = None, *, tenant: str = "") -> Passage:
    return Passage(plan, Exchange("x", "chat", Subject(tenant=tenant)), masker=Masker(KEY), request=request)


async def asked(passage: Passage, *texts: str, **more: Any) -> list[str]:
    """What the upstream is sent."""
    document = {"messages": [{"role": "user", "content": text} for text in texts], **more}
    body = json.dumps(document).encode()
    verdict = await passage.prompt(LENS.read_request(document))
    return [m["content"] for m in json.loads(edit_document(body, document, verdict.edits))["messages"]]


async def answered(passage: Passage, message: dict[str, Any]) -> tuple[Verdict, dict[str, Any]]:
    document = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    verdict = await passage.answer(LENS.read_answer(document))
    sent = edit_document(json.dumps(document).encode(), document, passage.edits(verdict))
    return verdict, json.loads(sent)["choices"][0]["message"]


def call(arguments: str, name: str = "send") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": function}]}


async def test_one_value_has_one_mask_in_every_message_and_turn() -> None:
    plan = plan_of({**TAKE, "then": {"rewrite": "pseudonym"}})
    first = await asked(passage_of(plan), "Anna and Bob")
    later = await asked(passage_of(plan), "Anna and Bob", "Bob, then Anna")
    anna, bob = first[0].split(" and ")
    assert later == [first[0], f"{bob}, then {anna}"]
    assert (await asked(passage_of(plan, tenant="other"), "Anna and Bob")) != first


async def test_what_was_masked_comes_back_wherever_the_model_says_it() -> None:
    passage = passage_of(plan_of(BACK))
    (mask,) = await asked(passage, "Anna")
    verdict, message = await answered(
        passage,
        {
            "role": "assistant",
            "content": f"**{mask.lower()}** [PERSON_222222]",
            "reasoning": f"so {mask}",
            **call(json.dumps({mask: f'say "{mask}"', "n": 1})),
        },
    )
    assert verdict.action is Action.ALLOW
    assert verdict.edits == []
    assert message["content"] == "**Anna** [PERSON_222222]"
    assert message["reasoning"] == "so Anna"
    # A key stays what it is.
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {mask: 'say "Anna"', "n": 1}


async def test_what_is_put_back_is_escaped_in_json() -> None:
    quote = {"patterns": {"patterns": {"QUOTE": '"[a-z]+"\n'}}}
    passage = passage_of(plan_of({**BACK, "use": quote}))
    (mask,) = await asked(passage, '"hm"\n')
    _, message = await answered(passage, call(json.dumps({"a": mask})))
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"a": '"hm"\n'}


async def test_nothing_is_shared_between_requests() -> None:
    plan = plan_of(BACK)
    (mask,) = await asked(passage_of(plan), "Anna")
    other = passage_of(plan)
    await asked(other, "Hello")
    _, message = await answered(other, {"role": "assistant", "content": mask})
    assert message["content"] == mask


async def test_rules_of_the_answer_judge_the_masks_and_not_what_they_stand_for() -> None:
    rule = {"side": "completion", "use": {"patterns": {"patterns": {"A": "Anna", "M": r"\[PERSON_[a-z0-9]+\]"}}}}
    passage = passage_of(plan_of(BACK, {**rule, "then": "refuse"}))
    (mask,) = await asked(passage, "Anna")
    verdict, message = await answered(passage, {"role": "assistant", "content": mask})
    assert (verdict.action, verdict.findings, message["content"]) == (Action.ALLOW, [], "Anna")
    verdict, _ = await answered(passage, {"role": "assistant", "content": "[PERSON_222222]"})
    assert verdict.action is Action.REFUSE


async def test_a_rule_that_takes_out_what_holds_a_mask_wins() -> None:
    rule = {"side": "completion", "use": {"patterns": {"patterns": {"S": r"so \[P[^ ]*"}}}}
    passage = passage_of(plan_of(BACK, {**rule, "then": {"rewrite": "redact"}}))
    (mask,) = await asked(passage, "Anna")
    _, message = await answered(passage, {"role": "assistant", "content": f"so {mask} x"})
    assert message["content"] == "[S] x"


TOOL = {
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "send",
                "parameters": {"properties": {"who": {"enum": ["Anna", "Bob"]}, "mail": {"format": "email"}}},
            },
        }
    ]
}


@pytest.mark.parametrize(
    ("arguments", "edited"),
    [
        ('{"note": "Anna"}', '{"note": "[PERSON]"}'),
        ('{"note": "x \\"Anna\\""}', '{"note": "x \\"[PERSON]\\""}'),
        ('{"who": "Anna"}', None),  # the enum has no mask
        ('{"mail": "Anna@example.org"}', None),
        ('{"n": 4111}', None),  # a number stays one
        ('{"Anna": 1}', None),
    ],
)
async def test_arguments_stay_json_or_the_rule_has_failed(arguments: str, edited: str | None) -> None:
    passage = passage_of(plan_of({**TAKE, "then": {"rewrite": "redact"}}), TOOL)
    verdict, message = await answered(passage, call(arguments))
    if edited is None:
        assert verdict.unavailable
        assert [(f.reason, f.on_error) for f in verdict.failures] == [("unfit", "refuse")]
        assert "Anna" not in json.dumps(verdict.public())
    else:
        assert message["tool_calls"][0]["function"]["arguments"] == edited


@pytest.mark.parametrize("on_error", ["allow", "flag"])
async def test_the_rule_says_what_follows(on_error: str) -> None:
    passage = passage_of(plan_of({**TAKE, "then": {"rewrite": "redact"}, "on_error": on_error}))
    verdict, message = await answered(passage, call('{"a": 4111, "b": "Anna"}'))
    assert not verdict.unavailable
    assert message["tool_calls"][0]["function"]["arguments"] == '{"a": 4111, "b": "[PERSON]"}'


async def test_an_answer_that_is_declared_to_be_json_stays_it() -> None:
    plan = plan_of({**TAKE, "then": {"rewrite": {"replace": '"quoted"'}}})
    form = {"response_format": {"type": "json_object"}}
    _, message = await answered(passage_of(plan, form), {"role": "assistant", "content": '{"a": "Anna"}'})
    assert json.loads(message["content"]) == {"a": '"quoted"'}
    verdict, _ = await answered(passage_of(plan, form), {"role": "assistant", "content": '{"a": 4111}'})
    assert verdict.unavailable
    _, message = await answered(passage_of(plan), {"role": "assistant", "content": '{"a": "Anna"}'})
    assert message["content"] == '{"a": ""quoted""}'


VALUES = st.sampled_from(["Anna", "Bob", "x Anna", "none", 'say "Bob"\n', "Ann", "é"])
JSON = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES | st.lists(VALUES, max_size=2) | st.integers(0, 9))
PIECES = st.lists(
    st.sampled_from(["Anna", "Bob", " ", "MASK", "mask", "[PER", "SON_", "*", "\\_", "A", "nna"]), max_size=8
)


async def streamed(passage: Passage, channel: str, kind: Any, text: str, cuts: list[int]) -> tuple[Verdict, str]:
    stream = passage.stream()
    if kind == "tool_call":
        stream.feed(0, channel.replace("arguments", "name"), kind, "send", fixed=True)
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(text)}), len(text)]
    parts = []
    for low, high in itertools.pairwise(places):
        if stream.feed(0, channel, kind, text[low:high]):
            await stream.settle()
        parts.append((low, high))
    verdict = await stream.end(0)
    if not text or verdict.unavailable:
        return verdict, ""
    gate = stream.gate(channel)
    assert gate.cleared == len(text)
    said = [gate.edited(text[low:high], low, high) for low, high in parts]
    return verdict, "".join(text[low:high] if e is None else e for (low, high), e in zip(parts, said, strict=True))


CUTS = st.lists(st.integers(1, 120), max_size=10)


@given(PIECES, CUTS, st.sampled_from([(), ("hash",), ("redact",)]))
async def test_a_stream_restores_what_the_whole_restores(
    pieces: list[str], cuts: list[int], also: tuple[str, ...]
) -> None:
    plan = plan_of(BACK, *({**TAKE, "side": "completion", "then": {"rewrite": mode}} for mode in also))
    passage = passage_of(plan)
    (mask,) = await asked(passage, "Anna")
    text = "".join(pieces).replace("MASK", mask.upper()).replace("mask", mask[1:-1])
    _, whole = await answered(passage, {"role": "assistant", "content": text})
    _, said = await streamed(passage, "/choices/0/message/content", "text", text, cuts)
    assert said == whole["content"]


@given(JSON, CUTS, st.booleans(), st.sampled_from(["redact", "pseudonym", "mask", "remove"]))
async def test_streamed_arguments_stay_json_of_the_same_keys_and_types(
    value: dict[str, Any], cuts: list[int], escaped: bool, mode: str
) -> None:
    plan = plan_of(BACK, {**TAKE, "side": "completion", "then": {"rewrite": mode}})
    passage = passage_of(plan, TOOL)
    (mask,) = await asked(passage, "Anna")
    text = json.dumps({**value, "mask": mask}, ensure_ascii=escaped)
    _, whole = await answered(passage, call(text))
    channel = "/choices/0/message/tool_calls/0/function/arguments"
    _, said = await streamed(passage, channel, "tool_call", text, cuts)
    assert said == whole["tool_calls"][0]["function"]["arguments"]
    edited = json.loads(said)
    assert edited["mask"] == "Anna"
    assert "Bob" not in said
    assert {key: type(item) for key, item in edited.items()} == {**{k: type(v) for k, v in value.items()}, "mask": str}


@given(st.sampled_from(['{"who": "Anna"}', '{"n": 4111}', '{"mail": "x.Anna@b.org", "z": 1}', '{"Anna": 1}']), CUTS)
async def test_a_stream_closes_where_the_whole_does(text: str, cuts: list[int]) -> None:
    plan = plan_of({**TAKE, "then": {"rewrite": "redact"}})
    channel = "/choices/0/message/tool_calls/0/function/arguments"
    verdict, _ = await streamed(passage_of(plan, TOOL), channel, "tool_call", text, cuts)
    assert verdict.unavailable
    assert {failure.reason for failure in verdict.failures} == {"unfit"}
