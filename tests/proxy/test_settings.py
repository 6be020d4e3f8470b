from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic
import pytest

from lockgate.errors import SettingsError
from lockgate_proxy.settings import MIB, Settings

NEEDED: dict[str, Any] = {"policy": "default", "upstream": "https://host.test/v1"}


def read(**given: Any) -> Settings:
    return Settings.read(**{**NEEDED, **given})


def test_defaults() -> None:
    settings = read()
    assert settings.model_dump() == {
        "policy": "default",
        "upstream": "https://host.test/v1",
        "host": "127.0.0.1",
        "port": 8080,
        "workers": 1,
        "drain_timeout": 30.0,
        "reload_interval": 1.0,
        "tls_cert": None,
        "tls_key": None,
        "keys": None,
        "upstream_key_env": None,
        "upstream_key_header": "authorization",
        "max_body": 32 * MIB,
        "max_answer": 64 * MIB,
        "upstream_timeout": 600.0,
        "stream_idle_timeout": 300.0,
        "keepalive_comment": 15.0,
        "audit": None,
        "audit_key": None,
        "audit_key_file": None,
        "mask_key": None,
        "mask_key_file": None,
        "admin_port": None,
        "admin_host": "127.0.0.1",
        "models": None,
        "device": "cpu",
        "model_threads": 1,
        "model_parallel": 1,
        "model_endpoint": None,
        "model_timeout": 2.0,
        "model_key": None,
        "model_key_file": None,
        "model_ca": None,
        "judge_url": None,
        "judge_model": None,
        "judge_key": None,
        "judge_key_file": None,
        "judge_ca": None,
        "judge_timeout": 20.0,
        "judge_per_minute": 600,
        "judge_parallel": 32,
        "country_header": None,
        "tags_header": None,
        "language_header": None,
        "moderations": None,
        "provider": "openai",
        "tags": (),
        "upstream_ca": None,
    }


def test_settings_do_not_change() -> None:
    with pytest.raises(pydantic.ValidationError):
        read().port = 1


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1"),
        ("https://host.test/v1/", "https://host.test/v1"),
        ("https://host.test", "https://host.test"),
        ("https://[::1]:8000/a/b/v1", "https://[::1]:8000/a/b/v1"),
    ],
)
def test_upstreams(given: str, kept: str) -> None:
    assert read(upstream=given).upstream == kept


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("host.test/v1", "http://"),
        ("ftp://host.test/v1", "http://"),
        ("", "http://"),
        ("http://", "no host"),
        ("http:///v1", "no host"),
        ("http://:80/v1", "no host"),
        ("http://host.test:0/v1", "no host"),
        ("http://host.test:99999/v1", "not a URL"),
        ("http://host.test:a/v1", "not a URL"),
        ("http://[::1/v1", "not a URL"),
        ("http://host.test/v 1", "not a URL"),
        ("http://host.test\\v1", "not a URL"),
        ("http://hóst.test/v1", "not a URL"),
        ("http://user:hunter2@host.test/v1", "name or password"),
        ("http://hunter2@host.test/v1", "name or password"),
        ("http://host.test/v1?key=hunter2", "query"),
        ("http://host.test/v1?", "query"),
        ("http://host.test/v1#a", "query or fragment"),
    ],
)
def test_bad_upstreams(given: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        read(upstream=given)
    assert str(caught.value).startswith("upstream: ")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 65536),
        ("port", -1),
        ("port", "http"),
        ("host", ""),
        ("policy", ""),
        ("max_body", 0),
        ("max_answer", -1),
        ("upstream_timeout", 0),
        ("stream_idle_timeout", "soon"),
        ("keepalive_comment", -1),
        ("audit_key", "short"),
        ("mask_key", "short"),
        ("tags", 3),
        ("colour", "blue"),
    ],
)
def test_the_wrong_setting_is_named(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**{name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert "short" not in str(caught.value).removeprefix(f"{name}: is too short")


def test_several_wrong_settings_are_all_named() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read(upstream="x", port=-1)
    assert all(f"{name}: " in str(caught.value) for name in ("policy", "upstream", "port"))


def test_audit(tmp_path: Path) -> None:
    assert read(audit="-").audit == "-"
    assert read(audit=str(tmp_path / "a.jsonl")).audit == tmp_path / "a.jsonl"
    with pytest.raises(SettingsError, match="folder"):
        read(audit=str(tmp_path / "none" / "a.jsonl"))


def test_the_key_is_kept_out_of_sight() -> None:
    settings = read(audit_key="0123456789abcdef")
    assert settings.audit_key is not None
    assert settings.audit_key.get_secret_value() == "0123456789abcdef"
    assert "0123456789abcdef" not in repr(settings)
    assert "hunter2" not in repr(read(model_endpoint="https://m/v2/models/a", model_key="hunter2"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model_key": "hunter2"}, "model_key: is for model_endpoint, which is not set"),
        ({"model_ca": __file__}, "model_ca: is for model_endpoint, which is not set"),
        (
            {"model_endpoint": "grpcs://m:1/a", "model_key": "hunter2", "model_key_file": __file__},
            "model_key: give this or",
        ),
        ({"model_endpoint": "https://me:hunter2@m/v2/models/a"}, "model_endpoint: must not hold a name or password"),
        ({"model_endpoint": "grpcs://m:1/a", "model_key_file": "none"}, "model_key_file: there is no such file"),
    ],
)
def test_a_model_server_s_key(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        read(**given)
    assert "hunter2" not in str(caught.value)


def test_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    assert read(upstream_ca=tmp_path / "ca.pem").upstream_ca == tmp_path / "ca.pem"
    with pytest.raises(SettingsError, match="no such file"):
        read(upstream_ca=tmp_path / "none.pem")


def test_tags() -> None:
    assert read(tags=["a", "b"]).tags == ("a", "b")
