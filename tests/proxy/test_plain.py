"""A plain answer on its way back: edited, refused, flagged, unreadable, or the upstream's error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakes import Script, chat_answer, hangs, http, json_answer, replying, sends
from lockgate.policy.plan import Plan
from proxied import Reply, proxied
from saying import patterns, plan_of, rule, words

REDACT = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}))
STOP = plan_of(rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}))
REFUSED = {"role": "assistant", "content": None, "refusal": "Not that word."}
KEY = "the key is sk-abcd1234."
JSON = b"Content-Type: application/json"


async def answered(plan: Plan, answer: bytes | Script, **more: Any) -> Reply:
    async with proxied(plan, replying(answer) if isinstance(answer, bytes) else answer, **more) as proxy:
        return await proxy.chat("hello")


async def told(plan: Plan, value: Any) -> Any:
    """What becomes of an answer."""
    reply = await answered(plan, json_answer(value))
    assert reply.status == 200
    return reply.json


def with_message(**message: Any) -> dict[str, Any]:
    return {**chat_answer(None), "choices": [{"index": 0, "message": {"role": "assistant", **message}}]}


class TestRewritten:
    @pytest.mark.parametrize(
        ("message", "edited"),
        [
            ({"content": KEY}, {"content": "the key is [KEY]."}),
            ({"reasoning_content": KEY}, {"reasoning_content": "the key is [KEY]."}),
            ({"reasoning": KEY}, {"reasoning": "the key is [KEY]."}),
            ({"refusal": KEY}, {"refusal": "the key is [KEY]."}),
            (
                {"content": [{"type": "text", "text": KEY}]},
                {"content": [{"type": "text", "text": "the key is [KEY]."}]},
            ),
            (
                {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a": "sk-abcd1234"}'}}]},
                {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a": "[KEY]"}'}}]},
            ),
            (
                {"function_call": {"name": "f", "arguments": '{"a": "sk-abcd1234"}'}},
                {"function_call": {"name": "f", "arguments": '{"a": "[KEY]"}'}},
            ),
            (
                {"tool_calls": [{"custom": {"name": "f", "input": KEY}}]},
                {"tool_calls": [{"custom": {"name": "f", "input": "the key is [KEY]."}}]},
            ),
            (
                {"audio": {"id": "a", "data": "AAAA", "transcript": KEY}},
                {"audio": {"id": "a", "data": "AAAA", "transcript": "the key is [KEY]."}},
            ),
        ],
    )
    async def test_wherever_it_stands(self, message: dict[str, Any], edited: dict[str, Any]) -> None:
        assert await told(REDACT, with_message(**message)) == with_message(**edited)

    async def test_in_every_choice(self) -> None:
        came = await told(REDACT, chat_answer("fine", KEY, KEY))
        assert came == chat_answer("fine", "the key is [KEY].", "the key is [KEY].")

    async def test_only_the_string_changes(self) -> None:
        before = b'{ "choices":[{"message":{"role":"\\u0061ssistant","content":'
        after = b'},"index":0}],\n"usage" : {"total_tokens":1e3,"big":123456789012345678901}, "x_\\u0041":-0.0}  '
        reply = await answered(REDACT, http(before + b'"a \\u0073k-abcd1234\\/"' + after, JSON))
        assert reply.body == before + b'"a [KEY]/"' + after
        assert reply.header("content-length") == str(len(reply.body))
        assert reply.header("x-lockgate-action") == "rewrite"

    async def test_log_probabilities_go_with_their_text(self) -> None:
        logprobs: Any = {"content": [{"token": t, "logprob": -1, "top_logprobs": []} for t in ("sk-", "abcd", "1234")]}
        answer = chat_answer("sk-abcd1234", "fine")
        answer["choices"][0]["logprobs"] = logprobs
        answer["choices"][1]["logprobs"] = {"content": [{"token": "fine", "logprob": -1}]}
        came = await told(REDACT, answer)
        assert came["choices"][0]["logprobs"] is None
        assert came["choices"][1] == answer["choices"][1]

    async def test_log_probabilities_that_spell_what_the_text_does_not_say(self) -> None:
        answer = chat_answer("fine")
        answer["choices"][0]["logprobs"] = {"content": [{"token": t} for t in ("sk-", "abcd", "1234")]}
        came = await told(REDACT, answer)
        assert came["choices"][0]["logprobs"] is None
        assert came["choices"][0]["message"]["content"] == "fine"

    async def test_citations_move_with_their_text(self) -> None:
        note = {"type": "url_citation", "url_citation": {"start_index": 26, "end_index": 30, "url": "u", "title": "t"}}
        answer = with_message(content="the key is sk-abcd1234 on [1].", annotations=[note])
        came = (await told(REDACT, answer))["choices"][0]["message"]
        moved = came["annotations"][0]["url_citation"]
        assert (
            came["content"][moved["start_index"] : moved["end_index"]]
            == answer["choices"][0]["message"]["content"][26:30]
        )

    async def test_the_name_of_a_call_can_t_be_edited(self) -> None:
        named = with_message(tool_calls=[{"id": "c", "function": {"name": "sk-abcd1234", "arguments": "{}"}}])
        reply = await answered(REDACT, json_answer(named))
        assert reply.status == 503
        assert reply.error["innererror"]["reasons"] == ["uneditable"]
        assert b"sk-abcd" not in reply.body


class TestRefused:
    async def test_the_only_choice(self) -> None:
        reply = await answered(STOP, json_answer(chat_answer("say plugh now"), b"x-request-id: req_1"))
        assert reply.status == 200
        choice = reply.json["choices"][0]
        assert choice["message"] == REFUSED
        assert choice["finish_reason"] == "content_filter"
        assert reply.json["usage"] == chat_answer(None)["usage"]
        assert reply.json["id"] == "chatcmpl-fake"
        assert reply.json["lockgate"]["rules"] == ["stop"]
        assert reply.header("x-lockgate-action") == "refuse"
        assert reply.header("x-request-id") == "req_1"
        assert b"plugh" not in reply.body

    async def test_one_of_three(self) -> None:
        came = await told(STOP, chat_answer("fine", "plugh", "also fine"))
        assert [c["finish_reason"] for c in came["choices"]] == ["stop", "content_filter", "stop"]
        assert [c["message"]["content"] for c in came["choices"]] == ["fine", None, "also fine"]

    @pytest.mark.parametrize(
        "message",
        [
            {"content": "x", "reasoning": "plugh"},
            {"content": "x", "tool_calls": [{"id": "c", "function": {"name": "plugh", "arguments": "{}"}}]},
            {"content": "x", "annotations": [{"type": "url_citation", "url_citation": {"title": "plugh"}}]},
            {"content": "x", "audio": {"transcript": "plugh"}},
        ],
    )
    async def test_by_whatever_is_said(self, message: dict[str, Any]) -> None:
        came = await told(STOP, with_message(**message))
        assert came["choices"][0]["message"] == REFUSED

    async def test_nothing_else_of_the_choice_is_left(self) -> None:
        answer = chat_answer("plugh")
        answer["choices"][0] |= {"logprobs": {"content": [{"token": "plugh"}]}, "text": "plugh", "token_ids": [1]}
        reply = await answered(STOP, json_answer(answer))
        assert b'"plugh"' not in reply.body
        assert reply.json["choices"][0]["message"] == REFUSED

    async def test_an_edit_beside_a_refusal(self) -> None:
        plan = plan_of(
            rule("stop", words("plugh"), "refuse"), rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"})
        )
        came = await told(plan, chat_answer("plugh sk-abcd1234", KEY))
        assert came["choices"][0]["message"]["content"] is None
        assert came["choices"][1]["message"]["content"] == "the key is [KEY]."


class TestFlagged:
    async def test_the_flags_stand_beside_the_answer(self) -> None:
        plan = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"flag": {"notice": "A key."}}))
        answer = {**chat_answer("fine", KEY)}
        reply = await answered(plan, json_answer(answer))
        flags = [{"name": "notice", "text": "A key.", "rule": "keys", "choice": 1}]
        assert reply.json["lockgate"]["flags"] == flags
        assert reply.body.startswith(json.dumps(answer).encode()[:-1])
        assert reply.header("x-lockgate-action") == "flag"

    async def test_an_upstream_s_own_object_does_not_pass_for_ours(self) -> None:
        plan = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"flag": {"notice": "A key."}}))
        came = await told(plan, {**chat_answer(KEY), "lockgate": {"forged": True}})
        assert "forged" not in came["lockgate"]


class TestUnknown:
    ODD: tuple[tuple[Any, bytes], ...] = (
        (None, json.dumps({**chat_answer("fine"), "aside": "xyzzy"}).encode()),
        (0, json.dumps(with_message(content="fine", aside="xyzzy")).encode()),
        (0, json.dumps({**chat_answer("fine"), "choices": [{"index": 0, "text": "xyzzy"}]}).encode()),
        (None, b'{"choices": [{"index": 0, "message": {"content": "xyzzy"}}], "choices": []}'),
        (None, b"<html>xyzzy</html>"),
        (None, b'["xyzzy"]'),
        (None, b'{"choices": [{"message": {"content": "xyzzy \xff"}}]}'),
    )

    @pytest.mark.parametrize(("choice", "body"), ODD)
    async def test_refused_it_does_not_leave(self, choice: int | None, body: bytes) -> None:
        reply = await answered(plan_of(unknown="refuse"), http(body, JSON))
        assert b"xyzzy" not in reply.body
        assert reply.header("x-lockgate-action") == "refuse"

    @pytest.mark.parametrize(("choice", "body"), ODD)
    async def test_allowed_it_does(self, choice: int | None, body: bytes) -> None:
        reply = await answered(plan_of(), http(body, JSON))
        assert reply.status == 200
        assert reply.body == body

    async def test_an_empty_body_holds_nothing_unknown(self) -> None:
        reply = await answered(plan_of(unknown="refuse"), http(b"", b"Location: /x", status=b"307 Elsewhere"))
        assert (reply.status, reply.header("location"), reply.body) == (307, "/x", b"")

    async def test_only_the_choice_that_has_it_is_refused(self) -> None:
        answer = chat_answer("fine", "also fine")
        answer["choices"][1]["message"]["aside"] = "xyzzy"
        came = await told(plan_of(unknown="refuse"), answer)
        assert [c["finish_reason"] for c in came["choices"]] == ["stop", "content_filter"]


class TestWhatCantBeReadIsNotPassedUnseen:
    """A rule that acts on text must not be evaded by an answer that Python's clients read and the guard does not."""

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
    async def test_numbers_that_json_does_not_have(self, number: str) -> None:
        # vLLM sends them among log probabilities.
        logprobs = b'"logprobs": {"content": [{"token": "say plugh now", "logprob": %s}]}' % number.encode()
        body = b'{"choices": [{"index": 0, "message": {"content": "say plugh now"}, %s}]}' % logprobs
        reply = await answered(STOP, http(body, JSON))
        assert b"plugh" not in reply.body

    @pytest.mark.parametrize(
        "body",
        [
            b'\xef\xbb\xbf{"choices": [{"index": 0, "message": {"content": "say plugh now"}}]}',
            b'{"choices": [], "choices": [{"index": 0, "message": {"content": "say plugh now"}}]}',
            b'{"choices": [{"index": 0, "message": {"content": "say plugh \xff now"}}]}',
            b'{"choices": [{"index": 0, "message": {"content": "say plugh now"}}]} trailing',
            b"<html>say plugh now</html>",
            b"say plugh now",
        ],
        ids=["byte-order mark", "duplicate key", "not UTF-8", "trailing", "html", "text"],
    )
    async def test_other_documents(self, body: bytes) -> None:
        reply = await answered(STOP, http(body, JSON))
        assert b"plugh" not in reply.body

    async def test_a_stream_by_another_name(self) -> None:
        said = b'data: {"choices": [{"index": 0, "delta": {"content": "say plugh now"}}]}\n\ndata: [DONE]\n\n'
        async with proxied(STOP, replying(http(said, b"Content-Type: text/plain"))) as proxy:
            reply = await proxy.chat("hello", stream=True)
        assert b"plugh" not in reply.body


class TestErrorsOfTheUpstream:
    @pytest.mark.parametrize(
        "status", [b"400 Bad Request", b"401 Unauthorized", b"404 Not Found", b"429 Slow", b"500 Oh"]
    )
    async def test_pass_with_their_status(self, status: bytes) -> None:
        value = {"error": {"message": "no", "type": "x", "param": None, "code": "y"}}
        answer = json_answer(value, b"Retry-After: 3", b"x-should-retry: true", status=status)
        reply = await answered(STOP, answer)
        assert reply.status == int(status[:3])
        assert reply.body == json.dumps(value).encode()
        assert reply.header("retry-after") == "3"
        assert reply.header("x-should-retry") == "true"

    async def test_their_text_is_read(self) -> None:
        value = {"error": {"message": "Incorrect API key provided: sk-abcd1234.", "code": "invalid_api_key"}}
        reply = await answered(REDACT, json_answer(value, status=b"401 Unauthorized"))
        assert reply.status == 401
        assert reply.error["message"] == "Incorrect API key provided: [KEY]."

    async def test_a_refused_text_is_no_server_error(self) -> None:
        value = {"error": {"message": "say plugh now"}}
        reply = await answered(STOP, json_answer(value, status=b"400 Bad Request"))
        assert reply.status == 400
        assert b"plugh" not in reply.body

    async def test_html_passes_where_the_policy_allows_what_it_can_t_read(self) -> None:
        page = http(b"<html>bad gateway</html>", b"Content-Type: text/html", status=b"502 Bad Gateway")
        reply = await answered(STOP, page)
        assert reply.status == 502
        assert reply.body == b"<html>bad gateway</html>"
        assert reply.header("content-type") == "text/html"

    @pytest.mark.parametrize("status", [b"204 No Content", b"302 Found", b"304 Not Modified"])
    async def test_answers_without_a_body(self, status: bytes) -> None:
        reply = await answered(STOP, http(b"", b"Location: /elsewhere", status=status, length=status[:1] != b"2"))
        assert reply.status == int(status[:3])
        assert reply.header("location") == "/elsewhere"

    @pytest.mark.parametrize(
        ("script", "status", "code"),
        [
            (sends(), 502, "upstream_broken"),
            (sends(b"garbage\r\n\r\n"), 502, "upstream_broken"),
            (sends(http(b"{}", JSON)[:-1]), 502, "upstream_broken"),
            (sends(http(b"", b"Content-Length: 10", length=False)), 502, "upstream_broken"),
            (sends(http(b"{}", b"Content-Encoding: br")), 502, "upstream_broken"),
            (sends(http(b"no gzip", b"Content-Encoding: gzip")), 502, "upstream_broken"),
            (sends(http(b" " * 2000)), 502, "upstream_too_large"),
            (hangs(), 504, "upstream_timeout"),
            (hangs(http(b"", b"Content-Length: 10", length=False)), 504, "upstream_timeout"),
        ],
        ids=["closes", "no HTTP", "cut", "no body", "odd encoding", "bad gzip", "large", "silent", "silent within"],
    )
    async def test_what_is_no_answer(self, script: Script, status: int, code: str) -> None:
        reply = await answered(STOP, script, upstream_timeout=0.1, stream_idle_timeout=0.1, max_answer=1000)
        assert (reply.status, reply.error["code"]) == (status, code)
        assert reply.header("x-lockgate-id")

    async def test_an_upstream_that_is_not_there(self) -> None:
        async with proxied(STOP, sends(), upstream="http://127.0.0.1:9/v1") as proxy:
            reply = await proxy.chat("hello")
        assert (reply.status, reply.error["code"]) == (502, "upstream_unreachable")
        assert reply.header("x-should-retry") is None
