"""Writes a model's card, the README.md of its folder: what it is for, what it learned from, how it was made, what it can do.

python -m lockgate_models.train.card --model DIR --fit DIR --own DIR [--data DIR] [--eval OUT.json]
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lockgate_models.labels import FORMS
from lockgate_models.manifest import Manifest, read_manifest
from lockgate_models.train.claims import CLAIMS, Claims
from lockgate_models.train.mixture import rows_for
from lockgate_models.train.origins import ORIGINS
from lockgate_models.train.rows import PAIR_SOURCES, SOURCES, Row, Source
from lockgate_models.train.split import PARTS, held_out, part_of
from lockgate_models.train.thresholds import GENERAL, HONEST, LOOKALIKES, RATES, SENTENCES

CARD = "README.md"
_SOURCES: Mapping[str, Sequence[Source | Claims]] = {"text": SOURCES, "pair": PAIR_SOURCES, "honesty": CLAIMS}


def card(
    manifest: Manifest,
    sizes: Mapping[str, int],
    rows: Sequence[Row],
    made: Mapping[str, Any],
    figures: Mapping[str, Any] | None,
) -> str:
    """The text. `made`: what the steps before left beside the fit (`export`, `parity`, `freeze`), each where it is there;
    `figures`: what `lockgate eval --json` says of the development rows."""
    parts = [
        *_head(manifest, sizes),
        *_purpose(manifest),
        *_sources(rows, form_of(manifest)),
        *_training(made),
        *_thresholds(manifest, made.get("freeze")),
        *_figures(figures),
        *_limits(manifest),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _head(manifest: Manifest, sizes: Mapping[str, int]) -> Iterator[str]:
    yield f"# {manifest.name}\n"
    yield "<!-- Written by lockgate_models.train.card; not edited by hand. -->\n"
    yield f"Revision `{manifest.revision}`, licence {manifest.licence}, made from [{manifest.base}](https://huggingface.co/{manifest.base}) (Apache-2.0).\n"
    yield "| file | bytes | for |"
    yield "|---|---|---|"
    uses = {"int8": "CPUs", "fp16": "GPUs", "fp32": "comparison"}
    for file in manifest.files:
        yield f"| `{file.name}` | {sizes[file.name]:,} | {uses.get(file.precision or '', '')} |"
    yield ""


def _purpose(manifest: Manifest) -> Iterator[str]:
    yield "## What it is for\n"
    if form_of(manifest) == "honesty":
        yield "It reads a sentence of an answer behind the part of its context that is nearest to it, and marks what that does"
        yield "not support; it reads an answer behind its conversation, and says whether it flatters; and it reads answers and"
        yield "questions alone. A score of `groundedness` is that of being *not* supported."
    elif manifest.form == "pair":
        yield "It reads an answer together with what it answers, and says what is wrong with the answer."
    else:
        yield "It reads a text once and answers all questions below. It guards applications beside other measures, and is no"
        yield "judge of people: a finding is a reason to look, to refuse or to ask, not proof."
    yield f"It reads {manifest.window} tokens at once; longer texts are read in windows that share {manifest.overlap}."
    yield f"Languages: {', '.join(manifest.languages)}. Texts in others are `unverified`.\n"
    yield "| head | labels |"
    yield "|---|---|"
    for family, labels in manifest.families.items():
        yield f"| `{family}` | {', '.join(f'`{label}`' for label in labels)} |"
    names = list(dict.fromkeys(tag.partition("-")[2] for tag in manifest.tags if tag != "O"))
    if names:
        yield f"| names | {', '.join(f'`{name}`' for name in names)} |"
    if manifest.embedding:
        yield "| embedding | of the whole text, for topics |"
    yield ""


def form_of(manifest: Manifest) -> str:
    """The form that a model of ours was fitted as, by what it answers."""
    return next((name for name, form in FORMS.items() if form.families.keys() == manifest.families.keys()), "text")


def _sources(rows: Sequence[Row], form: str) -> Iterator[str]:
    parts = {
        part: Counter(row.source for row in rows if part_of(row) == part) for part in ("train", "calibration", "dev")
    }
    own = {part: sum(n for source, n in found.items() if source.startswith("own/")) for part, found in parts.items()}
    families = len({row.group for row in rows if row.source.startswith("own/")})
    yield "## What it learned from\n"
    yield f"**Our own families** ([`data/`](data/README.md), {families:,} of them): {own['train']:,} texts to train on,"
    yield f"{own['calibration']:,} to calibrate, {own['dev']:,} for figures. Whole families are held out.\n"
    yield "**Open rows of others.** None is redistributed here. Rows that commercial models wrote under their providers' terms"
    yield "are not among them. Sources under share-alike licences, of which some or all of the text is, are marked ⁺.\n"
    yield "| source | licence | train | calibration | figures |"
    yield "|---|---|---|---|---|"
    for source in _SOURCES[form]:
        origin = ORIGINS[source.path]
        counts = " | ".join(f"{parts[part][source.path]:,}" if parts[part][source.path] else "–" for part in parts)
        mark = " ⁺" if origin.share else ""
        yield f"| {origin.name}: {source.path.partition('/')[2]}{mark} | {origin.licence} | {counts} |"
    yield ""


def _training(made: Mapping[str, Any]) -> Iterator[str]:
    exported, parity = made.get("export"), made.get("parity")
    yield "## How it was made\n"
    yield "`make train` does it all, seeded: on a CPU, without a larger teacher. The embeddings and the lowest layers stay as"
    yield "they were; a row teaches only the labels that it names."
    if exported is not None:
        yield f"{exported['steps']:,} steps."
    if exported is not None and "averaged" in exported:
        earlier, later, share = exported["averaged"]
        yield f"Its weights are the mean of two checkpoints of the run, {1 - share:.0%} of step {earlier:,} and {share:.0%} of {later:,}"
        yield "(`train.average`)."
    yield "int8: weights of seven bits, a scale for each column; activations are measured as they come."
    if exported is not None and "cosine" in exported:
        yield f"The embedding is mapped back to the base's: their mean cosine is {exported['cosine']:.3f} on texts that were held"
        yield f"out ({exported['plain']:.3f} without the map)."
    if parity is not None:
        others = ", ".join(f"{name} {parity[name]:.4f}" for name in ("int8", "fp16") if name in parity)
        yield f"Mean area under the precision-recall curve of {parity['labels']} labels on {parity['rows']:,} rows:"
        yield f"fp32 {parity['fp32']:.4f}, {others}."
    yield ""


def _thresholds(manifest: Manifest, frozen: Mapping[str, Any] | None) -> Iterator[str]:
    if not manifest.thresholds:
        return
    honest = form_of(manifest) == "honesty"
    rates = ", ".join(f"`{name}` {rate:.1%}" for name, rate in (HONEST if honest else RATES).items())
    yield "## Thresholds\n"
    if honest:
        yield f"A label holds from these probabilities on, calibrated through `lockgate score` on rows of their own: {rates};"
        claims = ", ".join(f"`{name}` {rate:.1%}" for name, rate in SENTENCES.items())
        yield f"`groundedness` of a sentence {claims}.\n"
        yield from _points(frozen)
        return
    more = ", ".join(f"`{name}` {times:.0f} times" for name, times in GENERAL.items() if name in manifest.families)
    yield f"Set on the calibration rows through `lockgate score`, for these rates of false alarms: {rates}. A rate holds over"
    yield f"ordinary texts; of look-alikes, harmless texts with the words of harm, {LOOKALIKES:.0f} times as many may be flagged. Over all"
    yield f"negatives together it holds too, but for {more}: among those are many rude posts that are not like prompts."
    yield "A family of several labels says yes where any of them does, and has the rate as a whole.\n"
    yield from _points(frozen)


def _points(frozen: Mapping[str, Any] | None) -> Iterator[str]:
    if frozen:
        yield "| family | sensitivity | ordinary texts flagged | look-alikes flagged | all negatives flagged | found |"
        yield "|---|---|---|---|---|---|"
        for family, points in frozen.items():
            for name, said in points.items():
                cells = [_flagged(said.get(group)) for group in ("ordinary", "lookalike", "negatives")]
                found = said.get("positives")
                cells.append(f"{found['recall']:.1%} of {found['n']:,}" if found else "–")
                yield f"| `{family}` | {name} | {' | '.join(cells)} |"
        yield "\nIn brackets, what the rate may be at most in truth (95 %).\n"


def _flagged(said: Mapping[str, Any] | None) -> str:
    return f"{said['flagged']:.1%} of {said['n']:,} ({said['upper']:.1%})" if said else "–"


_BY_SOURCE = frozenset({"groundedness", "sycophancy", "unanswerable", "false_premise"})


def _figures(figures: Mapping[str, Any] | None) -> Iterator[str]:
    if figures is None:
        return
    yield "## Figures\n"
    yield f"Of {figures['rows']:,} development rows that no fit and no threshold has seen, by `lockgate eval`: through the shipped"
    yield "path, at `normal`. With 95 % intervals.\n"
    yield "| label | rows | positives | precision | recall | F1 | AUPRC | recall at 1 % |"
    yield "|---|---|---|---|---|---|---|---|"
    for head in figures["heads"]:
        total = head["total"]
        cells = [_value(total.get(name)) for name in ("precision", "recall", "f1", "auprc", "at_rate")]
        answers = " of answers" if head.get("of_answers") else ""
        yield f"| `{head['label']}`{answers} | {total['n']:,} | {total['positives']:,} | {' | '.join(cells)} |"
    if figures.get("advice"):
        yield f"\nMean F1 of the words of `advice`: {_value(figures['advice'])}."
    yield ""
    for head in figures["heads"]:
        if head["label"] in _BY_SOURCE:
            yield f"`{head['label']}` by source:\n"
            yield "| source | rows | positives | precision | recall | F1 | AUPRC |"
            yield "|---|---|---|---|---|---|---|"
            for source, counts in head["sources"].items():
                cells = [_value(counts.get(name)) for name in ("precision", "recall", "f1", "auprc")]
                yield f"| {source} | {counts['n']:,} | {counts['positives']:,} | {' | '.join(cells)} |"
            yield ""
    yield from _spans(figures.get("spans") or {})


def _spans(sources: Mapping[str, Any]) -> Iterator[str]:
    """What is marked in texts, by source."""
    if not sources:
        return
    yield "Spans, by source: those that share half of their union with one of the same label, and F1 of single characters.\n"
    yield "| source | label | in truth | given | precision | recall | F2 | characters F1 |"
    yield "|---|---|---|---|---|---|---|---|"
    for source, labels in sources.items():
        for label, counts in labels.items():
            if label in ("any", "right label"):
                continue
            shares = ("precision", "recall", "f2", "character_f1")
            cells = ["–" if counts.get(name) is None else f"{counts[name]:.3f}" for name in shares]
            yield f"| {source} | `{label}` | {counts['right']:,} | {counts['said']:,} | {' | '.join(cells)} |"
    yield ""


def _value(said: Mapping[str, Any] | None) -> str:
    if not said or said.get("at") is None:
        return "–"
    if said.get("low") is None or said.get("high") is None:
        return f"{said['at']:.3f}"
    return f"{said['at']:.3f} ({said['low']:.2f}–{said['high']:.2f})"


def _limits(manifest: Manifest) -> Iterator[str]:
    yield "## Limits\n"
    yield "- It is small, and somebody who wants to get a text past it will. What it has not seen the like of, it may miss."
    yield "- The figures are of rows like those that it learned from; of texts like yours, only your own figures tell"
    yield "  (`lockgate eval`)."
    yield "- Words for groups of people are in its data on both sides, but not in equal measure; some dialects are judged more"
    yield "  harshly in tweets that it learned from."
    yield "- Sexual content about minors is in no data that it saw: it knows of it from sentences about policy."
    if manifest.tags and form_of(manifest) == "text":
        yield "- Its base has no capitals: it finds names in small letters, and takes some words for names."
    yield f"- It was fitted for {', '.join(manifest.languages)}. Some families teach other languages; no figure stands behind them."


def _kept(path: Path) -> Any | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--fit", type=Path, required=True)
    parser.add_argument("--own", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--eval", type=Path, help="what `lockgate eval --json` wrote")
    given = parser.parse_args(arguments)
    manifest = read_manifest(given.model)
    form = form_of(manifest)
    rows = [
        row
        for row in rows_for(form, given.data, given.own)
        if (form != "pair" or row.prompt) and part_of(row) == "train"
    ]
    for part in PARTS[1:]:
        rows += held_out(given.data, given.own, part, form=form)
    made = {name: said for name in ("export", "parity", "freeze") if (said := _kept(given.fit / f"{name}.json"))}
    sizes = {file.name: (given.model / file.name).stat().st_size for file in manifest.files}
    text = card(manifest, sizes, rows, made, _kept(given.eval) if given.eval is not None else None)
    (given.model / CARD).write_text(text, encoding="utf-8")
    print(f"{given.model / CARD}: {len(text.splitlines())} lines")


if __name__ == "__main__":
    main()
