"""`lockgate calibrate`, with a model that knows its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commanding import run
from lockgate.detectors import model
from lockgate.detectors.model import MODELS
from lockgate_proxy.command import FAILED, OK, WRONG
from tiny_model import write_model

POLICY = """\
version: 1
name: own # ours
rules:
  - id: attacks
    side: prompt
    # measured in spring
    use: {classifier: {heads: [injection], model: MODEL}} # later more
    then: refuse
  - id: bombs
    side: prompt
    use:
      classifier:
        heads: [harm]
        above: 0.25
        model: MODEL
    then: refuse
  - id: words
    side: prompt
    use: {words: {words: [x]}}
    then: refuse
"""


def rows(calm: int, attacks: int, **more: Any) -> list[dict[str, Any]]:
    return [
        *({"id": f"c{i}", "task": "benign", "text": "calm", "label": 0, **more} for i in range(calm)),
        *({"id": f"a{i}", "task": "jailbreak", "text": "attack", "label": 1, **more} for i in range(attacks)),
    ]


class Bench:
    """A policy in a folder, and labelled rows beside it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.policy, self._labels, self._capsys = folder / "own.yaml", folder / "rows.jsonl", capsys
        write_model(folder / "tiny", thresholds={"injection": {"normal": {"at": 0.5}}, "harm": {"normal": {"at": 0.5}}})
        self.policy.write_text(POLICY.replace("MODEL", str(folder / "tiny")), encoding="utf-8")

    def run(self, labelled: list[dict[str, Any]], *more: str) -> tuple[int, str, str]:
        self._labels.write_text("".join(f"{json.dumps(row)}\n" for row in labelled), encoding="utf-8")
        return run(self._capsys, "calibrate", str(self.policy), "--labels", str(self._labels), *more)

    @property
    def text(self) -> str:
        return self.policy.read_text(encoding="utf-8")


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    before = MODELS.places, MODELS.options
    yield Bench(tmp_path, capsys)
    model.run_models(*before)


def test_false_alarms(bench: Bench) -> None:
    before = bench.text
    code, out, err = bench.run(rows(70, 9, lang="en"), "--target", "fpr=5%", "--rule", "attacks")
    assert (code, err) == (OK, "")
    assert f"attacks  {bench.policy}:4" in out
    assert "injection: above 0.01" in out
    assert "(now 0.500000)" in out
    assert "0 of 70 negatives flagged, at most 4.19% with confidence 0.95; recall 100.0%" in out
    assert "half the rate takes 119 negatives: 49 more" in out
    assert "lang=en: 0 of 70 negatives flagged, at most 4.19%" in out
    added = [line for line in out.splitlines() if line.startswith("+ ")]
    assert len(added) == 1
    assert added[0].endswith(" # later more")
    assert bench.text == before


def test_it_is_written_and_all_else_stays(bench: Bench) -> None:
    before = bench.text
    assert bench.run(rows(70, 9), "--target", "fpr=5%", "--rule", "attacks", "--write")[0] == OK
    after = bench.text
    changed = [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    assert len(changed) == 1
    assert "above: {injection: 0.01" in changed[0][1]
    assert sorted(path.name for path in bench.policy.parent.iterdir()) == ["own.yaml", "rows.jsonl", "tiny"]
    assert bench.run(rows(70, 9), "--target", "fpr=5%", "--rule", "attacks")[1].endswith("Nothing changes.\n")


def test_recall(bench: Bench) -> None:
    code, out, _ = bench.run(rows(40, 70), "--target", "recall=0.95", "--rule", "attacks")
    assert code == OK
    assert "injection: above 0.95" in out
    assert "0 of 70 positives missed" in out
    assert "false alarms 0.0%" in out


def test_rules_of_which_too_little_is_known_stay(bench: Bench) -> None:
    before = bench.text
    code, out, _ = bench.run(rows(58, 9), "--target", "fpr=5%", "--write")
    assert code == FAILED
    assert "injection: no threshold is shown to hold it: it takes 59 negatives, there are 58" in out
    assert "Nothing changes." in out
    assert bench.text == before


def test_slices_that_do_not_hold_it_are_named(bench: Bench) -> None:
    labelled = [*rows(70, 0, lang="en"), *({**row, "id": f"d{i}"} for i, row in enumerate(rows(5, 0, lang="de")))]
    _, out, _ = bench.run(labelled, "--target", "fpr=5%", "--rule", "attacks", "--slice", "lang", "--slice", "source")
    assert "lang=de: 0 of 5 negatives flagged, at most 45.07%: not shown to hold it" in out
    assert "lang=en: 0 of 70 negatives flagged, at most 4.19%\n" in out
    assert "source=?: 0 of 75" in out


def test_all_as_json(bench: Bench) -> None:
    code, out, _ = bench.run(rows(70, 9), "--target", "fpr=5%", "--json")
    said = json.loads(out)
    assert said["target"] == {"fpr": 0.05}
    assert [(one["rule"], one["head"], one["now"]) for one in said["heads"]] == [
        ("attacks", "injection", 0.5),
        ("bombs", "harm", 0.25),
    ]
    assert code == OK
    assert said["heads"][0]["wrong"] == 0
    assert said["diff"].startswith("--- ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "fpr=0"), "--target: must be a share"),
        (("--target", "fpr=200%"), "--target: must be a share"),
        (("--target", "f1=3"), "--target: say what is to hold"),
        (("--target", "fpr=1%", "--confidence", "1"), "--confidence: must be a share"),
        (("--target", "fpr=1%", "--rule", "nobody"), "has no rule 'nobody'"),
        (("--target", "fpr=1%", "--rule", "words"), "uses nothing that has a threshold"),
        (("--target", "fpr=1%", "--labels", "nowhere.jsonl"), "nowhere.jsonl: there is no such file"),
    ],
)
def test_what_is_wrong_is_said(bench: Bench, options: tuple[str, ...], said: str) -> None:
    code, _, err = bench.run(rows(1, 1), *options)
    assert code == WRONG
    assert said in err


def test_rows_that_can_not_be_judged_are_said(bench: Bench) -> None:
    code, _, err = bench.run([*rows(70, 9), {"text": "calm"}], "--target", "fpr=5%", "--rule", "attacks")
    assert code == WRONG
    assert "1 rows could not be judged" in err
