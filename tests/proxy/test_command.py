from __future__ import annotations

from lockgate.errors import SettingsError
from lockgate_proxy.command import FAILED, OK, WRONG, missing


def test_exit_codes() -> None:
    assert (OK, FAILED, WRONG) == (0, 1, 2)


def test_a_package_that_is_not_there_names_its_extra() -> None:
    said = missing("proxy", ModuleNotFoundError("x", name="uvicorn"))
    assert isinstance(said, SettingsError)
    assert str(said) == "the package 'uvicorn' is not installed: pip install 'lockgate[proxy]'"


def test_a_fault_of_ours_stays_one() -> None:
    for fault in (ModuleNotFoundError("x", name="lockgate_proxy.gone"), ImportError("x", name="uvicorn")):
        assert missing("proxy", fault) is fault
