from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lockgate import Guard
from lockgate.errors import SettingsError
from lockgate.verdict import Verdict
from lockgate_proxy.keys import ClientKey, id_of, is_key, new_key, parse_keys, read_keys


def line(**more: Any) -> bytes:
    key = new_key("acme")[1].model_dump()
    return json.dumps({**key, **more}).encode()


class TestKeys:
    def test_a_key_has_its_form(self) -> None:
        text, key = new_key("acme", ("a", "b"), "strict")
        assert re.fullmatch(r"lg-[a-z2-9]{8}-[0-9A-Za-z]{46}", text)
        assert id_of(text) == key.id == text[3:11]
        assert (key.tenant, key.tags, key.policy, key.revoked) == ("acme", ("a", "b"), "strict", "")
        assert key.created.endswith("+00:00")

    def test_one_that_leaks_is_found(self) -> None:
        text, _ = new_key("acme")
        guard = Guard("strict")

        def secrets(verdict: Verdict) -> list[tuple[str, tuple[int, int] | None]]:
            return [(found.label, found.span) for found in verdict.findings if found.detector == "secrets"]

        assert secrets(guard.check(f"export OPENAI_API_KEY={text}", side="completion")) == [("LOCKGATE_KEY", (22, 80))]
        assert not secrets(guard.check(text[:-1] + ("a" if text[-1] != "a" else "b")))

    def test_no_two_are_alike(self) -> None:
        made = [new_key("acme") for _ in range(100)]
        assert len({text for text, _ in made}) == len({key.id for _, key in made}) == 100

    def test_the_secret_is_not_in_what_is_kept(self) -> None:
        text, key = new_key("acme")
        assert text[12:] not in key.model_dump_json()
        assert "hash" not in key.public()

    def test_it_knows_itself_and_no_other(self) -> None:
        text, key = new_key("acme")
        assert is_key(text, key)
        assert not is_key(new_key("acme")[0], key)
        assert not is_key(text, key.model_copy(update={"revoked": "2026-01-01T00:00:00+00:00"}))

    @pytest.mark.parametrize("at", [3, 12, 30, 51, 57])
    def test_a_mistyped_one_does_not_fit_its_checksum(self, at: int) -> None:
        text, _ = new_key("acme")
        other = "b" if text[at] != "b" else "c"
        assert id_of(text[:at] + other + text[at + 1 :]) is None

    @pytest.mark.parametrize(
        "text",
        ["", "sk-abc", "lg-", f"lg-{'a' * 8}-{'0' * 46}", f"lg-{'a' * 8}-{'0' * 45}é", f"lg-{'a' * 8}-{'٣' * 46}"],
    )
    def test_what_is_no_key(self, text: str) -> None:
        assert id_of(text) is None

    def test_something_around_a_key_makes_it_none(self) -> None:
        text, _ = new_key("acme")
        assert [id_of(text + end) for end in ("\n", " ", "0", ", " + text)] == [None] * 4

    @pytest.mark.parametrize("tenant", ["", " ", "-a", "a b", "a\n", "a" * 65, "ä", '"'])
    def test_what_can_t_be_a_tenant(self, tenant: str) -> None:
        with pytest.raises(SettingsError, match="`tenant` must be"):
            new_key(tenant)
        with pytest.raises(SettingsError, match="`tags` must be"):
            new_key("acme", ("good", tenant))


class TestFiles:
    def test_lines_are_keys(self) -> None:
        first, second = new_key("a")[1], new_key("b", ("t",))[1]
        raw = b"# ours\n\n" + first.model_dump_json().encode() + b"\n" + second.model_dump_json().encode()
        found = parse_keys(raw, "f")
        assert {name: (each.key, each.line) for name, each in found.items()} == {
            first.id: (first, 3),
            second.id: (second, 4),
        }

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            (b"{", "keys:2: is not a line"),
            (b"[]", "keys:2: `the line` is not"),
            (b'"x"', "keys:2: `the line` is not"),
            (b"\xff", "keys:2: is not a line"),
            (b'{"id": "a", "id": "b"}', "keys:2: is not a line"),
            (line(tenent="x"), r"keys:2: there is no `tenent` \(did you mean `tenant`\?\)"),
            (line(hash="sha256:00"), "keys:2: `hash` is not what it should be"),
            (line(id="A"), "keys:2: `id` is not"),
            (line(tags="a"), "keys:2: `tags` is not"),
            (line(tenant="two words"), "keys:2: `tenant` must be 1 to 64"),
            (b'{"id": "abcdefgh"}', "keys:2: `hash` is missing; `tenant` is missing"),
        ],
    )
    def test_what_is_wrong_has_its_line(self, wrong: bytes, said: str) -> None:
        with pytest.raises(SettingsError, match=said):
            parse_keys(line() + b"\n" + wrong, "keys")

    def test_a_key_twice(self) -> None:
        with pytest.raises(SettingsError, match=r"keys:3: the key abcdefgh stands here twice, first in line 1"):
            parse_keys(b"\n".join([line(id="abcdefgh"), b"", line(id="abcdefgh")]), "keys")

    def test_no_error_shows_what_is_in_the_file(self) -> None:
        with pytest.raises(SettingsError) as caught:
            parse_keys(line(hash="hunter2"), "keys")
        assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)

    def test_one_that_others_can_read(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        path.write_bytes(line())
        path.chmod(0o644)
        with pytest.raises(SettingsError, match="by others"):
            read_keys(path)
        path.chmod(0o600)
        assert len(read_keys(path)) == 1

    def test_defaults_need_not_be_written(self) -> None:
        made = new_key("a")[1]
        assert ClientKey.model_validate_json(made.model_dump_json(exclude_defaults=True)) == made
