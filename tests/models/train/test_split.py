from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lockgate_models.train import split
from lockgate_models.train.rows import SOURCES, Row


def row(group: str, source: str = "benign/clinc", part: str = "dev", **more: Any) -> Row:
    return Row(group, source, group, "text", more.pop("labels", {"injection": 0.0}), part, **more)


def test_what_shares_a_template_is_on_one_side() -> None:
    parts = {g: {split.part_of(row(f"g{g}")) for _ in range(3)} for g in range(200)}
    assert all(len(found) == 1 for found in parts.values())
    halves = [found.pop() for found in parts.values()]
    assert 70 < halves.count("calibration") < 130
    assert set(halves) == {"calibration", "dev"}


def test_what_was_trained_on_stays_there() -> None:
    assert {split.part_of(row(f"g{g}", part="train")) for g in range(50)} == {"train"}
    for part in split.PARTS:
        assert split.part_of(row("g", "own/chat", part)) == part


@pytest.mark.parametrize(
    ("source", "group", "labels", "kind"),
    [
        ("benign/clinc", "g", {}, "ordinary"),
        ("own/chat", "own/chat-x", {"harm": 0.0}, "ordinary"),
        ("own/chat", "own/chat-x", {"bias": 1.0}, ""),
        ("own/lookalikes", "own/look-kill", {}, "lookalike"),
        ("own/frames", "own/frames-story-harmless", {}, "lookalike"),
        ("own/frames", "own/frames-story-harmful", {"harm": 1.0}, ""),
        ("moderation/edos", "g", {}, ""),
    ],
)
def test_kinds_of_rows(source: str, group: str, labels: dict[str, float], kind: str) -> None:
    assert split.kind_of(row(group, source, labels=labels)) == kind


def sources(folder: Path) -> None:
    for source in SOURCES:
        path = folder / f"{source.path}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt") as out:
            for i in range(60 if source.path == "benign/clinc" else 0):
                said = {"id": f"c{i}", "text": f"text {i}", "label": 0, "lang": "en", "split": "dev", "licence": "MIT"}
                out.write(json.dumps(said) + "\n")


def test_the_file_is_what_score_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources(tmp_path / "data")
    (tmp_path / "own").mkdir()
    families = [
        {"family": f"chat-{i}", "labels": {"injection": 0, "harm": []}, "texts": ["calm"]} for i in range(60)
    ] + [{"family": f"answer-{i}", "labels": {"refusal": 1}, "texts": ["no"], "prompt": "why?"} for i in range(60)]
    (tmp_path / "own/chat.jsonl").write_text("\n".join(map(json.dumps, families)))
    said: dict[str, list[dict[str, Any]]] = {}
    for part in ("calibration", "dev"):
        out = tmp_path / f"{part}.jsonl.gz"
        arguments = ["--own", str(tmp_path / "own"), "--data", str(tmp_path / "data"), "--split", part]
        split.main([*arguments, "--most", "20", "--out", str(out)])
        first = out.read_bytes()
        split.main([*arguments, "--most", "20", "--out", str(out)])
        assert out.read_bytes() == first
        said[part] = list(split.read(out))
    assert "ordinary" in capsys.readouterr().out
    assert not {one["id"] for one in said["dev"]} & {one["id"] for one in said["calibration"]}
    clinc = [one for one in said["calibration"] if one["source"] == "benign/clinc"]
    assert len(clinc) == 20
    assert clinc[0].keys() == {"id", "source", "group", "kind", "lang", "text", "labels"}
    assert clinc[0]["labels"]["injection"] == 0
    assert "injection.none" not in clinc[0]["labels"]


def test_pairs_are_prompt_and_response(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    families = [{"family": f"a-{i}", "labels": {"refusal": 1}, "texts": ["no"], "prompt": "why?"} for i in range(60)]
    (tmp_path / "own/answers.jsonl").write_text("\n".join(map(json.dumps, families)))
    split.main(["--own", str(tmp_path / "own"), "--form", "pair", "--out", str(tmp_path / "o.jsonl")])
    (first, *_) = split.read(Path(gunzipped(tmp_path / "o.jsonl")))
    assert (first["prompt"], first["response"]) == ("why?", "no")
    assert "text" not in first


def gunzipped(path: Path) -> str:
    plain = path.with_suffix(".txt")
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    return str(plain)
