from __future__ import annotations

from lockgate.scoring.confidences import Confidences, Known
from lockgate_models.figures import Bin
from lockgate_proxy.confidence_page import page
from lockgate_proxy.confidence_text import diagram, pasted, text


def taken(*rows: tuple[float, bool]) -> Confidences:
    found = Confidences()
    for i, (confidence, right) in enumerate(rows):
        found.add(Known(i, confidence, right, "", {}), "file")
    return found


def test_a_diagram_has_a_bar_for_what_is_and_a_mark_for_what_is_said() -> None:
    _, low, high, none = diagram([Bin(0.5, 0.25, 8), Bin(1.0, 1.0, 2), Bin(0.0, 0.0, 1)])
    assert low == ("0.500", "0.250", "8", "█" * 10 + " " * 10 + "│" + " " * 20)
    assert high[3] == "█" * 40 + "│"
    assert none[3] == "│" + " " * 40


def test_one_source_has_no_row_of_its_own() -> None:
    said = text(taken((0.5, True), (0.25, False)).report())
    assert "as it came  2" in said
    assert "file" not in said
    assert "calibrated" not in said


def test_all_right_has_no_auroc_and_makes_no_map() -> None:
    report = taken(*[(0.5, True)] * 60).report()
    assert "–" in text(report)
    assert "no calibration" in text(report)
    assert "no calibration" in page(report)


def test_a_table_is_one_that_yaml_reads() -> None:
    assert pasted([(0.1, 0.25), (1.0, 0.5)]) == "[[0.1, 0.25], [1.0, 0.5]]"
