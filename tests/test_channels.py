from __future__ import annotations

import pytest

from lockgate.channels import concerning, role_of, turn_of


@pytest.mark.parametrize(
    ("channel", "kind", "turn"),
    [
        ("/choices/0/message/content", "text", "/choices/0/message/content"),
        ("/choices/0/message/reasoning", "reasoning", "reasoning"),
        ("/choices/0/message/tool_calls/0/function/arguments", "tool_call", "/choices/0/message/tool_calls/0/function/arguments"),
        ("/output/0/content/0/text", "text", "/output/0/content/0/text"),
        ("/choices/0/logprobs/content", "text", ""),
    ],
)  # fmt: skip
def test_turns(channel: str, kind: str, turn: str) -> None:
    assert turn_of(channel, kind) == turn  # type: ignore[arg-type]  # a word of the table


def test_who_speaks_and_whom_it_concerns() -> None:
    assert role_of("/error/message") == "upstream"
    assert role_of("/choices/0/message/content") == "assistant"
    assert concerning(1, ["/choices/0/x", "/choices/1/x", "/x"]) == ["/choices/1/x", "/x"]
