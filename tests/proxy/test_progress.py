from __future__ import annotations

import io
import sys

import pytest

from lockgate_proxy.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_nothing_is_shown() -> None:
    with progress("score", 100, out=(out := io.StringIO())) as advance:
        advance(50, 50)
    assert out.getvalue() == ""


@pytest.mark.parametrize("size", [1000, None])
def test_on_a_terminal_it_is_a_bar(size: int | None) -> None:
    with progress("score", size, out=(out := Terminal())) as advance:
        for row in range(1000):
            advance(row + 1, row)
    assert "score" in out.getvalue()
    assert "1000 rows" in out.getvalue()


def test_without_rich_it_is_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with progress("score", None, out=(out := Terminal())) as advance:
        for row in range(250):
            advance(row + 1, 0)
    assert out.getvalue() == "\rscore: 100 rows\rscore: 200 rows\r\x1b[K"
