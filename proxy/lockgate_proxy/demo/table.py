"""The stories as a table that people read: a block for each, on a terminal in colour, elsewhere in plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lockgate_proxy.demo import wording
from lockgate_proxy.demo.story import Story

WIDTH = 100
"""Columns at most, and where nobody says how many there are."""

_COLOURS = {"allow": "green", "flag": "cyan", "rewrite": "yellow", "refuse": "red", "passed on unread": "blue"}
_OUTCOMES = {
    "allow": "let through",
    "flag": "flagged",
    "rewrite": "rewritten",
    "refuse": "refused",
    "passed on unread": "passed on unread",
}
_PUT_IN = r"\[[A-Z_]{3,}\]|\*{6,}"
_SPELT = r"<U\+[0-9A-F]{4,}>|<in tag characters: [^>]*>"
_POLICY = "x-lockgate-policy"
_ORDER = ("allow", "flag", "rewrite", "refuse")


def show(stories: Sequence[Story], *, policy: str, judged: bool, console: Console | None = None) -> None:
    """Print the table. `policy` says in words which one was in force; `judged`, whether the scenes were written for it."""
    console = console or Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    with console.capture() as captured:
        _head(console, stories, policy)
        for number, story in enumerate(stories, 1):
            console.print(_title(console, number, story))
            console.print(_block(story))
            console.print()
        _summary(console, stories, judged=judged)
    # The cells are padded, which a file or a pipe needs no more than a terminal does.
    console.file.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def outcome(story: Story) -> str:
    """The stronger of the two verdicts' actions; of a path that is not guarded, what became of it."""
    known = [action for action in (story.action("prompt"), story.action("completion")) if action]
    if not known:
        return "passed on unread" if story.received is not None else "refuse"
    return max(known, key=_ORDER.index)


def _head(console: Console, stories: Sequence[Story], policy: str) -> None:
    mark = next((story.headers[_POLICY] for story in stories if _POLICY in story.headers), "")
    console.print(Text(f"Lockgate demo, policy: {policy} ({mark})", style="bold"))
    console.print(
        Text(
            "openai client → proxy → upstream and back, over HTTP on this machine. "
            "The headers of a stream carry the verdict on its prompt.\n",
            style="dim",
        )
    )


def _title(console: Console, number: int, story: Story) -> Text:
    words = f"{number}. {story.scene.title} "
    line = "-" if console.options.ascii_only else "─"
    return Text.assemble((words, "bold"), (line * (console.width - len(words)), "dim"))


def _block(story: Story) -> Table:
    done = outcome(story)
    rows = Table.grid(padding=(0, 2))
    rows.add_column(width=13, style="dim", no_wrap=True)
    rows.add_column(ratio=1, overflow="fold")
    for label, lines in _rows(story):
        for place, line in enumerate(lines):
            rows.add_row("" if place else label, line)
    rows.add_row("why", Text(_OUTCOMES[done], style=f"bold {_COLOURS[done]}"))
    for reason in _why(story):
        rows.add_row("", Text(reason))
    for problem in story.problems:
        rows.add_row("", Text(f"NOT AS EXPECTED: {problem}", style="bold red"))
    return rows


def _rows(story: Story) -> Iterator[tuple[str, list[Text]]]:
    expect = story.scene.expect
    marks = (*expect.kept_back, *expect.taken_out)
    asked = wording.messages(story.sent)
    yield "sent", [_marked(line, marks) for line in asked] or [Text("GET /v1/models")]
    if story.received is None:
        yield "upstream got", [Text("nothing: it was not asked", style="dim")]
    elif story.received == story.sent:
        yield "upstream got", [Text(_same(story.received), style="dim")]
    else:
        after = wording.messages(story.received)
        yield "upstream got", [_marked(new) for old, new in zip(asked, after, strict=True) if old != new]
    if story.received is not None:
        said = wording.spoken(wording.choices(story.said)) or [wording.failure(story.said) or story.said.decode()]
        yield "upstream said", [_marked(line, marks) for line in said]
    if story.got == story.said and story.received is not None:
        yield "user got", [Text(_same(story.got), style="dim")]
    else:
        yield "user got", [*(_marked(line) for line in wording.spoken(story.told["choices"])), *_beside(story)]


def _beside(story: Story) -> Iterator[Text]:
    for flag in story.told["flags"]:
        yield Text(f"flag {flag['name']}: {flag['text']}", style="cyan")
    error = story.told["error"]
    if error is not None:
        named = f" (param: {error['param']})" if error["param"] else ""
        yield Text(f"openai.{error['class']}, code {error['code']}{named}: {error['message']}", style="red")


def _why(story: Story) -> Iterator[str]:
    for side, name in (("prompt", "prompt"), ("completion", "answer")):
        verdict = story.audit.get(side) or {}
        applied = {r["rule"]: r["action"] for r in verdict.get("rules", ()) if r["outcome"] == "applied"}
        for rule, action in sorted(applied.items(), key=lambda item: -_ORDER.index(item[1])):
            found = [f["label"] for f in verdict["findings"] if f["rule"] == rule]
            labels = ", ".join(f"{label} ×{found.count(label)}" for label in dict.fromkeys(found))
            # A rule that only records has the mildest action: it looked, found, and let through.
            yield f"{name}: {rule} → {'record' if action == 'allow' else action}" + (f" ({labels})" if labels else "")
    if story.let_go:
        yield "the upstream was told to stop"
    yield " · ".join((f"HTTP {story.status}", *(f"{name}: {value}" for name, value in _shown(story))))


def _shown(story: Story) -> Iterator[tuple[str, str]]:
    """The headers worth a line; the policy stands above all blocks."""
    return ((name, value) for name, value in story.headers.items() if name != _POLICY)


def _same(body: bytes) -> str:
    return f"the same {len(body):,} bytes" if body else "the same request"


def _marked(line: str, marks: Sequence[str] = ()) -> Text:
    """A line with what is to go in red, what came in its place in green, and what was hidden spelt out."""
    text = Text(wording.short(wording.visible(line)))
    for mark in marks:
        text.highlight_regex(re.escape(wording.visible(mark)), "red")
    text.highlight_regex(_PUT_IN, "green")
    text.highlight_regex(_SPELT, "magenta")
    return text


def _summary(console: Console, stories: Sequence[Story], *, judged: bool) -> None:
    counts: dict[str, int] = {}
    for story in stories:
        counts[outcome(story)] = counts.get(outcome(story), 0) + 1
    parts = ", ".join(f"{counts[action]} {word}" for action, word in _OUTCOMES.items() if action in counts)
    wrong = [story.scene.name for story in stories if not story.ok]
    console.print(Text(f"{len(stories)} exchanges: {parts}.", style="bold"))
    if not judged:
        console.print(Text("The scenes are written for another policy: only what holds under each was judged."))
    if wrong:
        console.print(Text(f"{len(wrong)} did not go as expected: {', '.join(wrong)}.", style="bold red"))
    else:
        console.print(Text("All went as expected, by the bytes on both sides of the proxy.", style="bold green"))
