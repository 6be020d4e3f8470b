from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import PolicyError
from lockgate.policy import load, locate
from lockgate.policy.load import load_policy, load_suite

BASE = """\
version: 1
name: base
description: What all have.
unknown: flag
deadline_ms: 500
stream: {max_hold: 512}
principles:
  - {id: privacy, priority: 10, text: Keep names private.}
  - {id: honesty, text: Say what is so.}
rules:
  - id: pii
    principle: privacy
    side: prompt
    use: pii
    then: {rewrite: redact}
  - id: keys
    side: prompt
    use: secrets
    then: refuse
"""

OWN = """\
version: 1
name: own
extends: [base.yaml]
deadline_ms: 700
stream: {hold_limit: 9999}
principles:
  - {id: honesty, priority: 5, text: Say what is known.}
rules:
  - id: words
    side: completion
    use: {words: {list: [x]}}
    then: refuse
  - id: pii
    side: completion
    use: pii
    then: record
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with two policies, and a shipped one called `default`."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "default.yaml").write_text(BASE.replace("name: base", "name: default"))
    monkeypatch.setattr(locate, "policies_dir", lambda: shipped)
    work = tmp_path / "work"
    work.mkdir()
    (work / "base.yaml").write_text(BASE)
    (work / "own.yaml").write_text(OWN)
    monkeypatch.chdir(work)
    return work


def _error(path: str) -> PolicyError:
    with pytest.raises(PolicyError) as raised:
        load_policy(path)
    return raised.value


@pytest.mark.usefixtures("folder")
def test_a_policy_knows_where_it_was_written() -> None:
    policy = load_policy("base.yaml")
    assert (policy.name, policy.source, policy.sources) == ("base", "base.yaml", ("base.yaml",))
    assert policy.at("rules", 1, "use", "secrets") == "base.yaml:18"
    assert policy.at("rules", 0) == "base.yaml:11"
    assert policy.at("stream", "max_hold") == "base.yaml:6"
    assert policy.layer("rules", 1) == 0


def test_any_kind_of_path(folder: Path) -> None:
    loaded = [load_policy(p) for p in ("base.yaml", "./base.yaml", folder / "base.yaml", str(folder / "base.yaml"))]
    assert {policy.hash for policy in loaded} == {loaded[0].hash}
    assert load_policy("default").name == "default"


@pytest.mark.usefixtures("folder")
def test_an_overlay_replaces_in_place_and_appends() -> None:
    policy = load_policy("own.yaml")
    assert [rule.id for rule in policy.rules] == ["pii", "keys", "words"]
    assert policy.rules[0].side == ("completion",)
    assert policy.rules[0].principle is None
    assert [(p.id, p.priority) for p in policy.principles] == [("privacy", 10), ("honesty", 5)]


@pytest.mark.usefixtures("folder")
def test_an_overlay_inherits_what_it_does_not_set() -> None:
    policy = load_policy("own.yaml")
    assert (policy.name, policy.description, policy.extends) == ("own", "", ("base.yaml",))
    assert (policy.unknown, policy.deadline_ms) == ("flag", 700)
    assert (policy.stream.max_hold, policy.stream.hold_limit) == (512, 9999)


@pytest.mark.usefixtures("folder")
def test_lines_and_layers_are_those_of_the_file_that_wrote_a_rule() -> None:
    policy = load_policy("own.yaml")
    assert policy.sources == ("own.yaml", "base.yaml")
    assert [policy.at("rules", index) for index in range(3)] == ["own.yaml:13", "base.yaml:16", "own.yaml:9"]
    assert [policy.layer("rules", index) for index in range(3)] == [0, 1, 0]
    assert policy.at("unknown") == "base.yaml:4"


@pytest.mark.usefixtures("folder")
def test_the_hash_is_that_of_the_merged_content() -> None:
    Path("flat.yaml").write_text("""\
name: own          # the same, in one file and another order
version: 1
deadline_ms: 700
unknown: flag
stream: {hold_limit: 9999, max_hold: 512}
principles:
  - {priority: 10, id: privacy, text: "Keep names private."}
  - {id: honesty, priority: 5, text: Say what is known.}
rules:
  - {id: pii, side: [completion], use: {pii: {}}, then: {record: true}}
  - {id: keys, side: prompt, use: [secrets], then: {refuse: true}}
  - {id: words, side: completion, use: {words: {list: [x]}}, then: {refuse: {status: 400}}}
""")
    assert load_policy("flat.yaml").hash == load_policy("own.yaml").hash
    assert load_policy("base.yaml").hash != load_policy("own.yaml").hash


def test_names_are_shipped_policies_and_paths_stand_beside_the_file(folder: Path) -> None:
    inner = folder / "tenants"
    inner.mkdir()
    (inner / "a.yaml").write_text("version: 1\nname: a\nextends: [default, ../own.yaml]\n")
    policy = load_policy(inner / "a.yaml")
    assert [Path(source).name for source in policy.sources] == ["a.yaml", "own.yaml", "base.yaml", "default.yaml"]
    assert policy.rules[0].side == ("completion",)


@pytest.mark.usefixtures("folder")
def test_a_file_reached_twice_is_merged_once() -> None:
    for name, rule in (("left", "{id: pii, side: prompt, use: pii, then: record}"), ("right", "")):
        rules = f"rules: [{rule}]" if rule else ""
        Path(f"{name}.yaml").write_text(f"version: 1\nname: {name}\nextends: base.yaml\n{rules}\n")
    Path("both.yaml").write_text("version: 1\nname: both\nextends: [left.yaml, right.yaml]\n")
    policy = load_policy("both.yaml")
    assert policy.sources == ("both.yaml", "right.yaml", "left.yaml", "base.yaml")
    assert policy.rules[0].then is not None
    assert policy.rules[0].then.record


@pytest.mark.usefixtures("folder")
def test_a_circle_is_an_error() -> None:
    Path("a.yaml").write_text("version: 1\nname: a\nextends: b.yaml\n")
    Path("b.yaml").write_text("version: 1\nname: b\nextends: [base.yaml,\n  ./a.yaml]\n")
    error = _error("a.yaml")
    assert (error.where, error.problem) == ("b.yaml:4", "`extends` goes in a circle")
    assert error.hint == "a.yaml → b.yaml → a.yaml"


@pytest.mark.usefixtures("folder")
def test_a_policy_that_extends_itself() -> None:
    Path("a.yaml").write_text("version: 1\nname: a\nextends: a.yaml\n")
    assert "in a circle" in _error("a.yaml").problem


@pytest.mark.usefixtures("folder")
def test_too_long_a_chain() -> None:
    for n in range(30):
        Path(f"p{n}.yaml").write_text(f"version: 1\nname: p{n}\nextends: p{n + 1}.yaml\n")
    assert "files deep" in _error("p0.yaml").problem


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("extends", "where", "problem", "hint"),
    [
        ("defalt", "p.yaml:3", "there is no shipped policy `defalt`", "did you mean `default`?"),
        ("[default, bas.yaml]", "p.yaml:3", "there is no file bas.yaml", "did you mean `base.yaml`?"),
        ("\n  - default\n  - own", "p.yaml:5", "there is no shipped policy `own`", "write `own.yaml`"),
        ("3", "p.yaml:3", "`extends` lists names or paths", "extends: [default]"),
        ("[[default]]", "p.yaml:3", "`extends` lists names or paths", ""),
        ("{a: b}", "p.yaml:3", "`extends` lists names or paths", ""),
        ("", "p.yaml:3", "`extends` lists names or paths", ""),
        ("unversioned.yaml", "unversioned.yaml:1", "this Lockgate reads version 1", "write `version: 1`"),
        ("later.yaml", "later.yaml:2", "this Lockgate reads version 1", ""),
        ("broken.yaml", "broken.yaml:1", "not YAML", ""),
        ("wrong.yaml", "wrong.yaml:4", "there is no key `rulez` here", "did you mean `rules`?"),
        ("twice.yaml", "twice.yaml:5", "the id `a` stands twice in `rules`", ""),
    ],
)
def test_what_can_be_wrong_with_extends(extends: str, where: str, problem: str, hint: str) -> None:
    Path("unversioned.yaml").write_text("name: u\n")
    Path("later.yaml").write_text("name: l\nversion: 2\n")
    Path("broken.yaml").write_text("a: b: c\n")
    Path("wrong.yaml").write_text("version: 1\nname: w\n\nrulez: []\n")
    rule = "  - {id: a, side: prompt, use: pii, then: record}\n"
    Path("twice.yaml").write_text("version: 1\nname: t\nrules:\n" + rule * 2)
    Path("p.yaml").write_text(f"version: 1\nname: p\nextends: {extends}\n")
    error = _error("p.yaml")
    assert error.where == where
    assert problem in error.problem
    assert hint in error.hint


@pytest.mark.usefixtures("folder")
def test_an_id_that_stands_twice_in_an_overlay() -> None:
    rule = "  - {id: keys, side: prompt, use: pii, then: record}\n"
    Path("p.yaml").write_text("version: 1\nname: p\nextends: base.yaml\nrules:\n" + rule * 2)
    error = _error("p.yaml")
    assert (error.where, error.problem) == ("p.yaml:6", "the id `keys` stands twice in `rules`")


@pytest.mark.usefixtures("folder")
def test_an_overlay_may_use_the_principles_of_its_base() -> None:
    rule = "  - {id: names, principle: privacy, side: prompt, use: pii, then: record}\n"
    Path("p.yaml").write_text("version: 1\nname: p\nextends: base.yaml\nrules:\n" + rule)
    assert load_policy("p.yaml").rules[-1].principle == "privacy"
    Path("p.yaml").write_text(Path("p.yaml").read_text().replace("privacy", "privcy"))
    error = _error("p.yaml")
    assert (error.where, error.hint) == ("p.yaml:5", "did you mean `privacy`?")


@pytest.mark.usefixtures("folder")
def test_unknown_detectors_are_told_with_the_nearest() -> None:
    with pytest.raises(PolicyError) as raised:
        load_policy("own.yaml", known_detectors={"pii", "word", "secret"})
    assert str(raised.value).splitlines() == [
        "own.yaml:11: there is no detector `words` (did you mean `word`?)",
        "base.yaml:18: there is no detector `secrets` (did you mean `secret`?)",
    ]
    assert load_policy("own.yaml", known_detectors=("pii", "words", "secrets")).name == "own"


@pytest.mark.usefixtures("folder")
def test_a_missing_file_names_the_nearest() -> None:
    error = _error("onw.yaml")
    assert (error.problem, error.hint) == ("there is no file onw.yaml", "did you mean `own.yaml`?")


@pytest.mark.usefixtures("folder")
def test_a_test_file() -> None:
    Path("own_test.yaml").write_text("version: 1\ncases:\n  - name: a\n    prompt: hi\n    expect: allow\n")
    suite = load_suite(load.test_file_of("own.yaml"))
    assert suite.source == "own_test.yaml"
    assert suite.cases[0].prompt == "hi"
    assert suite.at("cases", 0, "expect") == "own_test.yaml:5"
    Path("own_test.yaml").write_text("version: 1\ncases:\n  - name: a\n    promt: hi\n    expect: allow\n")
    with pytest.raises(PolicyError) as raised:
        load_suite("own_test.yaml")
    assert raised.value.where == "own_test.yaml:4"
    with pytest.raises(PolicyError, match="there is no file"):
        load_suite("other_test.yaml")


@pytest.mark.parametrize(
    ("policy", "tests"),
    [("x.yaml", "x_test.yaml"), ("a/x.yml", "a/x_test.yml"), ("x.y.yaml", "x.y_test.yaml"), ("x", "x_test.yaml")],
)
def test_where_tests_stand(policy: str, tests: str) -> None:
    assert load.test_file_of(policy) == Path(tests)


_KEYS = """version name extends rules principles stream id side use when then refuse rewrite replace flag record where role
    kind permit final prompt user pii cases pin expect action chunks completion label span [key] p.yaml default"""
_WORDS = st.sampled_from([*_KEYS.split(), ""])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.just(0.5) | _WORDS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_WORDS, _VALUES, max_size=5), st.booleans())
def test_no_content_raises_anything_but_a_policy_error(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object], whole: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "p.yaml"
    head = {"version": 1, "name": "p"} if whole else {}
    path.write_text(json.dumps({**content, **head}))
    for read in (load_policy, load_suite):
        assert _refused_at(read, path) != ""


def _refused_at(read: Callable[[Path], object], path: Path) -> str | None:
    """Where `path` is refused, None if it is read."""
    try:
        read(path)
    except PolicyError as error:
        return error.where
    return None
