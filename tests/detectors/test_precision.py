"""Nothing is found in ordinary code and logs: some 350,000 characters of them. The bar for secrets is none at all, for
personal data none but the addresses of hosts and people that do stand there."""

from __future__ import annotations

import pytest

from corpora import PERSONAL, corpora
from lockgate.detectors.pii import PiiConfig
from lockgate.detectors.pii import build as build_pii
from lockgate.detectors.secrets import SecretsConfig
from lockgate.detectors.secrets import build as build_secrets
from looking import Looker

SECRETS = Looker(build_secrets(SecretsConfig()))
PII = Looker(build_pii(PiiConfig()))
ABROAD = Looker(build_pii(PiiConfig(kinds=("PHONE_NUMBER",), phone_regions=("US", "GB", "DE", "FR"))))

CORPORA = dict(corpora())


@pytest.mark.parametrize("name", CORPORA)
def test_no_secret(name: str) -> None:
    assert SECRETS(CORPORA[name]) == []


@pytest.mark.parametrize("name", CORPORA)
def test_no_personal_data_but_what_is_there(name: str) -> None:
    expected = PERSONAL.get(name, set())
    found = PII(CORPORA[name])
    assert [(label, value) for label, value in found if label not in expected] == []
    assert {label for label, _ in found} == expected


@pytest.mark.parametrize("name", CORPORA)
def test_no_telephone_of_other_countries(name: str) -> None:
    """Five bytes without a letter, the first below ten, are a French number by its form, and three of them are there.
    In the papers of an office a product's code, a company's and a customer's number that begin with 0 are German ones."""
    assert len(ABROAD(CORPORA[name])) <= {"hex_dump": 3, "office.txt": 3}.get(name, 0)


def test_there_is_much_of_many_kinds() -> None:
    assert sum(map(len, CORPORA.values())) > 300_000
    assert len(CORPORA) > 30
    assert PERSONAL.keys() <= CORPORA.keys()
