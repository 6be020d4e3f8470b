"""Results of policy tests as JUnit's XML: a suite a policy, a test case a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from lockgate.policy.cases import CaseResult


@dataclass(frozen=True, slots=True)
class TestSuite:
    """The cases of a policy's file. `error`: why they could not be run; `failure`: what is wrong with them as a whole."""

    __test__ = False  # pytest takes the name for one of its own

    policy: str
    cases: Sequence[CaseResult] = ()
    error: str = ""
    failure: str = ""


def junit(suites: Sequence[TestSuite]) -> str:
    """The document. What XML can't hold, in the words of a case, is shown as an escape."""
    root = Element("testsuites", name="lockgate test")
    for suite in suites:
        whole = suite.failure or ("" if suite.cases or suite.error else "the suite is empty")
        failed = sum(case.status == "FAIL" for case in suite.cases) + bool(whole)
        wrong = sum(case.status == "ERROR" for case in suite.cases) + bool(suite.error)
        extra = bool(whole) + bool(suite.error)
        counts = {"tests": len(suite.cases) + extra, "failures": failed, "errors": wrong}
        inside = SubElement(root, "testsuite", {"name": _said(suite.policy)} | {k: str(v) for k, v in counts.items()})
        for case in suite.cases:
            file, _, line = case.where.rpartition(":")
            one = SubElement(
                inside, "testcase", name=_said(case.name), classname=_said(suite.policy), file=_said(file), line=line
            )
            if case.status != "PASS":
                said = SubElement(
                    one, "failure" if case.status == "FAIL" else "error", message=_said("; ".join(case.problems))
                )
                said.text = _said("\n".join(case.problems))
        for word, text in (("failure", whole), ("error", suite.error)):
            if text:
                one = SubElement(inside, "testcase", name="the whole", classname=_said(suite.policy))
                SubElement(one, word, message=_said(text))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _said(text: str) -> str:
    return "".join(one if _allowed(ord(one)) else f"\\u{ord(one):04x}" for one in text)


def _allowed(code: int) -> bool:
    """The characters of XML 1.0."""
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
