from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models.errors import ManifestError
from lockgate_models.tokens import Windower
from tiny_model import WORDS, tokenizer


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokens") / "tokenizer.json"
    tokenizer().save(str(path))
    return path


def test_a_short_text_is_one_window(file: Path) -> None:
    (window,) = Windower(file, longest=16, overlap=4).windows("Calm attack")
    assert [WORDS[i] for i in window.ids] == ["[CLS]", "calm", "attack", "[SEP]"]
    assert (window.start, window.end) == (0, 11)


def test_no_text_is_a_window_without_words(file: Path) -> None:
    (window,) = Windower(file, longest=16, overlap=4).windows("")
    assert (len(window.ids), window.start, window.end) == (2, 0, 0)


@given(
    st.lists(st.sampled_from(["calm", "attack", "Zo\u00eb", "law"]), max_size=60), st.integers(6, 20), st.integers(0, 3)
)
def test_every_token_is_in_a_window_whole_and_neighbours_overlap(
    file: Path, words: list[str], longest: int, overlap: int
) -> None:
    text = " ".join(words)
    windows = Windower(file, longest=longest, overlap=overlap).windows(text)
    seen: set[tuple[int, int]] = set()
    for window in windows:
        assert len(window.ids) == len(window.offsets) <= longest
        assert (window.ids[0], window.ids[-1]) == (2, 3)
        seen.update(window.offsets[1:-1])
    at, expected = 0, set()
    for word in words:
        expected.add((at, at + len(word)))
        at += len(word) + 1
    assert seen == expected
    for before, after in itertools.pairwise(windows):
        shared = set(before.offsets[1:-1]) & set(after.offsets[1:-1])
        assert len(shared) >= overlap
        assert len(before.ids) == len(after.ids) == longest


def test_a_window_that_never_moves_on_is_an_error(file: Path) -> None:
    with pytest.raises(ManifestError, match="overlap"):
        Windower(file, longest=16, overlap=14)


def test_what_is_no_tokeniser_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(ManifestError, match=r"t\.json: is not a tokeniser"):
        Windower(tmp_path / "t.json", longest=16, overlap=4)
