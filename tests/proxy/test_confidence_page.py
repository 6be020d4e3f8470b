from __future__ import annotations

from html.parser import HTMLParser

from lockgate.scoring.confidences import Confidences, Known
from lockgate_proxy.confidence_page import page


class Tags(HTMLParser):
    """Which elements a page has, and whether each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        if tag not in ("meta", "line", "circle", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "line", "circle", "polyline"):
            assert self.open.pop() == tag


def test_a_page_is_whole_and_needs_nothing_else() -> None:
    taken = Confidences()
    for i in range(300):
        taken.add(Known(i, (i % 100) / 100, i % 100 > 50 or i % 7 == 0, "", {}), "file")
    said = page(taken.report())
    tags = Tags()
    tags.feed(said)
    assert tags.open == []
    assert tags.names.count("svg") == 2  # as it came, and calibrated
    assert not {"script", "link", "img"} & set(tags.names)
    assert "calibration: [[" in said
    assert "no calibration" in page(Confidences().report())
