"""`lockgate eval FILES`: how right the models are on labelled rows."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lockgate.detectors.topic import KIND, TopicDetector
from lockgate.errors import PolicyError, SettingsError
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.locate import find_policy
from lockgate.policy.plan import Plan
from lockgate.scoring.evaluation import Evaluation, Report
from lockgate.scoring.rows import Bad, Row, read_rows, reading
from lockgate.scoring.scorer import Scorer
from lockgate.scoring.stream import judged
from lockgate.scoring.topics import TopicScorer
from lockgate_proxy.command import OK, WRONG
from lockgate_proxy.confidence_command import run_confidence, write_out
from lockgate_proxy.eval_page import page
from lockgate_proxy.eval_text import text
from lockgate_proxy.model_options import model_arguments, scorer_of
from lockgate_proxy.progress import progress

_RATE = re.compile(r"fpr=(0?\.[0-9]+|0)")


def eval_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="+", type=Path, metavar="FILE", help="labelled JSON Lines, plain or gzip")
    parser.add_argument("--split", metavar="NAME", help="only rows whose `split` is this one")
    parser.add_argument("--calibrate", metavar="fpr=RATE", help="print the thresholds that hold a false positive rate")
    parser.add_argument("--report", type=Path, metavar="OUT.html", help="write tables and plots into one page")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="write all figures as JSON")
    parser.add_argument("--confidence", action="store_true", help="judge how sure answers were that are right or wrong")
    parser.add_argument("--topic", metavar="POLICY:RULE", help="judge the topics of this rule, not the model's heads")
    model_arguments(parser)


def run_eval(given: argparse.Namespace) -> int:
    if given.confidence:
        return run_confidence(given)
    rate = _rate(given.calibrate)
    for path in given.file:
        if not path.is_file():
            raise SettingsError(f"{path}: there is no such file")
    scorer = scorer_of(given) if given.topic is None else _topics(given)
    for line in scorer.missing:
        print(f"lockgate eval: the model {given.model!r} has {line}", file=sys.stderr)
    evaluation = Evaluation(scorer, scorer.name)
    asyncio.run(_evaluate(given.file, given.split, scorer, evaluation))
    with _waiting("eval: figures"):
        report = evaluation.report(rate=rate)
    print(text(report))
    if given.json is not None:
        write_out(given.json, json.dumps(as_json(report), indent=1, allow_nan=False) + "\n")
    if given.report is not None:
        write_out(given.report, page(report))
    if report.bad:
        print(f"lockgate eval: {report.bad} rows could not be judged, and count for nothing", file=sys.stderr)
    if not report.rows:
        print("lockgate eval: no row is labelled with anything that was asked", file=sys.stderr)
    return WRONG if report.bad or not report.rows else OK


def _topics(given: argparse.Namespace) -> TopicScorer:
    """The topics that a rule lists. Raises SettingsError, PolicyError."""
    path, colon, rule = given.topic.rpartition(":")
    if not colon or not path or not rule:
        raise SettingsError("--topic: name a policy and a rule of it, as in support.yaml:no-politics")
    return TopicScorer(topic_of(compile_policy(load_policy(find_policy(path))), rule), given.topic)


def topic_of(plan: Plan, rule: str) -> TopicDetector:
    """The topic detector of a rule. Raises PolicyError where there is none."""
    rules = {one.id: one for side in (plan.prompt, plan.completion) for one in side.rules}
    if rule not in rules:
        raise PolicyError(
            f"--topic: the policy {plan.policy!r} has no rule {rule!r}", hint=f"it has: {', '.join(rules)}"
        )
    for use in rules[rule].uses:
        if isinstance(use.detector, TopicDetector):
            return use.detector
    raise PolicyError(f"--topic: the rule {rule!r} does not use the detector {KIND!r}")


def _rate(given: str | None) -> float | None:
    if given is None:
        return None
    found = _RATE.fullmatch(given)
    if found is None:
        raise SettingsError("--calibrate: must be a rate below 1, as in fpr=0.01")
    return float(found.group(1))


async def _evaluate(
    files: Sequence[Path], split: str | None, scorer: Scorer | TopicScorer, evaluation: Evaluation
) -> None:
    with progress("eval", sum(path.stat().st_size for path in files)) as advance, ExitStack() as opened:
        done = rows = 0
        for path in files:
            file = opened.enter_context(reading(path))
            wanted = _wanted(read_rows(file, str(path)), split, evaluation)
            async for one in judged(wanted, scorer):
                evaluation.add(one, path.name.partition(".")[0])
                rows += 1
                advance(rows, done + file.tell())
            done += path.stat().st_size


def _wanted(rows: Iterator[Row | Bad], split: str | None, evaluation: Evaluation) -> Iterator[Row | Bad]:
    for row in rows:
        if isinstance(row, Bad) or ((split is None or row.said.get("split") == split) and evaluation.wants(row)):
            yield row


def as_json(report: Report) -> dict[str, Any]:
    """The report in plain values; of spans with their shares."""
    said = asdict(report)
    for source, labels in report.spans.items():
        for label, counts in labels.items():
            shares = {"precision": counts.precision, "recall": counts.recall, "f2": counts.f2}
            said["spans"][source][label] |= {**shares, "character_f1": counts.character_f1}
    return {name: _plain(value) for name, value in said.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


@contextmanager
def _waiting(what: str) -> Iterator[None]:
    """Says on a terminal what takes a while."""
    shown = sys.stderr.isatty()
    if shown:
        print(f"{what} …", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
