from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes import AsgiUpstream
from lockgate.errors import SettingsError
from lockgate_proxy.credentials import OwnCredentials, own_credentials
from lockgate_proxy.settings import Settings


def read(**given: Any) -> Settings:
    return Settings.read(policy="p", upstream="http://u/v1", **given)


class TestWhatIsSent:
    def test_the_client_s_own_without_keys_of_ours(self) -> None:
        assert own_credentials(read(), {}) is None

    @pytest.mark.parametrize(
        ("header", "sent"),
        [
            ("authorization", (b"authorization", b"Bearer sk-1")),
            ("api-key", (b"api-key", b"sk-1")),
            ("x-api-key", (b"x-api-key", b"sk-1")),
        ],
    )
    def test_the_operator_s(self, header: str, sent: tuple[bytes, bytes]) -> None:
        settings = read(upstream_key_env="KEY", upstream_key_header=header)
        assert own_credentials(settings, {"KEY": " sk-1\n"}) == [sent]

    def test_none_at_all_where_the_client_s_is_for_us(self, tmp_path: Path) -> None:
        (tmp_path / "keys").touch()
        assert own_credentials(read(keys=tmp_path / "keys"), {}) == []

    @pytest.mark.parametrize("value", [None, "", "  ", "two words", "sk-é", "sk\x00"])
    def test_a_variable_without_a_key(self, value: str | None) -> None:
        environment = {} if value is None else {"KEY": value}
        with pytest.raises(SettingsError, match=r"upstream_key_env: .*KEY") as caught:
            own_credentials(read(upstream_key_env="KEY"), environment)
        assert not value or value.strip() not in str(caught.value) or not value.strip()


async def test_the_client_s_never_leave() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    behind = AsgiUpstream(app)
    upstream = OwnCredentials(behind, [(b"authorization", b"Bearer ours")])
    headers = [
        (b"authorization", b"Bearer theirs"), (b"api-key", b"theirs"), (b"x-api-key", b"theirs"), (b"accept", b"*/*"),
        (b"openai-organization", b"org-1"), (b"openai-project", b"p-1"),
    ]  # fmt: skip
    answer = await upstream.open("POST", "/v1/x", headers, b"{}")
    answer.close()
    assert behind.requests[0].headers == [("accept", "*/*"), ("authorization", "Bearer ours")]
    assert behind.requests[0].body == b"{}"
    await upstream.close()
