from __future__ import annotations

import json
from typing import Any

import pytest

from knowing import ASKS, Said, listed, plain, streamed
from lockgate.exchange import Token
from lockgate.wire.document import parse
from lockgate.wire.splice import splice
from lockgate.wire.token_logprobs import INCLUDE, Tokens, answer_tokens, asked, event_tokens, without

APIS = ["chat", "completions", "responses"]
PATHS = {"chat": "/chat/completions", "completions": "/completions", "responses": "/responses"}
ONE: Said = [("It", -0.5), (" is", -0.25), (" ré", -1.0), ("sumé 👩", -2.0), (".", -0.125)]
TWO: Said = [("No", -3.0), (".", -0.0)]
WHERE = {
    "chat": ["/choices/0/message/content", "/choices/1/message/content"],
    "completions": ["/choices/0/text", "/choices/1/text"],
    "responses": ["/output/0/content/0/text", "/output/0/content/1/text"],
}


def told(api: str, *choices: Said) -> Tokens:
    return {
        where: [Token(text.encode(), number) for text, number in said]
        for where, said in zip(WHERE[api], choices, strict=False)
    }


def events(said: list[bytes]) -> list[bytes]:
    """The data of events that have any."""
    return [line[6:] for event in said for line in event.split(b"\n") if line[:7] == b"data: {"]


@pytest.mark.parametrize("api", APIS)
def test_a_whole_answer_tells_its_tokens(api: str) -> None:
    assert answer_tokens(plain(api, [ONE, TWO], tells=True)) == told(api, ONE, TWO)
    assert answer_tokens(plain(api, [ONE, TWO], tells=False)) == told(api, [], [])


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("size", [1, 2, 9])
def test_so_do_its_events(api: str, size: int) -> None:
    for tells, expected in ((True, told(api, ONE, TWO)), (False, told(api, [], []))):
        found: Tokens = {}
        for data in events(streamed(api, [ONE, TWO], tells=tells, size=size)):
            event_tokens(parse(data), found)
        assert found == expected


@pytest.mark.parametrize("api", APIS)
def test_taken_out_it_is_the_answer_to_who_did_not_ask(api: str) -> None:
    body = json.dumps(plain(api, [ONE, TWO], tells=True)).encode()
    assert splice(body, without(parse(body))) == json.dumps(plain(api, [ONE, TWO], tells=False)).encode()
    assert without(plain(api, [ONE, TWO], tells=False)) == {}
    left = [splice(data, without(parse(data))) for data in events(streamed(api, [ONE, TWO], tells=True))]
    assert left == events(streamed(api, [ONE, TWO], tells=False))


@pytest.mark.parametrize(
    ("api", "document", "body"),
    [
        ("chat", {"n": 1}, b'{"n": 1,"logprobs":true}'),
        ("chat", {"logprobs": False, "n": 1}, b'{"logprobs": true, "n": 1}'),
        ("chat", {"logprobs": None}, b'{"logprobs": true}'),
        ("completions", {}, b'{"logprobs":1}'),
        ("completions", {"logprobs": None}, b'{"logprobs": 1}'),
        ("responses", {}, b'{"include":["message.output_text.logprobs"]}'),
        ("responses", {"include": ["a"]}, b'{"include": ["a", "message.output_text.logprobs"]}'),
        ("responses", {"include": None, "background": False}, None),
    ],
)
def test_a_request_asks(api: str, document: dict[str, Any], body: bytes | None) -> None:
    ask = asked(PATHS[api], document)
    assert ask is not None
    put = ask.put(json.dumps(document).encode())
    assert body is None or put == body
    assert json.loads(put) == {**document, ask.member: json.loads(ask.value)}
    assert ASKS[api][ask.member] == ([INCLUDE] if api == "responses" else json.loads(ask.value))
    assert asked(PATHS[api], json.loads(put)) is None


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/chat/completions", {"logprobs": True}),
        ("/chat/completions", {"logprobs": "yes"}),
        ("/completions", {"logprobs": 0}),
        ("/completions", {"logprobs": 5}),
        ("/responses", {"include": [INCLUDE]}),
        ("/responses", {"include": "all"}),
        ("/responses", {"background": True}),
        ("/responses/input_tokens", {}),
        ("/responses/{response_id}", {}),
        ("/embeddings", {}),
    ],
)
def test_who_asks_already_or_can_not_is_left_alone(path: str, document: dict[str, Any]) -> None:
    assert asked(path, document) is None


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ({"token": "a", "logprob": -1}, Token(b"a", -1.0)),
        ({"token": "\ufffd", "logprob": -1.5, "bytes": [0xF0, 0x9F]}, Token(b"\xf0\x9f", -1.5)),
        ({"token": "bytes:\\xf0\\x9f", "logprob": 0}, Token(b"\xf0\x9f", 0.0)),
        ({"token": "\ud83d", "logprob": 0.001}, Token(b"\xed\xa0\xbd", 0.001)),
        ({"token": "a", "bytes": [97, 300], "logprob": -1}, Token(b"a", -1.0)),
        ({"token": "a", "logprob": -1e400}, Token(b"a", -9999.0)),
        ({"token": "a", "logprob": -(10**400)}, Token(b"a", -9999.0)),
        ({"token": "a", "logprob": float("nan")}, Token(b"a", None)),
        ({"token": "a", "logprob": float("inf")}, Token(b"a", None)),
        ({"token": "a", "logprob": 10**400}, Token(b"a", None)),
        ({"token": "a", "logprob": True}, Token(b"a", None)),
        ({"token": "a", "logprob": "-1"}, Token(b"a", None)),
        ({"token": "a"}, Token(b"a", None)),
        ({"logprob": -1}, Token(b"", -1.0)),
    ],
)
def test_a_token_of_any_shape(token: dict[str, Any], expected: Token) -> None:
    answer = {"choices": [{"message": {"content": "a"}, "logprobs": {"content": [token]}}]}
    assert answer_tokens(answer) == {WHERE["chat"][0]: [expected]}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"text": "ab", "logprobs": {"tokens": ["a", "b"], "token_logprobs": [-1]}}, [-1.0, None]),
        ({"text": "ab", "logprobs": {"tokens": ["a", "b"]}}, [None, None]),
        ({"text": "ab", "logprobs": {"tokens": ["a", "b"], "token_logprobs": [None, -1, -2]}}, [None, -1.0]),
        ({"text": "ab", "logprobs": {"content": listed([("a", -1.0), ("b", -2.0)])}}, [-1.0, -2.0]),
        ({"text": "ab", "logprobs": [1, 2]}, []),
        ({"text": "ab", "logprobs": "many"}, []),
    ],
)
def test_completions_of_any_shape(choice: dict[str, Any], expected: list[float | None]) -> None:
    (found,) = answer_tokens({"choices": [choice]}).values()
    assert [token.logprob for token in found] == expected


@pytest.mark.parametrize("document", [None, 1, "x", [], {"choices": 1, "output": {"a": 1}}, {"choices": [1, None]}])
def test_what_is_no_answer_tells_nothing(document: Any) -> None:
    found: Tokens = {}
    event_tokens(document, found)
    assert (answer_tokens(document), found, without(document)) == ({}, {}, {})


def test_only_what_an_answer_says_itself() -> None:
    call = {"message": {"content": None, "tool_calls": [{"function": {"arguments": "{}"}}]}, "logprobs": None}
    refusal = {"message": {"content": None, "refusal": "No."}, "logprobs": {"content": None, "refusal": listed(TWO)}}
    assert answer_tokens({"choices": [call, refusal]}) == {}
    thought = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}
    declined = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}
    assert answer_tokens({"output": [thought, declined]}) == {}


def test_parts_of_an_answer_have_the_tokens_of_all() -> None:
    parts = [{"type": "text", "text": "It is"}, {"type": "thinking", "thinking": []}, {"type": "text", "text": "."}]
    answer = {"choices": [{"message": {"content": parts}, "logprobs": {"content": listed(ONE)}}]}
    found = answer_tokens(answer)
    assert list(found) == ["/choices/0/message/content/0/text", "/choices/0/message/content/2/text"]
    assert {len(tokens) for tokens in found.values()} == {len(ONE)}
