"""Bars of single symbols: complete to the bar, each symbol with a place of its own."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from polygon_sandbox import Plan, Sandbox, World

from unit_tests.connector.syncing import Row, Syncs
from unit_tests.connector.true_bars import (
    NEW_YORK,
    SETTLED,
    UTC,
    day_bars,
    milliseconds,
    moment,
    short_bars,
    without_start,
)

Clock = Callable[[str], None]


def test_bars_of_any_market_are_complete_and_as_the_vendor_has_them(clock: Clock) -> None:
    now = "2026-11-20T07:40:00Z"
    world = World(seed=7, stocks=5, delisted=0, otc=0, crypto=2, fx=2, indices=2, now=now)
    clock(now)
    indices, fx = (world.tickers(market)[0]["ticker"] for market in ("indices", "fx"))
    symbols = ["AAPL", "O:SPY261218C00650000", indices, "X:BTCUSD", fx]
    with Sandbox(world, Plan.unlimited()) as sandbox:
        syncs = Syncs(sandbox)
        syncs.read("bars", symbols=symbols, bar_sizes=["20 minute"], start_date="2026-11-20")
    expected: dict[Any, Row] = {}
    over = datetime(2026, 11, 20, 7, 25, tzinfo=UTC)
    for symbol in symbols:
        zone = UTC if symbol[:2] in ("X:", "C:") else NEW_YORK
        expected |= short_bars(world, symbol, 20, moment("2026-11-20", zone), over)
    assert len(expected) == 3 * 7 + 2 * 22
    assert syncs.tables["bars"] == expected


@pytest.mark.usefixtures("both_ways")
def test_bars_of_days_are_those_of_grouped_daily(syncs: Syncs, world: World, stock: str) -> None:
    syncs.read("bars", symbols=[stock], start_date="2026-06-01")
    # Friday is over in New York at midnight.
    expected = day_bars(world, stock, "2026-06-01", "2026-11-19")
    assert without_start(syncs.tables["bars"].values()) == expected
    assert len(expected) > 100
    assert len(syncs.sandbox.requests) == 1
    first = min(key[2] for key in syncs.tables["bars"])
    assert first == "2026-06-01T04:00:00.000Z"


@pytest.mark.parametrize(
    ("now", "start", "symbol"),
    [
        ("2026-11-02T12:00:00Z", "2026-11-01", "AAPL"),
        ("2026-03-09T12:00:00Z", "2026-03-08", "AAPL"),
        ("2026-11-02T12:00:00Z", "2026-11-01", "X:BTCUSD"),
    ],
)
def test_no_bar_is_missing_or_doubled_where_the_clock_is_changed(
    clock: Clock, now: str, start: str, symbol: str
) -> None:
    world = World(seed=7, stocks=5, delisted=0, otc=0, crypto=2, fx=0, indices=0, now=now)
    clock(now)
    with Sandbox(world, Plan.unlimited()) as sandbox:
        syncs = Syncs(sandbox)
        output = syncs.read("bars", symbols=[symbol], bar_sizes=["1 hour"], start_date=start)
    begins = moment(start, UTC if symbol[0:2] == "X:" else NEW_YORK)
    over = datetime.fromisoformat(now.replace("Z", "+00:00")) - SETTLED
    hours = int((over - begins) / timedelta(hours=1))
    starts = [row["timestamp"] for row in output.records("bars")]
    assert starts == [milliseconds(begins) + 3_600_000 * n for n in range(hours)]


def test_a_half_day_has_all_its_bars(syncs: Syncs, world: World, stock: str, clock: Clock) -> None:
    """The Friday after Thanksgiving, on which New York closes at 13:00."""
    world.advance(to="2026-11-28T12:00:00Z")
    clock("2026-11-28T12:00:00Z")
    read: dict[str, Any] = {
        "start_date": "2026-11-27",
        "end_date": "2026-11-27",
        "symbols": [stock],
    }
    syncs.read("bars", bar_sizes=["15 minute", "1 day"], **read)
    day = moment("2026-11-27"), moment("2026-11-28")
    quarters = short_bars(world, stock, 15, *day)
    assert len(quarters) == 96
    assert quarters.items() <= syncs.tables["bars"].items()
    rest = [row for key, row in syncs.tables["bars"].items() if key not in quarters]
    assert without_start(rest) == day_bars(world, stock, "2026-11-27", "2026-11-27")


def test_longer_bars_are_whole(syncs: Syncs, world: World, stock: str) -> None:
    sizes = ["1 week", "1 month", "1 quarter", "3 day"]
    syncs.read("bars", symbols=[stock], bar_sizes=sizes, start_date="2026-01-15")
    starts = {
        size: sorted(key[2][:10] for key in syncs.tables["bars"] if key[1] == size)
        for size in sizes
    }
    # Sundays; the first bar is the first that starts from the start date on.
    assert (starts["1 week"][0], starts["1 week"][-1]) == ("2026-01-18", "2026-11-08")
    assert len(starts["1 week"]) == 43
    assert starts["1 month"] == [f"2026-{month:02d}-01" for month in range(2, 11)]
    assert starts["1 quarter"] == ["2026-04-01", "2026-07-01"]
    ordinals = [date.fromisoformat(day).toordinal() for day in starts["3 day"]]
    assert {ordinal % 3 for ordinal in ordinals} == {0}
    october = next(r for k, r in syncs.tables["bars"].items() if k[1:] == ("1 month", OCTOBER))
    days = day_bars(world, stock, "2026-10-01", "2026-10-31")
    assert october["high"] == max(day["high"] for day in days)
    assert (october["open"], october["close"]) == (days[0]["open"], days[-1]["close"])


OCTOBER = "2026-10-01T04:00:00.000Z"


def test_a_bar_that_is_open_comes_with_the_next_sync(
    syncs: Syncs, world: World, stock: str, clock: Clock
) -> None:
    read: dict[str, Any] = {
        "symbols": [stock],
        "bar_sizes": ["1 day", "1 hour"],
        "start_date": "2026-11-20",
    }
    syncs.read("bars", **read)
    last = max(key[2] for key in syncs.tables["bars"] if key[1] == "1 hour")
    assert last == "2026-11-20T21:00:00.000Z"
    assert not [key for key in syncs.tables["bars"] if key[1] == "1 day"]
    world.advance(to="2026-11-21T05:20:00Z")
    clock("2026-11-21T05:20:00Z")
    syncs.read("bars", **read)
    day = [row for key, row in syncs.tables["bars"].items() if key[1] == "1 day"]
    assert without_start(day) == day_bars(world, stock, "2026-11-20", "2026-11-20")
    last = max(key[2] for key in syncs.tables["bars"] if key[1] == "1 hour")
    assert last == "2026-11-21T04:00:00.000Z"


def test_the_table_is_true_after_any_syncs(
    syncs: Syncs, world: World, stock: str, clock: Clock
) -> None:
    start = "2026-10-01"
    for now in ("2026-11-20T23:00:00Z", "2026-11-23T18:00:00Z", "2026-11-25T03:00:00Z"):
        syncs.read("bars", symbols=[stock], start_date=start)
        for session in world.sessions("stocks", date(2026, 11, 17), date(2026, 11, 20)):
            world.correct("stocks", session, stock)
        world.advance(to=now)
        clock(now)
    syncs.sandbox.clear_requests()
    syncs.read("bars", symbols=[stock], start_date=start)
    truth = day_bars(world, stock, start, "2026-11-23")
    assert sorted(without_start(syncs.tables["bars"].values()), key=str) == sorted(truth, key=str)
    # Five sessions before the day of the checkpoint, and that day.
    (request,) = syncs.sandbox.requests
    assert int(request.path.split("/")[-2]) == milliseconds(moment("2026-11-16"))


def test_a_symbol_that_is_added_gets_its_history_and_one_taken_out_keeps_its_place(
    syncs: Syncs, world: World, clock: Clock
) -> None:
    first, second = (str(row["ticker"]) for row in world.tickers("stocks")[:2])
    start = "2026-10-01"
    syncs.read("bars", symbols=[first], start_date=start)
    world.advance(to="2026-11-24T12:00:00Z")
    clock("2026-11-24T12:00:00Z")
    output = syncs.read("bars", symbols=[second], start_date=start)
    rows = without_start(output.records("bars"))
    assert rows == day_bars(world, second, start, "2026-11-23")
    places = {
        entry["partition"]["symbol"]: entry["cursor"]["window_start"]
        for entry in output.states("bars")[-1]["states"]
    }
    assert places == {first: "2026-11-19T22:15:00.000Z", second: "2026-11-23T11:45:00.000Z"}
    output = syncs.read("bars", symbols=[first, second], start_date=start)
    rows = [r for r in without_start(output.records("bars")) if r["ticker"] == first]
    assert rows == day_bars(world, first, "2026-11-12", "2026-11-23")
