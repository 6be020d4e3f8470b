from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np

from lockgate.scoring.evaluation import Head, Report
from lockgate.scoring.matching import Matched
from lockgate_models.figures import curves, cut, figures
from lockgate_proxy.eval_page import page

_VOID = {"meta"}


class Nesting(HTMLParser):
    """Fails where elements don't close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def report(source: str = "one") -> Report:
    draw = np.random.default_rng(1)
    truth = np.arange(300) % 3 == 0
    scores = 1 / (1 + np.exp(-draw.normal(truth * 2.0, 1)))
    total = figures(scores, truth, scores > 0.6, np.arange(300), draws=50)
    head = Head(
        "harm.self-harm/intent",
        0.6,
        total,
        {source: total, "two": total},
        curves(scores, truth),
        cut(scores, truth, 0.01),
    )
    bare = Head("bias", None, figures(scores[truth], truth[truth], None, np.arange(100), draws=5), {}, None, None)
    return Report("tiny@1", 300, 1, 1, 1, [head, bare], total.f1, {"names": {"any": Matched(2, 1, 1, 1)}})


def test_the_page_is_well_formed_and_its_links_lead_somewhere() -> None:
    parser = Nesting()
    parser.feed(page(report()))
    parser.close()
    assert parser.open == []
    ids = [attrs["id"] for _, attrs in parser.seen if "id" in attrs]
    assert ids == ["harm-self-harm-intent", "bias"]
    assert [attrs["href"] for tag, attrs in parser.seen if tag == "a"] == [f"#{name}" for name in ids]
    assert sum(tag == "figure" for tag, _ in parser.seen) == 3


def test_the_page_needs_nothing_from_elsewhere() -> None:
    made = page(report())
    assert not re.search(r"https?:|<script|<link|<img|url\(|@import|\bsrc=", made)
    assert "prefers-color-scheme:dark" in made


def test_names_can_not_break_out() -> None:
    made = page(report('<img src="x"> & co'))
    assert "<img" not in made
    assert "&lt;img src=&quot;x&quot;&gt; &amp; co" in made
