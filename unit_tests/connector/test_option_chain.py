"""Option chains: one full reading a day of each underlying, whatever happens in between."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from polygon_sandbox import Fault, OptionsSize, Sandbox, World
from source_polygon import SourcePolygon
from source_polygon.engine.output import in_pages, page_of

from unit_tests.connector.cloud_syncing import CloudSyncs
from unit_tests.connector.syncing import Row, Syncs, catalog

LOGGER = logging.getLogger("airbyte")

NOW, LATER = "2026-11-20T22:30:00Z", "2026-11-21T03:30:00Z"  # one day in New York
TUESDAY, FRIDAY = "2026-11-24T22:30:00Z", "2026-11-27T22:30:00Z"
STREAM = "option_chain"
CONFIG: dict[str, Any] = {"symbols": ["AAPL", "X:BTCUSD", "MSFT"]}


@pytest.fixture
def world() -> World:
    size = OptionsSize(weeks=1, strikes=15)  # 270 live contracts: two pages
    return World(seed=7, stocks=9, delisted=0, otc=0, crypto=0, fx=0, now=NOW, options=size)


@pytest.fixture(params=[Syncs, CloudSyncs])
def either(request: pytest.FixtureRequest, sandbox: Sandbox, clock: Callable[[str], None]) -> Syncs:
    """A connection of the Docker edition, and one of the Cloud edition."""
    syncs: Syncs = request.param(sandbox)
    return syncs


def reading(world: World, day: str, *symbols: str) -> list[Row]:
    """Return the rows that a reading of some chains makes."""
    return [
        {"snapshot_date": day, "ticker": row["details"]["ticker"], **row}
        for symbol in symbols
        for row in world.option_chain(symbol)
    ]


def keyed(rows: list[Row]) -> dict[tuple[Any, ...], Row]:
    return {(row["snapshot_date"], row["ticker"]): row for row in rows}


def test_one_reading_a_day_of_each_symbol(
    either: Syncs, world: World, clock: Callable[[str], None]
) -> None:
    either.read(STREAM, **CONFIG)
    friday = keyed(reading(world, "2026-11-20", "AAPL", "MSFT"))
    assert len(friday) > 500
    assert either.tables[STREAM] == friday
    world.advance(LATER)
    clock(LATER)
    assert keyed(reading(world, "2026-11-20", "AAPL", "MSFT")) != friday
    either.sandbox.clear_requests()
    assert either.read(STREAM, **CONFIG).records(STREAM) == []
    assert either.paths() == []
    # A symbol added on the same day has a reading of its own.
    either.read(STREAM, symbols=["AAPL", "A"])
    friday |= keyed(reading(world, "2026-11-20", "A"))
    assert either.tables[STREAM] == friday
    world.advance(TUESDAY)
    clock(TUESDAY)
    output = either.read(STREAM, **CONFIG)
    assert either.tables[STREAM] == friday | keyed(reading(world, "2026-11-24", "AAPL", "MSFT"))
    if not isinstance(either, CloudSyncs):
        said = "no complete reading on 1 trading days, 2026-11-23. The vendor keeps no history"
        assert f"option_chain AAPL: {said}" in output.text


@pytest.mark.usefixtures("both_ways")
def test_a_chain_leaves_as_it_is_read(syncs: Syncs, world: World) -> None:
    output = syncs.read(STREAM, **CONFIG)
    assert keyed(output.records(STREAM)) == keyed(reading(world, "2026-11-20", "AAPL", "MSFT"))
    assert output.states(STREAM)[-1] == {
        "states": [
            {"partition": {"symbol": symbol}, "cursor": {"snapshot_date": "2026-11-20"}}
            for symbol in ("AAPL", "MSFT")
        ]
    }
    assert len([path for path in syncs.paths() if path.endswith("AAPL")]) == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.truncated_json, "no usable answer"),
        (Fault.not_authorized_200, "refuse"),
        (Fault.cut_body, ""),
    ],
)
def test_a_reading_that_breaks_off_is_taken_anew(
    either: Syncs, sandbox: Sandbox, world: World, naps: list[float], fault: Any, words: str
) -> None:
    sandbox.faults.add(fault(path="options/MSFT.*cursor", times=None))
    output = either.read(STREAM, expect_failure=True, **CONFIG)
    assert output.status(STREAM) == "INCOMPLETE"
    assert words in output.text or "does not cover" in output.text
    assert {row["underlying_asset"]["ticker"] for row in either.tables[STREAM].values()} >= {"AAPL"}
    sandbox.faults.clear()
    sandbox.clear_requests()
    either.read(STREAM, **CONFIG)
    assert {path.rpartition("/")[2] for path in either.paths()} == {"MSFT"}
    assert either.tables[STREAM] == keyed(reading(world, "2026-11-20", "AAPL", "MSFT"))


def test_no_chain_is_asked_for_again_and_then_for_the_next_sync(
    either: Syncs, sandbox: Sandbox, naps: list[float]
) -> None:
    output = either.read(STREAM, symbols=["NOTATICKER"])
    assert output.status(STREAM) == "COMPLETE"
    assert output.records(STREAM) == []
    assert "believed now" in output.text
    assert len(either.paths()) == 4
    either.read(STREAM, symbols=["NOTATICKER"])
    if not isinstance(either, CloudSyncs):  # which takes an empty reading for one
        assert len(either.paths()) == 8


def test_numbers_keep_their_digits(syncs: Syncs, sandbox: Sandbox) -> None:
    row = '{"details":{"ticker":"O:A1"},"open_interest":1.50,"day":{},"greeks":null}'
    body = f'{{"status":"OK","results":[{row}]}}'
    sandbox.faults.add(Fault.status(200, body, path="/v3/snapshot/options/A", times=None))
    config, chosen = syncs.config(symbols=["A"]), catalog(STREAM)
    source = SourcePolygon(chosen, config, output=in_pages)
    pages = [page_of(message) for message in source.read(LOGGER, config, chosen)]
    (lines,) = [page.lines for page in pages if page]
    kept = b'"ticker":"O:A1","details":{"ticker":"O:A1"},"open_interest":1.50,"day":{}}'
    assert b'"data":{"snapshot_date":"2026-11-20",' + kept in lines


@pytest.mark.parametrize("details", ["null", "[]", "{}", '{"ticker":7}'])
def test_a_contract_without_its_symbol_is_an_error(
    syncs: Syncs, sandbox: Sandbox, details: str
) -> None:
    body = f'{{"status":"OK","results":[{{"details":{details}}}]}}'
    sandbox.faults.add(Fault.status(200, body, path="/v3/snapshot/options/A", times=None))
    output = syncs.read(STREAM, symbols=["A"], expect_failure=True)
    assert "a contract of A has no ticker" in output.text or "A row has no details" in output.text
    assert "system_error" in output.failure_types
    assert output.status(STREAM) == "INCOMPLETE"
    assert output.records(STREAM) == []
