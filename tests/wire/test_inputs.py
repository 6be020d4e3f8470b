from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse, Embedding, ModerationCreateResponse
from openai.types.embedding_create_params import EmbeddingCreateParams
from openai.types.moderation_create_params import ModerationCreateParams

import pages
from lockgate.errors import WireError
from lockgate.exchange import Exchange, Reading
from lockgate.wire import inputs
from lockgate.wire.inputs import EmbeddingsLens, ModerationsLens

EMBEDDINGS = EmbeddingsLens()
MODERATIONS = ModerationsLens()

VECTOR = base64.b64encode(b"\0\0\x80?" * 4).decode()


def places(reading: Reading) -> dict[str, tuple[str, str]]:
    return {one.where: (one.kind, one.text) for one in reading.segments}


def embedded(*items: Any, **more: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": i, "embedding": one} for i, one in enumerate(items)]
    return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}, **more}


# --- Embeddings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read", "skipped"),
    [
        ("a text", {"/input": ("text", "a text")}, {}),
        ("", {}, {}),
        (["one", "", "three"], {"/input/0": ("text", "one"), "/input/2": ("text", "three")}, {}),
        ([], {}, {}),
        ([1, 2, 3], {}, {"/input": "unread: tokens"}),
        ([[1, 2], [3]], {}, {"/input/0": "unread: tokens", "/input/1": "unread: tokens"}),
        (["one", [3]], {"/input/0": ("text", "one")}, {"/input/1": "unread: tokens"}),
        ([{"type": "text", "text": "hidden"}], {}, {"/input/0": "unread: unknown"}),
        ([1, "one"], {"/input/1": ("text", "one")}, {"/input/0": "unread: unknown"}),
    ],
)
def test_every_form_of_an_input(given: Any, read: dict[str, Any], skipped: dict[str, str]) -> None:
    reading = EMBEDDINGS.read_request({"model": "m", "input": given})
    assert places(reading) == read
    assert reading.skipped == skipped
    assert reading.unknown == list(skipped)
    assert reading.subject.model == "m"


def test_what_stands_beside_an_input() -> None:
    asked = {"model": "m", "input": "x", "user": "anna", "encoding_format": "base64", "dimensions": 3}
    reading = EMBEDDINGS.read_request(asked)
    assert places(reading) == {"/input": ("text", "x"), "/user": ("identifier", "anna")}
    assert (reading.skipped, reading.subject.user) == ({}, "anna")
    odd = EMBEDDINGS.read_request(
        {"input": "x", "encoding_format": "a sentence", "prefix": "query: ", "dimensions": None}
    )
    assert odd.unknown == ["/encoding_format", "/prefix"]


@pytest.mark.parametrize("lens", [EMBEDDINGS, MODERATIONS])
@pytest.mark.parametrize("asked", [[], "x", {}, {"input": None}, {"input": 3}, {"input": {"text": "x"}}])
def test_what_is_no_request_is_an_error(lens: Any, asked: Any) -> None:
    with pytest.raises(WireError):
        lens.read_request(asked)


@pytest.mark.parametrize("vector", [[0.5, -1, 3e-7], VECTOR, "", []])
def test_vectors_are_no_text(vector: Any) -> None:
    reading = EMBEDDINGS.read_answer(embedded(vector, vector))
    assert (reading.segments, reading.skipped, reading.unknown) == ([], {"/data": "vectors: not text"}, [])


@pytest.mark.parametrize(
    "vector", ["a text that is no vector", "AAAA\n", VECTOR + "=", "QUI=", ["a"], [0.5, "a"], [True], {}, None]
)
def test_what_is_no_vector_is_unknown(vector: Any) -> None:
    assert EMBEDDINGS.read_answer(embedded([1.0], vector)).unknown == ["/data/1/embedding"]


@pytest.mark.parametrize(
    ("answer", "unknown"),
    [
        (embedded([1.0], note="x"), ["/note"]),
        ({**embedded([1.0]), "object": "a sentence of words"}, ["/object"]),
        ({"data": "text"}, ["/data"]),
        ({"data": ["text"]}, ["/data/0"]),
        ({"data": [{"embedding": [1.0], "text": "said"}]}, ["/data/0/text"]),
    ],
)
def test_what_an_answer_has_besides_is_unknown(answer: Any, unknown: list[str]) -> None:
    assert EMBEDDINGS.read_answer(answer).unknown == unknown


@pytest.mark.parametrize("lens", [EMBEDDINGS, MODERATIONS])
def test_an_error_of_the_upstreams_is_read(lens: Any) -> None:
    reading = lens.read_answer({"error": {"message": "no such model"}})
    assert "no such model" in [one.text for one in reading.segments]
    with pytest.raises(WireError):
        lens.read_answer(["x"])


# --- Moderations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read", "skipped"),
    [
        ("a text", {"/input": ("text", "a text")}, {}),
        (["one", "two"], {"/input/0": ("text", "one"), "/input/1": ("text", "two")}, {}),
        (
            [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "https://images.example/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
            {"/input/0/text": ("text", "look"), "/input/1/image_url/url": ("link", "https://images.example/a.png")},
            {"/input/1": "image: not text", "/input/2": "image: not text"},
        ),
        ([{"type": "audio", "audio": "x"}], {}, {"/input/0": "unread: unknown"}),
        (
            [{"type": "text", "text": "x", "note": "y"}],
            {"/input/0/text": ("text", "x")},
            {"/input/0/note": "unread: unknown"},
        ),
        (
            [{"type": "image_url", "image_url": {"url": "", "alt": "words"}}],
            {},
            {"/input/0": "image: not text", "/input/0/image_url/alt": "unread: unknown"},
        ),
    ],
)
def test_every_form_of_what_is_moderated(given: Any, read: dict[str, Any], skipped: dict[str, str]) -> None:
    reading = MODERATIONS.read_request({"input": given})
    assert places(reading) == read
    assert reading.skipped == skipped
    assert reading.unknown == [where for where, why in skipped.items() if why.startswith("unread")]


@pytest.mark.parametrize(
    "given",
    [
        [],
        [1],
        [["a"]],
        ["a", {"type": "text", "text": "b"}],
        [{"type": "text"}],
        [{"type": "image_url", "image_url": "x"}],
    ],
)
def test_other_inputs_are_errors(given: Any) -> None:
    with pytest.raises(WireError) as caught:
        MODERATIONS.read_request({"input": given})
    assert caught.value.where.startswith("/input")


def test_results_of_the_upstreams_are_no_text() -> None:
    result = {"flagged": True, "categories": {"self-harm/intent": True}, "category_scores": {"hate": 0.5}}
    answer = {"id": "modr-1", "model": "omni-moderation-latest", "results": [result]}
    reading = MODERATIONS.read_answer(answer)
    assert (reading.segments, reading.skipped) == ([], {"/results": "filter: the upstream's own"})
    odd = {**answer, "results": [{**result, "reason": "it says so much"}, {"a whole sentence": True}], "note": "x"}
    assert MODERATIONS.read_answer(odd).unknown == ["/results/0/reason", "/results/1/a whole sentence", "/note"]


# --- Both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lens", [EMBEDDINGS, MODERATIONS])
def test_they_have_no_streams_and_no_refusals_of_their_own(lens: Any) -> None:
    with pytest.raises(WireError):
        lens.read_event({})
    assert lens.refusal(Exchange("x", lens.dialect), "no") is None
    assert (lens.choices(embedded([1.0])), lens.refuse(b"{}", {}, {})) == (0, b"{}")
    assert lens.param("/input/2/text") == "input[2]"


@pytest.mark.parametrize("name", list(inputs.BESIDE))
def test_what_is_never_read_is_in_the_docs(name: str) -> None:
    rows = [row for row in pages.text_of("docs/audit.md").splitlines() if row.startswith(f"| `{name}` |")]
    said = {place: row.split(" | ")[2].removesuffix(" |") for row in rows for place in re.findall(r"`(/[^`]*)`", row)}
    assert said == inputs.BESIDE[name]


def test_every_member_that_the_sdk_knows_is_known() -> None:
    for lens, params in ((EMBEDDINGS, EmbeddingCreateParams), (MODERATIONS, ModerationCreateParams)):
        plain = dict.fromkeys(params.__annotations__.keys() - {"input"}, "word")
        assert lens.read_request({"input": "x", **plain}).unknown == []
    answers = dict.fromkeys(CreateEmbeddingResponse.model_fields.keys() - {"data"}, "word")
    item = dict.fromkeys(Embedding.model_fields.keys() - {"embedding"}, 0)
    assert EMBEDDINGS.read_answer({**answers, "data": [{**item, "embedding": [1.0]}]}).unknown == []
    assert MODERATIONS.read_answer(dict.fromkeys(ModerationCreateResponse.model_fields, "word")).unknown == []
