from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from compiling import WORDS, plan_of, policy_of
from lockgate.errors import PolicyError
from lockgate.policy.flag_note import FlagNote


def note(**said: Any) -> FlagNote:
    return FlagNote.model_validate(said)


def test_what_a_flag_is_unless_said() -> None:
    assert (note(message="legal").form, note(message="legal").at) == ("footnote", "end")
    assert note(text="One text.").texts == {"en": "One text."}
    assert note(text={"de": "Eins.", "de-AT": "Zwei."}).texts == {"de": "Eins.", "de-AT": "Zwei."}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({}, "says nothing"),
        ({"text": {}}, "says nothing"),
        ({"message": "leagl"}, "no message `leagl`"),
        ({"text": {"German": "Eins."}}, "pattern"),
        ({"text": ""}, "at least 1 character"),
        ({"text": "a [link](x)", "as": "inline"}, "a few plain words"),
        ({"text": "two\nlines", "as": "inline"}, "a few plain words"),
        ({"message": "bias", "as": "inline", "at": "sentence"}, "where a footnote stands"),
        ({"message": "bias", "as": "margin"}, "footnote"),
        ({"message": "bias", "form": "inline"}, "Extra inputs"),
    ],
)
def test_what_a_flag_can_not_be(said: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        note(**said)


def test_an_old_policy_keeps_its_hash() -> None:
    plain = policy_of({"use": WORDS, "then": {"flag": {"notice": "Seen."}}})
    assert plain.rules[0].then is not None
    assert plain.model_dump(mode="json", exclude_defaults=True)["rules"][0]["then"] == {"flag": {"notice": "Seen."}}


@pytest.mark.parametrize("said", [{"message": "bias", "as": "inline"}, {"message": "bias", "at": "sentence"}])
def test_what_stands_within_a_text_is_too_late_after_it(said: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match="marks text, which is too late"):
        plan_of({"side": "completion", "use": WORDS, "then": {"flag": {"f": said}}, "stream": "after"})
    with pytest.raises(PolicyError, match="does not say where"):
        plan_of({"side": "completion", "use": {"tone": {"spans": False}}, "then": {"flag": {"f": said}}})


def test_what_stands_behind_it_is_not() -> None:
    plan = plan_of(
        {"side": "completion", "use": WORDS, "then": {"flag": {"f": {"message": "bias"}}}, "stream": "after"}
    )
    assert plan.completion.rules[0].stream == "after"
    assert plan.notes
    assert not plan.completion.rules[0].acts
