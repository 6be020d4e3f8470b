from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.coverage import LISTED, Coverage, newest, word_of
from lockgate.marks import Marker

UNKNOWN = "unread: unknown"


def test_what_no_lens_knows_is_counted_and_records_merge() -> None:
    coverage = Coverage({"/a": ("pii",)}, {"/b": UNKNOWN, "/c": "image: not text"})
    coverage.merge(Coverage({"/a": ("pii", "size")}, {"/d": UNKNOWN}))
    assert coverage.unread == 2
    assert coverage.scanned == {"/a": ("pii", "size")}
    assert list(coverage.skipped) == ["/b", "/c", "/d"]


@pytest.mark.parametrize(
    ("skipped", "counts"),
    [
        ([], {"scanned": 1, "skipped": 0, "unknown": 0}),
        ([UNKNOWN], {"scanned": 1, "skipped": 0, "unknown": 1}),
        (["unread: unknown (invalid_json)"], {"scanned": 1, "skipped": 0, "unknown": 1}),
        (["unread: tokens", UNKNOWN], {"scanned": 1, "skipped": 0, "unknown": 2, "tokens": 1}),
        (
            ["image: not text", "image: not text", "settings: not text", UNKNOWN],
            {"scanned": 1, "skipped": 3, "unknown": 1, "image": 2, "settings": 1},
        ),
    ],
)
def test_counts(skipped: list[str], counts: dict[str, int]) -> None:
    coverage = Coverage({"/t": ("pii",)}, {f"/{i}": why for i, why in enumerate(skipped)})
    assert coverage.counts() == counts


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("image: not text", "image"),
        ("file content: not text", "file"),
        ("spells content, which is read; dropped if that is edited", "spells"),
        ("unread: tokens", "tokens"),
        ("Ünlike; any=other", "other"),
    ],
)
def test_a_reason_begins_with_its_word(reason: str, word: str) -> None:
    assert word_of(reason) == word


@given(st.text())
def test_a_word_can_stand_in_a_header(reason: str) -> None:
    assert re.fullmatch("[a-z][a-z0-9_-]*", word_of(reason))


def test_a_detector_that_did_not_look_is_taken_out() -> None:
    coverage = Coverage({"/a": ("judge", "pii"), "/b": ("judge",), "/c": ("pii",)})
    coverage.drop(["/a", "/b", "/c", "/d"], "judge", "failed: no answer")
    assert coverage.scanned == {"/a": ("pii",), "/c": ("pii",)}
    assert coverage.skipped == {"/b": "failed: no answer"}


# --- The record is bounded, and nothing in it is lost -----------------------------------------------------------------


def test_a_short_record_names_every_place() -> None:
    coverage = Coverage({"/a": ("pii",), "/b": ("pii", "size"), "/c": ("pii",)}, {"/d": UNKNOWN})
    assert coverage.public() == {
        "scanned": {"pii": ["/a", "/c"], "pii,size": ["/b"]},
        "skipped": {"/d": UNKNOWN},
    }


def test_a_long_one_counts_the_rest_by_shape() -> None:
    messages = LISTED + 500
    coverage = Coverage(
        {f"/messages/{i}/content": ("pii",) for i in range(messages)},
        {f"/messages/{i}/content/1": "image: not text" for i in range(LISTED)} | {"/x": UNKNOWN, "/y": UNKNOWN},
    )
    shown = coverage.public()
    assert len(shown["scanned"]["pii"]) == len(shown["skipped"]) == LISTED
    assert shown["more"] == {
        "scanned": {"pii": {"/messages/*/content": 500}},
        "skipped": {UNKNOWN: {"/x": 1, "/y": 1}},
    }


@given(st.integers(0, 3 * LISTED), st.integers(0, 3 * LISTED), st.sampled_from([1, 2, 5000]))
def test_every_place_is_named_or_counted(scanned: int, skipped: int, names: int) -> None:
    coverage = Coverage(
        {f"/a{i % names}/{i}": ("pii",) if i % 2 else ("size",) for i in range(scanned)},
        {f"/messages/{i}/more {i % names}": UNKNOWN for i in range(skipped)},
    )
    shown = coverage.public(Marker(b"k").place)
    more = shown.get("more", {})
    counted = {
        side: sum(sum(shapes.values()) for shapes in more.get(side, {}).values()) for side in ("scanned", "skipped")
    }
    assert sum(map(len, shown["scanned"].values())) + counted["scanned"] == scanned
    assert len(shown["skipped"]) + counted["skipped"] == skipped
    assert len(json.dumps(shown)) < 100_000


def test_names_that_a_client_made_up_do_not_grow_it() -> None:
    coverage = Coverage({}, {f"/name{i}": UNKNOWN for i in range(50_000)})
    (shapes,) = coverage.public()["more"]["skipped"].values()
    assert len(shapes) == 65
    assert shapes["*"] == 50_000 - LISTED - 64


@pytest.mark.parametrize(("count", "before"), [(0, 0), (3, 0), (4, 1)])
def test_the_newest(count: int, before: int) -> None:
    things = {str(i): i for i in range(count)}
    assert newest(things, 3) == (dict(list(things.items())[-3:]), before)
