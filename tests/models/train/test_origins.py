from __future__ import annotations

from lockgate_models.train.claims import CLAIMS
from lockgate_models.train.origins import ORIGINS
from lockgate_models.train.rows import PAIR_SOURCES, SOURCES


def test_every_source_has_its_origin_and_none_is_left_over() -> None:
    paths = {source.path for source in (*SOURCES, *PAIR_SOURCES)} | {source.path for source in CLAIMS}
    assert paths == set(ORIGINS)


def test_what_is_under_share_alike_is_marked() -> None:
    assert all(origin.share for origin in ORIGINS.values() if "-SA" in origin.licence)
    assert not any("provider" in origin.licence.lower() for origin in ORIGINS.values())
