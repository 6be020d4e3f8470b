"""Thresholds of topics from labelled texts, with a model whose embedding is a count of words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.detectors import model, topic
from lockgate.detectors.model import MODELS
from lockgate.detectors.topic import TopicConfig, TopicDetector
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.policy.compile import compile_policy
from lockgate.policy.schema import Policy
from lockgate.scoring.rows import Bad, Row
from lockgate.scoring.scorer import Judged
from lockgate.scoring.topics import TopicScorer
from lockgate_proxy.cli import main
from lockgate_proxy.eval_command import topic_of
from tiny_model import write_model

TOPICS = {"model": "tiny", "denied": {"courts": ["law law"], "war": ["bomb attack"]}, "above": 0.75}
RULE = {"id": "no", "side": "prompt", "use": {"topic": TOPICS}, "then": "refuse"}


@pytest.fixture(autouse=True, scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("models")
    write_model(place / "tiny")
    before = MODELS.places, MODELS.options
    model.run_models([place], {})
    yield place
    model.run_models(*before)


def made(**config: Any) -> TopicDetector:
    return topic.build(TopicConfig.model_validate({"model": "tiny", **config}))


async def judged(detector: TopicDetector, text: str, label: Any) -> Judged | Bad:
    said = {"labels": {"topic": label}}
    (found,) = await TopicScorer(detector, "x").judged([Row(1, "a", {"text": text}, said)])
    return found


@pytest.mark.parametrize(
    ("text", "label", "over", "right"),
    [
        ("law law law", "courts", {"topic.courts": True, "topic.war": False}, {"topic.courts": 1, "topic.war": 0}),
        ("attack bomb", ["war"], {"topic.courts": False, "topic.war": True}, {"topic.courts": 0, "topic.war": 1}),
        ("doctor", [], {"topic.courts": False, "topic.war": False}, {"topic.courts": 0, "topic.war": 0}),
        ("", "none", {"topic.courts": False, "topic.war": False}, {"topic.courts": 0, "topic.war": 0}),
    ],
)
async def test_a_row_is_judged_as_the_rule_would(text: str, label: Any, over: Any, right: Any) -> None:
    detector = made(**TOPICS)
    found = await judged(detector, text, label)
    assert isinstance(found, Judged)
    assert (found.over, found.row.said["labels"]) == (over, right)
    said = await detector.detect([Segment("/a", "user", "text", text)], Exchange("01", "chat"))
    assert {f"topic.{one.label}" for one in said} == {name for name, value in over.items() if value}


async def test_off_topic_is_what_has_no_label() -> None:
    detector = made(allowed={"health": ["doctor"]}, below=0.6)
    far, near = await judged(detector, "bomb bomb bomb", []), await judged(detector, "doctor", "OFF_TOPIC")
    assert isinstance(far, Judged)
    assert isinstance(near, Judged)
    assert (far.over, far.row.said["labels"]) == ({"topic.OFF_TOPIC": True}, {"topic.OFF_TOPIC": 1})
    assert near.over == {"topic.OFF_TOPIC": False}


@pytest.mark.parametrize("label", ["sport", ["courts", "sport"], 7, [None]])
async def test_a_label_that_is_no_topic_is_a_bad_row(label: Any) -> None:
    found = await judged(made(**TOPICS), "law", label)
    assert isinstance(found, Bad)
    assert "labels.topic" in found.error
    assert "sport" not in found.error


def test_a_rule_without_topics_is_an_error() -> None:
    rules = [RULE, {"id": "other", "side": "prompt", "use": {"size": {"max_characters": 9}}, "then": "record"}]
    plan = compile_policy(Policy.model_validate({"version": 1, "name": "t", "rules": rules}))
    assert isinstance(topic_of(plan, "no"), TopicDetector)
    with pytest.raises(PolicyError, match="does not use"):
        topic_of(plan, "other")
    with pytest.raises(PolicyError, match="no rule 'nope'"):
        topic_of(plan, "nope")


def test_the_command_prints_a_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.yaml").write_text(json.dumps({"version": 1, "name": "t", "rules": [RULE]}))
    texts = [("law law", "courts"), ("law attack", "courts"), ("bomb bomb attack", "war"), ("doctor", []), ("calm", [])]
    rows = [json.dumps({"id": i, "text": text, "labels": {"topic": label}}) for i, (text, label) in enumerate(texts)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    asked = ["eval", str(tmp_path / "rows.jsonl"), "--topic", f"{tmp_path / 'p.yaml'}:no", "--calibrate", "fpr=0.01"]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "topic.courts ≥ 0.750" in shown
    assert "threshold for" in shown
    for wrong in ("p.yaml", ":no", "p.yaml:"):
        assert main([*asked[:3], wrong]) == 2
    assert "--topic" in capsys.readouterr().err
