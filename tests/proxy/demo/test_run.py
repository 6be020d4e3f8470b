"""The whole demo, judged by the bytes that the client received and not by what the demo says of itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from lockgate.errors import PolicyError
from lockgate_proxy.cli import main
from lockgate_proxy.demo import run, samples
from lockgate_proxy.demo.article import ARTICLE
from lockgate_proxy.demo.scenes import SCENES
from lockgate_proxy.demo.story import Story

Stories = dict[str, Story]

STREAMS = [scene.name for scene in SCENES if scene.ask and scene.ask.get("stream")]


def chunks(story: Story) -> list[dict[str, Any]]:
    """The events of a stream, as a reader of the specification takes them from the bytes."""
    found = []
    for event in story.got.decode().split("\n\n"):
        data = [line[6:] for line in event.split("\n") if line.startswith("data: ")]
        if data and data != ["[DONE]"]:
            found.append(json.loads("\n".join(data)))
    return found


def deltas(story: Story, choice: int = 0) -> list[dict[str, Any]]:
    return [c["delta"] for chunk in chunks(story) for c in chunk.get("choices", ()) if c["index"] == choice]


def joined(story: Story, key: str = "content", choice: int = 0) -> str:
    return "".join(delta.get(key) or "" for delta in deltas(story, choice))


def answer(story: Story) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(story.got)
    return document


def message(story: Story, choice: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = answer(story)["choices"][choice]["message"]
    return found


def finishes(story: Story) -> list[tuple[int, str]]:
    return [
        (choice["index"], choice["finish_reason"])
        for chunk in chunks(story)
        for choice in chunk.get("choices", ())
        if choice["finish_reason"]
    ]


def test_all_scenes_were_played(stories: Stories) -> None:
    assert list(stories) == [scene.name for scene in SCENES]


def test_no_secret_of_an_answer_is_in_any_user_s_bytes(stories: Stories) -> None:
    for story in (story for name, story in stories.items() if name != "restored"):  # there it is the user's own
        for secret in (samples.CARD, samples.OTHER_CARD, samples.IBAN, samples.OTHER_IBAN, samples.SSN, samples.EMAIL,
                       samples.STRIPE_KEY, samples.CODE_NAME, samples.HIDDEN_ORDER):  # fmt: skip
            assert secret not in story.got.decode(), story.scene.name
            assert all(secret not in text for text in story.texts()), story.scene.name


# Untouched


@pytest.mark.parametrize("name", ["clean", "clean-stream", "contacts", "models", "rate-limit"])
def test_untouched_exchanges_are_the_same_bytes_both_ways(stories: Stories, name: str) -> None:
    story = stories[name]
    assert story.got == story.said
    assert story.received == story.sent
    assert story.got


def test_the_long_stream_is_the_whole_article_with_usage_and_comments(stories: Stories) -> None:
    story = stories["clean-stream"]
    assert joined(story) == ARTICLE
    assert len(chunks(story)) > 1000
    assert b": keep-alive\n\n" in story.got
    assert chunks(story)[-1]["usage"]["total_tokens"] > 0
    assert b'"cost":1.50E-3' in story.got
    assert story.got.endswith(b"data: [DONE]\n\n")


def test_an_error_of_the_upstream_keeps_its_status_and_retry_after(stories: Stories) -> None:
    story = stories["rate-limit"]
    assert (story.status, story.headers["retry-after"]) == (429, "7")


# Prompts


def test_a_rewritten_prompt_reaches_the_upstream_without_the_numbers(stories: Stories) -> None:
    story = stories["numbers-in-prompt"]
    received = json.loads(story.received or b"")
    assert received["messages"][1]["content"] == (
        f"Check this payment: card [CREDIT_CARD], account [IBAN_CODE], SSN [US_SSN], receipt to {samples.EMAIL}."
    )
    assert samples.CARD in story.sent.decode()
    assert story.got == story.said


def test_an_edit_of_a_prompt_changes_only_the_strings(stories: Stories) -> None:
    story = stories["old-messages"]
    expected = story.sent.decode().replace(samples.CARD, "[CREDIT_CARD]").replace(samples.IBAN, "[IBAN_CODE]")
    assert story.received == expected.encode()
    arguments = json.loads(story.received)["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"card": "[CREDIT_CARD]", "cents": 124900}


def test_a_key_and_a_password_do_not_reach_the_upstream(stories: Stories) -> None:
    story = stories["secrets-in-prompt"]
    assert story.received is not None
    for secret in (samples.OPENAI_KEY, samples.DATABASE_LOGIN):
        assert secret.encode() in story.sent
        assert secret.encode() not in story.received
    assert b"OPENAI_API_KEY=[OPENAI_API_KEY]" in story.received


@pytest.mark.parametrize(
    ("name", "param", "secret", "rule"),
    [
        ("private-key", "messages[1]", samples.PRIVATE_KEY, "private-keys"),
        ("code-name", "messages[2]", samples.CODE_NAME_DISGUISED, "unannounced"),
    ],
)
def test_a_refused_prompt_is_a_400_that_names_the_message(
    stories: Stories, name: str, param: str, secret: str, rule: str
) -> None:
    story = stories[name]
    assert story.status == 400
    assert story.received is None
    error = answer(story)["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "content_filter", param)
    assert rule in error["innererror"]["rules"]
    assert story.headers["x-lockgate-rule"] == rule
    named = json.loads(story.sent)["messages"][int(re.findall(r"\d+", param)[0])]
    assert secret in named["content"]
    assert secret.splitlines()[-1] not in story.got.decode()
    assert story.told["error"]["class"] == "BadRequestError"


def test_a_prompt_can_be_declined_as_an_answer(stories: Stories) -> None:
    story = stories["declined"]
    assert story.status == 200
    assert story.received is None
    assert joined(story) == ""
    assert joined(story, "refusal").startswith("I can't help with destroying records.")
    assert finishes(story) == [(0, "content_filter")]
    assert story.got.endswith(b"data: [DONE]\n\n")


def test_hidden_text_does_not_reach_the_upstream_and_the_user_is_told(stories: Stories) -> None:
    story = stories["hidden-order"]
    tool = json.loads(story.received or b"")["messages"][2]
    assert tool["content"] == f"Autumn range {samples.FAMILY}\nSix jackets."
    flags = answer(story)["lockgate"]["flags"]
    assert [flag["rule"] for flag in flags] == ["hidden-letters"]
    assert story.headers["x-lockgate-action"] == "rewrite"


# Answers


def test_a_rewritten_answer_keeps_every_other_byte(stories: Stories) -> None:
    story = stories["numbers-in-answer"]
    expected = story.said.decode()
    for value, word in (
        (samples.CARD, "[CREDIT_CARD]"),
        (samples.IBAN, "[IBAN_CODE]"),
        (samples.EMAIL, "*" * len(samples.EMAIL)),
    ):
        assert expected.count(value) == 1
        expected = expected.replace(value, word)
    got = story.got.decode()
    own = got.index(',"lockgate":')
    assert got[:own] == expected.rstrip().removesuffix("}")
    assert json.loads(got)["usage"]["queue_ns"] == 9007199254740993
    assert story.headers["x-lockgate-rule"] == "numbers-in-answers"


def test_a_rewritten_stream_says_what_the_plain_answer_says(stories: Stories) -> None:
    stream, plain = stories["numbers-in-stream"], stories["numbers-in-answer"]
    assert joined(stream) == message(plain)["content"]
    assert finishes(stream) == [(0, "stop")]
    assert stream.got.endswith(b"data: [DONE]\n\n")


def test_chunks_that_no_edit_touches_keep_their_bytes(stories: Stories) -> None:
    for name in ("numbers-in-stream", "key-in-stream", "reasoning-in-stream"):
        story = stories[name]
        said = set(story.said.split(b"\n\n"))
        own = [event for event in story.got.split(b"\n\n") if event not in said]
        assert len(own) < len(said) / 2
        assert all(b'content":"' in event or b'"lockgate"' in event for event in own)


def test_a_key_in_many_chunks_is_taken_out(stories: Stories) -> None:
    story = stories["key-in-stream"]
    assert samples.STRIPE_KEY not in story.said.decode()  # no event has it whole
    assert "export BILLING_KEY=[STRIPE_API_KEY]\nbilling charges list" in joined(story)
    for start in range(len(samples.STRIPE_KEY) - 7):
        assert samples.STRIPE_KEY[start : start + 8] not in joined(story)


def test_hidden_characters_of_a_stream_go_and_the_emoji_stays_whole(stories: Stories) -> None:
    story = stories["hidden-in-stream"]
    assert joined(story) == f"The harbour family {samples.FAMILY} welcomes you aboard. Voilà!"
    assert "\u200b" not in story.got.decode()
    assert "\U000e0053" not in story.got.decode()


def test_arguments_of_tool_calls_are_edited_and_stay_json(stories: Stories) -> None:
    expected = {
        "order": "A-20417",
        "amount": 1249.0,
        "to": "[IBAN_CODE]",
        "note": "card [CREDIT_CARD] is closed – “don't retry”\n",
    }
    plain = message(stories["tool-call"])["tool_calls"][0]
    assert json.loads(plain["function"]["arguments"]) == expected
    story = stories["tool-calls-in-stream"]
    calls = [call for delta in deltas(story) for call in delta.get("tool_calls", ())]
    arguments = {
        index: "".join(call["function"]["arguments"] for call in calls if call["index"] == index) for index in (0, 1)
    }
    assert json.loads(arguments[0]) == {"ssn": "[US_SSN]", "purpose": "payroll", "fields": ["name", "since"]}
    assert json.loads(arguments[1]) == expected
    assert [call["id"] for call in calls if "id" in call] == ["call_l1", "call_r2"]
    assert finishes(story) == [(0, "tool_calls")]


def test_reasoning_is_edited_under_either_name(stories: Stories) -> None:
    assert message(stories["reasoning"])["reasoning"].startswith("The user means [IBAN_CODE]. Moving")
    assert joined(stories["reasoning-in-stream"], "reasoning_content").startswith("Take [CREDIT_CARD]: doubling")
    assert joined(stories["reasoning-in-stream"]) == "Yes: by the Luhn formula it can be a card's number."


def test_log_probabilities_of_what_was_taken_out_go_too(stories: Stories) -> None:
    plain = answer(stories["logprobs"])["choices"][0]
    assert plain["message"]["content"] == "You gave me [CREDIT_CARD], is that right?"
    assert plain["logprobs"] is None
    story = stories["logprobs-in-stream"]
    assert joined(story) == plain["message"]["content"]
    spelled = [
        (token["token"], bytes(token["bytes"]).decode())
        for chunk in chunks(story)
        for choice in chunk["choices"]
        for token in (choice.get("logprobs") or {}).get("content", ())
    ]
    assert spelled
    for words in zip(*spelled, strict=True):
        assert "4111" not in "".join(words)
        assert "1111" not in "".join(words)
        assert "".join(words).endswith("is that right?")


def test_one_refused_choice_of_two_ends_alone(stories: Stories) -> None:
    refusal = "This is about something that is not announced yet."
    plain = stories["one-of-two"]
    assert message(plain)["content"] == "Autumn is here: new boots for wet paths"
    assert message(plain, 1) == {"role": "assistant", "content": None, "refusal": refusal}
    assert [choice["finish_reason"] for choice in answer(plain)["choices"]] == ["stop", "content_filter"]
    story = stories["one-of-two-in-stream"]
    assert joined(story, choice=0) == "Autumn is here: new boots for wet paths"
    assert joined(story, choice=1) == "First look at"
    assert joined(story, "refusal", choice=1) == refusal
    assert sorted(finishes(story)) == [(0, "stop"), (1, "content_filter")]
    assert story.got.endswith(b"data: [DONE]\n\n")


def test_a_refused_answer_is_a_200_with_a_refusal(stories: Stories) -> None:
    story = stories["refused-answer"]
    assert story.status == 200
    assert message(story)["content"] is None
    assert message(story)["refusal"] == "This is about something that is not announced yet."
    assert answer(story)["choices"][0]["finish_reason"] == "content_filter"
    assert b"shop" not in story.got


def test_a_refused_stream_ends_and_lets_the_upstream_go(stories: Stories) -> None:
    story = stories["refused-stream"]
    assert joined(story) == "Most of the year goes into"
    assert finishes(story) == [(0, "content_filter")]
    assert story.got.endswith(b"data: [DONE]\n\n")
    assert story.let_go
    assert b"Bud" not in story.said


def test_a_flag_stands_beside_the_answer(stories: Stories) -> None:
    plain = answer(stories["flagged"])
    assert plain["lockgate"]["flags"][0]["rule"] == "promises"
    assert stories["flagged"].headers["x-lockgate-action"] == "flag"
    assert stories["flagged"].got.startswith(stories["flagged"].said.rstrip().removesuffix(b"}"))
    story = stories["flagged-stream"]
    said, got = story.said.split(b"\n\n"), story.got.split(b"\n\n")
    own = [event for event in got if event not in said]
    assert [event for event in got if event in said] == said
    assert len(own) == 1
    assert json.loads(own[0][6:])["lockgate"]["flags"][0]["name"] == "uncertainty"
    assert b'"finish_reason":"stop"' in got[got.index(own[0]) + 1]


# Faults


def test_a_cut_stream_ends_in_an_error_and_nothing_else(stories: Stories) -> None:
    story = stories["cut-stream"]
    assert joined(story) == "The last one was made with [CREDIT_CARD], the one before with 4000 0566 55"
    assert b"[DONE]" not in story.got
    assert finishes(story) == []
    last = story.got.rstrip(b"\n").split(b"\n\n")[-1].decode().split("\n")
    assert last[0] == "event: error"
    assert json.loads(last[1].removeprefix("data: "))["error"]["code"] == "upstream_broken"


# Every stream, every exchange


@pytest.mark.parametrize("name", STREAMS)
def test_streams_are_well_formed(stories: Stories, name: str) -> None:
    story = stories[name]
    assert story.got.endswith(b"\n\n")
    ends = finishes(story)
    assert len(ends) == len(dict(ends))
    assert deltas(story)[0]["role"] == "assistant"
    assert story.got.count(b"[DONE]") == (0 if name == "cut-stream" else 1)


def test_each_answer_can_be_found_in_the_audit(stories: Stories) -> None:
    assert len({story.headers["x-lockgate-id"] for story in stories.values()}) == len(stories)
    for story in stories.values():
        assert story.audit["id"] == story.headers["x-lockgate-id"]
        assert story.audit["status"] == story.status
        if story.scene.ask is not None:
            policy, found = story.headers["x-lockgate-policy"].split("@")
            assert (policy, found) == ("demo", story.audit["policy_hash"])


# The command


def test_the_command_prints_an_exchange_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["scene"] for line in lines] == [scene.name for scene in SCENES]
    assert all(line["ok"] for line in lines)
    keys = {"sent", "upstream_received", "upstream_said", "user_got", "status", "headers", "verdict", "expected"}
    assert all(keys <= line.keys() for line in lines)


def test_a_scene_that_goes_wrong_is_a_failure(
    stories: Stories, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played = [stories["clean"], replace(stories["flagged"], problems=["the flag is missing"])]
    monkeypatch.setattr(run, "play", lambda *_, **__: played)
    assert run.run_demo() == 1
    assert "1 did not go as expected: flagged." in capsys.readouterr().out
    monkeypatch.setattr(run, "play", lambda *_, **__: played[:1])
    assert run.run_demo("strict") == 0
    assert "another policy" in capsys.readouterr().out


def test_the_permissive_policy_changes_no_byte() -> None:
    for story in run.play("permissive", known_policy=False):
        assert story.problems == []
        assert story.received == story.sent
        if story.scene.name == "cut-stream":
            assert story.got.startswith(story.said)
        else:
            assert story.got == story.said, story.scene.name


def test_a_policy_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PolicyError):
        run.run_demo("defalt")
    assert main(["demo", "--policy", "defalt"]) == 2
    assert "default" in capsys.readouterr().err
