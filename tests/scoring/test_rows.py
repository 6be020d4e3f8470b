from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

from lockgate.errors import SettingsError
from lockgate.scoring.rows import Bad, Row, read_rows, reading, row_of, writing


def read(data: bytes, longest: int = 1000) -> list[Row | Bad]:
    return list(read_rows(io.BufferedReader(io.BytesIO(data)), "some.jsonl", longest=longest))


def test_a_row_has_an_id_and_texts() -> None:
    said = {"id": "a", "prompt": "p", "response": None, "context": "", "label": 1}
    row = row_of(7, json.dumps(said).encode())
    assert row == Row(7, "a", {"prompt": "p", "context": ""}, said)


@pytest.mark.parametrize(
    ("raw", "key", "error"),
    [
        (b"nonsense", None, "the line is not JSON"),
        (b" \r\n", None, "the line is empty"),
        (b'{"id": "a", "text": "\xff"}', None, "the line is not UTF-8"),
        (b'{"id": "a", "text": "a\x00b"}', None, "the line is not JSON"),
        (b'{"id": "a", "text": "b", "label": NaN}', None, "the line is not JSON"),
        (b'{"id": "a", "text": "b", "label": ' + b"1" * 5000 + b"}", None, "the line is not JSON"),
        (b"[" * 100_000, None, "the line is not JSON"),
        (b'["a"]', None, "the row is no object"),
        (b'{"id": "a", "text": "b", "text": "c"}', None, "a key is there twice"),
        (b'{"text": "b"}', None, "id: is missing"),
        (b'{"id": null, "text": "b"}', None, "id: must be a string or an integer"),
        (b'{"id": true, "text": "b"}', None, "id: must be a string or an integer"),
        (b'{"id": 1.5, "text": "b"}', None, "id: must be a string or an integer"),
        (b'{"id": "a"}', "a", "the row has no text: none of text, prompt, response, context"),
        (b'{"id": "a", "text": null}', "a", "the row has no text: none of text, prompt, response, context"),
        (b'{"id": "a", "text": ["b"]}', "a", "text: must be a string"),
        (b'{"id": "a", "text": "b", "context": 3}', "a", "context: must be a string"),
    ],
)
def test_what_is_wrong_is_a_value(raw: bytes, key: str | None, error: str) -> None:
    assert row_of(3, raw) == Bad(3, key, error)


def test_what_is_odd_is_not_wrong() -> None:
    for text in ("", " ", "a\x00b", "\ud800", "\ufeff", "\u2028"):
        row = row_of(1, json.dumps({"id": 0, "text": text}).encode())
        assert isinstance(row, Row)
        assert row.texts == {"text": text}


def test_every_line_counts() -> None:
    found = read(b'\xef\xbb\xbf{"id":1,"text":"a"}\r\n\n{"id":1,"text":"b"}')
    assert [(row.line, row.id) for row in found] == [(1, 1), (2, None), (3, 1)]
    assert read(b"") == []


def test_a_line_that_is_too_long_is_passed_over() -> None:
    long = json.dumps({"id": 1, "text": "x" * 200_000}).encode()
    found = read(long + b'\n{"id":2,"text":"b"}\n' + long)
    assert [(row.line, row.id) for row in found] == [(1, None), (2, 2), (3, None)]
    assert isinstance(found[0], Bad)
    assert found[0].error == "the line has more than 1000 bytes"


def test_packed_files_are_known_by_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(gzip.compress(b'{"id":1,"text":"a"}\n'))
    with reading(path) as file:
        assert [row.id for row in read_rows(file, "rows")] == [1]


@pytest.mark.parametrize("cut", [slice(0, 40), slice(0, -1)])
def test_a_damaged_file_is_said_to_be_one(cut: slice) -> None:
    packed = gzip.compress(b"".join(b'{"id":%d,"text":"%d"}\n' % (i, i**9) for i in range(300)))[cut]
    with pytest.raises(SettingsError, match=r"^some.jsonl: the gzip file is damaged, or ends too early$"):
        read(packed)
    with pytest.raises(SettingsError, match="damaged"):
        read(packed[:30] + b"\xff" * 50)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be read"), reading(tmp_path / "none"):
        pass
    with pytest.raises(SettingsError, match="can't be written"), writing(tmp_path / "none" / "out"):
        pass


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_what_is_written_can_be_read(tmp_path: Path, name: str) -> None:
    with writing(tmp_path / name) as out:
        out.write(b'{"id":1,"text":"a"}\n')
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
    with reading(tmp_path / name) as file:
        assert [row.id for row in read_rows(file, name)] == [1]
