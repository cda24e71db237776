"""Option contracts: both lists of each underlying, whatever happens between two syncs."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from polygon_sandbox import Fault, OptionsSize, Sandbox, World

from unit_tests.connector.syncing import Row, Syncs

NOW = "2026-11-20T22:30:00Z"
STREAM = "option_contracts"
FRIDAY = date(2026, 11, 20)


@pytest.fixture
def world() -> World:
    size = OptionsSize(weeks=6, strikes=3)
    return World(seed=7, stocks=30, delisted=0, otc=0, crypto=0, fx=0, now=NOW, options=size)


def contracts(world: World, *symbols: str, start: str = "") -> list[Row]:
    """Return all contracts of some underlyings that have not expired before a day, by ticker."""
    rows = [
        row
        for symbol in symbols
        for gone in (False, True)
        for row in world.option_contracts(symbol, gone)
        if row["expiration_date"] >= start
    ]
    return sorted(rows, key=lambda row: str(row["ticker"]))


def table(syncs: Syncs) -> list[Row]:
    return [row for _, row in sorted(syncs.tables[STREAM].items())]


def asked(syncs: Syncs) -> list[tuple[str, str, str]]:
    """Return symbol, list and first date of each request."""
    found = [request.query for request in syncs.sandbox.requests if "cursor" not in request.query]
    return sorted((q["underlying_ticker"], q["expired"], q["expiration_date.gte"]) for q in found)


@pytest.mark.usefixtures("both_ways")
def test_live_and_expired_contracts_since_the_start_date(syncs: Syncs, world: World) -> None:
    config: Row = {"symbols": ["AAPL", "X:BTCUSD", "MSFT"], "start_date": "2026-11-01"}
    output = syncs.read(STREAM, **config)
    wanted = contracts(world, "AAPL", "MSFT", start="2026-11-01")
    assert {"2026-11-06", "2026-11-13", "2026-11-20"} < {row["expiration_date"] for row in wanted}
    assert table(syncs) == wanted
    assert len(output.records(STREAM)) == len(wanted)
    assert output.states(STREAM)[-1] == {
        "states": [
            {"partition": {"symbol": symbol}, "cursor": {"expiration_date": "2026-11-19"}}
            for symbol in ("AAPL", "MSFT")
        ]
    }
    assert asked(syncs) == [
        (symbol, expired, "2026-11-01")
        for symbol in ("AAPL", "MSFT")
        for expired in ("false", "true")
    ]


def test_what_expires_is_listed_late_or_comes_new_is_there_after_the_next_sync(
    syncs: Syncs, world: World, clock: Callable[[str], None]
) -> None:
    config: Row = {"symbols": ["AAPL"], "start_date": "2026-10-01"}
    syncs.read(STREAM, **config)
    world.add_option("AAPL", FRIDAY, 1.5)
    world.add_option("AAPL", FRIDAY - timedelta(days=7), 2.5)
    world.add_option("AAPL", date(2028, 1, 21), 3.5)
    world.advance("2026-12-01T15:00:00Z")
    clock("2026-12-01T15:00:00Z")
    syncs.sandbox.clear_requests()
    syncs.read(STREAM, **config)
    assert table(syncs) == contracts(world, "AAPL", start="2026-10-01")
    assert asked(syncs) == [("AAPL", "false", "2026-10-01"), ("AAPL", "true", "2026-11-12")]


def test_a_symbol_added_later_gets_its_history_and_one_taken_out_keeps_its_place(
    syncs: Syncs, world: World
) -> None:
    config: Row = {"start_date": "2026-10-01"}
    syncs.read(STREAM, symbols=["AAPL"], **config)
    syncs.read(STREAM, symbols=["MSFT"], **config)
    assert table(syncs) == contracts(world, "AAPL", "MSFT", start="2026-10-01")
    syncs.sandbox.clear_requests()
    syncs.read(STREAM, symbols=["AAPL", "MSFT"], **config)
    assert {start for _, expired, start in asked(syncs) if expired == "true"} == {"2026-11-12"}


@pytest.mark.parametrize("before", ["true", "false"])
def test_a_contract_that_expires_between_the_two_readings_is_not_lost(
    syncs: Syncs, sandbox: Sandbox, world: World, clock: Callable[[str], None], before: str
) -> None:
    """Midnight in New York passes just before one of the lists is answered."""
    config: Row = {"symbols": ["AAPL"], "start_date": "2026-11-01"}
    wanted = contracts(world, "AAPL", start="2026-11-01")
    assert any(row["expiration_date"] == "2026-11-20" for row in wanted)

    def midnight(path: str, query: Mapping[str, str]) -> None:
        if query.get("expired") == before:
            world.advance("2026-11-21T05:00:30Z")

    sandbox.on_request(midnight)
    syncs.read(STREAM, **config)
    clock("2026-11-21T15:00:00Z")
    syncs.read(STREAM, **config)
    assert table(syncs) == wanted


def test_a_first_read_resumes_from_each_state(clock: Callable[[str], None]) -> None:
    """In windows of a year, of which a state holds up to which all is there."""
    size = OptionsSize(weeks=120, strikes=1)
    world = World(seed=7, stocks=9, delisted=0, otc=0, crypto=0, fx=0, now=NOW, options=size)
    config: Row = {"symbols": ["AAPL", "MSFT"], "start_date": "2024-08-05"}
    with Sandbox(world) as sandbox:
        states = Syncs(sandbox).read(STREAM, **config).states(STREAM)
        assert len(states) > 2
        for state in states:
            resumed = Syncs(sandbox)
            resumed.set_state(STREAM, state)
            done = {
                each["partition"]["symbol"]: each["cursor"]["expiration_date"]
                for each in state["states"]
            }
            resumed.read(STREAM, **config)
            there = {row["ticker"] for row in table(resumed)}
            for row in contracts(world, "AAPL", "MSFT", start="2024-08-05"):
                before = row["expiration_date"] <= done.get(row["underlying_ticker"], "")
                assert row["ticker"] in there or before


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("fault", [Fault.truncated_json, Fault.repeated_next_url])
def test_a_failure_leaves_the_state_where_the_data_is(
    syncs: Syncs, sandbox: Sandbox, world: World, naps: list[float], fault: Any
) -> None:
    config: Row = {"symbols": ["AAPL", "MSFT"], "start_date": "2026-10-01"}
    sandbox.faults.add(fault(path="expired=true.*MSFT|MSFT.*expired=true", times=None))
    output = syncs.read(STREAM, expect_failure=True, **config)
    assert output.status(STREAM) == "INCOMPLETE"
    last = output.states(STREAM)[-1]["states"]
    assert [state["partition"]["symbol"] for state in last] == ["AAPL"]
    sandbox.faults.clear()
    syncs.read(STREAM, **config)
    assert table(syncs) == contracts(world, "AAPL", "MSFT", start="2026-10-01")


def test_no_contracts_of_a_year_are_not_believed_at_once(
    syncs: Syncs, sandbox: Sandbox, world: World, naps: list[float]
) -> None:
    config: Row = {"symbols": ["AAPL"], "start_date": "2026-10-01"}
    sandbox.faults.add(Fault.no_results(path="expired=true", times=3))
    output = syncs.read(STREAM, **config)
    assert naps == [2, 4, 8]
    assert "has no contracts that expired from 2026-10-01 to 2026-11-20" in output.text
    assert table(syncs) == contracts(world, "AAPL", start="2026-10-01")


def test_a_state_ahead_of_today_reads_live_contracts_alone(syncs: Syncs, world: World) -> None:
    ahead = {"partition": {"symbol": "AAPL"}, "cursor": {"expiration_date": "2027-01-15"}}
    syncs.set_state(STREAM, {"states": [ahead]})
    output = syncs.read(STREAM, symbols=["AAPL"])
    assert f"{STREAM} AAPL: the saved state 2027-01-15 lies in the future" in output.text
    assert table(syncs) == world.option_contracts("AAPL")
    assert output.states(STREAM)[-1] == {"states": [ahead]}
