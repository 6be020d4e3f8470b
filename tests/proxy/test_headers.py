from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate_proxy.headers import Headers, answer_headers, request_headers, value_of, without

END_TO_END: Headers = [
    (b"authorization", b"Bearer sk-made-up"),
    (b"openai-organization", b"org"),
    (b"openai-beta", b"assistants=v2"),
    (b"idempotency-key", b"k"),
    (b"x-stainless-lang", b"python"),
    (b"traceparent", b"00-1-2-01"),
    (b"tracestate", b"a=b"),
    (b"content-type", b"application/json"),
    (b"content-encoding", b"gzip"),
    (b"cookie", b"a=b"),
    (b"accept", b"*/*"),
    (b"user-agent", b"OpenAI/Python"),
    (b"x-twice", b"1"),
    (b"x-other", b"2"),
    (b"x-twice", b"3"),
]
HOP_BY_HOP: Headers = [
    (b"host", b"here"),
    (b"connection", b"keep-alive, X-Named"),
    (b"x-named", b"1"),
    (b"keep-alive", b"timeout=5"),
    (b"proxy-authorization", b"Basic x"),
    (b"proxy-connection", b"keep-alive"),
    (b"te", b"trailers"),
    (b"trailer", b"x"),
    (b"transfer-encoding", b"chunked"),
    (b"upgrade", b"h2c"),
    (b"http2-settings", b"x"),
    (b"expect", b"100-continue"),
    (b"content-length", b"5"),
    (b"x-lockgate-id", b"forged"),
]
ANSWERED: Headers = [
    (b"x-request-id", b"req_1"),
    (b"openai-processing-ms", b"12"),
    (b"x-ratelimit-remaining-requests", b"99"),
    (b"retry-after", b"2"),
    (b"retry-after-ms", b"1500"),
    (b"x-should-retry", b"true"),
    (b"set-cookie", b"a=1"),
    (b"set-cookie", b"b=2"),
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
]


def test_what_travels_to_the_upstream() -> None:
    sent = request_headers([*HOP_BY_HOP, *END_TO_END], identity=False)
    assert sent == END_TO_END


def test_what_a_guarded_route_asks_for() -> None:
    raw = [(b"accept-encoding", b"gzip, br"), *END_TO_END, (b"accept-encoding", b"zstd")]
    assert request_headers(raw, identity=True) == [*END_TO_END, (b"accept-encoding", b"identity")]
    assert request_headers(raw, identity=False) == raw
    named = [(b"connection", b"accept-encoding"), *raw]
    assert request_headers(named, identity=True) == [*END_TO_END, (b"accept-encoding", b"identity")]


def test_the_length_of_a_body_that_is_passed_on() -> None:
    raw = [(b"content-length", b"5"), (b"connection", b"content-length, close")]
    assert request_headers(raw, identity=False, keep_length=True) == [(b"content-length", b"5")]
    assert request_headers(raw, identity=False) == []


def test_connection_may_come_often_and_after_what_it_names() -> None:
    raw = [(b"x-a", b"1"), (b"x-b", b"2"), (b"connection", b"X-A"), (b"connection", b" x-b ,, close"), (b"x-c", b"3")]
    assert request_headers(raw, identity=False) == [(b"x-c", b"3")]
    assert answer_headers(raw) == [(b"x-c", b"3")]


def test_what_travels_back() -> None:
    raw = [
        (b"Connection", b"keep-alive, X-Named"),
        (b"X-Named", b"1"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Proxy-Authenticate", b"Basic"),
        (b"Trailer", b"x"),
        (b"Upgrade", b"h2c"),
        (b"Alt-Svc", b'h3=":443"'),
        (b"X-Lockgate-Action", b"allow"),
        *((name.title(), value) for name, value in ANSWERED),
    ]
    assert answer_headers(raw) == ANSWERED


def test_the_length_of_an_answer() -> None:
    raw = [(b"Content-Length", b"5"), (b"Content-Type", b"a/b")]
    assert answer_headers(raw) == [(b"content-length", b"5"), (b"content-type", b"a/b")]
    assert answer_headers(raw, length=False) == [(b"content-type", b"a/b")]


NAMES = st.sampled_from([name for name, _ in [*END_TO_END, *HOP_BY_HOP]])


@given(st.lists(st.tuples(NAMES, st.sampled_from([b"a", b"close", b"authorization, x-twice", b"te"]))))
def test_order_and_duplicates_are_kept_and_nothing_is_made_up(raw: Headers) -> None:
    sent = request_headers(raw, identity=False)
    left = iter(raw)
    assert all(pair in left for pair in sent)
    again = request_headers(sent, identity=False)
    assert again == sent


def test_reading_and_leaving_out() -> None:
    headers = [(b"Content-Type", b"a/b"), (b"x", b"1"), (b"X", b"2")]
    assert value_of(headers, b"content-type") == b"a/b"
    assert value_of(headers, b"x") == b"1, 2"
    assert value_of(headers, b"y") == b""
    assert without([(b"a", b"1"), (b"b", b"2")], frozenset({b"a"})) == [(b"b", b"2")]
