from __future__ import annotations

import json
from pathlib import Path

import pytest

from lockgate_proxy.cli import main
from lockgate_proxy.command import WRONG
from lockgate_proxy.keys import id_of, is_key, read_keys


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(["keys", *argv])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def test_a_key_s_life(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys.jsonl"
    code, out, err = run(
        capsys, "add", "--keys", str(file), "--tenant", "acme", "--tag", "a", "--tag", "b", "--policy", "strict"
    )
    text = out.strip()
    assert (code, err, out) == (0, "", f"{text}\n")
    name = id_of(text)
    assert name is not None
    key = read_keys(file)[name].key
    assert is_key(text, key)
    assert (key.tenant, key.tags, key.policy) == ("acme", ("a", "b"), "strict")

    code, out, _ = run(capsys, "list", "--keys", str(file))
    assert code == 0
    assert out.splitlines()[1].split() == [name, "acme", "a,b", "strict", key.created]
    assert text not in out

    code, out, _ = run(capsys, "revoke", "--keys", str(file), name)
    assert (code, out) == (0, f"{name} of acme is revoked\n")
    code, out, _ = run(capsys, "list", "--keys", str(file), "--json")
    (shown,) = map(json.loads, out.splitlines())
    assert shown.pop("revoked") > shown.pop("created")[:10]
    assert shown == {"id": name, "tenant": "acme", "tags": ["a", "b"], "policy": "strict"}
    assert key.hash not in out


def test_the_file_is_that_of_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.yaml").write_text("keys: k1\nport: 9\n", encoding="utf-8")
    run(capsys, "add", "--config", str(tmp_path / "settings.yaml"), "--tenant", "a")
    assert len(read_keys(tmp_path / "k1")) == 1
    monkeypatch.setenv("LOCKGATE_KEYS", str(tmp_path / "k2"))
    run(capsys, "add", "--tenant", "a")
    assert len(read_keys(tmp_path / "k2")) == 1


def test_a_policy_s_path_is_kept_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = "{id: x, side: prompt, use: {words: {words: [plugh]}}, then: refuse}"
    (tmp_path / "own.yaml").write_text(f"version: 1\nname: own\nrules:\n  - {rule}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "add", "--keys", "keys", "--tenant", "a", "--policy", "own.yaml")[0] == 0
    (placed,) = read_keys(tmp_path / "keys").values()
    assert placed.key.policy == str(tmp_path / "own.yaml")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("add", "--tenant", "a"), "keys: is required: give --keys or LOCKGATE_KEYS"),
        (("add", "--keys", "k", "--tenant", "two words"), "`tenant` must be"),
        (("add", "--keys", "k", "--tenant", "a", "--tag", "-"), "`tags` must be"),
        (("add", "--keys", "k", "--tenant", "a", "--policy", "defualt"), "did you mean `default`"),
        (("add", "--keys", "no/folder/k", "--tenant", "a"), "can't be written"),
        (("list", "--keys", "none"), "can't be read"),
        (("revoke", "--keys", "none", "abcdefgh"), "there is no file"),
    ],
)
def test_what_is_wrong(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *argv)
    assert (code, out) == (WRONG, "")
    assert err.startswith("lockgate keys: ")
    assert said in err
    assert not list(tmp_path.iterdir())


def test_a_file_that_others_can_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys"
    run(capsys, "add", "--keys", str(file), "--tenant", "a")
    file.chmod(0o644)
    for argv in (["list"], ["add", "--tenant", "b"], ["revoke", "abcdefgh"]):
        code, _, err = run(capsys, *argv, "--keys", str(file))
        assert (code, "by others" in err) == (WRONG, True)
