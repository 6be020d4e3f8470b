"""JUnit's XML of policy tests: what an XML parser reads in it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commanding import GOOD, run, write
from lockgate.policy.cases import CaseResult
from lockgate_proxy.command import FAILED, OK, WRONG
from lockgate_proxy.junit import TestSuite, junit

CASES = "version: 1\ncases:\n  - {name: a word, prompt: say plugh, expect: refuse}\n"


def read(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own


def test_all_that_a_command_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "a.yaml", GOOD)
    write(tmp_path, "a_test.yaml", CASES + "  - {name: wrong, prompt: hello, expect: refuse}\n")
    write(tmp_path, "b.yaml", GOOD)
    write(tmp_path, "b_test.yaml", "version: 1\ncases: []\n")
    write(tmp_path, "c.yaml", GOOD)
    out = tmp_path / "out.xml"
    assert run(capsys, "test", str(tmp_path), "--junit", str(out))[0] == WRONG
    suites = list(read(out.read_text(encoding="utf-8")))
    told = [(Path(s.attrib["name"]).name, s.attrib["tests"], s.attrib["failures"], s.attrib["errors"]) for s in suites]
    assert told == [("a.yaml", "2", "1", "0"), ("b.yaml", "1", "1", "0"), ("c.yaml", "1", "0", "1")]
    good, bad = suites[0]
    assert (good.attrib["name"], list(good)) == ("a word", [])
    assert (bad.attrib["line"], bad[0].tag) == ("4", "failure")
    assert "expected 'refuse', came 'allow'" in bad[0].attrib["message"]


@pytest.mark.parametrize(("least", "code"), [("100", FAILED), ("50", OK), ("0", OK), ("101", WRONG)])
def test_rules_that_cases_reach(least: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = "  - id: more\n    side: prompt\n    use: {words: {words: [xyzzy]}}\n    then: refuse\n"
    path, out = write(tmp_path, "a.yaml", GOOD + second), tmp_path / "out.xml"
    write(tmp_path, "a_test.yaml", CASES)
    found, said, _ = run(capsys, "test", path, "--fail-under", least, "--junit", str(out))
    assert found == code
    assert ("cases reach 50.0 % of the rules, which is under 100 %" in said) is (code == FAILED)
    if code == FAILED:
        assert read(out.read_text(encoding="utf-8"))[0].attrib["failures"] == "1"


@given(st.text(), st.text())
def test_whatever_a_case_is_called(name: str, problem: str) -> None:
    suite = TestSuite("p", (CaseResult(name, "FAIL", (problem,), "p_test.yaml:3"),))
    (case,) = read(junit([suite]))[0]
    assert case.attrib["classname"] == "p"
    assert len(case) == 1
