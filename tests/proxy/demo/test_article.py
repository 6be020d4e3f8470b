from __future__ import annotations

from lockgate import Guard
from lockgate_proxy.demo.article import ARTICLE


def test_it_is_long_and_has_more_than_ascii() -> None:
    assert len(ARTICLE) > 4000
    assert not ARTICLE.isascii()
    assert any(ord(char) > 0xFFFF for char in ARTICLE)


def test_nothing_in_it_is_found(guard: Guard) -> None:
    verdict = guard.check(ARTICLE, side="completion")
    assert verdict.findings == []
    assert verdict.coverage.scanned
