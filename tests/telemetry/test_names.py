from __future__ import annotations

import re
from itertools import pairwise

import pytest

from lockgate.telemetry import names
from lockgate.telemetry.names import INSTRUMENTS, Instrument
from pages import text_of

SAID = {name: value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}


def test_no_two_names_are_the_same() -> None:
    assert len(set(SAID.values())) == len(SAID) > 40
    assert len({i.prometheus for i in INSTRUMENTS}) == len({i.name for i in INSTRUMENTS}) == len(INSTRUMENTS)


def test_every_instrument_is_listed() -> None:
    assert set(INSTRUMENTS) == {value for value in vars(names).values() if isinstance(value, Instrument)}


@pytest.mark.parametrize("name", [*SAID.values(), *(i.name for i in INSTRUMENTS)])
def test_a_name_is_ours_or_the_conventions(name: str) -> None:
    assert name == names.SCOPE or re.fullmatch(r"(lockgate|gen_ai|http|url|server|error)\.[a-z_.]+", name)


def test_the_page_has_every_name() -> None:
    page = text_of("docs/telemetry.md")
    wanted = [*SAID.values(), *(i.name for i in INSTRUMENTS), *(i.prometheus for i in INSTRUMENTS)]
    assert [name for name in wanted if f"`{name}`" not in page and name != names.SCOPE] == []


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda i: i.name)
def test_an_instrument_is_well_made(instrument: Instrument) -> None:
    assert (instrument.kind == "histogram") == bool(instrument.bounds)
    assert all(low < high for low, high in pairwise(instrument.bounds))
    assert len(set(instrument.labels)) == len(instrument.labels)
    assert instrument.help.endswith((".", "always 1."))
    assert re.fullmatch(r"[a-z][a-z_]*", instrument.prometheus)
    assert instrument.prometheus.endswith("_total") == (instrument.kind == "counter")


def test_the_conventions_own_borders() -> None:
    assert names.OPERATION_SECONDS[:4] == (0.01, 0.02, 0.04, 0.08)
    assert names.OPERATION_SECONDS[-1] == pytest.approx(81.92)
    assert (names.TOKENS[0], names.TOKENS[-1]) == (1, 67108864)


def test_names_in_prometheuss_spelling() -> None:
    assert names.STATION.prometheus == "lockgate_station_duration_seconds"
    assert names.EXCHANGES.prometheus == "lockgate_exchanges_total"
    assert names.STREAM_HELD.prometheus == "lockgate_stream_held_characters"
    assert names.TOKEN_USAGE.prometheus == "gen_ai_client_token_usage"
    assert names.OPERATION_DURATION.prometheus == "gen_ai_client_operation_duration_seconds"
