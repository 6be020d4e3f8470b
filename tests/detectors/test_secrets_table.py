from __future__ import annotations

import random
import re
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from lockgate.detectors.checks import crc_letters
from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.regex import prepare
from lockgate.detectors.scanner import Scanner
from lockgate.detectors.secrets import SecretsConfig, build
from lockgate.detectors.secrets_table import KEYS, LABELS, NAMED, Key


def drawn(tree: Any, draw: random.Random) -> str:
    """A text that the parsed pattern matches, by chance."""
    out = ""
    for op, value in tree:
        if op is sre.LITERAL:
            out += chr(value)
        elif op is sre.IN:
            chars = [
                chr(code)
                for kind, what in value
                for code in (range(what[0], what[1] + 1) if kind is sre.RANGE else [what])
            ]
            out += draw.choice(chars)
        elif op is sre.MAX_REPEAT:
            low, high, item = value
            out += "".join(drawn(item, draw) for _ in range(draw.randint(low, min(high, low + 60))))
        elif op is sre.BRANCH:
            out += drawn(draw.choice(value[1]), draw)
        else:
            assert op is sre.SUBPATTERN, op
            out += drawn(value[3], draw)
    return out


@pytest.mark.parametrize("key", KEYS, ids=[f"{i}-{key.label}" for i, key in enumerate(KEYS)])
def test_keys_drawn_from_each_form_pass_its_check_and_are_found(key: Key) -> None:
    draw = random.Random(3)
    scanner = Scanner(build(SecretsConfig(kinds=(key.label,))).specs)
    passed = 0
    for _ in range(20):
        value = drawn(_parser.parse(key.regex), draw)
        assert re.fullmatch(key.regex, value)
        if key.label == "LOCKGATE_KEY":
            value = value[:-6] + crc_letters(value[:-6])
        if key.label == "DISCORD_BOT_TOKEN" or not key.check(value):
            continue
        passed += 1
        (match,) = scanner.scan(f"is {value} here").matches
        assert (match.start, match.end) == (3, 3 + len(value))
    # Filler is rejected, what chance draws hardly ever.
    assert passed >= 17 or key.label == "DISCORD_BOT_TOKEN"


@pytest.mark.parametrize("spec", build(SecretsConfig()).specs, ids=lambda spec: spec.label)
def test_each_row_can_be_run(spec: PatternSpec) -> None:
    form = prepare(spec.regex, max_width=spec.max_width, ignore_case=spec.ignore_case)
    assert form.width <= spec.max_width + bool(form.open)
    assert Scanner([spec]).scan("nothing").matches == []


def test_labels() -> None:
    assert all(re.fullmatch("[A-Z][A-Z0-9_]+", label) for label in LABELS)
    assert {key.label for key in KEYS} | {named.label for named in NAMED} | {"JWT", "PRIVATE_KEY"} == LABELS


def test_named_rows_have_one_group() -> None:
    assert [named.label for named in NAMED if re.compile(named.regex).groups != 1] == []
    assert [key.label for key in KEYS if re.compile(key.regex).groups] == []
