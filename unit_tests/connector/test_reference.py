"""The supporting streams: rows by a date, and lists, in one piece or many pages."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from polygon_sandbox import Fault, Sandbox, World

from unit_tests.connector.syncing import KEYS, Syncs

Clock = Callable[[str], None]
PATHS = {"short_volume": "/stocks/v1/short-volume", "short_interest": "/stocks/v1/short-interest"}
FIELD = {"short_volume": "date", "short_interest": "settlement_date"}


def keyed(stream: str, rows: list[Any]) -> dict[tuple[Any, ...], Any]:
    return {tuple(row[field] for field in KEYS[stream]): row for row in rows}


def dated(world: World, stream: str, start: str = "2026-11-02") -> dict[tuple[Any, ...], Any]:
    rows, today = world.dataset(PATHS[stream]).rows(), str(world.today)
    return keyed(stream, [plain(row) for row in rows if start <= row[FIELD[stream]] <= today])


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def events(world: World, stream: str, start: str = "2026-11-02") -> dict[tuple[Any, ...], Any]:
    by, rows = {
        "splits": ("execution_date", world.splits_with_factors()),
        "dividends": ("ex_dividend_date", world.dividends_with_factors()),
    }[stream]
    return keyed(stream, [row for row in rows if row[by] >= start])


@pytest.mark.parametrize("stream", ["splits", "dividends"])
@pytest.mark.parametrize("start", ["2026-11-02", "2022-01-03"])
def test_all_events_come_the_announced_ones_too(
    syncs: Syncs, world: World, stream: str, start: str
) -> None:
    syncs.read(stream, start_date=start)
    assert syncs.tables[stream] == events(world, stream, start)
    dates = {
        row.get("execution_date") or row["ex_dividend_date"]
        for row in events(world, stream, start).values()
    }
    assert max(dates) > "2026-11-20"


@pytest.mark.parametrize("stream", ["splits", "dividends"])
def test_an_event_changes_the_factors_of_older_rows(
    syncs: Syncs, world: World, clock: Clock, stream: str
) -> None:
    """Whatever syncs there were, the table equals the vendor's own answer."""
    start = "2020-01-02"
    # A company that pays, and so was listed two years ago.
    listed = {row["ticker"] for row in world.tickers("stocks", active=True)}
    ticker = next(row["ticker"] for row in world.dividends() if row["ticker"] in listed)
    world.add_split(ticker, date(2026, 1, 5), 1, 3)
    syncs.read(stream, start_date=start)
    before = dict(syncs.tables[stream])
    for day in (date(2026, 11, 5), date(2026, 11, 23), date(2026, 12, 24)):
        world.add_split(ticker, day, 1, 2)
        world.add_dividend(ticker, day, 0.25)
    for now in ("2026-11-22T12:00:00Z", "2026-11-24T12:00:00Z"):
        world.advance(to=now)
        clock(now)
        syncs.read(stream, start_date=start)
        assert syncs.tables[stream] == events(world, stream, start)
    factor = "historical_adjustment_factor"
    assert any(before[key][factor] != syncs.tables[stream][key][factor] for key in before)


def test_a_full_list_costs_a_request_for_5000_rows(syncs: Syncs, world: World) -> None:
    syncs.read("dividends", start_date="2003-01-02")
    assert [request.query["limit"] for request in syncs.sandbox.requests] == ["5000"]


def test_an_end_date_bounds_the_events(syncs: Syncs, world: World) -> None:
    syncs.read("dividends", start_date="2025-01-02", end_date="2025-12-31")
    assert syncs.tables["dividends"] == {
        key: row
        for key, row in events(world, "dividends", "2025-01-02").items()
        if row["ex_dividend_date"] <= "2025-12-31"
    }


def test_a_state_of_the_version_that_read_by_date_is_named(syncs: Syncs, world: World) -> None:
    lane = {"partition": {}, "cursor": {"execution_date": "2026-11-19"}}
    syncs.set_state("splits", {"states": [lane]})
    output = syncs.read("splits", start_date="2024-01-02")
    assert "splits: the saved state is that of an earlier version" in output.text
    assert syncs.tables["splits"] == events(world, "splits", "2024-01-02")
    assert "earlier version" not in syncs.read("splits", start_date="2024-01-02").text


@pytest.mark.parametrize("stream", PATHS)
def test_dated_rows_come_from_the_start_date_on(syncs: Syncs, world: World, stream: str) -> None:
    output = syncs.read(stream)
    assert syncs.tables[stream] == dated(world, stream)
    assert len(syncs.tables[stream]) > 20
    (lane,) = output.states(stream)[-1]["states"]
    assert lane == {"partition": {}, "cursor": {FIELD[stream]: "2026-11-20"}}


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("stream", PATHS)
def test_late_and_corrected_rows_within_the_lookback_are_read_again(
    syncs: Syncs, world: World, clock: Clock, stream: str
) -> None:
    syncs.read(stream)
    rows = world.dataset(PATHS[stream])
    old = next(row for row in rows.rows() if row[FIELD[stream]] == "2026-11-16")
    rows.change({name: old[name] for name in KEYS[stream]}, ticker="LATER")
    rows.insert(**{FIELD[stream]: "2026-11-13", "ticker": "LATE"})
    rows.insert(**{FIELD[stream]: "2026-12-24", "ticker": "AHEAD"})
    world.advance(to="2026-11-24T12:00:00Z")
    clock("2026-11-24T12:00:00Z")
    syncs.sandbox.clear_requests()
    output = syncs.read(stream)
    now = dated(world, stream)
    assert {key: syncs.tables[stream].get(key) for key in now} == now
    first = min(request.query[f"{FIELD[stream]}.gte"] for request in syncs.sandbox.requests)
    assert first == {"short_volume": "2026-11-10", "short_interest": "2026-11-02"}[stream]
    # A row dated next month does not move the state there, and comes when its day has.
    (lane,) = output.states(stream)[-1]["states"]
    assert lane["cursor"] == {FIELD[stream]: "2026-11-24"}
    assert ("AHEAD", "2026-12-24") not in syncs.tables[stream]
    world.advance(to="2026-12-28T12:00:00Z")
    clock("2026-12-28T12:00:00Z")
    syncs.read(stream)
    assert ("AHEAD", "2026-12-24") in syncs.tables[stream]


@pytest.mark.usefixtures("both_ways")
def test_an_interrupted_backfill_resumes_from_any_state(
    syncs: Syncs, world: World, naps: list[float]
) -> None:
    # Many windows: those that end out of order share a state.
    start = "2025-11-03"
    whole = syncs.read("short_volume", start_date=start, num_workers=4)
    expected = dated(world, "short_volume", start)
    cuts = [n for n, message in enumerate(whole.messages, 1) if message["type"] == "STATE"]
    assert len(cuts) > 5
    for cut in [*cuts[:: len(cuts) // 5], cuts[-1]]:
        resumed = Syncs(syncs.sandbox)
        resumed.load(whole.messages[:cut])
        resumed.read("short_volume", start_date=start)
        assert resumed.tables["short_volume"] == expected


def test_a_state_from_the_future_reads_nothing(syncs: Syncs) -> None:
    syncs.set_state("short_volume", {"date": "2999-01-01"})
    output = syncs.read("short_volume")
    assert output.records("short_volume") == []
    assert "lies in the future" in output.text


def test_lists_in_one_piece(syncs: Syncs, world: World) -> None:
    syncs.read("exchanges", "ticker_types", "market_holidays")
    assert list(syncs.tables["exchanges"].values()) == world.exchanges()
    assert list(syncs.tables["ticker_types"].values()) == world.ticker_types()
    assert list(syncs.tables["market_holidays"].values()) == world.holidays()


@pytest.mark.usefixtures("both_ways")
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
