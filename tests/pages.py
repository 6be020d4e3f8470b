"""The documents as tests read them: their blocks of code, their links, and the files that a page makes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_FILE_NAME = re.compile(r"# ([\w.-]+\.yaml)\n")


@dataclass(frozen=True)
class Block:
    """A fenced block. `info` is what follows the language: the name of a scene, for blocks that show an answer, or of a
    JSON file."""

    page: str
    line: int
    language: str
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str:
        """``# name.yaml``, where the block's first line is that; of JSON, what follows the language; else empty."""
        if self.language == "json" and self.info.endswith(".json"):
            return self.info
        found = _FILE_NAME.match(self.text) if self.language == "yaml" else None
        return found[1] if found else ""


def names() -> list[str]:
    """Every document for users: the README, and all of docs/."""
    pages = [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ]
    return [page.relative_to(ROOT).as_posix() for page in pages]


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def blocks(page: str) -> tuple[Block, ...]:
    text = text_of(page)
    found = []
    for match in _FENCE.finditer(text):
        language, _, info = match["info"].strip().partition(" ")
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, info.strip(), match["text"]))
    return tuple(found)


def all_blocks(language: str) -> list[Block]:
    return [block for page in names() for block in blocks(page) if block.language == language]


def prose(page: str) -> str:
    """A page without its blocks."""
    return _FENCE.sub("", text_of(page))


def section(page: str, heading: str) -> str:
    """What stands under the heading that names `heading` in back-ticks, up to the next heading of that level or above,
    blocks included."""
    lines = text_of(page).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("#") and f"`{heading}`" in line)
    level = len(lines[start]) - len(lines[start].lstrip("#"))
    body: list[str] = []
    fenced = False
    for line in lines[start + 1 :]:
        fenced ^= line.startswith("```")
        if not fenced and re.match(rf"#{{1,{level}}} ", line):
            break
        body.append(line)
    return "\n".join(body)


def links(page: str) -> Iterator[str]:
    """The targets of a page's links, those to other hosts left out."""
    for target in _LINK.findall(prose(page)):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def anchors(page: str) -> set[str]:
    """The fragments that GitHub gives to a page's headings."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in _HEADING.findall(prose(page))
    }


def write_files(page: str, folder: Path) -> None:
    """Write the named YAML and JSON blocks of a page into `folder`, beside the shipped policies."""
    (folder / "policies").symlink_to(ROOT / "policies")
    for block in blocks(page):
        if block.file_name:
            (folder / block.file_name).write_text(block.text, encoding="utf-8")
