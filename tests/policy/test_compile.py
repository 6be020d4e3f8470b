from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compiling import EXTENDED, WORDS, Tone, ToneDetector, plan_of, policy_of
from lockgate.detectors.catalog import Entry
from lockgate.detectors.protocol import PatternDetector, PatternSpec
from lockgate.errors import PatternError, PolicyError
from lockgate.exchange import KINDS, ROLES, Kind, Role
from lockgate.notes import Note
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.plan import Plan, Refusal, Rewrite, StreamClass, Sweep
from lockgate.verdict import Action

HEAD = "version: 1\nname: t\nprinciples: [{id: high, priority: 9, text: High.}]\nrules:\n"

Compile = Callable[..., Plan]


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compile:
    """Compiles a policy file that has these rules; the first of them stands in line 5."""
    monkeypatch.chdir(tmp_path)

    def compiled(rules: str, head: str = HEAD) -> Plan:
        Path("p.yaml").write_text(head + textwrap.indent(textwrap.dedent(rules).strip("\n") + "\n", "  "))
        return compile_policy(load_policy("p.yaml"), catalog=EXTENDED)

    return compiled


TONE: dict[str, Any] = {"tone": {}}
SIZE = {"size": {"max_characters": 9}}


@pytest.mark.parametrize(
    ("rule", "stream"),
    [
        ({"use": WORDS}, "span"),
        ({"use": WORDS, "then": {"rewrite": "redact"}}, "span"),
        ({"use": WORDS, "when": "request.stream"}, "span"),
        ({"use": TONE}, "window"),
        ({"use": {**WORDS, **TONE}}, "window"),
        ({"use": TONE, "when": "request.stream"}, "window"),
        ({"use": SIZE, "stream": "hold"}, "hold"),
        ({"use": SIZE, "stream": "after"}, "after"),
        ({"use": WORDS, "when": "words.count > 1", "stream": "after"}, "after"),
        ({"use": WORDS, "stream": "hold"}, "hold"),
        ({"use": SIZE, "side": "prompt"}, "hold"),
        ({"use": WORDS, "when": "words.count > 1", "side": "prompt"}, "hold"),
        ({"when": "request.stream"}, "span"),
    ],
)
def test_stream_classes_are_derived(rule: dict[str, Any], stream: StreamClass) -> None:
    plan = plan_of({"id": "r", **rule})
    side = plan.prompt if rule.get("side") == "prompt" else plan.completion
    assert [one.stream for one in side.rules] == [stream]


def test_what_a_rule_becomes(compiled: Compile) -> None:
    plan = compiled("""
        - {id: a, side: prompt, use: pii, then: {refuse: {message: No., status: 200}}, principle: high}
        - {id: b, side: prompt, use: pii, then: {rewrite: {replace: "?"}, flag: {notice: Taken out.}}, on_error: flag}
        - {id: c, side: prompt, use: pii, then: {flag: {notice: Seen.}}, final: true}
        - {id: d, side: prompt, use: pii, then: record, where: {role: [user, tool], kind: text}}
        - {id: e, side: prompt, when: request.stream, permit: [a, US_SSN]}
    """)
    a, b, c, d, e = plan.prompt.rules
    assert (a.action, a.refusal, a.priority, a.principle) == (Action.REFUSE, Refusal("No.", 200), 9, "high")
    assert (b.action, b.rewrite) == (Action.REWRITE, Rewrite("replace", "?"))
    assert [(name, note.text("de", "")) for name, note in b.flags] == [("notice", "Taken out.")]
    assert (b.priority, b.principle, b.on_error, b.final) == (0, "", "flag", False)
    assert (c.action, c.flags, c.final) == (Action.FLAG, (("notice", Note({"en": "Seen."}, bare=True)),), True)
    assert (d.action, d.roles, d.kinds) == (Action.ALLOW, frozenset({"user", "tool"}), frozenset({"text"}))
    assert (d.flags, d.on_error, d.refusal, d.rewrite, d.condition) == ((), "refuse", None, None, None)
    assert (e.action, e.permit) == (Action.ALLOW, frozenset({"a", "US_SSN"}))
    assert e.uses == ()
    assert e.condition is not None
    assert [rule.where for rule in plan.prompt.rules] == [f"p.yaml:{line}" for line in range(5, 10)]
    assert plan.completion.rules == ()


def test_what_a_policy_becomes(compiled: Compile) -> None:
    head = HEAD.replace("rules:", "unknown: flag\nunguarded: refuse\ndeadline_ms: 250\nstream: {max_hold: 512}\nrules:")
    plan = compiled("- {id: a, side: [prompt, completion], use: pii, then: record}", head)
    assert (plan.policy, plan.sources, plan.unknown, plan.unguarded) == ("t", ("p.yaml",), "flag", "refuse")
    assert (plan.max_hold, plan.hold_limit, plan.deadline) == (512, 262_144, 0.25)
    assert plan.hash == load_policy("p.yaml").hash
    assert plan.prompt.rules == plan.completion.rules


def test_layers_are_those_of_the_files(compiled: Compile) -> None:
    compiled("- {id: a, side: prompt, use: pii, then: record}\n- {id: b, side: prompt, use: pii, then: record}")
    Path("own.yaml").write_text(
        "version: 1\nname: own\nextends: [p.yaml]\nrules:\n  - {id: b, side: prompt, use: pii, then: refuse}\n"
    )
    plan = compile_policy(load_policy("own.yaml"))
    assert [(rule.id, rule.layer) for rule in plan.prompt.rules] == [("a", 1), ("b", 0)]


def test_a_policy_without_rules_looks_at_nothing() -> None:
    plan = plan_of()
    assert (plan.prompt.looks, plan.completion.looks) == ({}, {})


def test_looks_are_by_role_and_kind() -> None:
    plan = plan_of(
        {"id": "all", "use": WORDS, "side": "prompt"},
        {"id": "tools", "use": SIZE, "side": "prompt", "where": {"role": "tool"}},
        {"id": "texts", "use": {"pii": {}}, "side": ["prompt", "completion"], "where": {"kind": ["text", "document"]}},
        {"id": "model", "when": "request.model == 'x'", "side": "prompt"},
    )

    def ids(role: Role, kind: Kind) -> list[str]:
        look = plan.prompt.look(role, kind)
        return [rule.id for rule in look.rules] if look is not None else []

    assert len(plan.prompt.looks) == len(ROLES) * len(KINDS)
    assert ids("user", "tool_schema") == ["all"]
    assert ids("user", "text") == ["all", "texts"]
    assert ids("tool", "tool_result") == ["all", "tools"]
    assert ids("tool", "document") == ["all", "tools", "texts"]
    assert set(plan.completion.looks) == {(role, kind) for role in ROLES for kind in ("text", "document")}
    assert plan.completion.look("assistant", "reasoning") is None
    look = plan.prompt.look("tool", "text")
    assert look is not None
    assert look.names == ("pii", "size", "words")
    assert plan.prompt.look("user", "text") is plan.prompt.look("assistant", "document"), "the same rules share a look"


def _rows(sweep: Sweep | None) -> list[tuple[str, str]]:
    """(label, rule) of a sweep's rows; a word has several rows."""
    if sweep is None:
        return []
    rows = zip(sweep.scanner.specs, sweep.asked, strict=True)
    return list(dict.fromkeys((spec.label, asked.rule.id) for spec, row in rows for asked in row))


def test_in_a_stream_only_rules_that_act_hold_it_back() -> None:
    words = [{"words": {"words": [word], "label": label}} for word, label in (("a", "A"), ("b", "B"), ("c", "C"))]
    plan = plan_of(
        {"id": "stops", "use": words[0]},
        {"id": "notes", "use": words[1], "then": "record"},
        {"id": "both", "use": words[0], "then": {"flag": {"notice": "A."}}},
        {"id": "held", "use": words[2], "when": "words.count > 1", "stream": "hold"},
        {"id": "tone", "use": {"tone": {}}},
        {"id": "long", "use": SIZE, "stream": "after"},
    )
    look = plan.completion.look("assistant", "text")
    assert look is not None
    assert _rows(look.acting) == [("A", "stops")]
    assert _rows(look.watching) == [("A", "both"), ("B", "notes"), ("C", "held")]
    assert _rows(look.patterns) == [("A", "stops"), ("A", "both"), ("B", "notes"), ("C", "held")]
    assert [(rule.id, use.kind) for rule, use in look.windowed] == [("tone", "tone")]
    assert [(rule.id, use.kind) for rule, use in look.whole] == [("long", "size")]
    assert look.holds


def test_a_prompt_is_whole_so_nothing_is_held() -> None:
    plan = plan_of(
        {"id": "held", "use": WORDS, "when": "words.count > 1", "side": "prompt"},
        {"id": "notes", "use": WORDS, "then": "record", "side": "prompt"},
    )
    look = plan.prompt.look("user", "text")
    assert look is not None
    assert _rows(look.acting) == [("WORDS", "held")]
    assert _rows(look.watching) == [("WORDS", "notes")]
    assert not look.holds


def test_a_row_that_several_rules_ask_for_is_scanned_once() -> None:
    plan = plan_of({"id": "a", "use": WORDS}, {"id": "b", "use": WORDS, "then": {"rewrite": "redact"}})
    look = plan.completion.look("assistant", "text")
    assert look is not None
    assert look.acting is not None
    specs = look.acting.scanner.specs
    assert len(set(specs)) == len(specs)
    assert [[asked.rule.id for asked in row] for row in look.acting.asked] == [["a", "b"]] * len(specs)
    assert plan.completion.rules[0].uses[0].detector is plan.completion.rules[1].uses[0].detector


def _sweeps(plan: Plan) -> list[Sweep]:
    looks = [look for side in (plan.prompt, plan.completion) for look in side.looks.values()]
    return [sweep for look in looks for sweep in (look.patterns, look.acting, look.watching) if sweep is not None]


def test_all_rows_of_a_plan_are_compiled_together() -> None:
    plan = plan_of(
        {"use": {"secrets": {}}},
        {"use": {"pii": {}}, "then": "record", "side": "prompt"},
        {"use": {"pii": {}}, "where": {"role": "tool"}},
    )
    assert len({id(sweep.scanner._folded._set) for sweep in _sweeps(plan)}) == 1
    wanted = {(sweep.scanner.wanted, sweep.scanner._folded._held) for sweep in _sweeps(plan)}
    assert len({id(sweep.scanner) for sweep in _sweeps(plan)}) == len(wanted), "one scanner for equal sets of rows"


def test_streams_of_all_kinds_share_what_they_hold() -> None:
    plan = plan_of(
        {"use": {"words": {"words": ["alpha"]}}},
        {"use": {"words": {"words": ["beta"]}}, "where": {"kind": "tool_call"}},
        {"use": {"words": {"words": ["gamma"]}}, "then": "record"},
    )
    looks = plan.completion.looks.values()
    acting = [look.acting.scanner for look in looks if look.acting is not None]
    watching = [look.watching.scanner for look in looks if look.watching is not None]
    assert len({id(scanner._folded.ready()) for scanner in acting}) == 1
    assert len({id(scanner._folded.ready()) for scanner in (*acting, *watching)}) == 2
    text = plan.completion.looks["assistant", "text"].acting
    assert text is not None
    assert text.scanner.scan("so bet", final=False).cut == 3, "held with the others"
    assert text.scanner.scan("so beta").matches == [], "and not looked for"
    assert text.scanner.scan("so gam", final=False).cut == 6


def _ready(plan: Plan) -> bool:
    acting = plan.completion.looks["assistant", "text"].acting
    assert acting is not None
    return acting.scanner._folded._live is not None


def test_what_only_streams_need_waits_for_one_unless_the_policy_wrote_it() -> None:
    shipped = plan_of({"use": {"pii": {}}})
    assert not _ready(shipped)
    shipped.ready()
    assert _ready(shipped)
    assert _ready(plan_of({"use": WORDS}))


def test_a_detector_of_ones_own() -> None:
    with pytest.raises(PolicyError, match="there is no detector 'tone'"):
        compile_policy(policy_of({"use": "tone"}))
    plan = plan_of({"id": "r", "use": {"tone": {}}, "when": "tone.labels['RUDE'] > 0.5", "stream": "hold"})
    use = plan.completion.rules[0].uses[0]
    assert isinstance(use.detector, ToneDetector)
    assert not use.patterned


@pytest.mark.parametrize(("shipped", "marked"), [(True, {True}), (False, {False})])
def test_only_rows_of_the_house_count_as_known_to_compile(shipped: bool, marked: set[bool]) -> None:
    def build(config: Tone) -> PatternDetector:
        return PatternDetector("own", (PatternSpec("A", "a"), PatternSpec("B", "b")), frozenset("AB"))

    policy = policy_of({"use": "own"})
    plan = compile_policy(policy, catalog={"own": Entry(Tone, build, shipped=shipped)})
    detector = plan.prompt.rules[0].uses[0].detector
    assert isinstance(detector, PatternDetector)
    assert {spec.shipped for spec in detector.specs} == marked


def test_a_row_that_only_the_scanner_refuses_is_placed(compiled: Compile) -> None:
    def build(config: Tone) -> PatternDetector:
        return PatternDetector("own", (PatternSpec("A", "a(?=b)"),), frozenset("A"))

    Path("own.yaml").write_text("version: 1\nname: t\nrules:\n  - {id: r, side: prompt, use: own, then: refuse}\n")
    with pytest.raises(PatternError, match=r"^own\.yaml:4: A: "):
        compile_policy(load_policy("own.yaml"), catalog={"own": Entry(Tone, build)})
