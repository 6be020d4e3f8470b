"""Bare pass-through: what a client sees through Lockgate is what it sees without it, whichever API it asks."""

from __future__ import annotations

import gzip
import json

import pytest

from fakes import LAST_CHUNK, RawUpstream, chunk, head, http, replying
from proxied import Client, Reply, proxied, request
from saying import plan_of

JSON = b"Content-Type: application/json"
EVENTS = b"Content-Type: text/event-stream"
OURS = ("x-lockgate-", "date", "server", "connection")
PLAN = plan_of()

ODD = (
    b'\t{"object" : "o","n":1e3,"z":-0.0,"big":123456789012345678901234567890,"u":"\\ud83d\\/\\u00e9","id":"x_1"}\r\n\n'
)
"""Spelled as no library would."""
ASK = b' {"model" :"m","input":"hi \\u00e9\\/","messages":[{"role":"user","content":"\\ud83d"}],"temperature":1E+0}\n'
STREAMED = b' {"stream" : true,' + ASK.strip()[1:]
BINARY = bytes(range(256)) * 40
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\xc3\xa9.bin"\r\n\r\n' + BINARY + b"\r\n--b--\r\n"
)
SAID = (
    b': hello\r\n\r\nevent: response.created\r\ndata: {"type" : "response.created","n":1e3}\r\n\r\n'
    b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"},"text":"a","finish_reason":null}],  "obfuscation":"xY"}\n\n'
    b"id: 7\ndata: {\ndata: }\n\nretry: 5\n\ndata: [DONE]\n\n"
)


def streamed(body: bytes, *headers: bytes) -> list[bytes]:
    """An answer in pieces that know nothing of its lines."""
    return [head(*headers), *(chunk(body[i : i + 37]) for i in range(0, len(body), 37)), LAST_CHUNK]


PLAIN = http(ODD, JSON, b"x-request-id: req_1", b"openai-processing-ms: 5", b"x-ratelimit-remaining-requests: 9")
LIMITED = http(b'{"error": {"message":"slow down","type":"x","param":null,"code":"rate_limit_exceeded"}}', JSON,
               b"retry-after-ms: 20", b"x-should-retry: true", status=b"429 Too Many Requests")  # fmt: skip
BROKEN = http(b"<html>bad gateway</html>", b"Content-Type: text/html", status=b"502 Bad Gateway")

POSTS = ["chat/completions", "completions", "embeddings", "responses", "moderations", "images/generations", "audio/speech",
         "vector_stores/vs_1/search", "fine_tuning/jobs", "batches", "evals", "containers", "conversations",
         "openai/deployments/d/chat/completions"]  # fmt: skip
GETS = ["models", "models/org%2Fname", "models/ft:gpt-4:org::id", "chat/completions?limit=2", "chat/completions/c_1",
        "chat/completions/c_1/messages?order=asc", "responses/resp_1", "responses/resp_1/input_items?limit=1", "files",
        "conversations/c_1/items", "batches/b_1", "organization/usage/completions?start_time=1"]  # fmt: skip

CASES = [
    *(pytest.param("POST", path, [JSON.decode()], ASK, PLAIN, id=f"{path}") for path in POSTS),
    *(pytest.param("GET", path, ["Accept-Encoding: gzip"], b"", PLAIN, id=f"GET {path}") for path in GETS),
    *(
        pytest.param("POST", path, [JSON.decode()], STREAMED, streamed(SAID, EVENTS), id=f"{path} streamed")
        for path in ("chat/completions", "completions", "responses", "images/generations", "audio/transcriptions")
    ),
    *(
        pytest.param("POST", path, [JSON.decode()], ASK, answer, id=f"{path} {name}")
        for path in ("chat/completions", "completions", "embeddings", "responses", "files")
        for name, answer in (("limited", LIMITED), ("broken", BROKEN))
    ),
    pytest.param("POST", "files", ["Content-Type: multipart/form-data; boundary=b"], FORM, PLAIN, id="upload"),
    pytest.param("POST", "audio/speech", [JSON.decode()], ASK, streamed(BINARY, b"Content-Type: audio/mpeg"), id="sound"),
    pytest.param("GET", "files/f_1/content", [], b"", http(BINARY, b"Content-Type: application/octet-stream"), id="download"),
    pytest.param("GET", "files/f_1/content", ["Accept-Encoding: gzip"], b"",
                 http(gzip.compress(BINARY, mtime=0), b"Content-Encoding: gzip"), id="packed download"),
    pytest.param("DELETE", "responses/resp_1", [], b"", http(b"", status=b"204 No Content", length=False), id="nothing"),
    pytest.param("DELETE", "chat/completions/c_1", [], b"", PLAIN, id="deletion"),
    pytest.param("GET", "chat/completions/c_1", [], b"", http(b"", b"Location: /v1/y", status=b"307 Temporary Redirect"), id="redirect"),
]  # fmt: skip


def shown(reply: Reply) -> tuple[int, list[tuple[str, str]], bytes]:
    return reply.status, sorted(pair for pair in reply.headers if not pair[0].startswith(OURS)), reply.body


@pytest.mark.parametrize(("method", "path", "headers", "body", "answer"), CASES)
async def test_the_client_sees_the_same_bytes(
    method: str, path: str, headers: list[str], body: bytes, answer: bytes | list[bytes]
) -> None:
    ask = request(method, f"/v1/{path}", "Authorization: Bearer k", "Idempotency-Key: i", *headers, body=body)
    async with RawUpstream(replying(answer)) as upstream:
        client = await Client.to(upstream.url.removesuffix("/v1"))
        await client.send(ask)
        without = await client.reply(method)
        client.close()
        [plain] = upstream.requests
    async with proxied(PLAN, replying(answer), moderations="forward") as proxy:
        through = await proxy.raw(ask, method=method)
        [sent] = proxy.requests
    assert shown(through) == shown(without)
    assert (sent.method, sent.target, sent.body) == (plain.method, plain.target, plain.body)
    names = ("authorization", "content-type", "idempotency-key")
    assert [sent.header(name) for name in names] == [plain.header(name) for name in names]
    assert {name for name, _ in through.headers if name.startswith("x-lockgate-")} >= {
        "x-lockgate-id",
        "x-lockgate-coverage",
    }


def test_the_bytes_are_odd() -> None:
    assert json.dumps(json.loads(ODD)).encode() != ODD
    assert b"\r\n" in SAID
