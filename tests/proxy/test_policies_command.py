"""`lockgate check` and `lockgate test`: what they print, and how they exit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commanding import GOOD, run, write
from lockgate_proxy.command import FAILED, OK, WRONG

CASES = """\
version: 1
cases:
  - name: a word
    prompt: say plugh
    expect: refuse
  - name: no word
    prompt: hello
    expect: allow
"""


class TestCheck:
    def test_good_ones(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = write(tmp_path, "good.yaml", GOOD)
        write(tmp_path, "good_test.yaml", CASES)
        code, out, err = run(capsys, "check", path)
        assert (code, err) == (OK, "")
        assert out.startswith(f"ok    {path}  good sha256:")
        assert out.endswith(", 1 rules\n")

    def test_a_folder_means_the_policies_in_it(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for name, text in (
            ("a.yaml", GOOD),
            ("a_test.yaml", CASES),
            ("b.yaml", GOOD),
            ("b_test.yaml", CASES),
            ("c.txt", "x"),
        ):
            write(tmp_path, name, text)
        code, out, _ = run(capsys, "check", str(tmp_path))
        assert code == OK
        assert [line.split()[1] for line in out.splitlines()] == [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]

    def test_shipped_ones_by_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = run(capsys, "check", "default", "strict", "permissive")
        assert code == OK
        assert out.count("ok  ") == 3

    def test_what_a_stream_waits_for_is_said(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        held = GOOD.replace("then: refuse", "then: refuse\n    when: words.count > 1\n    stream: hold")
        _, out, _ = run(capsys, "check", write(tmp_path, "held.yaml", held))
        assert "stop: a streamed answer is held back whole until its verdict" in out

    @pytest.mark.parametrize("table", ["", ", calibration: [[0.5, 0.6]]"])
    def test_a_confidence_that_nobody_measured_is_said(
        self, table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        unsure = GOOD.replace("words: {words: [plugh]}", f"confidence: {{below: 0.7{table}}}").replace(
            "then: refuse", "then: refuse\n    stream: hold"
        )
        code, out, _ = run(capsys, "check", write(tmp_path, "unsure.yaml", unsure))
        assert code == OK
        assert ("stop: `confidence` has no calibration" in out) is (not table)

    @pytest.mark.parametrize(("deadline", "short"), [(1000, True), (30000, False)])
    def test_how_long_a_judge_has_is_said(
        self, deadline: int, short: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        mends = GOOD.replace("then: refuse", "then: revise\n    stream: hold") + f"deadline_ms: {deadline}\n"
        code, out, _ = run(capsys, "check", write(tmp_path, "mends.yaml", mends.replace("prompt", "completion")))
        assert code == OK
        assert f"asks a judge, who has {deadline // 1000} s" in out
        assert ("few models answer" in out) is short

    def test_remarks_as_json(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        good = write(tmp_path, "good.yaml", GOOD)
        bad = write(tmp_path, "bad.yaml", "version: 1\n")
        code, out, _ = run(capsys, "check", "--json", good, bad)
        assert code == FAILED
        first, second = json.loads(out)["policies"]
        assert (first["path"], first["ok"], first["policy"], first["rules"]) == (good, True, "good", 1)
        assert [(each["kind"], each["level"], each["at"]) for each in first["remarks"]] == [
            ("untested", "warning", good)
        ]
        assert (second["ok"], second["at"]) == (False, f"{bad}:1")

    def test_warnings_fail_where_they_are_to(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = write(tmp_path, "good.yaml", GOOD)
        assert run(capsys, "check", path)[0] == OK
        code, out, _ = run(capsys, "check", "--strict", path)
        assert code == FAILED
        assert "warning: there are no tests beside it" in out
        write(tmp_path, "good_test.yaml", CASES)
        assert run(capsys, "check", "--strict", path)[0] == OK

    def test_tests_that_can_not_be_read_are_wrong(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = write(tmp_path, "good.yaml", GOOD)
        tests = write(tmp_path, "good_test.yaml", CASES.replace("expect: allow", "expect: alow"))
        code, out, _ = run(capsys, "check", path)
        assert code == FAILED
        assert f"{tests}:8" in out

    @pytest.mark.parametrize(
        ("old", "new", "line", "said"),
        [
            ("then: refuse", "then: refus", 7, "refuse"),
            ("use: {words: {words: [plugh]}}", "use: {wordz: {words: [plugh]}}", 6, "words"),
            ("words: [plugh]", "wrods: [plugh]", 6, "words"),
            ("words: {words: [plugh]}", "patterns: {patterns: {X: 'a(?=b)'}}", 6, "X"),
            ("words: {words: [plugh]}", "patterns: {patterns: {X: '(a'}}", 6, "X"),
            ("then: refuse", "then: refuse\n    when: words.cuont > 1", 8, "count"),
            ("then: refuse", "then: refuse\n    when: words.count >", 8, ""),
            ("then: refuse", "then: refuse\n    when: words.count", 8, "bool"),
            ("then: refuse", "then: refuse\n    when: words.count > 1", 4, "stream"),
            ("side: [prompt, completion]", "side: [prompt, completions]", 5, "completion"),
            ("id: stop", "id: stop\n    id: again", 5, "id"),
            ("version: 1", "version: 2", 1, "version"),
            ("name: good", "name: good\nextends: [nowhere]", 3, "nowhere"),
            ("name: good", "name: &x good", 2, "anchor"),
            ("name: good", "name: good\n  odd", None, ""),
            ("name: good", "name: [good", None, ""),
        ],
    )
    def test_what_is_wrong_has_its_line_and_the_nearest_word(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, line: int | None, said: str
    ) -> None:
        assert old in GOOD
        path = write(tmp_path, "bad.yaml", GOOD.replace(old, new))
        code, out, _ = run(capsys, "check", path)
        assert code == FAILED
        assert out.startswith(f"WRONG {path}\n")
        assert f"{path}:{line}" in out if line is not None else f"{path}:" in out
        assert said in out

    def test_one_bad_one_does_not_hide_the_others(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        bad, good = write(tmp_path, "bad.yaml", "version: 1\n"), write(tmp_path, "good.yaml", GOOD)
        code, out, _ = run(capsys, "check", bad, good)
        assert code == FAILED
        assert f"WRONG {bad}" in out
        assert f"ok    {good}" in out

    @pytest.mark.parametrize(
        ("name", "said"),
        [("goood.yaml", "good.yaml"), ("defualt", "default"), ("empty", "no policy"), ("no/such/folder/x.yaml", "")],
    )
    def test_what_is_not_there(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, said: str
    ) -> None:
        write(tmp_path, "good.yaml", GOOD)
        (tmp_path / "empty").mkdir()
        monkeypatch.chdir(tmp_path)
        code, out, err = run(capsys, "check", name)
        assert (code, out) == (WRONG, "")
        assert err.startswith("lockgate check: ")
        assert said in err

    def test_what_can_t_be_read(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "bad.yaml"
        path.write_bytes(b"version: 1\nname: \xff\xfe\n")
        code, out, _ = run(capsys, "check", str(path))
        assert code == FAILED
        assert str(path) in out


class TestTest:
    def test_all_pass(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = write(tmp_path, "good.yaml", GOOD)
        write(tmp_path, "good_test.yaml", CASES)
        code, out, _ = run(capsys, "test", path)
        assert code == OK
        assert out.splitlines() == [path, "  PASS  a word", "  PASS  no word", "2 passed, 0 failed, 0 errors"]

    def test_without_a_path_those_that_are_shipped(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = run(capsys, "test")
        assert code == OK
        assert " 0 failed, 0 errors" in out

    def test_a_failing_case_fails(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = write(tmp_path, "good.yaml", GOOD)
        cases = write(tmp_path, "good_test.yaml", CASES.replace("expect: allow", "expect: rewrite"))
        code, out, _ = run(capsys, "test", path)
        assert code == FAILED
        assert "  FAIL  no word" in out
        assert "expected 'rewrite', came 'allow'" in out
        assert f"{cases}:6" in out
        assert "ERROR" not in out
        assert out.endswith("1 passed, 1 failed, 0 errors\n")

    def test_rules_that_no_case_reaches_are_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = write(tmp_path, "good.yaml", GOOD)
        write(
            tmp_path, "good_test.yaml", CASES.replace("say plugh", "hello").replace("expect: refuse", "expect: allow")
        )
        code, out, _ = run(capsys, "test", path)
        assert code == OK
        assert "what no case reaches: stop" in out

    def test_an_empty_suite_fails(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = write(tmp_path, "good.yaml", GOOD)
        write(tmp_path, "good_test.yaml", "version: 1\ncases: []\n")
        code, out, _ = run(capsys, "test", path)
        assert code == FAILED
        assert "FAIL" in out
        assert "empty" in out
        assert "ERROR" not in out

    @pytest.mark.parametrize(
        ("policy", "cases"),
        [
            (GOOD, None),
            (GOOD, "version: 1\ncases: [{name: x}]\n"),
            (GOOD, "version: 1\ncases: [{name: x, prompt: y, expect: refused}]\n"),
            (GOOD, "- nothing\n"),
            (GOOD, ""),
            (GOOD.replace("words:", "wordz:", 1), CASES),
        ],
        ids=["no suite", "no expectation", "a word", "a list", "nothing", "bad policy"],
    )
    def test_an_error_is_no_failure(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: str, cases: str | None
    ) -> None:
        path = write(tmp_path, "good.yaml", policy)
        if cases is not None:
            write(tmp_path, "good_test.yaml", cases)
        code, out, _ = run(capsys, "test", path)
        assert code == WRONG
        assert "ERROR" in out
        assert "FAIL" not in out
        assert "1 errors" in out

    def test_an_error_outweighs_a_failure(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write(tmp_path, "a.yaml", GOOD)
        write(tmp_path, "a_test.yaml", CASES.replace("expect: allow", "expect: rewrite"))
        write(tmp_path, "b.yaml", GOOD)
        code, out, _ = run(capsys, "test", str(tmp_path))
        assert code == WRONG
        assert out.endswith("1 passed, 1 failed, 1 errors\n")
