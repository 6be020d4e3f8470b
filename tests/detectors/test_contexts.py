from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.detectors.contexts import Contexts, contexts_of, conversation, marked
from lockgate.exchange import Exchange, Segment


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Context: The mill is old.\nQuestion: How old?", ["The mill is old."]),
        ("# Context\nThe mill is old.\n\n# Task\nSay how old.", ["The mill is old."]),
        ("**Sources:** a mill\n**Question:** b", ["a mill"]),
        ("<context>The mill</context> How old?", ["The mill"]),
        ('<document id="1">A</document><document id="2">B</document>', ["A", "B"]),
        ("<search_results>hit</search_results>", ["hit"]),
        ("Document 1: one\nDocument 2: two", ["one\nDocument 2: two"]),
        ("Read this:\n```\nThe mill is old.\n```\nHow old?", ["The mill is old."]),
        ("Mend this:\n```python\nprint(1)\n```", []),
        ("<context>\n# Context\ninner</context>", ["# Context\ninner"]),
        ("What does the context say?", []),
        ("In this context: nothing.", []),
        ("Context:\n\nQuestion: and?", []),
        ("<context>never closed", []),
    ],
)
def test_what_is_marked_as_context(text: str, found: list[str]) -> None:
    assert [text[start:end].strip() for start, end in marked(text)] == found


def test_a_policy_may_have_words_of_its_own() -> None:
    assert [*marked("Akte: alt\nFrage: wie alt?", ["Akte"])] == [(5, 10)]
    assert [*marked("Context: old", ["Akte"])] == []
    assert [*marked("Context: old", [])] == []


@given(st.text(st.sampled_from("<>/context: \n`#a"), max_size=200))
def test_parts_lie_apart_and_in_the_text(text: str) -> None:
    reach = 0
    for start, end in marked(text):
        assert reach <= start < end <= len(text)
        reach = end


def said(*turns: tuple[str, str, str]) -> Exchange:
    exchange = Exchange("01", "chat")
    exchange.prompt = [
        Segment(f"/{i}", role, kind, text)  # type: ignore[arg-type]  # words of the tables
        for i, (role, kind, text) in enumerate(turns)
    ]
    return exchange


def test_documents_and_results_are_context_and_the_last_words_the_question() -> None:
    exchange = said(
        ("system", "text", "Be kind.\n<sources>A mill stood here.</sources>"),
        ("user", "text", "Context: It is old.\nQuestion: What stood here?"),
        ("tool", "tool_result", '{"year": 1780}'),
        ("user", "document", "A page."),
    )
    exchange.completion = [
        Segment("/a", "assistant", "tool_result", "A hit."),
        Segment("/b", "assistant", "text", "Context: no"),
    ]
    found = contexts_of(exchange)
    assert found.texts == ("A mill stood here.", " It is old.\n", '{"year": 1780}', "A page.", "A hit.")
    assert found.question == "What stood here?"
    assert not Contexts(question="x")
    assert not contexts_of(said(("user", "text", "How are you?")))


def test_a_conversation_has_its_turns() -> None:
    exchange = said(
        ("system", "text", "Be kind."),
        ("user", "text", " 7 x 8? "),
        ("assistant", "text", "56."),
        ("assistant", "tool_call", "{}"),
        ("user", "text", "No, 54."),
    )
    assert conversation(exchange) == "User: 7 x 8?\nAssistant: 56.\nUser: No, 54."
