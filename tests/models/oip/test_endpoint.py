from __future__ import annotations

import pytest

from lockgate_models.errors import DeviceError
from lockgate_models.oip.endpoint import read_endpoint


@pytest.mark.parametrize(
    ("url", "address", "path", "is_grpc", "is_secure"),
    [
        ("http://host:8000/v2/models/text", "host:8000", "/v2/models/text", False, False),
        ("http://host/v2/models/text/", "host:80", "/v2/models/text", False, False),
        ("https://host/v2/models/te-xt_1.0", "host:443", "/v2/models/te-xt_1.0", False, True),
        ("https://host/v2/models/text/versions/3", "host:443", "/v2/models/text/versions/3", False, True),
        ("http://mesh/ns/v2/models/text", "mesh:80", "/ns/v2/models/text", False, False),
        ("grpc://host:8001/text", "host:8001", "/text", True, False),
        ("grpcs://[::1]:8001/text/versions/3", "[::1]:8001", "/text/versions/3", True, True),
    ],
)
def test_a_url_is_taken_apart(url: str, address: str, path: str, is_grpc: bool, is_secure: bool) -> None:
    found = read_endpoint(url)
    assert (found.address, found.path, found.is_grpc, found.is_secure) == (address, path, is_grpc, is_secure)
    assert str(found) == f"{url.partition(':')[0]}://{address}{path}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:8000/v2/models/text",
        "ftp://host/v2/models/text",
        "http://host:8000/",
        "http://host:8000/v2/models/",
        "http://host:8000/v2/models/text/infer",
        "http://host:8000/v2/models/text?x=1",
        "http://host:8000/v2/models/text#x",
        "http://host:8000/v2/models/../x",
        "http:///v2/models/text",
        "http://host:port/v2/models/text",
        "http://[::1/v2/models/text",
        "grpc://host:8001/v2/models/text",
        "grpc://host:8001/",
    ],
)
def test_what_is_no_endpoint_is_told_the_form(url: str) -> None:
    with pytest.raises(DeviceError, match="write http://HOST:PORT/v2/models/NAME or grpc://HOST:PORT/NAME"):
        read_endpoint(url)


def test_a_port_of_grpc_has_no_default() -> None:
    with pytest.raises(DeviceError, match="has no port"):
        read_endpoint("grpc://host/text")


def test_a_password_has_no_place_in_it_and_is_not_repeated() -> None:
    with pytest.raises(DeviceError, match="holds a name or a password") as caught:
        read_endpoint("https://me:very-secret@host/v2/models/text")
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_near"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("127.example", False),
    ],
)
def test_only_the_loopback_is_near(host: str, is_near: bool) -> None:
    assert read_endpoint(f"http://{host}/v2/models/text").is_near is is_near
