"""`/moderations` as the SDK sees it: answered here, forwarded, or refused with a reason. The model is a tiny one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.moderation import Moderation

from fakes import RawUpstream, Script, json_answer, replying
from lockgate.audit import Audit
from lockgate.detectors.model import MODELS, TEXT, run_models
from lockgate.detectors.protocol import OverloadError
from lockgate.scoring.moderation import CATEGORIES, Moderator
from lockgate_proxy import guarded, moderations
from lockgate_proxy.settings import Settings
from proxied import Proxy, proxied
from saying import plan_of, rule, words
from tiny_model import write_model

PLAN = plan_of(
    rule("stop", words("plugh"), "refuse", side="prompt"),
    rule("mask", words("xyzzy"), {"rewrite": "mask"}, side="prompt"),
)
FOREIGN = "Kannst du mir sagen, wann der nächste Zug an die Küste fährt?"
REMOTE = {
    "id": "modr-1",
    "model": "omni-moderation-latest",
    "results": [{"flagged": True, "categories": {"hate": True}, "category_scores": {"hate": 0.75}}],
}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Path]:
    """The model that ships is a tiny one: "bomb" is violence, nothing is known of any other category but hate."""
    write_model(
        tmp_path / TEXT,
        families={"injection": ["injection"], "harm": ["harm", "harm.violence", "harm.hate"], "bias": ["bias"]},
        exclusive=[],
        thresholds={"harm": {"normal": {"at": 0.5}}, "harm.violence": {"normal": {"at": 0.5}}},
        languages=["en"],
    )
    before = MODELS.places, MODELS.options
    run_models([tmp_path], {})
    yield tmp_path
    run_models(*before)


@asynccontextmanager
async def asking(script: Script | None = None, **given: Any) -> AsyncIterator[tuple[Proxy, AsyncOpenAI]]:
    async with (
        proxied(PLAN, script or replying(json_answer(REMOTE)), **given) as proxy,
        AsyncOpenAI(base_url=f"{proxy.base}/v1", api_key="k", max_retries=0, timeout=30) as client,
    ):
        yield proxy, client


def alias(name: str) -> str:
    return name.replace("/", "_").replace("-", "_")


@pytest.mark.usefixtures("shelf")
async def test_a_text_is_judged_here() -> None:
    async with asking() as (proxy, client):
        said = await client.moderations.create(input="a bomb, plugh", model="omni-moderation-latest")
        assert proxy.requests == []
    (result,) = said.results
    assert isinstance(result, Moderation)
    assert (said.model, result.flagged) == ("tiny@1", True)
    assert said.id.startswith("modr-")
    shown = said.model_dump(by_alias=True)
    assert result.categories.violence is True
    assert result.category_scores.violence == pytest.approx(0.880797, abs=1e-6)
    kept = shown["results"][0]
    for name in CATEGORIES:
        assert (kept["categories"][name] is None) == (name != "violence")
        assert (kept["category_scores"][name] is None) == (name not in ("violence", "hate"))
        assert kept["category_applied_input_types"][name] == (["text"] if name in ("violence", "hate") else [])
    assert kept["lockgate"]["labels"].keys() == {"harm", "harm.violence"}
    assert shown["lockgate"]["thresholds"] == {"violence": 0.5}
    assert shown["lockgate"]["missing"].keys() == set(CATEGORIES) - {"violence"}
    assert (shown["lockgate"]["missing"]["hate"], shown["lockgate"]["missing"]["sexual"]) == (
        "no threshold",
        "no model",
    )


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("given", "flagged", "unverified", "skipped"),
    [
        ("calm", [False], [False], {}),
        (["calm", "bomb", "", FOREIGN], [False, True, False, False], [False, False, False, True], {}),
        ([{"type": "text", "text": "calm"}, {"type": "text", "text": "bomb"}], [True], [False], {}),
        (
            [
                {"type": "text", "text": "bomb"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": {"url": "https://images.example/bomb.png"}},
            ],
            [True],
            [False],
            {"/input/1": "image: not text", "/input/2": "image: not text"},
        ),
        (
            [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
            [None],
            [False],
            {"/input/0": "image: not text"},
        ),
        ([{"type": "sound", "sound": "bomb"}], [None], [False], {"/input/0": "unread: unknown"}),
    ],
)
async def test_every_form_of_input(given: Any, flagged: Any, unverified: Any, skipped: Any) -> None:
    async with asking() as (_, client):
        raw = await client.moderations.with_raw_response.create(input=given)
    shown = raw.parse().model_dump(by_alias=True)
    assert [one["flagged"] for one in shown["results"]] == flagged
    assert [one["lockgate"]["unverified"] for one in shown["results"]] == unverified
    assert shown["lockgate"]["skipped"] == skipped
    if flagged == [None]:
        (result,) = shown["results"]
        assert set(result["category_scores"].values()) == {None}
        assert all(types == [] for types in result["category_applied_input_types"].values())


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"input": []}, "empty_array"),
        ({}, "missing_required_parameter"),
        ({"input": [[1, 2]]}, "invalid_type"),
        ({"input": ["a", {"type": "text", "text": "b"}]}, "invalid_type"),
        ({"input": ["calm " * 60_000, "calm " * 60_000]}, "string_above_max_length"),
        ([], "invalid_type"),
    ],
)
async def test_errors_are_in_the_apis_shape(asked: Any, code: str) -> None:
    async with asking() as (proxy, client):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.post("/moderations", body=asked, cast_to=object)
        assert proxy.requests == []
    assert (caught.value.code, caught.value.type) == (code, "invalid_request_error")


@pytest.mark.usefixtures("shelf")
async def test_the_audit_line_has_what_was_found_and_no_text(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl", b"0123456789abcdef")
    async with asking(audit=audit, tags=("staff",)) as (_, client):
        raw = await client.moderations.with_raw_response.create(input=["calm king", "bomb in paris"], model="omni")
    audit.close()
    text = (tmp_path / "audit.jsonl").read_text()
    (line,) = map(json.loads, text.splitlines())
    assert not any(word in text for word in ("calm", "king", "bomb", "paris"))
    assert (line["dialect"], line["model"], line["outcome"], line["tags"]) == (
        "moderations",
        "omni",
        "answered",
        ["staff"],
    )
    assert line["text_marks"].keys() == {"/input/0", "/input/1"}
    side = line["prompt"]
    assert [(one["label"], one["where"]) for one in side["findings"]] == [
        ("harm", "/input/1"),
        ("harm.violence", "/input/1"),
    ]
    assert (side["models"], side["rules"]) == (["tiny@1"], [])
    assert side["coverage"]["scanned"] == {"moderations": ["/input/0", "/input/1"]}
    assert raw.headers["x-lockgate-id"] == line["id"]
    assert raw.headers["x-lockgate-coverage"] == "prompt;scanned=2;skipped=0;unknown=0"


async def test_a_model_that_cannot_be_used_is_a_clear_failure(shelf: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (shelf / TEXT / "int8.onnx").open("ab") as file:
        file.write(b"x")
    async with asking() as (proxy, client):
        with pytest.raises(openai.InternalServerError) as caught:
            await client.moderations.create(input="bomb")
        assert proxy.requests == []
        assert proxy.context.counts["moderations_unavailable"] == 1
    assert (caught.value.status_code, caught.value.code) == (503, "moderations_unavailable")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert "int8.onnx" in caplog.text


@pytest.mark.usefixtures("shelf")
async def test_a_run_that_fails_is_no_verdict() -> None:
    async with asking() as (_, client):
        with pytest.raises(openai.InternalServerError) as caught:
            await client.moderations.create(input=["calm", "endless"])
    assert (caught.value.status_code, caught.value.code) == (503, "moderations_unavailable")


@pytest.mark.usefixtures("shelf")
async def test_too_much_to_do_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise OverloadError

    monkeypatch.setattr(Moderator, "moderate", full)
    async with asking() as (_, client):
        with pytest.raises(openai.InternalServerError) as caught:
            await client.moderations.create(input="calm")
    assert (caught.value.status_code, caught.value.response.headers["retry-after"]) == (503, "1")


# --- Forwarded -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("calm", b"calm"),
        (["calm", "say xyzzy"], b'["calm", "say *****"]'),
        ([{"type": "text", "text": "xyzzy"}], b'[{"type": "text", "text": "*****"}]'),
    ],
)
async def test_where_it_is_forwarded_the_input_is_a_prompt(given: Any, sent: bytes) -> None:
    async with asking(moderations="forward") as (proxy, client):
        said = await client.moderations.create(input=given)
        (request,) = proxy.requests
    assert json.loads(request.body)["input"] == (json.loads(sent) if sent.startswith(b"[") else sent.decode())
    assert said.to_dict() == REMOTE


async def test_where_it_is_forwarded_a_prompt_may_be_refused() -> None:
    async with asking(moderations="forward") as (proxy, client):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.moderations.create(input=["calm", "plugh"])
        assert proxy.requests == []
    assert (caught.value.code, caught.value.param) == ("content_filter", "input[1]")


@pytest.mark.usefixtures("shelf")
async def test_a_guarded_client_asks_its_own_model() -> None:
    async with RawUpstream(replying(json_answer(REMOTE))) as upstream:
        with guarded(OpenAI(base_url=upstream.url, api_key="k", max_retries=0), PLAN) as client:
            said = await asyncio.to_thread(client.moderations.create, input="xyzzy")
        assert json.loads(upstream.requests[0].body)["input"] == "*****"
    assert said.to_dict() == REMOTE


# --- Who answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "absent", "local"),
    [
        (None, None, True),
        (None, "onnxruntime", False),
        (None, "tokenizers", False),
        ("local", "onnxruntime", True),
        ("forward", None, False),
    ],
)
@pytest.mark.usefixtures("shelf")
def test_who_answers(said: str | None, absent: str | None, local: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moderations, "find_spec", lambda name: None if name == absent else object())
    settings = Settings.read(policy="default", upstream="http://localhost/v1", moderations=said)
    assert moderations.is_local(settings) is local


@pytest.mark.usefixtures("shelf")
def test_a_model_server_needs_no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moderations, "find_spec", lambda name: None if name == "onnxruntime" else object())
    settings = Settings.read(policy="default", upstream="http://localhost/v1", model_endpoint="http://localhost:8001")
    assert moderations.is_local(settings)
