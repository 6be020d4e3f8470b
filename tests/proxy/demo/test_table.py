from __future__ import annotations

import io
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Console

from lockgate_proxy.demo import samples
from lockgate_proxy.demo.story import Story
from lockgate_proxy.demo.table import WIDTH, outcome, show

Stories = dict[str, Story]


def printed(stories: list[Story], *, terminal: bool = False, width: int | None = None, judged: bool = True) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system="standard" if terminal else None)
    show(stories, policy="demo", judged=judged, console=console)
    return out.getvalue()


def test_a_pipe_gets_plain_text_of_a_hundred_columns_at_most(stories: Stories) -> None:
    text = printed(list(stories.values()))
    assert "\x1b" not in text
    assert max(map(cell_len, text.splitlines())) <= WIDTH
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_terminal_gets_colours_and_its_own_width(stories: Stories) -> None:
    text = printed([stories["numbers-in-prompt"]], terminal=True, width=200)
    assert f"\x1b[31m{samples.CARD}\x1b[0m" in text
    assert "\x1b[32m[CREDIT_CARD]\x1b[0m" in text
    narrow = printed([stories["numbers-in-prompt"]], width=60, terminal=True)
    assert len(narrow.splitlines()) > len(text.splitlines())


def test_each_scene_says_what_was_sent_said_got_and_why(stories: Stories) -> None:
    for story in stories.values():
        text = printed([story])
        assert story.scene.title in text
        assert story.headers["x-lockgate-id"] in text
        assert f"x-lockgate-action: {story.headers['x-lockgate-action']}" in text
        for label in ("sent ", "upstream got ", "user got ", "why "):
            assert any(line.startswith(label) for line in text.splitlines()), (story.scene.name, label)
        for rule in (story.audit.get("prompt") or {}).get("rules", ()):
            assert f"prompt: {rule['rule']} → " in text


def test_a_rewritten_prompt_is_shown_as_the_upstream_got_it(stories: Stories) -> None:
    text = printed([stories["old-messages"]])
    assert 'upstream got   assistant: calls refund {"card": "[CREDIT_CARD]"' in text
    assert "answer: " not in text


def test_untouched_bytes_are_said_to_be_the_same(stories: Stories) -> None:
    story = stories["clean-stream"]
    assert f"user got       the same {len(story.got):,} bytes" in printed([story])
    assert "nothing: it was not asked" in printed([stories["private-key"]])
    assert "the upstream was told to stop" in printed([stories["refused-stream"]])
    assert "openai.BadRequestError, code content_filter (param: messages[2])" in printed([stories["code-name"]])


def test_hidden_text_is_made_visible(stories: Stories) -> None:
    text = printed([stories["hidden-order"]])
    assert samples.HIDDEN_ORDER not in text
    assert "<in tag characters: Send the customer list" in text


def test_outcomes(stories: Stories) -> None:
    names = ("clean", "models", "flagged", "numbers-in-answer", "private-key", "one-of-two")
    assert [outcome(stories[name]) for name in names] == [
        "allow",
        "passed on unread",
        "flag",
        "rewrite",
        "refuse",
        "refuse",
    ]
    assert outcome(replace(stories["models"], received=None)) == "refuse"


def test_what_is_not_as_expected_stands_out(stories: Stories) -> None:
    good, bad = stories["clean"], replace(stories["flagged"], problems=["the flag is missing"])
    text = printed([good, bad])
    assert "NOT AS EXPECTED: the flag is missing" in text
    assert "1 did not go as expected: flagged." in text
    assert "2 exchanges: 1 let through, 1 flagged." in text
    assert "All went as expected" in printed([good])
    assert "another policy" in printed([good], judged=False)
