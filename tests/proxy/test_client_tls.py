from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from fakes import CHUNKED, Peer, RawUpstream, chunk, hangs, http, replying, sends
from lockgate.errors import SettingsError
from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.upstream import UpstreamError

AUTH = [(b"authorization", b"Bearer sk-made-up"), (b"content-type", b"application/json")]


def to(url: str, *, ca: Path | None = None) -> AiohttpUpstream:
    return AiohttpUpstream(url, timeout=5, idle_timeout=5, ca=ca)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_a_known_authority(authority: trustme.CA, server: ssl.SSLContext, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with RawUpstream(replying(http(b"safe")), server) as upstream:
        client = to(upstream.url, ca=tmp_path / "ca.pem")
        for _ in range(2):
            assert await (await client.open("POST", "/v1/x", AUTH, b"{}")).read(10) == b"safe"
        await client.close()
    assert upstream.connections == 1


async def test_an_unknown_authority(server: ssl.SSLContext) -> None:
    async with RawUpstream(replying(http(b"safe")), server) as upstream:
        client = to(upstream.url)
        with pytest.raises(UpstreamError) as caught:
            await client.open("POST", "/v1/x", AUTH, b"{}")
        await client.close()
    assert caught.value.kind == "unreachable"
    assert "certificate" in str(caught.value)
    assert upstream.requests == []


async def test_another_hosts_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("elsewhere.test").configure_cert(context)
    async with RawUpstream(replying(http(b"safe")), context) as upstream:
        client = to(upstream.url, ca=tmp_path / "ca.pem")
        with pytest.raises(UpstreamError) as caught:
            await client.open("POST", "/v1/x", AUTH, b"{}")
        await client.close()
    assert caught.value.kind == "unreachable"


async def test_a_plain_server() -> None:
    async def script(peer: Peer) -> None:
        await peer.read_some()
        await peer.send(http(b"plain", status=b"400 Bad Request"))
        await peer.gone()

    async with RawUpstream(script) as upstream:
        client = to(upstream.url.replace("http:", "https:"))
        with pytest.raises(UpstreamError) as caught:
            await client.open("POST", "/v1/x", AUTH, b"{}")
        await client.close()
    assert caught.value.kind == "unreachable"


async def test_a_cut_stream(authority: trustme.CA, server: ssl.SSLContext, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with RawUpstream(sends(CHUNKED, chunk(b"a")), server) as upstream:
        client = to(upstream.url, ca=tmp_path / "ca.pem")
        with pytest.raises(UpstreamError) as caught:
            await (await client.open("POST", "/v1/x", AUTH, b"{}")).read(10)
        await client.close()
    assert caught.value.kind == "broken"


async def test_cancelling(authority: trustme.CA, server: ssl.SSLContext, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with RawUpstream(hangs(CHUNKED, chunk(b"a")), server) as upstream:
        client = to(upstream.url, ca=tmp_path / "ca.pem")
        answer = await client.open("POST", "/v1/x", AUTH, b"{}")
        task = asyncio.ensure_future(answer.read(10))
        await asyncio.sleep(0.01)
        task.cancel()
        async with asyncio.timeout(5):
            await upstream.gone.wait()
        await client.close()


def test_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(SettingsError, match="upstream_ca"):
        to("https://127.0.0.1/v1", ca=tmp_path / "ca.pem")
