from __future__ import annotations

import ctypes
import gc
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lockgate_proxy import lean


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    enabled, thresholds = gc.isenabled(), gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    if enabled:
        gc.enable()
    else:
        gc.disable()


class TestUncollected:
    def test_nothing_is_collected_within(self) -> None:
        gc.enable()
        with lean.uncollected():
            assert not gc.isenabled()
        assert gc.isenabled()

    def test_what_was_off_stays_off(self) -> None:
        gc.disable()
        with lean.uncollected():
            pass
        assert not gc.isenabled()

    def test_it_ends_with_an_error(self) -> None:
        gc.enable()
        with pytest.raises(ValueError, match="x"), lean.uncollected():
            raise ValueError("x")
        assert gc.isenabled()


def test_settled_objects_are_not_looked_at_again() -> None:
    with lean.uncollected():
        lean.settle()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold()[0] >= 10_000


class TestWithoutPlugins:
    def test_not_once_pydantic_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PYDANTIC_DISABLE_PLUGINS", raising=False)
        lean.without_plugins()
        assert "PYDANTIC_DISABLE_PLUGINS" not in os.environ

    @pytest.mark.parametrize(("given", "kept"), [(None, "__all__"), ("one", "one")])
    def test_before_it_unless_the_user_says(
        self, monkeypatch: pytest.MonkeyPatch, given: str | None, kept: str
    ) -> None:
        monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", given or "")
        if given is None:
            monkeypatch.delenv("PYDANTIC_DISABLE_PLUGINS")
        monkeypatch.delitem(sys.modules, "pydantic")
        lean.without_plugins()
        assert os.environ["PYDANTIC_DISABLE_PLUGINS"] == kept


def test_contexts_made_within_trust_nobody_and_others_do() -> None:
    with lean.without_authorities():
        bare = ssl.create_default_context()
    full = ssl.create_default_context()
    assert bare.cert_store_stats()["x509"] == 0
    assert bare.verify_mode is ssl.CERT_REQUIRED
    assert bare.check_hostname
    assert full.cert_store_stats() == ssl.create_default_context().cert_store_stats()
    assert "load_default_certs" in vars(ssl.SSLContext)


def test_memory_is_given_back_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    lean.trim()

    def gone(name: object) -> None:
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", gone)
    lean.trim()


def test_the_command_line_imports_what_a_command_needs() -> None:
    code = """
import sys
from lockgate_proxy.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print(sorted(sys.modules.keys() & {"lockgate", "pydantic", "aiohttp", "uvicorn", "openai", "rich"}), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
