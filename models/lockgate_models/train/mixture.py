"""Which rows a form is fitted from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lockgate_models.train.claims import read_claims
from lockgate_models.train.families import read_families
from lockgate_models.train.rows import PAIR_SOURCES, SOURCES, Row, read_sources


def rows_for(form: str, data: Path | None, own: Path | None, *, capped: bool = True) -> Iterator[Row]:
    """All rows of a form, of others (`data`) and ours (`own`). `capped`: no more of a source than a fit takes."""
    if form == "honesty":
        yield from read_claims(data, own)
        return
    sources = PAIR_SOURCES if form == "pair" else SOURCES
    if data is not None:
        yield from read_sources(data, sources, capped=capped)
    if own is not None:
        yield from read_families(own)
