"""Files and overlays: what is merged, in which order, and what is wrong with it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Subject
from lockgate.policy.compile import READY, compile_policy
from lockgate.policy.load import load_policy
from lockgate.policy.merge import overlaid
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy

BASE = """\
version: 1
name: base
deadline_ms: 100
principles:
  - {id: calm, priority: 5, text: Calm.}
rules:
  - {id: tea, principle: calm, side: prompt, use: {words: {words: [tea]}}, then: refuse}
  - {id: gin, principle: calm, side: prompt, use: {words: {words: [gin]}}, then: refuse}
  - {id: law, side: prompt, use: {words: {words: [bomb]}}, then: refuse, final: true}
"""
OVERLAYS = """\
overlays:
  - id: acme
    where: {tenant: acme}
    extends: [parts/acme.yaml]
    without: [gin]
    deadline_ms: 50
  - id: austria
    where: {country: AT, language: de}
    rules:
      - {id: tea, side: prompt, use: {words: {words: [Tee]}}, then: record}
"""
ACME = """\
version: 1
name: acme-part
unknown: refuse
rules:
  - {id: cola, side: prompt, use: {words: {words: [cola]}}, then: refuse}
"""


def files(folder: Path, overlays: str = OVERLAYS, base: str = BASE, acme: str = ACME) -> Path:
    (folder / "parts").mkdir(exist_ok=True)
    (folder / "parts" / "acme.yaml").write_text(acme, encoding="utf-8")
    path = folder / "base.yaml"
    path.write_text(base + overlays, encoding="utf-8")
    return path


def plan_of(path: Path) -> Plan:
    return compile_policy(load_policy(path))


def chosen(plan: Plan, **subject: Any) -> Plan:
    return plan.chosen(Exchange("01", "chat", Subject(**subject)))


@pytest.mark.parametrize(
    ("subject", "overlays", "rules", "deadline"),
    [
        ({}, (), ["tea", "gin", "law"], 0.1),
        ({"tenant": "other", "country": "AT"}, (), ["tea", "gin", "law"], 0.1),
        ({"tenant": "acme"}, ("acme",), ["tea", "law", "cola"], 0.05),
        ({"country": "AT", "language": "de-AT"}, ("austria",), ["tea", "gin", "law"], 0.1),
        ({"tenant": "acme", "country": "AT", "language": "de"}, ("acme", "austria"), ["tea", "law", "cola"], 0.05),
    ],
)
def test_the_overlays_that_cover_an_exchange_lie_over_the_policy(
    tmp_path: Path, subject: dict[str, str], overlays: tuple[str, ...], rules: list[str], deadline: float
) -> None:
    plan = plan_of(files(tmp_path))
    found = chosen(plan, **subject)
    assert found.overlaid == overlays
    assert [rule.id for rule in found.prompt.rules] == rules
    assert found.deadline == deadline
    assert found.unknown == ("refuse" if "acme" in overlays else "allow")
    assert (found is plan) is (overlays == ())
    assert chosen(plan, **subject) is found


def test_a_nearer_overlay_is_nearer(tmp_path: Path) -> None:
    both = chosen(plan_of(files(tmp_path)), tenant="acme", country="AT", language="de")
    layers = {rule.id: rule.layer for rule in both.prompt.rules}
    assert layers["tea"] < layers["cola"] < layers["law"]


def test_files_and_hashes(tmp_path: Path) -> None:
    path = files(tmp_path)
    plan = plan_of(path)
    assert [Path(one).name for one in plan.sources] == ["base.yaml", "acme.yaml"]
    hashes = {each.hash for each in plan.every}
    assert len(hashes) == len(plan.every) == 4
    files(tmp_path, acme=ACME.replace("cola", "beer"))
    later = plan_of(path)
    assert later.hash != plan.hash, "what an overlay extends is in the policy's hash"
    assert chosen(later, country="AT", language="de").hash == chosen(plan, country="AT", language="de").hash


def test_what_the_policy_has_already_is_not_merged_again(tmp_path: Path) -> None:
    path = files(
        tmp_path,
        base=BASE.replace("deadline_ms: 100", "deadline_ms: 100\nextends: [parts/acme.yaml]\nunknown: flag"),
    )
    assert chosen(plan_of(path), tenant="acme").unknown == "flag"


@pytest.mark.parametrize(
    ("overlays", "said"),
    [
        ("overlays:\n  - {id: a, where: {}, unknown: flag}\n", "would hold everywhere"),
        ("overlays:\n  - {id: a, where: {tenant: x}}\n", "changes nothing"),
        ("overlays:\n  - {id: a, where: {tenant: x}, unguarded: allow}\n", "unguarded"),
        ("overlays:\n  - {id: a, where: {tenannt: x}, unknown: flag}\n", "tenannt"),
        ("overlays:\n  - {id: a, where: {tenant: x}, without: [te]}\n", "which no file before it has"),
        ("overlays:\n  - {id: a, where: {tenant: x}, without: law}\n", "final"),
        (
            "overlays:\n  - {id: a, where: {tenant: x}, rules: [{id: law, side: prompt, when: 'true', then: record}]}\n",
            "final",
        ),
        (
            "overlays:\n  - {id: a, where: {tenant: x}, unknown: flag}\n  - {id: a, where: {tenant: y}, unknown: flag}\n",
            "twice",
        ),
        ("overlays:\n  - {id: a, where: {tenant: x}, extends: [nowhere.yaml]}\n", "nowhere.yaml"),
        ("overlays:\n  - {id: a, where: {tenant: x}, extends: [base.yaml]}\n", "lies over"),
        (
            "overlays:\n  - {id: a, where: {tenant: x}, rules: [{id: r, side: prompt, principle: p, when: 'true', then: record}]}\n",
            "no principle",
        ),
    ],
)
def test_what_is_wrong_is_said_at_load(tmp_path: Path, overlays: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as error:
        plan_of(files(tmp_path, overlays))
    assert "base.yaml" in error.value.where


def test_overlays_of_overlays_are_an_error(tmp_path: Path) -> None:
    nested = ACME + "overlays:\n  - {id: n, where: {tenant: n}, unknown: flag}\n"
    with pytest.raises(PolicyError, match="has overlays itself"):
        plan_of(files(tmp_path, acme=nested))


def test_a_combination_that_contradicts_itself_is_an_error_at_load(tmp_path: Path) -> None:
    overlays = """\
overlays:
  - {id: less, where: {tenant: x}, without: [tea]}
  - {id: also-less, where: {country: DE}, without: [tea]}
"""
    with pytest.raises(PolicyError, match="which no file before it has"):
        plan_of(files(tmp_path, overlays))


def test_more_combinations_than_are_compiled_at_load_are_when_they_are_met(tmp_path: Path) -> None:
    names = [f"t{i}" for i in range(12)]
    countries = ["DE", "AT", "CH", "FR", "ES", "IT", "PL"]
    listed = [f"  - {{id: {n}, where: {{tenant: {n}}}, deadline_ms: {i + 1}}}\n" for i, n in enumerate(names)]
    listed += [f"  - {{id: {c.lower()}, where: {{country: {c}}}, unknown: flag}}\n" for c in countries]
    plan = plan_of(files(tmp_path, "overlays:\n" + "".join(listed)))
    before = len(plan.every)
    assert READY <= before <= READY + len(names) + len(countries)
    for name, country in itertools.product(names, countries):
        assert chosen(plan, tenant=name, country=country).overlaid == (name, country.lower())
    assert len(plan.every) == 1 + 12 + 7 + 12 * 7


def test_a_policy_made_in_python_has_overlays() -> None:
    rule = {"id": "tea", "side": "prompt", "use": {"words": {"words": ["tea"]}}, "then": "refuse"}
    policy = Policy.model_validate(
        {
            "version": 1,
            "name": "made",
            "rules": [rule],
            "overlays": [{"id": "free", "where": {"tag": "free"}, "without": "tea"}],
        }
    )
    plan = compile_policy(policy)
    assert [rule.id for rule in plan.prompt.rules] == ["tea"]
    assert chosen(plan, tags=("free",)).prompt.rules == ()


def test_without_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text("version: 1\nname: own\nextends: [base.yaml]\nwithout: [gin, law]\n", encoding="utf-8")
    assert [rule.id for rule in plan_of(own).prompt.rules] == ["tea"]


def test_overlaid_is_a_policy_of_its_own(tmp_path: Path) -> None:
    policy = load_policy(files(tmp_path))
    under = overlaid(policy, ("acme",))
    assert under.overlays == ()
    assert under.hash == chosen(compile_policy(policy), tenant="acme").hash
    assert under.at("rules", 2).endswith("acme.yaml:5")
