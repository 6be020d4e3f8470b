from __future__ import annotations

import asyncio

from lockgate import Guard
from lockgate.policy import load
from lockgate.policy.cases import run_suite
from lockgate_proxy.demo.run import POLICY
from lockgate_proxy.demo.scenes import SCENES


def test_each_has_a_name_of_its_own_and_a_title_that_fits_a_line() -> None:
    assert len({scene.name for scene in SCENES}) == len(SCENES)
    assert all(0 < len(scene.title) <= 90 for scene in SCENES)


def test_there_is_one_of_every_sort() -> None:
    streams = [scene for scene in SCENES if scene.ask and scene.ask.get("stream")]
    plain = [scene for scene in SCENES if scene.ask and not scene.ask.get("stream")]
    for kind in (streams, plain):
        assert {"rewrite", "refuse", "flag"} <= {scene.expect.answer for scene in kind}
        assert any(scene.expect.intact for scene in kind)
        assert any(scene.expect.prompt == "refuse" for scene in kind)
    assert any(scene.expect.prompt == "rewrite" for scene in plain)
    assert any(scene.expect.error and scene.expect.answer != "" for scene in SCENES)


def test_the_policy_of_the_scenes_passes_its_own_tests(guard: Guard) -> None:
    plan = guard.plan
    result = asyncio.run(run_suite(plan, load.load_suite(load.test_file_of(POLICY))))
    assert [(case.name, case.problems) for case in result.cases if case.status != "PASS"] == []
    own = {"unannounced", "keep-records", "mail-in-answers", "promises"}
    assert own.isdisjoint(result.uncovered)
    assert own <= {rule.id for side in (plan.prompt, plan.completion) for rule in side.rules}
