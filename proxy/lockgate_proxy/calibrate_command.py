"""`lockgate calibrate POLICY`: thresholds by labelled rows, with a guarantee, as a change to the policy's file."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lockgate.detectors.classifier import ClassifierConfig, labels_of, rests_of
from lockgate.detectors.groundedness import GroundednessConfig
from lockgate.detectors.grounding import LABEL as GROUNDEDNESS
from lockgate.detectors.honesty import HonestyConfig
from lockgate.detectors.model import MODELS
from lockgate.errors import PolicyError, SettingsError
from lockgate.policy.amend import with_above
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy
from lockgate.policy.schema import Policy
from lockgate.scoring.rows import Bad, read_rows, reading
from lockgate.scoring.scorer import Judged
from lockgate.scoring.stream import judged
from lockgate.scoring.truth import truth_of
from lockgate_models.guarantee import Goal, Guarantee, guaranteed
from lockgate_models.metrics import upper_bound
from lockgate_proxy.command import FAILED, OK
from lockgate_proxy.model_options import HONESTY, scorer_of, usable_cores
from lockgate_proxy.progress import progress

_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(%?)")


def calibrate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", help="a policy's file")
    parser.add_argument("--labels", type=Path, action="append", required=True, metavar="FILE", help="labelled rows")
    parser.add_argument("--target", required=True, metavar="fpr=RATE|recall=RATE", help="what is to hold, as fpr=0.5%%")
    parser.add_argument("--confidence", default="95%", metavar="SHARE", help="how surely (95%%)")
    parser.add_argument("--rule", action="append", metavar="ID", help="only this rule")
    parser.add_argument("--slice", action="append", metavar="FIELD", help="a row's field, for figures by it (lang)")
    parser.add_argument("--models", type=Path, metavar="DIR", help="where more models are, beside those that ship")
    parser.add_argument("--write", action="store_true", help="change the policy's file")
    parser.add_argument("--json", action="store_true", help="print all as JSON")


@dataclass(slots=True)
class _Asked:
    """One head of one detector of one rule. `now`: its threshold today."""

    rule: str
    where: str
    kind: str
    head: str
    labels: Sequence[str]
    model: str
    now: float
    scores: list[float] = field(default_factory=list)
    truth: list[bool] = field(default_factory=list)
    slices: list[tuple[str, ...]] = field(default_factory=list)


def run_calibrate(given: argparse.Namespace) -> int:
    goal, rate = _target(given.target)
    confidence = _share(given.confidence, "--confidence")
    names = tuple(given.slice or ("lang",))
    for path in given.labels:
        if not path.is_file():
            raise SettingsError(f"{path}: there is no such file")
    path = find_policy(given.policy)
    policy = load_policy(path)
    asked = _asked(policy, given)
    bad = 0
    for model in dict.fromkeys(one.model for one in asked):
        bad += asyncio.run(_score(given, model, [one for one in asked if one.model == model], names))
    found = [(one, guaranteed(one.scores, one.truth, goal, rate, confidence)) for one in asked]
    before = path.read_text(encoding="utf-8")
    after = _amended(before, policy, found)
    shown = [_shown(one, each, goal, rate, confidence, names) for one, each in found]
    diff = "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), str(path), str(path)))
    if given.json:
        print(json.dumps({"policy": str(path), "target": {goal: rate if goal == "fpr" else 1 - rate},
                          "confidence": confidence, "heads": shown, "diff": diff}, indent=2))  # fmt: skip
    else:
        print("\n".join(_lines(shown, goal)))
        print(f"\n{diff}" if diff else "\nNothing changes.")
    if given.write and diff:
        _write(path, after)
    if bad:
        raise SettingsError(f"--labels: {bad} rows could not be judged, and count for nothing")
    return OK if all(each.at is not None for _, each in found) else FAILED


def _target(given: str) -> tuple[Goal, float]:
    """The goal, and the rate of what goes wrong."""
    name, _, share = given.partition("=")
    if name == "fpr":
        return "fpr", _share(share, "--target")
    if name == "recall":
        return "recall", 1 - _share(share, "--target")
    raise SettingsError("--target: say what is to hold, as fpr=0.5% or recall=95%")


def _share(given: str, option: str) -> float:
    found = _SHARE.fullmatch(given)
    share = float(found[1]) / (100 if found[2] else 1) if found is not None else 0.0
    if not 0 < share < 1:
        raise SettingsError(f"{option}: must be a share between 0 and 1, as 0.005 or 0.5%")
    return share


def _asked(policy: Policy, given: argparse.Namespace) -> list[_Asked]:
    """What is to be calibrated. Raises PolicyError for rules without such a detector."""
    from lockgate.detectors.model import run_models

    run_models([given.models] if given.models else [], {"threads": 1, "parallel": usable_cores(), "room": 1 << 40})
    compile_policy(policy)  # whatever is wrong is said as ever
    found: list[_Asked] = []
    ids = [rule.id for rule in policy.rules]
    for wanted in given.rule or ():
        if wanted not in ids:
            raise PolicyError(f"--rule: the policy {policy.name!r} has no rule {wanted!r}")
    for i, rule in enumerate(policy.rules):
        if given.rule and rule.id not in given.rule:
            continue
        mine = [one for kind, config in rule.use.items() for one in _heads(policy, i, kind, config)]
        if given.rule and not mine:
            raise PolicyError(
                f"--rule: {rule.id!r} uses nothing that has a threshold here", where=policy.at("rules", i)
            )
        found.extend(one for one in mine if given.rule or policy.layer("rules", i, "use") == 0)
    if not found:
        raise PolicyError(
            "no rule of its own uses `classifier`, `groundedness` or one head of `honesty`", where=policy.source
        )
    return found


def _heads(policy: Policy, index: int, kind: str, config: Any) -> Iterator[_Asked]:
    rule, where = policy.rules[index], policy.at("rules", index)
    if kind == "classifier":
        read = ClassifierConfig.model_validate(config)
        manifest = MODELS.named(read.model).manifest
        exclusive = set(rests_of(manifest)) | set(rests_of(manifest).values())
        for head in read.heads:
            labels = labels_of(manifest, [head])
            if exclusive & set(labels):
                continue  # the highest of several words holds: no threshold tells how often
            said = read.above.get(head) if isinstance(read.above, Mapping) else read.above
            now = said if said is not None else manifest.threshold(labels[0], read.sensitivity)
            yield _Asked(rule.id, where, kind, head, labels, read.model, now)
    elif kind == "groundedness":
        grounded = GroundednessConfig.model_validate(config)
        manifest = MODELS.named(grounded.model).manifest
        now = grounded.above if grounded.above is not None else manifest.threshold(GROUNDEDNESS, grounded.sensitivity)
        yield _Asked(rule.id, where, kind, GROUNDEDNESS, [GROUNDEDNESS], HONESTY, now)
    elif kind == "honesty":
        honest = HonestyConfig.model_validate(config)
        if len(honest.heads) == 1:
            (head,) = honest.heads
            manifest = MODELS.named(honest.model).manifest
            now = honest.above if honest.above is not None else manifest.threshold(head, honest.sensitivity)
            yield _Asked(rule.id, where, kind, head, [head], HONESTY, now)


async def _score(given: argparse.Namespace, model: str, asked: Sequence[_Asked], names: Sequence[str]) -> int:
    """Score the rows for these heads; gives how many could not be judged."""
    pair = MODELS.named(model).manifest.form == "pair"
    wanted = argparse.Namespace(
        heads=",".join(dict.fromkeys(label for one in asked for label in one.labels)), device="cpu",
        model="lockgate-text" if pair else model, models=given.models, threads=None, sensitivity="normal",
    )  # fmt: skip
    scorer = scorer_of(wanted)
    bad = 0
    with progress("calibrate", sum(path.stat().st_size for path in given.labels)) as advance, ExitStack() as opened:
        done = rows = 0
        for path in given.labels:
            file = opened.enter_context(reading(path))
            async for one in judged(read_rows(file, str(path)), scorer):
                rows += 1
                if isinstance(one, Bad):
                    bad += 1
                    continue
                _take(one, asked, names, of_answers=pair and model != HONESTY)
                advance(rows, done + file.tell())
            done += path.stat().st_size
    return bad


def _take(one: Judged, asked: Sequence[_Asked], names: Sequence[str], *, of_answers: bool) -> None:
    truth = truth_of(one.row.said).labels
    for each in asked:
        family = each.head.partition(".")[0]
        if each.head not in truth or ((family in one.paired) is not of_answers and each.kind == "classifier"):
            continue
        scores = [one.scores[label] for label in each.labels if label in one.scores]
        if scores:
            each.scores.append(max(scores))
            each.truth.append(truth[each.head])
            each.slices.append(tuple(f"{name}={one.row.said.get(name, '?')}" for name in names))


def _amended(before: str, policy: Policy, found: Sequence[tuple[_Asked, Guarantee]]) -> str:
    """The policy's text with the thresholds that were found. A head without one keeps what it has."""
    chosen: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for one, each in found:
        if each.at is not None:
            chosen[one.rule, one.kind][one.head] = each.at
    after = before
    for (rule, kind), heads in chosen.items():
        if kind == "classifier":
            config = next(each.use[kind] for each in policy.rules if each.id == rule)
            read = ClassifierConfig.model_validate(config)
            kept = dict(read.above) if isinstance(read.above, Mapping) else {}
            if isinstance(read.above, float):
                kept = dict.fromkeys(read.heads, read.above)
            after = with_above(after, rule, kind, {**kept, **heads})
        else:
            after = with_above(after, rule, kind, next(iter(heads.values())))
    return after


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and only what compiles."""
    beside = path.with_name(f".{path.stem}.new{path.suffix}")
    try:
        beside.write_text(text, encoding="utf-8")
        compile_policy(load_policy(beside))
        beside.chmod(path.stat().st_mode & 0o777)
        beside.replace(path)
    except OSError as error:
        raise SettingsError(f"--write: {path} can't be written ({error.strerror})") from None
    finally:
        beside.unlink(missing_ok=True)


def _shown(
    one: _Asked, found: Guarantee, goal: Goal, rate: float, confidence: float, names: Sequence[str]
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "rule": one.rule,
        "where": one.where,
        "detector": one.kind,
        "head": one.head,
        "now": one.now,
    }
    shown |= asdict(found) | {"confidence": confidence, "slices": []}
    if found.at is None:
        return shown
    rows = [(score, each) for score, right, each in zip(one.scores, one.truth, one.slices, strict=True)
            if right is (goal == "recall")]  # fmt: skip
    for i in range(len(names)):
        for value in sorted({each[i] for _, each in rows}):
            part = [score for score, each in rows if each[i] == value]
            n = len(part)
            flagged = sum(score >= found.at for score in part)
            wrong = flagged if goal == "fpr" else n - flagged
            bound = upper_bound(wrong, n, confidence)
            shown["slices"].append({"slice": value, "n": n, "wrong": wrong, "bound": bound, "holds": bound <= rate})
    return shown


def _lines(shown: Sequence[Mapping[str, Any]], goal: Goal) -> Iterator[str]:
    rows, went = ("negatives", "flagged") if goal == "fpr" else ("positives", "missed")
    rule = ""
    for one in shown:
        if one["rule"] != rule:
            rule = one["rule"]
            yield f"{rule}  {one['where']}"
        sure = f"{one['confidence']:.4g}"
        if one["at"] is None:
            few = f"it takes {one['least']:,} {rows}, there are {one['n']:,}"
            why = few if one["n"] < one["least"] else f"too many {rows} have the highest score that there is"
            yield f"  {one['head']}: no threshold is shown to hold it: {why}"
            continue
        yield f"  {one['head']}: above {one['at']:.6f} (now {one['now']:.6f})"
        cost = "" if one["other"] is None else f"; {'recall' if goal == 'fpr' else 'false alarms'} {one['other']:.1%}"
        yield f"    {one['wrong']:,} of {one['n']:,} {rows} {went}, at most {one['bound']:.2%} with confidence {sure}{cost}"
        more = one["tighter"] - one["n"]
        yield f"    half the rate takes {one['tighter']:,} {rows}: {f'{more:,} more' if more > 0 else 'there are enough'}"
        for each in one["slices"]:
            held = "" if each["holds"] else ": not shown to hold it"
            yield f"    {each['slice']}: {each['wrong']:,} of {each['n']:,} {rows} {went}, at most {each['bound']:.2%}{held}"
