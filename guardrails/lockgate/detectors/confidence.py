"""How sure the model was of what it said, by the log probabilities of its tokens.

The geometric mean of the tokens' probabilities says how sure the model was, whatever the length; a calibration, measured
on questions with known answers, says how often such an answer is right. Without one the score is no such share.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lockgate.detectors.grounding import bare, claims
from lockgate.detectors.protocol import WHOLE, Doubt
from lockgate.exchange import Exchange, Segment, Token
from lockgate.verdict import Finding

KIND = "confidence"
LABEL = "low"
LEAST = -20.0
"""Log probabilities below it count as it: some upstreams write -9999 for what they did not compute."""
_LARGEST = 1_000_000  # bytes of a file with a calibration

Share = Annotated[float, Field(ge=0, le=1)]
Table = tuple[tuple[Share, Share], ...]


def _read(value: Any, info: ValidationInfo) -> Any:
    """A table, or the path of a file that holds one, relative to the policy's own file."""
    if not isinstance(value, str):
        return value
    path = Path((info.context or {}).get("folder", "."), value)
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"{value} is too large for a calibration")
        said = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError:
        raise ValueError(f"there is no file {value}") from None
    except (UnicodeDecodeError, YAMLError):
        raise ValueError(f"{value} is no YAML or JSON") from None
    return said.get("calibration") if isinstance(said, Mapping) else said


def _rises(table: Table) -> Table:
    for (x, p), (more, q) in pairwise(table):
        if more <= x or q < p:
            raise ValueError("a calibration's points must rise: each first number, and none of the second may fall")
    return table


Calibration = Annotated[Table, Field(min_length=1, max_length=1000), AfterValidator(_rises), BeforeValidator(_read)]


class ConfidenceConfig(BaseModel):
    """An answer counts where its confidence is `below`; `of` says what is judged, the whole `answer` or each `sentence`.
    `calibration` are points (confidence as measured, share of right answers), or a file that holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    below: Annotated[float, Field(gt=0, le=1)] = 0.5
    of: Literal["answer", "sentence"] = "answer"
    calibration: Calibration | None = None


class Placed(NamedTuple):
    """A token of a text: where it begins, in bytes of the text and behind its own white space; its log probability."""

    start: int
    logprob: float


def calibrated(confidence: float, table: Table | None) -> float:
    """The share of right answers among those of such a confidence: linear between the points, level beyond them."""
    if not table:
        return confidence
    at = bisect_left(table, confidence, key=lambda point: point[0])
    if at == 0:
        return table[0][1]
    if at == len(table):
        return table[-1][1]
    (x, p), (more, q) = table[at - 1], table[at]
    return p + (q - p) * (confidence - x) / (more - x)


def normalised(logprobs: Sequence[float]) -> float:
    """The geometric mean of the tokens' probabilities, 0 to 1. `logprobs` must not be empty."""
    return math.exp(sum(min(max(one, LEAST), 0.0) for one in logprobs) / len(logprobs))


def placed(text: str, tokens: Sequence[Token]) -> list[Placed] | None:
    """The tokens that spell `text`. Others may stand around them: reasoning before it, the sign that ends an answer. None
    where they don't spell it, or one of them has no number."""
    said = text.encode("utf-8", "surrogatepass")
    at = b"".join(token.spelled for token in tokens).rfind(said)
    if at < 0:
        return None
    found: list[Placed] = []
    ends = list(accumulate(len(token.spelled) for token in tokens))
    for token, end in zip(tokens, ends, strict=True):
        start = end - len(token.spelled)
        if start < at + len(said) and end > at and start < end:
            if token.logprob is None:
                return None
            start += len(token.spelled) - len(token.spelled.lstrip())
            found.append(Placed(min(max(start - at, 0), len(said)), token.logprob))
    return found


class ConfidenceDetector:
    """Judges the texts of answers. What the upstream gave no log probabilities of is unverified, never sure."""

    kind = KIND
    labels = frozenset({LABEL})
    languages: frozenset[str] = frozenset()
    reach = WHOLE
    instant = True
    reads_logprobs = True

    def __init__(self, config: ConfidenceConfig) -> None:
        self._below = config.below
        self._table = config.calibration
        self._sentences = config.of == "sentence"
        self.gives_spans = self._sentences
        self.calibrated = config.calibration is not None

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding | Doubt]:
        found: list[Finding | Doubt] = []
        for segment in segments:
            tokens = _tokens(segment, exchange)
            if tokens is None or not segment.text.strip():
                continue
            known = placed(segment.text, tokens)
            if known is None:
                found.append(Doubt(segment.where))
            else:
                found += self._findings(segment, known)
        return found

    def _findings(self, segment: Segment, tokens: Sequence[Placed]) -> list[Finding]:
        text = segment.text
        spans: list[tuple[int, int] | None] = [*claims(text)] if self._sentences else [None]
        found = []
        done = before = 0  # how much of the text is counted, and its bytes
        for sentence in spans:
            mine = [token.logprob for token in tokens]
            span = None
            if sentence is not None:
                start, end = sentence
                low = before + len(text[done:start].encode("utf-8", "surrogatepass"))
                high = low + len(text[start:end].encode("utf-8", "surrogatepass"))
                done, before = end, high
                first = bisect_left(tokens, low, key=lambda token: token.start)
                last = bisect_left(tokens, high, key=lambda token: token.start)
                mine = [token.logprob for token in tokens[first:last]]
                span = bare(text, start, end)
            if not mine:
                continue
            confidence = calibrated(normalised(mine), self._table)
            if confidence < self._below:
                found.append(Finding(KIND, LABEL, 1.0 - confidence, segment.where, span))
        return found


def _tokens(segment: Segment, exchange: Exchange) -> Sequence[Token] | None:
    """What is known of an answer's text: nothing, where the upstream told nothing. None: it is no answer's text."""
    if segment.choice is None or segment.role != "assistant" or segment.kind != "text":
        return None
    if exchange.logprobs is None or segment.where.startswith("#"):  # of what could not be read, nothing is known
        return ()
    return exchange.logprobs.get(segment.where.partition("#")[0])  # what is said again, and differs, is #2


def build(config: ConfidenceConfig) -> ConfidenceDetector:
    return ConfidenceDetector(config)
