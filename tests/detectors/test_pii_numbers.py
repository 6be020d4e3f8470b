from __future__ import annotations

import re

import pytest

from lockgate.detectors.pii_numbers import behind, plain, regex, rows, specs, value
from lockgate.detectors.pii_table import IDENTITY, THINGS, Number
from lockgate.detectors.regex import prepare


@pytest.mark.parametrize(
    ("form", "written", "loose"),
    [
        ("ddd-dd", ["123-45"], ["12345", "123 45", "123.45", "123-45"]),
        ("dd AA x", ["12 AB 3", "12 AB C"], ["12ABC"]),
        ("[XYZ]-d?d", ["X-1", "Y-12"], ["Z12"]),
        ("(?:dd)?dd-d", ["12-3", "0012-3"], ["00123"]),
        ("Ad(d)", ["A1(2)"], ["A12"]),
        ("756.d", ["756.1"], ["7561"]),
    ],
)
def test_forms(form: str, written: list[str], loose: list[str]) -> None:
    assert all(re.fullmatch(regex(form), number) for number in written)
    assert all(re.fullmatch(regex(form, loose=True), number) for number in [*written, *loose])
    assert not any(re.fullmatch(regex(form), number) for number in loose if number not in written and "-" not in number)


def test_a_kind_has_up_to_three_rows() -> None:
    number = Number("X", "ddd-d", lambda text: text == "1234", 0.7, 0.4, "x no")
    assert [row.score for row in rows(number)] == [0.9, 0.7, 0.4]
    assert [row.score for row in rows(Number("X", "dddd", bool, None, None, "x"))] == [0.9]


def test_where_a_value_stands() -> None:
    words, form = "id|护照", "[0-9]{4}"
    assert re.search(behind(words, form), "my id no. is 1234")

    def found(text: str, start: int = 0) -> tuple[int, int] | None:
        return value(words, form, text, start, len(text))

    assert found("id no. is 1234") == (10, 14)
    assert found("aid 1234", 1) is None
    assert found("user_id=1234", 5) == (8, 12)
    assert found(r"\nid 1234") == (5, 9)
    assert found("我护照1234", 1) == (3, 7)
    assert value(words, form, "id 12345", 0, 7) is None


def test_without_separators() -> None:
    assert plain("a-1 2.b/3(c)&") == "A12B3C&"


def test_each_row_can_be_run_and_is_narrow() -> None:
    for row in specs():
        form = prepare(row.regex, max_width=row.max_width, ignore_case=row.ignore_case)
        assert form.width <= 140, row.label


def test_labels_are_one_a_line() -> None:
    labels = [row.label for row in (*IDENTITY, *THINGS)]
    assert len(labels) == len(set(labels))
