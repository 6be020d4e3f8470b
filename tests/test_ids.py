from __future__ import annotations

import re
import time

from ulid import ULID

from lockgate.ids import new_id


def test_an_id_is_a_ulid() -> None:
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", new_id())


def test_ids_differ() -> None:
    assert len({new_id() for _ in range(2_000)}) == 2_000


def test_an_id_holds_its_time_so_that_ids_sort_by_it() -> None:
    before = time.time_ns() // 1_000_000
    ids = [new_id() for _ in range(200)]
    after = time.time_ns() // 1_000_000
    times = [ULID.from_str(one).milliseconds for one in ids]
    assert before <= min(times)
    assert max(times) <= after
    assert times == sorted(times)
    hour_later = str(ULID.from_timestamp(time.time() + 3600))
    assert all(one < hour_later for one in ids)
