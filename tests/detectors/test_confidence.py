from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockgate.detectors.confidence import LEAST, ConfidenceConfig, build, calibrated, normalised, placed
from lockgate.detectors.protocol import WHOLE, Detector, Doubt
from lockgate.exchange import Exchange, Segment, Token
from lockgate.verdict import Finding

AT = "/choices/0/message/content"
SAID = [("The mill ", -0.1), ("was built", -0.2), (" in 1780.", -0.1), (" Ada Brandt", -3.0), (" built it.", -2.0)]
TEXT = "".join(token for token, _ in SAID)


def tokens(*said: tuple[str, float | None]) -> list[Token]:
    return [Token(text.encode("utf-8", "surrogatepass"), number) for text, number in said]


async def look(
    config: dict[str, Any], text: str, known: list[Token] | None, where: str = AT, **more: Any
) -> list[Finding | Doubt]:
    exchange = Exchange("x", "chat", logprobs=None if known is None else {AT: known})
    segment = Segment(where, more.pop("role", "assistant"), more.pop("kind", "text"), text, **{"choice": 0, **more})
    return list(await build(ConfidenceConfig.model_validate(config)).detect([segment], exchange))


async def test_an_answer_is_as_sure_as_its_tokens_are_in_the_mean() -> None:
    sure = math.exp(-5.4 / 5)
    (found,) = await look({"below": 0.5}, TEXT, tokens(*SAID))
    assert isinstance(found, Finding)
    assert (found.label, found.where, found.span) == ("low", AT, None)
    assert found.score == pytest.approx(1 - sure)
    assert await look({"below": sure - 0.001}, TEXT, tokens(*SAID)) == []
    assert len(await look({"below": sure + 0.001}, TEXT, tokens(*SAID))) == 1


async def test_each_unsure_sentence_is_found_where_it_stands() -> None:
    (found,) = await look({"below": 0.5, "of": "sentence"}, TEXT, tokens(*SAID))
    assert isinstance(found, Finding)
    assert found.span is not None
    assert TEXT[slice(*found.span)] == "Ada Brandt built it"
    assert found.score == pytest.approx(1 - math.exp(-2.5))
    both = await look({"below": 1, "of": "sentence"}, TEXT, tokens(*SAID))
    assert [TEXT[slice(*one.span)] for one in both if isinstance(one, Finding) and one.span] == [
        "The mill was built in 1780",
        "Ada Brandt built it",
    ]


async def test_sentences_are_found_behind_letters_of_several_bytes() -> None:
    text = "Größe: 3 m. 大きい。 Ja, 👩\u200d💻 weiß es. Nein."
    known = tokens(
        ("Größe: 3 m. ", -0.1), ("大きい。", -0.1), (" Ja, 👩", -4), ("\u200d💻 weiß es.", -4), (" Nein.", -0.1)
    )
    (found,) = await look({"below": 0.5, "of": "sentence"}, text, known)
    assert isinstance(found, Finding)
    assert found.span is not None
    assert text[slice(*found.span)] == "Ja, 👩\u200d💻 weiß es"


async def test_questions_and_code_claim_nothing() -> None:
    text = "It is so and so.\n```\nx = 1\n```\nIs it that?"
    known = tokens(("It is so and so.\n", -0.1), ("```\nx = 1\n```\n", -9), ("Is it that?", -9))
    assert await look({"below": 0.9, "of": "sentence"}, text, known) == []


@pytest.mark.parametrize(
    "known",
    [
        None,
        [],
        tokens(("something else", -0.1)),
        tokens((TEXT[:9], -0.1)),
        tokens(*SAID[:3], (" Ada Brandt", None), SAID[4]),
    ],
    ids=["nobody looked", "none told", "of another text", "of a part", "one without a number"],
)
@pytest.mark.parametrize("of", ["answer", "sentence"])
async def test_without_log_probabilities_it_is_never_sure(known: list[Token] | None, of: str) -> None:
    assert await look({"of": of}, TEXT, known) == [Doubt(AT)]


async def test_what_stands_around_an_answer_is_not_its() -> None:
    known = tokens(("Hm, is it?", -9), ("</think>", -9), (" \n\n", -9), *SAID, ("<|end|>", -9), ("", -9))
    (found,) = await look({"below": 0.5}, TEXT, known)
    assert isinstance(found, Finding)
    assert found.score == pytest.approx(1 - math.exp(-5.4 / 5))


async def test_a_token_may_be_a_part_of_a_character() -> None:
    whole = "👩 ja"
    known = [Token(b"\xf0\x9f", -1.0), Token(b"\x91\xa9", -1.0), Token(b" ja", -1.0)]
    (found,) = await look({"below": 0.5, "of": "sentence"}, whole, known)
    assert isinstance(found, Finding)
    assert found.score == pytest.approx(1 - math.exp(-1))


@pytest.mark.parametrize(
    ("where", "more"),
    [
        (AT, {"kind": "reasoning"}),
        (AT, {"kind": "tool_call"}),
        (AT, {"role": "upstream"}),
        (AT, {"role": "user", "choice": None}),
        (AT, {"choice": None}),
        ("/choices/0/message/refusal", {}),
        ("/choices/0/message/annotations/0/title", {}),
    ],
)
async def test_only_an_answers_own_text_is_judged(where: str, more: dict[str, Any]) -> None:
    assert await look({"below": 1}, TEXT, tokens(("else", -9)), where, **more) == []


@pytest.mark.parametrize("where", [f"{AT}#2", "#unread/1"])
async def test_what_differs_or_could_not_be_read_is_unverified(where: str) -> None:
    assert await look({}, "something else", tokens(*SAID), where) == [Doubt(where)]


async def test_a_text_of_white_space_says_nothing() -> None:
    assert await look({}, " \n", []) == []


def test_its_form() -> None:
    for of in ("answer", "sentence"):
        detector = build(ConfidenceConfig.model_validate({"of": of}))
        assert isinstance(detector, Detector)
        assert (detector.reach, detector.gives_spans) == (WHOLE, of == "sentence")
        assert detector.labels == {"low"}
        assert not detector.calibrated


@pytest.mark.parametrize(
    ("table", "points"),
    [
        (None, [(0.0, 0.0), (0.3, 0.3), (1.0, 1.0)]),
        (((0.5, 0.6),), [(0.0, 0.6), (0.5, 0.6), (1.0, 0.6)]),
        (
            ((0.2, 0.1), (0.6, 0.1), (0.8, 0.9)),
            [(0.1, 0.1), (0.2, 0.1), (0.4, 0.1), (0.6, 0.1), (0.7, 0.5), (1.0, 0.9)],
        ),
    ],
)
def test_a_calibration_is_linear_between_its_points(table: Any, points: list[tuple[float, float]]) -> None:
    for confidence, right in points:
        assert calibrated(confidence, table) == pytest.approx(right)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20, unique_by=lambda point: point[0]),
    st.lists(st.floats(0, 1), max_size=20),
)
def test_a_calibration_never_falls(points: list[tuple[float, float]], asked: list[float]) -> None:
    rising = sorted(point[1] for point in points)
    table = tuple(zip(sorted(point[0] for point in points), rising, strict=True))
    said = [calibrated(one, table) for one in sorted(asked)]
    assert all(a <= b + 1e-12 for a, b in pairwise(said))
    assert all(rising[0] <= one <= rising[-1] + 1e-12 for one in said)


@given(st.lists(st.floats(allow_nan=False, max_value=0.01), min_size=1, max_size=30))
def test_the_mean_is_a_probability(logprobs: list[float]) -> None:
    assert math.exp(LEAST) - 1e-12 <= normalised(logprobs) <= 1


@given(st.lists(st.tuples(st.text(max_size=5), st.floats(-9, 0)), max_size=12))
def test_tokens_lie_in_their_text_in_order(said: list[tuple[str, float]]) -> None:
    text = "".join(token for token, _ in said)
    found = placed(text, tokens(*said))
    assert found is not None
    assert [one.logprob for one in found] == [number for token, number in said if token]
    assert [one.start for one in found] == sorted(one.start for one in found)


def test_a_calibration_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("calibration: [[0.1, 0.2], [0.9, 0.8]]\n")
    (tmp_path / "c.json").write_text(json.dumps({"n": 9, "calibration": [[0.1, 0.2], [0.9, 0.8]]}))
    (tmp_path / "list.yaml").write_text("- [0.1, 0.2]\n- [0.9, 0.8]\n")
    for name in ("c.yaml", "c.json", "list.yaml"):
        config = ConfidenceConfig.model_validate({"calibration": name}, context={"folder": str(tmp_path)})
        assert config.calibration == ((0.1, 0.2), (0.9, 0.8))
        assert build(config).calibrated


@pytest.mark.parametrize("said", ["none.yaml", "broken.yaml", "bytes.yaml", "empty.yaml", "other.yaml", "."])
def test_a_file_that_holds_none_is_an_error(said: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("calibration: [")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "other.yaml").write_text("thresholds: [[0.1, 0.2]]")
    with pytest.raises(ValidationError):
        ConfidenceConfig.model_validate({"calibration": said}, context={"folder": str(tmp_path)})


@pytest.mark.parametrize(
    "config",
    [
        {"below": 0},
        {"below": 1.1},
        {"of": "word"},
        {"calibration": []},
        {"calibration": [[0.5, 0.5], [0.5, 0.6]]},
        {"calibration": [[0.1, 0.5], [0.5, 0.4]]},
        {"calibration": [[0.1, 1.5]]},
        {"calibration": [[0.1]]},
        {"above": 0.5},
    ],
)
def test_bad_configuration(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ConfidenceConfig.model_validate(config)
