from __future__ import annotations

import random
from pathlib import Path

import pytest

from lockgate_models.labels import LABELS, TAGS
from lockgate_models.train.rows import Row

pytestmark = pytest.mark.train


def rows() -> list[Row]:
    found = [Row(f"a{i}", "a", f"a{i}", "attack " * (1 + i % 9), {"injection": 1.0}) for i in range(30)]
    found += [Row(f"b{i}", "b", f"b{i}", "calm law", {"injection": 0.0, "harm": 0.0}) for i in range(3)]
    return [*found, Row("n", "n", "n", "calm Ada King", {}, spans=[(5, 13, "PERSON")])]


def test_only_what_a_row_says_is_taught(base: Path) -> None:
    from tokenizers import Tokenizer

    from lockgate_models.train.batches import IGNORED, collate, encode

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    last = rows()[-1]
    last.weight = 0.5
    batch = collate([encode(row, tokenizer, 16) for row in (rows()[2], last)])
    assert batch.known[0].nonzero().flatten().tolist() == [LABELS.index("injection")]
    assert not batch.known[1].any()
    tags = [TAGS[tag] if tag != IGNORED else "-" for tag in batch.tags[1].tolist()]
    assert tags == ["-", "O", "B-PERSON", "I-PERSON", "-", *"---"]  # as wide as a multiple of eight
    assert (batch.tags[0] == IGNORED).all()


def test_a_long_text_is_cut_to_a_window_with_both_ends(base: Path) -> None:
    from tokenizers import Tokenizer

    from lockgate_models.train.batches import encode

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    row = Row("x", "x", "x", "calm " * 50 + "attack " * 50, {})
    seen = {tuple(encode(row, tokenizer, 16, random.Random(seed)).ids) for seed in range(20)}
    assert all(len(ids) == 16 and ids[0] == 2 and ids[-1] == 3 for ids in seen)
    assert any(5 in ids for ids in seen)
    assert encode(row, tokenizer, 16).ids[1:-1] == [4] * 14


def test_a_document_is_cut_around_its_injection(base: Path) -> None:
    from tokenizers import Tokenizer

    from lockgate_models.train.batches import Drawer

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    text = "calm " * 500
    start = len(text)
    document = Row("d", "d", "d", text + "attack now " + text, {"indirect": 1.0}, marks=((start, start + 10),))
    drawer = Drawer([document], tokenizer, longest=128, seed=1)
    drawn = [drawer.row() for _ in range(30)]
    assert all("attack now" in row.text and len(row.text) <= 610 for row in drawn)
    assert len({row.text for row in drawn}) > 10


def test_the_mixture_is_seeded_keeps_the_budget_and_draws_small_sources_more_often(base: Path) -> None:
    from tokenizers import Tokenizer

    from lockgate_models.train.batches import Drawer

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))

    def drawn(seed: int) -> list[list[list[int]]]:
        batches = Drawer(rows(), tokenizer, longest=32, seed=seed).batches(64, pool=64)
        found = [next(batches) for _ in range(20)]
        assert all(len(b.ids) * int(b.mask.sum(1).max()) <= 64 or len(b.ids) == 1 for b in found)
        return [batch.ids.tolist() for batch in found]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    drawer = Drawer(rows(), tokenizer, longest=32, seed=1)
    sources = [drawer.row().source for _ in range(600)]
    assert 1.5 < sources.count("a") / sources.count("b") < 6  # the root of ten, not ten


def test_what_is_answered_stands_before_the_answer_as_the_runtime_puts_it(base: Path) -> None:
    from tokenizers import Tokenizer

    from lockgate_models.tokens import Windower
    from lockgate_models.train.batches import encode

    path = base / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    for asked, answer in (("calm law", "attack Ada"), ("law " * 30, "calm " * 5), ("", "calm")):
        row = Row("p", "p", "p", answer, {"harm": 0.0}, prompt=asked)
        (window,) = Windower(path, longest=40, overlap=4, lead=9).windows(answer, asked)
        assert encode(row, tokenizer, 40, lead=9).ids == list(window.ids)
