from __future__ import annotations

import re

import pytest

import pages
from lockgate.exchange import KINDS, ROLES
from lockgate.wire import responses_fields as fields


def test_every_role_and_kind_is_one_of_ours() -> None:
    assert {how.role for how in fields.How} <= {*ROLES}
    assert {how.kind for how in fields.How} <= {*KINDS}


@pytest.mark.parametrize("name", list(fields.BESIDE))
def test_what_is_never_read_is_in_the_docs(name: str) -> None:
    rows = [row for row in pages.text_of("docs/audit.md").splitlines() if row.startswith(f"| `{name}` |")]
    said = {place: row.split(" | ")[2].removesuffix(" |") for row in rows for place in re.findall(r"`(/[^`]*)`", row)}
    assert said == fields.BESIDE[name]


def test_the_tables_are_apart() -> None:
    assert not fields.REQUEST_PLAIN & fields.REQUEST_TEXT
    assert not fields.ANSWER_PLAIN.keys() & fields.ANSWER_TEXT
    assert not fields.PARTS.keys() & fields.MEDIA.keys()
