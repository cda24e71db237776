"""Bars of single symbols: complete to the bar, each symbol with a place of its own."""

import json
import tracemalloc
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from polygon_sandbox import Fault, Plan, Sandbox, World
from source_polygon import SourcePolygon
from source_polygon.engine import cursor
from source_polygon.engine.cdk import lane_cursor_of
from source_polygon.streams import bars

from unit_tests.connector.syncing import Row, Syncs, manifest_with

Clock = Callable[[str], None]
NOW = datetime(2026, 11, 20, 22, 30, tzinfo=timezone.utc)
SETTLED = timedelta(minutes=15)
NEW_YORK = ZoneInfo("America/New_York")
UTC = timezone.utc


def moment(day: str, zone: Any = NEW_YORK) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=zone)


def milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def short_bars(
    world: World, ticker: str, minutes: int, start: datetime, over: datetime
) -> dict[tuple[str, str, str], Row]:
    """Return what is true of bars of so many minutes that start then, and are over by `over`."""
    listed = not ticker.startswith("O:")
    last = milliseconds(over) - minutes * 60_000
    size = f"{minutes} minute" if minutes < 60 else f"{minutes // 60} hour"
    found = {}
    for bar in world.intraday(ticker, minutes * 60, milliseconds(start), last, listed=listed):
        row: Row = {
            "ticker": ticker,
            "bar_size": size,
            "otc": False,
            "timestamp": bar.start * 1000,
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": bar.volume,
            "vwap": bar.vwap,
            "transactions": bar.trades,
        }
        if ticker.startswith("I:"):
            row = {k: v for k, v in row.items() if k not in ("volume", "vwap", "transactions")}
        row["window_start"] = f"{datetime.fromtimestamp(bar.start, UTC):%Y-%m-%dT%H:%M:%S}.000Z"
        found[ticker, size, row["window_start"]] = row
    return found


def day_bars(world: World, ticker: str, first: str, last: str) -> list[Row]:
    """Return what is true of the bars of a stock from one day to another."""
    days = world.sessions("stocks", date.fromisoformat(first), date.fromisoformat(last))
    bars = [(day, world.daily_bar("stocks", ticker, day)) for day in days]
    return [
        {
            "ticker": ticker,
            "bar_size": "1 day",
            "otc": False,
            "open": bar["o"],
            "high": bar["h"],
            "low": bar["l"],
            "close": bar["c"],
            "volume": bar["v"],
            "timestamp": milliseconds(moment(str(day))),
            **({"vwap": bar["vw"], "transactions": bar["n"]} if "n" in bar else {}),
        }
        for day, bar in bars
        if bar
    ]


def without_start(rows: Any) -> list[Row]:
    return [{k: v for k, v in row.items() if k != "window_start"} for row in rows]


@pytest.fixture
def stock(world: World) -> str:
    return str(world.tickers("stocks")[0]["ticker"])


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


@pytest.fixture
def small_windows() -> Row:
    """Ask for days in windows of three weeks, so that a few months are many."""
    return manifest_with("bars", "partition_router", days_at_once=21)


@pytest.mark.usefixtures("both_ways")
def test_an_interrupted_read_resumes_from_any_state(
    syncs: Syncs, world: World, stock: str, small_windows: Row
) -> None:
    read: dict[str, Any] = {
        "symbols": [stock, "X:BTCUSD"],
        "start_date": "2026-06-01",
        "lookback_sessions": 0,
    }
    syncs.manifest = small_windows
    whole = syncs.read("bars", num_workers=4, **read)
    expected = syncs.tables["bars"]
    assert len(expected) > 250
    cuts = [n for n, message in enumerate(whole.messages, 1) if message["type"] == "STATE"]
    assert len(cuts) > 8
    for cut in cuts[:: len(cuts) // 3]:
        resumed = Syncs(syncs.sandbox, small_windows)
        resumed.load(whole.messages[:cut])
        resumed.read("bars", **read)
        assert resumed.tables["bars"] == expected


def test_a_market_that_never_rests_is_not_cut(syncs: Syncs, world: World) -> None:
    read: dict[str, Any] = {
        "symbols": ["X:BTCUSD"],
        "start_date": "2026-11-19",
        "end_date": "2026-11-19",
    }
    output = syncs.read("bars", bar_sizes=["30 second"], **read)
    begins = milliseconds(moment("2026-11-19", UTC))
    starts = [row["timestamp"] for row in output.records("bars")]
    assert sorted(starts) == [begins + 30_000 * n for n in range(2880)]
    # Half a day each.
    assert [request.status for request in syncs.sandbox.requests] == [200, 200]


def test_an_answer_that_is_cut_all_the_same_is_followed(
    syncs: Syncs, world: World, stock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: dict[str, Any] = {
        "symbols": [stock],
        "bar_sizes": ["1 minute"],
        "start_date": "2026-11-20",
    }
    monkeypatch.setattr(bars, "MOST_BASE_BARS", 500)
    syncs.read("bars", **read)
    assert syncs.tables["bars"] == short_bars(world, stock, 1, moment("2026-11-20"), NOW - SETTLED)
    assert len(syncs.sandbox.requests) == 3


def test_an_answer_that_is_cut_without_a_next_page_is_an_error(
    syncs: Syncs, stock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "MOST_BASE_BARS", 15)
    read: dict[str, Any] = {
        "symbols": [stock],
        "start_date": "2026-11-02",
        "end_date": "2026-11-19",
    }
    output = syncs.read("bars", expect_failure=True, **read)
    assert f"bars {stock} 1 day: an answer was cut, and no page follows." in output.errors[0]
    assert output.records("bars") == []


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("fault", [Fault.truncated_json, Fault.html, Fault.missing_status])
def test_a_broken_answer_is_an_error_and_ends_its_symbol_alone(
    syncs: Syncs, world: World, naps: list[float], fault: Callable[..., Fault]
) -> None:
    first, second = (str(row["ticker"]) for row in world.tickers("stocks")[:2])
    syncs.sandbox.faults.add(fault(path=f"/v2/aggs/ticker/{first}/", times=None))
    output = syncs.read("bars", symbols=[first, second], expect_failure=True)
    assert output.status("bars") == "INCOMPLETE"
    assert "transient_error" in output.failure_types
    rows = without_start(output.records("bars"))
    assert rows == day_bars(world, second, "2026-11-02", "2026-11-19")
    (lane,) = output.states("bars")[-1]["states"]
    assert lane["partition"]["symbol"] == second


def test_what_the_plan_refuses_is_named_and_the_rest_is_read(
    syncs: Syncs, world: World, stock: str
) -> None:
    syncs.sandbox.plan = Plan.unlimited(markets=frozenset({"stocks"}))
    option = "O:SPY261218C00650000"
    output = syncs.read("bars", symbols=[option, stock], expect_failure=True)
    words = f"The plan of this API key does not cover bars {option} 1 day: You are not entitled"
    assert words in output.errors[0]
    assert "config_error" in output.failure_types
    rows = without_start(output.records("bars"))
    assert rows == day_bars(world, stock, "2026-11-02", "2026-11-19")


def test_a_product_that_is_refused_is_not_asked_for_symbol_after_symbol(
    syncs: Syncs, world: World, stock: str
) -> None:
    syncs.sandbox.plan = Plan.unlimited(markets=frozenset({"stocks"}))
    options = [f"O:SPY261218C00{strike}000" for strike in range(600, 620)]
    sizes = ["1 day", "1 week", "1 month"]  # of one symbol they are one refusal
    config: dict[str, Any] = {"symbols": [*options, stock], "bar_sizes": sizes, "num_workers": 1}
    output = syncs.read("bars", expect_failure=True, **config)
    asked = {path.split("/")[4] for path in syncs.paths() if "/ticker/O:" in path}
    assert sorted(asked) == options[:3]
    assert "3 symbols of options were refused and none was served" in output.text
    assert {row["ticker"] for row in output.records("bars")} == {stock}


@pytest.mark.parametrize("symbols", [("A",), ("A", "B")])
def test_what_is_before_the_history_of_the_plan_is_left_out(
    syncs: Syncs, world: World, symbols: tuple[str, ...]
) -> None:
    listed = [str(row["ticker"]) for row in world.tickers("stocks")[: len(symbols)]]
    syncs.sandbox.plan = Plan.unlimited(history_start=date(2026, 10, 15))
    output = syncs.read("bars", symbols=listed, start_date="2026-01-02", num_workers=4)
    rows = sorted(without_start(output.records("bars")), key=str)
    expected = [row for t in listed for row in day_bars(world, t, "2026-10-15", "2026-11-19")]
    assert rows == sorted(expected, key=str)
    assert "the history of the plan starts on 2026-10-15" in output.text


def test_days_that_the_plan_gets_later_come_later(
    syncs: Syncs, world: World, stock: str, clock: Clock
) -> None:
    syncs.sandbox.plan = Plan.unlimited(sees_today=False)
    read: dict[str, Any] = {"symbols": [stock], "bar_sizes": ["1 hour"], "start_date": "2026-11-19"}
    output = syncs.read("bars", **read)
    assert output.status("bars") == "COMPLETE"
    yesterday = moment("2026-11-19"), moment("2026-11-20")
    assert syncs.tables["bars"] == short_bars(world, stock, 60, *yesterday)
    (lane,) = output.states("bars")[-1]["states"]
    assert lane["cursor"]["window_start"] == "2026-11-20T04:59:59.999Z"
    # Nothing but today is left to ask for.
    output = syncs.read("bars", **{**read, "start_date": "2026-11-20"})
    assert (output.status("bars"), output.records("bars")) == ("COMPLETE", [])


def test_an_empty_answer_between_full_ones_is_asked_for_again(
    syncs: Syncs, world: World, naps: list[float], small_windows: Row
) -> None:
    read: dict[str, Any] = {
        "symbols": ["X:BTCUSD"],
        "start_date": "2026-08-01",
    }
    syncs.manifest = small_windows
    syncs.read("bars", num_workers=4, **read)
    expected = syncs.tables["bars"]
    paths = sorted(syncs.paths())
    assert len(paths) == 6
    for path in paths:
        syncs.sandbox.faults.add(Fault.no_results(path=path, times=1))
        again = Syncs(syncs.sandbox, small_windows)
        output = again.read("bars", num_workers=4, **read)
        # The last days are asked for again by the next sync, so they are not doubted.
        assert again.tables["bars"] == expected or path == paths[-1], output.text
        syncs.sandbox.faults.clear()


def test_an_unknown_symbol_has_no_bars_which_is_said(syncs: Syncs, naps: list[float]) -> None:
    output = syncs.read("bars", symbols=["NOSUCH"], start_date="2026-01-02")
    assert output.status("bars") == "COMPLETE"
    assert output.records("bars") == []
    assert "bars NOSUCH 1 day: no bars from 2026-01-02 to 2026-11-19, asked 4 times" in output.text


BAR = {"t": 1794978000000, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}


def answered(**fields: Any) -> Fault:
    """Return an answer of these fields in place of each honest one."""
    text = json.dumps({"status": "OK", **fields})
    return Fault.status(200, text, path="/v2/aggs/ticker/", times=None)


@pytest.mark.parametrize(
    ("bar", "words"),
    [
        ({**BAR, "t": 1794978000}, "it starts at 1794978000"),
        ({name: BAR[name] for name in "tohlv"}, "c is missing"),
        ({**BAR, "t": 1794978000000.5}, "is not a whole number"),
        (["odd"], "A row is not an object"),
    ],
)
def test_a_malformed_bar_is_an_error_and_nothing_of_it_is_taken(
    syncs: Syncs, stock: str, bar: Any, words: str
) -> None:
    syncs.sandbox.faults.add(answered(results=[bar]))
    output = syncs.read("bars", symbols=[stock], expect_failure=True)
    named = f"A bar of bars {stock} 1 day is malformed"
    assert isinstance(bar, list) or named in output.errors[0]
    assert words in output.errors[0]
    assert output.failure_types >= {"system_error"}
    assert output.records("bars") == []


@pytest.mark.parametrize("count", ["50000", 1.5, True])
def test_a_count_that_is_not_a_number_is_an_error_in_words(
    syncs: Syncs, stock: str, count: Any
) -> None:
    syncs.sandbox.faults.add(answered(results=[BAR], queryCount=count))
    output = syncs.read("bars", symbols=[stock], expect_failure=True)
    assert f"bars {stock} 1 day: queryCount {count!r} is not a whole number." in output.errors
    assert output.failure_types >= {"system_error"}


@pytest.mark.usefixtures("clock")
def test_years_of_seconds_are_planned_without_being_held() -> None:
    config = {"api_key": "k-0123456789", "start_date": "2021-11-22", "bar_sizes": ["1 second"]}
    source = SourcePolygon(config={**config, "symbols": ["A", "B", "C", "D"]})
    source.streams(source.manifest.usable_config)
    planned = lane_cursor_of(source.manifest.built["bars"])
    assert planned is not None
    counts = [count for _, count in planned.planned()]  # calendar and all are in memory now
    assert counts == [3_650] * 4
    tracemalloc.start()
    try:
        assert [count for _, count in planned.planned()] == counts
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_a_state_that_cannot_be_read_or_is_ahead(syncs: Syncs, stock: str) -> None:
    place = {"partition": {"symbol": stock, "bar_size": "1 day"}}
    ahead = {**place, "cursor": {"window_start": "2999-01-01T00:00:00.000Z"}}
    syncs.set_state("bars", {"states": [ahead]})
    output = syncs.read("bars", symbols=[stock])
    assert "lies ahead of the market" in output.text
    assert output.states("bars")[-1] == {"states": [ahead]}
    syncs.set_state("bars", {"states": [{**place, "cursor": {"window_start": 5}}]})
    output = syncs.read("bars", symbols=[stock], expect_failure=True)
    assert "The saved state of bars cannot be read. Reset the stream." in output.errors[0]


def test_states_of_many_symbols_are_not_printed_at_every_step(
    syncs: Syncs, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [str(row["ticker"]) for row in world.tickers("stocks")[:30]]
    monkeypatch.setattr(cursor, "monotonic", lambda: 0.0)
    output = syncs.read("bars", symbols=listed, start_date="2026-11-16")
    states = output.states("bars")
    assert len(states) == 2
    assert len(states[-1]["states"]) == 30
    ticks = iter(range(0, 1000, 5))
    monkeypatch.setattr(cursor, "monotonic", lambda: float(next(ticks)))
    again = Syncs(syncs.sandbox)
    assert len(again.read("bars", symbols=listed, start_date="2026-11-16").states("bars")) > 5
    assert again.tables == syncs.tables
