"""The documents are true: their Python runs and prints what they say, their policies load, their commands exist, and
their links lead somewhere. What a client sees of an exchange is in `test_docs_answers.py`."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import httpx
import pytest

import lockgate
import pages
from documented import BASE, MODEL, model, proxy, running
from lockgate.detectors import invisible
from lockgate.detectors.catalog import CATALOG
from lockgate.detectors.pii import KINDS, NAMES
from lockgate.detectors.secrets_table import LABELS
from lockgate.policy.cases import run_suite
from lockgate.policy.compile import compile_policy
from lockgate.policy.flag_note import FlagNote
from lockgate.policy.load import load_policy, load_suite
from lockgate.policy.schema import Overlay, Policy, Rule
from lockgate.policy.suite import Case, Expect
from lockgate.policy.then import Then
from lockgate_proxy.cli import main, parser
from lockgate_proxy.effective import read_effective
from lockgate_proxy.settings import Settings
from pages import ROOT, Block

LIBRARIES = {"lockgate", "lockgate_proxy", "openai", "pydantic", "asyncio", "collections", "json", "re"}
"""What examples may import: what a reader of the page has."""


# --- Servers for the examples -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running(proxy()) as found:
        yield found


@pytest.fixture(scope="module")
def model_address() -> Iterator[str]:
    with running(model) as found:
        yield found


@pytest.fixture
def page_folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's own files, as the working directory."""
    pages.write_files(request.getfixturevalue("page"), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    return tmp_path


# --- Python ----------------------------------------------------------------------------------------------------------


def pages_with(language: str) -> list[str]:
    return [page for page in pages.names() if any(block.language == language for block in pages.blocks(page))]


@pytest.mark.parametrize("page", pages_with("python"))
@pytest.mark.usefixtures("page_folder")
def test_python_runs_and_prints_what_it_says(page: str, address: str, model_address: str) -> None:
    names: dict[str, Any] = {"__name__": page}
    for block in pages.blocks(page):
        if block.language != "python" or block.info:  # what needs other libraries is in test_docs_clients.py
            continue
        imported = set(re.findall(r"^(?:from|import) (\w+)", block.text, re.MULTILINE)) - {"__future__"}
        assert imported <= LIBRARIES, f"{block} imports {imported - LIBRARIES}"
        printed = io.StringIO()
        code = "\n" * block.line + block.text.replace(BASE, address).replace(MODEL, model_address)
        with redirect_stdout(printed):
            exec(compile(code, str(ROOT / page), "exec"), names)  # noqa: S102 - that is what is tested
        said = [line[3:] for line in map(str.strip, block.text.splitlines()) if line.startswith("#> ")]
        assert printed.getvalue().splitlines() == said, f"{block} prints something else"


# --- YAML ------------------------------------------------------------------------------------------------------------


def as_policy(block: Block) -> dict[str, str]:
    """Name → text of the file that a block of YAML is, or is a part of."""
    name = block.file_name or "example.yaml"
    if re.match(r"(?:# .*\n)*- id:", block.text):
        indented = "".join(f"  {line}" for line in block.text.splitlines(keepends=True))
        return {name: f"version: 1\nname: example\nrules:\n{indented}"}
    return {name: block.text}


# Those that need Presidio are in detectors/test_presidio_load.py.
@pytest.mark.parametrize("block", [block for block in pages.all_blocks("yaml") if not block.info], ids=str)
def test_policies_load(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages.write_files(block.page, tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, text in as_policy(block).items():
        Path(name).write_text(text, encoding="utf-8")
        if "\ncases:" not in text:
            assert compile_policy(load_policy(tmp_path / name)).policy
            continue
        plan = compile_policy(load_policy(tmp_path / name.replace("_test", "")))
        result = asyncio.run(run_suite(plan, load_suite(tmp_path / name)))
        assert result.passed, [case for case in result.cases if case.status != "PASS"]


@pytest.mark.parametrize("block", [b for b in pages.all_blocks("yaml") if b.info == "settings"], ids=str)
def test_settings_files_name_settings(block: Block, tmp_path: Path) -> None:
    (tmp_path / "keys.jsonl").touch()
    (tmp_path / "lockgate.yaml").write_text(block.text, encoding="utf-8")
    found = read_effective({}, {}, tmp_path / "lockgate.yaml")
    assert any(origin != "default" for origin in found.origins.values())


# --- Shell -----------------------------------------------------------------------------------------------------------


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def commands(page: str) -> Iterator[list[str]]:
    """The commands of a page's shell blocks, joined where a backslash ends a line, without comments."""
    for block in pages.blocks(page):
        if block.language == "sh":
            for line in block.text.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield words


@pytest.mark.parametrize("page", pages_with("sh"))
@pytest.mark.usefixtures("page_folder")
def test_commands_do_what_they_say(page: str, address: str) -> None:
    for words in commands(page):
        match words:
            case ["make", *rest]:
                assert {word for word in rest if "=" not in word} <= targets(), words
            case ["lockgate", "check" | "test", *_]:
                with redirect_stdout(io.StringIO()) as printed:
                    assert main(words[1:]) == 0, printed.getvalue()
            case ["lockgate", *rest]:
                parser().parse_args(rest)
            case ["curl", *rest]:
                curl(rest, address)
            case ["pip", "install", *_] | ["export", *_]:
                pass
            case _:
                pytest.fail(f"{page} has a command that nobody tries: {words}")


@pytest.mark.parametrize("page", ["docs/commands.md"])
@pytest.mark.usefixtures("page_folder")
def test_an_explanation_is_as_shown(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    [block] = [block for block in pages.blocks(page) if block.info == "explain"]
    with redirect_stdout(io.StringIO()) as printed:
        assert main(["explain", "cards.yaml", "exchange.json"]) == 0
    # How much is held at which moment is the patterns' affair.
    held = r"\d+ of them before the end; at most \d+ held back"
    assert re.sub(held, "…", printed.getvalue()) == re.sub(held, "…", block.text), block


def curl(words: list[str], address: str) -> None:
    given = argparse.ArgumentParser()
    given.add_argument("url")
    given.add_argument("-d", "--data")
    given.add_argument("-H", "--header", action="append", default=[])
    given.add_argument("-i", "--include", action="store_true")
    asked = given.parse_args(words)
    headers = dict(re.split(r":\s*", header, maxsplit=1) for header in asked.header)
    url = asked.url.replace(BASE, address)
    answer = httpx.request("POST" if asked.data else "GET", url, content=asked.data, headers=headers)
    assert answer.status_code in {200, 400}, answer.text


# --- Names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages.names())
def test_links_lead_somewhere(page: str) -> None:
    for link in pages.links(page):
        path, _, fragment = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if fragment:
            assert fragment in pages.anchors(target.resolve().relative_to(ROOT).as_posix()), f"{page}: {link}"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_settings_have_the_defaults_and_options_that_the_page_says(name: str) -> None:
    text = pages.section("docs/settings.md", name)
    field = Settings.model_fields[name]
    if not field.is_required():
        default = {None: "none", (): "none"}.get(field.default, str(field.default))
        assert f"Default: `{default}`" in text, f"{name}: Default: `{default}`"
    options = {option for words in serve_options() for option in words}
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= options
    assert any(f"`{option}" in text for option in options), name


def serve_options() -> Iterator[list[str]]:
    yield from (list(action.option_strings) for action in subparsers()["serve"]._actions)


def subparsers() -> dict[str, argparse.ArgumentParser]:
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("the command has no subcommands")


@pytest.mark.parametrize("name", subparsers())
def test_every_option_of_a_command_is_on_its_page(name: str) -> None:
    text = pages.section("docs/commands.md", f"lockgate {name}")
    known = {option for action in subparsers()[name]._actions for option in action.option_strings} - {"-h", "--help"}
    if name in {"serve", "settings"}:
        known &= (
            {"--policy", "--upstream", "--config", "--json"} if name == "serve" else {"--json"}
        )  # the others are settings, with a page of their own
    assert known <= set(re.findall(r"--[a-z-]+", text)), name


@pytest.mark.parametrize("kind", CATALOG)
def test_every_key_and_label_of_a_detector_is_on_its_page(kind: str) -> None:
    text = pages.section("docs/detectors.md", kind)
    named = set(re.findall(r"`([A-Za-z_0-9]+)`", text))
    assert set(CATALOG[kind].config.model_fields) <= named
    labels = {"secrets": LABELS, "pii": {*KINDS, *NAMES}, "invisible": set(invisible.KINDS), "size": {"TOO_LONG"}}
    wanted = labels.get(kind, set())
    shown = {name for name in named if re.fullmatch(r"[A-Z][A-Z_0-9]{2,}", name)}
    assert wanted <= named, sorted(wanted - named)
    assert not wanted or shown <= set(wanted), sorted(shown - set(wanted))


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("policy", Policy),
        ("rule", Rule),
        ("then", Then),
        ("flag", FlagNote),
        ("overlay", Overlay),
        ("case", Case),
        ("expect", Expect),
    ],
)
def test_every_key_of_a_policy_is_on_its_page(heading: str, model: Any) -> None:
    tables = re.findall(rf"<!-- keys: {heading} -->\n(.*?)\n\n", pages.text_of("docs/policies.md"), re.DOTALL)
    assert len(tables) == 1, heading
    assert set(re.findall(r"^\| `(\w+)`", tables[0], re.MULTILINE)) == {
        field.alias or name for name, field in model.model_fields.items()
    }


def test_the_change_log_has_this_version() -> None:
    assert f"## [{lockgate.__version__}]" in pages.text_of("CHANGELOG.md")


def test_json_blocks_are_json() -> None:
    for block in pages.all_blocks("json"):
        json.loads(block.text)
