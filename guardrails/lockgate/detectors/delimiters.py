"""Delimiters of chat templates and headings of roles, where only a text should stand.

A server that applies a chat template to a text which holds the template's own tokens reads them as turns; a model that
was trained on them may do so anywhere. People ask about templates too: what a finding means, a rule says by where it
looks.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lockgate.detectors.protocol import PatternDetector, PatternSpec
from lockgate.detectors.views import ENCODED, Views, seen_in

KIND = "delimiters"

Label = Literal["TEMPLATE_TOKEN", "SPOOFED_TURN", "SPOOFED_TOOL", "SPOOFED_ROLE"]

_ROLE = "(?:system|developer|user|assistant|model|tool|ipython|human|function)"
_TOKENS = (
    "im_start|im_end|im_sep|endoftext|endofprompt|system|developer|user|assistant|tool|end|eot_id|eom_id|eot|bot"
    "|begin_of_text|end_of_text|start_header_id|end_header_id|python_tag|start|message|channel|constrain|return|call"
    "|fim_prefix|fim_middle|fim_suffix|start_of_role|end_of_role|start_of_turn|end_of_turn|header_start|header_end"
    "|START_OF_TURN_TOKEN|END_OF_TURN_TOKEN|SYSTEM_TOKEN|USER_TOKEN|CHATBOT_TOKEN"
)
_HEADING = "(?:system|developer)(?: (?:prompt|messages?|instructions?|notice|note|override|update|alert))?"


def _row(label: Label, regex: str, score: float) -> PatternSpec:
    return PatternSpec(label, regex, score=score, ignore_case=True, shipped=True)


_SPECS = (
    _row("TEMPLATE_TOKEN", rf"<\|(?:{_TOKENS})\|>", 0.9),
    _row("TEMPLATE_TOKEN", r"<\|(?:begin|end)[_ \u2581]of[_ \u2581]sentence\|>", 0.9),
    _row("TEMPLATE_TOKEN", r"</?(?:start|end)_of_turn>", 0.9),
    _row("TEMPLATE_TOKEN", r"<</?SYS>>", 0.9),
    _row("TEMPLATE_TOKEN", r"\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CALLS)\]", 0.8),
    _row("SPOOFED_TURN", rf"<\|(?:im_start|start|start_of_role|start_of_turn)\|>\s{{0,4}}{_ROLE}\b", 1.0),
    _row("SPOOFED_TURN", rf"<\|(?:start_header_id|header_start)\|>\s{{0,4}}{_ROLE}\s{{0,4}}<\|", 1.0),
    _row("SPOOFED_TURN", r"<\|(?:system|developer|user|assistant)\|>", 1.0),
    _row("SPOOFED_TURN", r"<\|(?:SYSTEM|USER|CHATBOT)_TOKEN\|>", 1.0),
    _row("SPOOFED_TURN", rf"<start_of_turn>\s{{0,4}}{_ROLE}\b", 1.0),
    _row("SPOOFED_TURN", r"<<SYS>>", 1.0),
    _row("SPOOFED_TURN", r"\[SYSTEM_PROMPT\]", 1.0),
    _row("SPOOFED_TURN", r"\[/INST\][^\n]{0,200}\[INST\]", 1.0),
    _row(
        "SPOOFED_TOOL",
        r"</?(?:tool_results?|tool_responses?|tool_outputs?|function_results?|function_response|function_calls?|tool_calls?"
        r"|antml:[a-z_]{1,20})>",
        0.7,
    ),
    _row("SPOOFED_ROLE", rf"(?:^|\n)[ \t]{{0,4}}#{{1,4}} ?{_HEADING} ?:?[ \t]{{0,4}}\n", 0.5),
    _row("SPOOFED_ROLE", rf"(?:^|\n)[ \t>*_-]{{0,4}}\[?{_HEADING}\]?[*_]{{0,2}} ?:", 0.5),
    _row("SPOOFED_ROLE", r"</?(?:system|developer)(?:[_-](?:prompt|message|instructions?|reminder))?>", 0.6),
    _row("SPOOFED_ROLE", r"\n[ \t]{0,4}(?:human|user) ?:[^\n]{1,120}\n{1,2}[ \t]{0,4}(?:assistant|ai) ?:", 0.5),
)

LABELS: tuple[str, ...] = tuple(dict.fromkeys(spec.label for spec in _SPECS))


class DelimitersConfig(BaseModel):
    """`kinds`: labels, all unless said. `views`: the disguises that are looked through."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kinds: Annotated[tuple[Label, ...], Field(min_length=1)] | None = None
    views: Views = ENCODED


def build(config: DelimitersConfig) -> PatternDetector:
    wanted = set(config.kinds or LABELS)
    specs = [spec for spec in _SPECS if spec.label in wanted]
    return PatternDetector(KIND, seen_in(specs, config.views), frozenset(wanted))
