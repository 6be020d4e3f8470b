from __future__ import annotations

import json
from pathlib import Path

import pytest

from lockgate_models.labels import FORMS
from lockgate_models.train.mixture import rows_for


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_rows_of_ours(form: str, tmp_path: Path) -> None:
    family = {"family": "f", "labels": {"refusal": 1}, "prompt": "Do it.", "texts": ["No."]}
    (tmp_path / "a.jsonl").write_text(json.dumps(family))
    assert [row.text for row in rows_for(form, None, tmp_path)] == ["No."]
    assert list(rows_for(form, None, None)) == []
