"""Where settings come from, and which of several goes first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import SettingsError
from lockgate_proxy.effective import (
    DEFAULT,
    HIDDEN,
    MISSING,
    Effective,
    look_at,
    option_of,
    read_effective,
    variable_of,
)
from lockgate_proxy.settings import Settings

NEEDED = {"policy": "default", "upstream": "http://h/v1"}


def read(
    options: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None, file: Path | None = None
) -> Effective:
    return read_effective({**NEEDED, **(options or {})}, environment or {}, file)


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


class TestPrecedence:
    @pytest.mark.parametrize(
        ("option", "variable", "line", "value", "origin"),
        [
            ("1", "2", "3", 1, "--port"),
            (None, "2", "3", 2, "LOCKGATE_PORT"),
            (None, "", "3", 3, "settings.yaml:2"),
            (None, None, "3", 3, "settings.yaml:2"),
            (None, None, None, 8080, DEFAULT),
        ],
    )
    def test_options_then_environment_then_file_then_default(
        self, tmp_path: Path, option: str | None, variable: str | None, line: str | None, value: int, origin: str
    ) -> None:
        file = written(tmp_path, f"# settings\n{f'port: {line}' if line else 'workers: 2'}\n")
        environment = {"LOCKGATE_PORT": variable} if variable is not None else {}
        found = read({"port": option}, environment, file)
        assert (found.settings.port, found.origins["port"].removeprefix(f"{tmp_path}/")) == (value, origin)

    def test_a_list_is_taken_whole(self, tmp_path: Path) -> None:
        file = written(tmp_path, "tags: [file, more]\n")
        assert read(file=file).settings.tags == ("file", "more")
        assert read(environment={"LOCKGATE_TAGS": " env, ,b"}, file=file).settings.tags == ("env", "b")
        assert read({"tags": ["option"]}, {"LOCKGATE_TAGS": "env"}, file).settings.tags == ("option",)

    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_every_setting_has_its_variable(self, name: str) -> None:
        assert variable_of(name) == f"LOCKGATE_{name.upper()}"
        assert option_of(name).startswith("--")

    def test_the_environment_can_name_the_file(self, tmp_path: Path) -> None:
        file = written(tmp_path, "port: 7\n")
        assert read(environment={"LOCKGATE_CONFIG": str(file)}).settings.port == 7
        (tmp_path / "other").mkdir()
        other = written(tmp_path / "other", "port: 8\n")
        assert read(environment={"LOCKGATE_CONFIG": str(file)}, file=other).settings.port == 8

    def test_all_of_them_have_an_origin(self) -> None:
        found = read()
        assert set(found.origins) == set(Settings.model_fields)
        assert found.origins["policy"] == "--policy"


class TestFiles:
    def test_paths_are_relative_to_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "keys").touch()
        monkeypatch.chdir("/")
        file = written(tmp_path, "keys: keys\npolicy: mine.yaml\naudit: a.jsonl\nupstream: http://h/v1\n")
        found = read_effective({}, {}, file).settings
        assert (found.keys, found.audit) == (tmp_path / "keys", tmp_path / "a.jsonl")
        assert found.policy == str(tmp_path / "mine.yaml")

    def test_names_and_the_standard_output_are_no_paths(self, tmp_path: Path) -> None:
        found = read_effective({"upstream": "http://h/v1"}, {}, written(tmp_path, 'policy: strict\naudit: "-"\n'))
        assert (found.settings.policy, found.settings.audit) == ("strict", "-")

    @pytest.mark.parametrize(
        ("text", "line", "said"),
        [
            ("port: 1\nprot: 2\n", 2, r"no setting `prot` \(did you mean `port`\?\)"),
            ("Port: 1\n", 1, "did you mean `port`"),
            ("max-body: 1\n", 1, "did you mean `max_body`"),
            ("xyzzy: 1\n", 1, "no setting `xyzzy`$"),
            ("port: http\n", 1, "port: input should be a valid integer"),
            ("port: 70000\n", 1, "port: "),
            ("port:\n", 1, "port: there is no value"),
            ("port: true\n", 1, "port: must be a number or text"),
            ("port: [1]\n", 1, "port: must be a single value"),
            ("port: {a: 1}\n", 1, "port: must be a single value"),
            ("tags: a\n", 1, "tags: must be a list"),
            ("tags: [1]\n", 1, "tags: "),
            ("\n\nworkers: 0\n", 3, "workers: "),
            ("port: 1\nport: 2\n", 2, "stands here twice"),
            ("port: [1\n", None, "not YAML"),
            ("audit_key: 0123456789abcdef\n", 1, "audit_key: a secret does not belong here; use audit_key_file"),
            ("model_key: 0123456789abcdef\n", 1, "model_key: a secret does not belong here; use model_key_file"),
            ("keys: none\n", 1, "keys: there is no such file"),
            ("upstream_key_header: cookie\n", 1, "upstream_key_header: "),
        ],
    )
    def test_what_is_wrong_has_its_line(self, tmp_path: Path, text: str, line: int | None, said: str) -> None:
        file = written(tmp_path, text)
        with pytest.raises(SettingsError, match=said) as caught:
            read(file=file)
        assert str(caught.value).startswith(f"{file}:{line}: " if line else f"{file}:")
        assert "0123456789" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "# nothing\n", "- port\n"])
    def test_what_is_no_settings_file(self, tmp_path: Path, text: str) -> None:
        file = written(tmp_path, text)
        with pytest.raises(SettingsError, match="a setting in each line") as caught:
            read(file=file)
        assert str(file) in str(caught.value)
        assert "version" not in str(caught.value)

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        written(tmp_path, "port: 1\n")
        with pytest.raises(SettingsError, match=r"did you mean `settings\.yaml`"):
            read(file=tmp_path / "setings.yaml")


class TestTheEnvironment:
    @pytest.mark.parametrize(
        ("variable", "said"),
        [
            ("LOCKGATE_PROT", r"LOCKGATE_PROT: there is no such setting \(did you mean `LOCKGATE_PORT`\?\)"),
            ("LOCKGATE_CONFG", "did you mean `LOCKGATE_CONFIG`"),
            ("LOCKGATE_", "LOCKGATE_: there is no such setting"),
            ("LOCKGATE_port", "did you mean `LOCKGATE_PORT`"),
        ],
    )
    def test_an_unknown_variable(self, variable: str, said: str) -> None:
        with pytest.raises(SettingsError, match=said):
            read(environment={variable: "1"})

    def test_other_variables_are_nobody_s_business(self) -> None:
        assert read(environment={"PORT": "1", "LOCKGATEPORT": "2", "lockgate_port": "3"}).settings.port == 8080

    def test_what_is_wrong_names_the_variable_and_not_the_value(self) -> None:
        with pytest.raises(SettingsError, match=r"^LOCKGATE_AUDIT_KEY: audit_key: is too short") as caught:
            read(environment={"LOCKGATE_AUDIT_KEY": "hunter2"})
        assert "hunter2" not in str(caught.value)

    def test_what_kubernetes_says_of_a_service_is_passed_over(self) -> None:
        environment = {
            "LOCKGATE_SERVICE_HOST": "10.0.0.1",
            "LOCKGATE_SERVICE_PORT": "80",
            "LOCKGATE_SERVICE_PORT_HTTP": "80",
            "LOCKGATE_PORT": "tcp://10.0.0.1:80",
            "LOCKGATE_PORT_80_TCP": "tcp://10.0.0.1:80",
            "LOCKGATE_PORT_80_TCP_ADDR": "10.0.0.1",
            "LOCKGATE_ADMIN_SERVICE_HOST": "10.0.0.2",
            "LOCKGATE_ADMIN_PORT": "tcp://10.0.0.2:80",
        }
        found = read(environment=environment).settings
        assert (found.port, found.admin_port) == (8080, None)

    def test_the_upstream_s_key_may_have_our_prefix(self) -> None:
        environment = {"LOCKGATE_UPSTREAM_KEY": "sk-1"}
        found = read({"upstream_key_env": "LOCKGATE_UPSTREAM_KEY"}, environment)
        assert found.settings.upstream_key_env == "LOCKGATE_UPSTREAM_KEY"
        assert "sk-1" not in str(found.public())
        with pytest.raises(SettingsError, match="LOCKGATE_UPSTREAM_KEY: there is no such setting"):
            read(environment=environment)


def test_required_ones_say_how_to_give_them() -> None:
    with pytest.raises(SettingsError) as caught:
        read_effective({}, {}, None)
    first, second = str(caught.value).splitlines()
    assert first == "policy: is required: give --policy, LOCKGATE_POLICY, or `policy:` in the settings file"
    assert second.startswith("upstream: is required")


def test_what_does_not_go_together_names_its_origin(tmp_path: Path) -> None:
    file = written(tmp_path, "host: 0.0.0.0\nupstream_key_env: KEY\naudit: '-'\n")
    with pytest.raises(SettingsError) as caught:
        read({"workers": "2"}, {}, file)
    assert f"{file}:3: audit: several workers can't share" in str(caught.value)
    assert "keys: 0.0.0.0 can be reached by others" in str(caught.value)


def test_what_is_wrong_does_not_hide_the_rest() -> None:
    environment = {"LOCKGATE_UPSTREAM": "https://anna:hunter2@h/v1", "LOCKGATE_TLS_KEY": __file__}
    found = look_at({"port": "9"}, environment, None)
    assert found.settings.port == 9
    assert set(found.problems) == {"policy", "upstream"}
    assert found.origins["policy"] == MISSING
    assert found.origins["upstream"] == "LOCKGATE_UPSTREAM"
    assert "hunter2" not in str(found.public())
    with pytest.raises(SettingsError, match="policy: is required"):
        read_effective({"port": "9"}, environment, None)
    lacking = look_at({**NEEDED, "tls_key": __file__}, {}, None)
    assert lacking.public()["tls_cert"] == {"problem": "tls_cert: is needed beside tls_key", "origin": MISSING}


def test_secrets_are_hidden() -> None:
    found = read(environment={"LOCKGATE_AUDIT_KEY": "0123456789abcdef"})
    assert found.public()["audit_key"] == {"value": HIDDEN, "origin": "LOCKGATE_AUDIT_KEY"}
    assert "0123456789abcdef" not in str(found) + repr(found) + str(found.public())
    assert read().public()["audit_key"] == {"value": None, "origin": DEFAULT}
