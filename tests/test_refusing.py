"""What refusals say: of what kind the thing was, by which rule, and what to do; never the thing itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate.detectors.catalog import CATALOG
from lockgate.errors import Refused
from lockgate.exchange import Exchange, Reading, Segment
from lockgate.guard import Guard
from lockgate.passage import Passage
from lockgate.policy.plan import Plan
from lockgate.refusing import OTHER, _words, explained, kinds_of
from lockgate.verdict import Finding, Verdict
from saying import plan_of, rule, words

LANGUAGES = {"en", "de", "fr", "es"}


def test_every_word_is_there_in_all_languages() -> None:
    said = _words()
    kinds = [texts for kind in said["kinds"].values() for texts in kind.values()]
    assert all(
        set(texts) == LANGUAGES for texts in [*kinds, *(said[k] for k in ("stopped", "rule", "found", "answer"))]
    )
    assert set(said["of"].values()) | {OTHER} == set(said["kinds"])
    assert {name.partition(":")[0] for name in said["of"]} <= set(CATALOG)


@pytest.mark.parametrize(
    ("detector", "label", "kind"),
    [
        ("pii", "IBAN_CODE", "personal_data"),
        ("secrets", "GITHUB_TOKEN", "secret"),
        ("classifier", "injection", "steering"),
        ("classifier", "harm.cyber", "harm"),
        ("classifier", "advice.legal", "advice"),
        ("classifier", "refusal", "content"),
        ("words", "WORDS", "content"),
    ],
)
def test_kinds(detector: str, label: str, kind: str) -> None:
    assert kinds_of([Finding(detector, label, 1.0, "")] * 2) == (kind,)


def test_what_is_said() -> None:
    said = explained("prompt", "ssn", ["personal_data", "secret"], "en")
    assert said == (
        "This was stopped by a rule of this service. Rule: `ssn`. Found: personal data, a key, a password or another "
        "secret. Take it out, or put a placeholder in its place, and try again."
    )
    assert explained("completion", "ssn", ["secret"], "de").startswith("Das hat eine Regel dieses Dienstes angehalten.")
    assert explained("completion", "ssn", [], "fr").endswith("exigerait.")
    assert explained("prompt", "night", [], "it").endswith(
        "Rule: `night`. Ask whoever runs this service what it allows."
    )


async def refused(plan: Plan, text: str, side: str = "prompt") -> Verdict:
    passage = Passage(plan, Exchange("X", "chat"))
    if side == "prompt":
        return await passage.prompt(Reading([Segment("/messages/0/content", "user", "text", text)]))
    return await passage.answer(Reading([Segment("/choices/0/message/content", "assistant", "text", text, 0)]))


CARDS: dict[str, Any] = {"pii": {"kinds": ["CREDIT_CARD"]}}


async def test_a_refusal_without_words_explains_itself_in_the_readers_language() -> None:
    plan = plan_of(rule("cards", CARDS, "refuse", side=["prompt", "completion"]))
    verdict = await refused(plan, "Bitte buche den Betrag von meiner Karte 4111 1111 1111 1111 ab.")
    assert verdict.message == (
        "Das hat eine Regel dieses Dienstes angehalten. Regel: `cards`. Gefunden: personenbezogene Daten. Nehmen Sie sie "
        "heraus oder setzen Sie einen Platzhalter ein, und versuchen Sie es noch einmal."
    )
    assert (verdict.found, verdict.by) == (("personal_data",), "cards")
    verdict = await refused(plan, "It is 4111 1111 1111 1111.", "completion")
    assert verdict.refused_choices == {0: verdict.message}
    assert verdict.message.endswith("Ask in another way, and leave out what such an answer would need.")
    assert "4111" not in json.dumps(verdict.public())


@pytest.mark.parametrize(
    ("refuse", "message", "found"),
    [
        ({"message": "No cards."}, "No cards.", ("personal_data",)),
        ({"message": "No cards.", "explain": False}, "No cards.", ()),
        ({"explain": False}, "This was stopped by a rule of this service.", ()),
    ],
)
async def test_a_policy_says_how_much_is_told(refuse: dict[str, Any], message: str, found: tuple[str, ...]) -> None:
    verdict = await refused(plan_of(rule("cards", CARDS, {"refuse": refuse}, side="prompt")), "4111 1111 1111 1111")
    assert (verdict.message, verdict.found) == (message, found)


def test_the_decorator_says_it_too() -> None:
    guarded = Guard(plan_of(rule("stop", words("plugh"), "refuse")))

    @guarded
    def ask(question: str) -> str:
        return f"{question} plugh"

    with pytest.raises(Refused) as caught:
        ask("What now?")
    assert caught.value.message.startswith("This was stopped by a rule of this service. Rule: `stop`. Found: something")
    assert caught.value.verdict.found == ("content",)
