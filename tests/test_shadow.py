"""Rules in shadow: what they say, and that nothing of an exchange shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiling import plan_of
from fakes import LAST_CHUNK, Peer, Script, chat_answer, chunk, head, json_answer, replying
from lockgate.audit import Audit
from lockgate.exchange import Exchange, Reading, Subject
from lockgate.passage import Passage
from lockgate.policy.conflicts import conflicts
from lockgate.policy.plan import Plan
from lockgate.wire.values import read_value
from proxied import CHAT, proxied, request
from saying import DONE, text

LIVE: dict[str, Any] = {"id": "live", "use": {"words": {"words": ["tea"]}}, "then": {"rewrite": "redact"}}

SHADOWS: dict[str, dict[str, Any]] = {
    "refuse": {"use": {"words": {"words": ["cup"]}}, "then": "refuse"},
    "rewrite": {"use": {"words": {"words": ["cup of"]}}, "then": {"rewrite": {"replace": "mug of"}}},
    "mask, restored": {
        "side": "prompt",
        "use": {"words": {"words": ["cup"]}},
        "then": {"rewrite": "pseudonym", "restore": True},
    },
    "flag": {"use": {"words": {"words": ["cup"]}}, "then": {"flag": {"n": {"text": "A cup.", "as": "inline"}}}},
    "footnote of a prompt": {
        "side": "prompt",
        "use": {"words": {"words": ["cup"]}},
        "then": {"flag": {"n": {"text": "A cup."}}},
    },
    "held": {"use": {"words": {"words": ["cup"]}}, "then": "refuse", "stream": "hold", "when": "words.count > 0"},
    "condition": {"side": "prompt", "when": 'request.model == "m"', "then": "refuse"},
    "condition that fails": {
        "use": {"words": {"words": ["cup"]}},
        "when": "1 / (words.count - words.count) > 0",
        "stream": "after",
    },
    "permit": {"side": "completion", "when": 'request.model == "m"', "then": None, "permit": ["live"]},
    "size": {"side": "prompt", "use": {"size": {"max_characters": 3}}, "then": "refuse"},
}

ASKED = "a cup of tea"
PIECES = ("a cu", "p of t", "ea, and a ", "cup")


def plans(rule: dict[str, Any]) -> tuple[Plan, Plan]:
    """The policy without the rule, and with it in shadow."""
    return plan_of(LIVE), plan_of(LIVE, {"id": "new", **rule, "mode": "shadow"})


def streaming() -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head(), *(chunk(text(piece)) for piece in PIECES), chunk(DONE), LAST_CHUNK)

    return script


OWN = ("x-lockgate-id", "x-lockgate-policy", "x-lockgate-coverage", "date")


async def seen(plan: Plan, audit: Path, *, stream: bool) -> tuple[Any, Any, bytes]:
    """What client and upstream get: the answer without what names the policy, the request as it came, the audit line."""
    script = streaming() if stream else replying(json_answer(chat_answer("".join(PIECES))))
    async with proxied(plan, script, audit=(kept := Audit(audit, b"k" * 32))) as proxy:
        body = json.dumps({"model": "m", "stream": stream, "messages": [{"role": "user", "content": ASKED}]}).encode()
        client = await proxy.client()
        await client.send(request("POST", CHAT, "Connection: close", body=body))
        reply = await client.reply()
        asked = proxy.requests[0].body if proxy.requests else b""
    kept.close()
    ours = reply.header("x-lockgate-id") or ""
    headers = sorted(pair for pair in reply.headers if pair[0] not in (*OWN, "content-length"))
    return (reply.status, headers, reply.body.replace(ours.encode(), b"ID")), asked, last_line(audit)


def last_line(file: Path) -> bytes:
    return file.read_bytes().splitlines()[-1]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", SHADOWS)
async def test_nothing_of_it_shows(name: str, stream: bool, tmp_path: Path) -> None:
    without, with_it = plans(SHADOWS[name])
    first = await seen(without, tmp_path / "a", stream=stream)
    second = await seen(with_it, tmp_path / "b", stream=stream)
    assert second[0] == first[0]
    assert second[1] == first[1]
    line = json.loads(second[2])
    outcomes = {
        (each["rule"], each["outcome"], each["action"])
        for side in ("prompt", "completion")
        for each in line[side]["rules"]
        if each["rule"] == "new"
    }
    assert outcomes == {
        {
            "refuse": ("new", "shadow", "refuse"),
            "rewrite": ("new", "shadow", "rewrite"),
            "mask, restored": ("new", "shadow", "rewrite"),
            "flag": ("new", "shadow", "flag"),
            "footnote of a prompt": ("new", "shadow", "flag"),
            "held": ("new", "shadow", "refuse"),
            "condition": ("new", "shadow", "refuse"),
            "condition that fails": ("new", "shadow_failed", "refuse"),
            "permit": ("new", "shadow", "allow"),
            "size": ("new", "shadow", "refuse"),
        }[name]
    }


@given(said=st.text(alphabet="a cuptef", max_size=40))
async def test_whatever_is_said_the_edits_and_the_action_are_those_of_the_others(said: str) -> None:
    for rule in SHADOWS.values():
        verdicts = []
        for plan in plans(rule):
            reading = Reading()
            read_value(reading, "/choices/0/message/content", said, "assistant", 0)
            verdicts.append(await Passage(plan, Exchange("x", "chat", Subject("m"))).answer(reading))
        first, second = verdicts
        assert (second.action, second.edits, second.flags) == (first.action, first.edits, first.flags)
        assert (second.failed_open, second.unavailable, second.applied, second.deciding) == (
            first.failed_open, first.unavailable, first.applied, first.deciding,
        )  # fmt: skip


def test_it_collides_with_nobody() -> None:
    _, plan = plans(SHADOWS["permit"])
    assert conflicts(plan) == []
