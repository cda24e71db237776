"""The supporting streams: dated events by windows, and lists in one piece."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from polygon_sandbox import Fault, Sandbox, World
from syncing import Syncs

Clock = Callable[[str], None]
FIELD = {"splits": "execution_date", "dividends": "ex_dividend_date"}


def events(world: World, stream: str, start: str = "2026-11-02") -> dict[tuple[str], Any]:
    rows = world.splits() if stream == "splits" else world.dividends()
    return {(row["id"],): row for row in rows if row[FIELD[stream]] >= start}


@pytest.mark.parametrize("stream", ["splits", "dividends"])
@pytest.mark.parametrize("start", ["2026-11-02", "2022-01-03"])
def test_all_events_come_the_announced_ones_too(
    syncs: Syncs, world: World, stream: str, start: str
) -> None:
    output = syncs.read(stream, start_date=start)
    expected = events(world, stream, start)
    assert syncs.tables[stream] == expected
    assert max(row[FIELD[stream]] for row in expected.values()) > "2026-11-20"
    (lane,) = output.states(stream)[-1]["states"]
    assert lane == {"partition": {}, "cursor": {FIELD[stream]: "2026-11-20"}}


@pytest.mark.parametrize("stream", ["splits", "dividends"])
def test_a_future_event_does_not_freeze_the_stream(
    syncs: Syncs, world: World, clock: Clock, stream: str
) -> None:
    syncs.read(stream)
    ticker = world.tickers("stocks", active=True)[0]["ticker"]
    for day in (date(2026, 11, 5), date(2026, 12, 24)):
        world.add_split(ticker, day, 1, 2)
        world.add_dividend(ticker, day, 0.25)
    world.advance(to="2026-11-24T12:00:00Z")
    clock("2026-11-24T12:00:00Z")
    syncs.sandbox.clear_requests()
    syncs.read(stream)
    assert syncs.tables[stream] == events(world, stream)
    assert syncs.sandbox.requests[0].query[f"{FIELD[stream]}.gte"] == "2026-11-02"


def test_an_interrupted_backfill_resumes_from_any_state(syncs: Syncs, world: World) -> None:
    # Many windows: those that end out of order share a state.
    whole = syncs.read("dividends", start_date="2012-01-02", num_workers=4)
    expected = events(world, "dividends", "2012-01-02")
    cuts = [n for n, message in enumerate(whole.messages, 1) if message["type"] == "STATE"]
    assert len(cuts) > 5
    for cut in [*cuts[:: len(cuts) // 5], cuts[-1]]:
        resumed = Syncs(syncs.sandbox)
        resumed.load(whole.messages[:cut])
        resumed.read("dividends", start_date="2012-01-02")
        assert resumed.tables["dividends"] == expected


def test_an_end_date_bounds_the_events(syncs: Syncs, world: World) -> None:
    syncs.read("dividends", start_date="2025-01-02", end_date="2025-12-31")
    assert syncs.tables["dividends"] == {
        key: row
        for key, row in events(world, "dividends", "2025-01-02").items()
        if row["ex_dividend_date"] <= "2025-12-31"
    }


def test_a_state_from_the_future_reads_nothing(syncs: Syncs) -> None:
    syncs.set_state("splits", {"execution_date": "2999-01-01"})
    output = syncs.read("splits")
    assert output.records("splits") == []
    assert "lies in the future" in output.text


def test_lists_in_one_piece(syncs: Syncs, world: World) -> None:
    syncs.read("exchanges", "ticker_types", "market_holidays")
    assert list(syncs.tables["exchanges"].values()) == world.exchanges()
    assert list(syncs.tables["ticker_types"].values()) == world.ticker_types()
    assert list(syncs.tables["market_holidays"].values()) == world.holidays()


@pytest.mark.parametrize("stream", ["exchanges", "market_holidays"])
@pytest.mark.parametrize("fault", [Fault.truncated_json, Fault.html])
def test_a_broken_list_is_never_an_empty_one(
    syncs: Syncs, sandbox: Sandbox, naps: list[float], stream: str, fault: Callable[..., Fault]
) -> None:
    sandbox.faults.add(fault(path="/v", times=None))
    output = syncs.read(stream, expect_failure=True)
    assert output.status(stream) == "INCOMPLETE"
    assert "transient_error" in output.failure_types
    assert len(sandbox.requests) == 6
