"""Values whose pieces stand in two texts: each piece is found, and ordinary conversations have none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate import load_policy
from lockgate.exchange import Exchange, Segment
from lockgate.joined import TAIL, joins
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.verdict import Action
from lockgate.wire.chat import ChatLens
from lockgate.wire.edit import edit_document

KEY = "sk-proj-" + "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY5zA7bC9d" * 2
CARD = "4111 1111 1111 1111"


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {name: compile_policy(load_policy(name)) for name in ("default", "strict")}


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


async def sent(plan: Plan, *messages: dict[str, Any]) -> tuple[str, Any]:
    """The verdict's action, and what the upstream gets."""
    body = json.dumps({"model": "m", "messages": list(messages)}).encode()
    document = json.loads(body)
    verdict = await Passage(plan, Exchange("01", "chat")).prompt(ChatLens().read_request(document))
    assert not verdict.unavailable
    return verdict.action.word, json.loads(edit_document(body, document, verdict.edits))["messages"]


def texts(messages: Any) -> list[str]:
    return [
        part["text"] if isinstance(part, dict) else part
        for message in messages
        for part in (message["content"] if isinstance(message["content"], list) else [message["content"]])
    ]


@pytest.mark.parametrize("name", ["default", "strict"])
@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        ([user(f"Use {KEY[:30]}", f"{KEY[30:]} now")], ["Use [OPENAI_API_KEY]", "[OPENAI_API_KEY] now"]),
        ([user(f"Use {KEY[:30]}\n", f" {KEY[30:]} now")], ["Use [OPENAI_API_KEY]\n", " [OPENAI_API_KEY] now"]),
        ([user(KEY[:20], KEY[20:40], KEY[40:])], ["[OPENAI_API_KEY]"] * 3),
        ([user(CARD[:9], CARD[10:])], ["[CREDIT_CARD]"] * 2),
        ([user("Card 4111 1111 ", "1111 1111, please")], ["Card [CREDIT_CARD]", "[CREDIT_CARD], please"]),
        (
            [said("user", f"The first half is {KEY[:30]}"), said("assistant", "Go on."), said("user", KEY[30:])],
            ["The first half is [OPENAI_API_KEY]", "Go on.", "[OPENAI_API_KEY]"],
        ),
        ([said("user", "x" * 5000 + " " + KEY[:30]), said("user", KEY[30:])], ["x" * 5000 + " [OPENAI_API_KEY]", "[OPENAI_API_KEY]"]),
    ],
    ids=["parts", "parts with space", "three parts", "a card", "a card in a sentence", "messages", "long"],
)  # fmt: skip
async def test_each_piece_is_taken_out(
    name: str, messages: list[dict[str, Any]], wanted: list[str], plans: dict[str, Plan]
) -> None:
    action, got = await sent(plans[name], *messages)
    assert texts(got) == wanted
    assert action == "rewrite"


async def test_tool_results_go_on_in_each_other(plans: dict[str, Plan]) -> None:
    halves = [
        {"role": "tool", "tool_call_id": id_, "content": half}
        for id_, half in zip("ab", (KEY[:40], KEY[40:]), strict=True)
    ]
    assert texts((await sent(plans["default"], *halves))[1]) == ["[OPENAI_API_KEY]"] * 2


async def test_an_address_in_two_parts_is_one(plans: dict[str, Plan]) -> None:
    _, got = await sent(plans["strict"], user("Write to anna.berg@exam", "ple.com today"))
    assert texts(got) == ["Write to [EMAIL_ADDRESS]", "[EMAIL_ADDRESS] today"]


async def test_a_private_key_in_two_parts_is_refused(plans: dict[str, Plan]) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq2Rk9vYp0sT1xZw3Jd8LmNcQeUfHgVbXyKaPoIrStEuWzM\n" * 4
    action, _ = await sent(plans["default"], user(f"Here: {key[:20]}", key[20:]))
    assert action == Action.REFUSE.word


ORDINARY = [
    [user("Write to anna.berg@example.com", "is that right?")],
    [user("My order has the number 4155", "2 parcels came today")],
    [said("user", "How much is 12345678"), said("assistant", "times what?"), said("user", "87654322")],
    [said("user", "In 2023"), said("user", "10 people came, in 2024 it was 11")],
    [said("user", "hello"), said("assistant", "Hello!"), said("user", "world")],
    [said("user", "1"), said("user", "2"), said("user", "3"), said("user", "4"), said("user", "5"), said("user", "6")],
    [user("The password is in the vault", "thanks")],
    [user("What does sk- at the start of a key mean", "and what does ghp_ mean")],
    [said("user", "Call me at noon on 5"), said("user", "May 2024, room 1208")],
    [said("user", "192.168.0"), said("user", "or 10.0.0")],
    [user("a.b", "c.d", "e@", "f", ".", "g")],
]


@pytest.mark.parametrize("name", ["default", "strict"])
@pytest.mark.parametrize("messages", ORDINARY)
async def test_ordinary_conversations_stay(name: str, messages: list[dict[str, Any]], plans: dict[str, Plan]) -> None:
    before = texts(messages)
    alone = [texts((await sent(plans[name], said("user", text)))[1])[0] for text in before]
    assert texts((await sent(plans[name], *messages))[1]) == alone


def test_only_one_speakers_texts_of_a_kind_are_joined() -> None:
    segments = [
        Segment("/a", "user", "text", "one"),
        Segment("/b", "assistant", "text", "two"),
        Segment("/c", "user", "tool_schema", "three"),
        Segment("/d", "user", "text", "four"),
        Segment("/e", "user", "text", "five", fixed=True),
        Segment("/f", "user", "text", "A sentence."),
        Segment("/g", "user", "text", "Another."),
    ]
    assert [join.text for join in joins(segments)] == ["onefour", "onefourA sentence."]


def test_what_is_joined_is_bounded_and_knows_its_places() -> None:
    segments = [Segment(f"/{i}", "user", "text", "x" * 1000 + str(i)) for i in range(50)]
    found = list(joins(segments))
    assert len(found) == 49
    assert max(len(join.text) for join in found) <= 3 * TAIL
    join = found[3]
    assert [(s.where, s.text[a:b]) for s, (a, b) in join.placed(join.border - 2, join.border + 2)] == [
        ("/3", "x3"),
        ("/4", "xx"),
    ]


def test_a_thousand_small_parts_cost_little() -> None:
    segments = [Segment(f"/{i}", "user", "text", "ab") for i in range(1000)]
    assert sum(len(join.text) for join in joins(segments)) <= 1000 * 3 * TAIL
