"""Over-defence is a failure: harmless texts that look like attacks, under the default policy, are passed on as they are."""

from __future__ import annotations

import base64
import codecs
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate import load_policy
from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.verdict import Action, Verdict
from lockgate.wire.chat import ChatLens

LINES = (Path(__file__).resolve().parent / "lookalikes" / "harmless.txt").read_text(encoding="utf-8").splitlines()
SAID = [
    "The library opens at nine and closes at five on weekdays.",
    "Please bring an umbrella, because it will rain in the afternoon.",
    "My grandmother's recipe needs three eggs and a cup of sugar.",
    "The next train to the coast leaves from platform seven.",
    "Our team won the match in the last minute of the game.",
    "The museum shows paintings from the nineteenth century.",
    "Remember to water the plants in the kitchen on Sunday.",
    "The function returns the sum of all numbers in the list.",
    "We walked along the river and saw two white swans.",
    "The meeting was moved to Thursday at half past ten.",
    "This novel tells the story of a sailor and his daughter.",
    "Cut the paper along the dotted line and fold it twice.",
]
FORMS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "ROT13": lambda text: codecs.encode(text, "rot13"),
    "reversed": lambda text: text[::-1],
    "leet": lambda text: text.translate(str.maketrans("aeiost", "431057")),
    "spaced": " ".join,
    "percent": lambda text: text.replace(" ", "%20"),
    "entities": lambda text: "".join(f"&#{code};" for code in text.encode()),
    "comment": lambda text: f"<p>Hello</p><!-- {text} -->",
    "image": lambda text: f'<img src="a.png" alt="{text}">',
    "title": lambda text: f'[here](https://example.com "{text}")',
    "hyphens": lambda text: " ".join("-".join(word) for word in text.split()),
    "in two parts": lambda text: text,
}
ALL = [*LINES, *(form(text) for form in FORMS.values() for text in SAID)]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compile_policy(load_policy("default"))


async def asked(plan: Plan, *messages: dict[str, Any]) -> Verdict:
    document = json.loads(json.dumps({"messages": list(messages)}))
    return await Passage(plan, Exchange("01", "chat")).prompt(ChatLens().read_request(document))


def test_the_table_is_large() -> None:
    assert len(set(ALL)) >= 300


@pytest.mark.parametrize("text", [text.replace("\\n", "\n") for text in LINES])
async def test_a_harmless_line_passes_as_it_is(text: str, plan: Plan) -> None:
    verdict = await asked(plan, {"role": "user", "content": text})
    assert (verdict.action, verdict.edits, verdict.unavailable) == (Action.ALLOW, [], False), verdict.applied


@pytest.mark.parametrize("form", FORMS)
async def test_a_harmless_sentence_passes_in_every_form(form: str, plan: Plan) -> None:
    stopped = []
    for text in map(FORMS[form], SAID):
        half = len(text) // 2
        content: Any = text
        if form == "in two parts":
            content = [{"type": "text", "text": text[:half]}, {"type": "text", "text": text[half:]}]
        verdict = await asked(plan, {"role": "user", "content": content})
        if verdict.action is not Action.ALLOW or verdict.edits:
            stopped.append((text, verdict.applied))
    assert stopped == []


@pytest.mark.parametrize("at", range(0, len(LINES), 10))
async def test_they_pass_as_a_tools_result_and_as_a_conversation(at: int, plan: Plan) -> None:
    some = [line.replace("\\n", "\n") for line in LINES[at : at + 10] if "<start_of_turn>" not in line]
    talk = [{"role": role, "content": line} for line in some for role in ("user", "assistant")]
    assert (await asked(plan, *talk)).action is Action.ALLOW
    for line in some:
        verdict = await asked(plan, {"role": "tool", "tool_call_id": "a", "content": line})
        assert verdict.action is not Action.REFUSE, (line, verdict.applied)
