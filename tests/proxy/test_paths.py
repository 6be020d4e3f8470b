from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import WireError
from lockgate_proxy.paths import meaning, target

BASE = "http://upstream.test:1/api/v1"


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        (b"/v1/chat/completions", "http://upstream.test:1/api/v1/chat/completions"),
        (b"/v1", "http://upstream.test:1/api/v1"),
        (b"/v1/", "http://upstream.test:1/api/v1/"),
        (b"/v1?a=b", "http://upstream.test:1/api/v1?a=b"),
        (b"/v1/models/a%2Fb:c%20d?x=%2e%2e/..&y=\xc3".replace(b"\xc3", b"z"), None),
        (b"/v1//a", None),
        (b"/v1/...", None),
        (b"/v1/a.b/.c/..d", None),
        (b"/v1/%2", None),
        (b"/v1/%zz", None),
        (b"/v1/a;b=c", None),
        (b'/v1/[a]{b}|"c"<d>^`\'', None),
    ],
)
def test_below_the_base_nothing_changes(raw: bytes, url: str | None) -> None:
    assert target(raw, BASE) == (url or BASE + raw.decode()[3:])


@pytest.mark.parametrize(
    "raw",
    [
        b"/v1/../admin",
        b"/v1/./x",
        b"/v1/..",
        b"/v1/a/../b",
        b"/v1/%2e%2e/admin",
        b"/v1/%2E./admin",
        b"/v1/.%2e",
        b"/v1/..%2fadmin",
        b"/v1/..%5cadmin",
        b"/v1/%252e%252e/admin",
        b"/v1/%25252e%25252e/admin",
        b"/v1/..;/admin",
        b"/v1/..;a=b/admin",
        b"/v1/a\\b",
        b"/v1/a%5Cb",
        b"/v1/a%00",
        b"/v1/a\x00",
        b"/v1/a b",
        b"/v1/a\tb",
        b"/v1/a\r\nHost: b",
        b"/v1/a#b",
        b"/v1/a?b#c",
        b"/v1/\xc3\xbc",
        b"/v1/a\x7f",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError) as caught:
        target(raw, BASE)
    assert (caught.value.status, caught.value.code) == (400, "invalid_path")


@pytest.mark.parametrize("raw", [b"/", b"", b"/v2/x", b"/v1x", b"/V1/x", b"//v1/x", b"http://other.test/v1/x", b"*"])
def test_what_is_not_below_our_base_is_not_there(raw: bytes) -> None:
    with pytest.raises(WireError) as caught:
        target(raw or b"?", BASE)
    assert caught.value.status == 404


@given(st.lists(st.sampled_from([b"/", b"..", b".", b"%2e", b"%2F", b"%25", b"2e", b"\\", b"a", b";", b"?", b"%"])))
def test_no_target_leaves_the_base(parts: list[bytes]) -> None:
    raw = b"/v1/" + b"".join(parts)
    try:
        url = target(raw, BASE)
    except WireError:
        return
    assert url == BASE + raw.decode()[3:]
    path = meaning(raw.partition(b"?")[0]).split(b"/")
    assert b".." not in path
    assert b"." not in path


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/chat/completions",
        b"/v1/chat/completions/",
        b"//v1//chat///completions",
        b"/V1/Chat/Completions",
        b"/v1/chat%2Fcompletions",
        b"/v1/%63hat/completions",
        b"/v1/%2563hat/completions",
        b"/v1/chat;a=b/completions;c",
        b"\\v1\\chat\\completions",
    ],
)
def test_ways_to_write_one_path(path: bytes) -> None:
    assert meaning(path) == b"/v1/chat/completions"


@pytest.mark.parametrize(
    ("path", "means"), [(b"/", b"/"), (b"", b"/"), (b"/v1/chat/completions/x", b"/v1/chat/completions/x")]
)
def test_other_paths_mean_something_else(path: bytes, means: bytes) -> None:
    assert meaning(path) == means
