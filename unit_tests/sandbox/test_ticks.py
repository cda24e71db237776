"""Trades build the bars, quotes surround the trades, and stream and REST tell of the same ones."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests
from polygon_sandbox import Plan, Sandbox, World
from polygon_sandbox.contract import fields
from polygon_sandbox.intraday import Intraday
from polygon_sandbox.tape import ClockTape, Tape
from polygon_sandbox.tick_forms import trade_row
from polygon_sandbox.ticks import CONDITIONS, NS, Kind, kind_of, quotes, trades

Get = Callable[..., requests.Response]

START = 1795444200  # 2026-11-23 14:30 UTC, the opening in New York
TICKERS: list[tuple[str, Kind]] = [
    ("AAPL", "stocks"),
    ("BRK.B", "stocks"),
    ("O:AAPL270115C00200000", "options"),
    ("X:BTCUSD", "crypto"),
    ("ESZ6", "futures"),
]
_EXTENDED = 12


@pytest.fixture
def world() -> World:
    return World(seed=7, stocks=50, delisted=80, now="2026-11-23T15:00:00Z")


@pytest.fixture
def ticker(world: World) -> str:
    return str(world.tickers("stocks")[0]["ticker"])


def test_a_ticker_says_what_it_is() -> None:
    assert [kind_of(ticker) for ticker, kind in TICKERS if kind != "futures"] == [
        kind for _, kind in TICKERS if kind != "futures"
    ]


@pytest.mark.parametrize("start", [START, START - 7200, START + 86_400 * 5])
@pytest.mark.parametrize(("ticker", "kind"), TICKERS)
def test_the_trades_of_a_minute_build_exactly_its_bar(ticker: str, kind: Kind, start: int) -> None:
    bars = Intraday(7)
    made = [t for n in range(60) for t in trades(bars.bar(ticker, start + n, 1), ticker, kind)]
    assert [t.time_ns for t in made] == sorted({t.time_ns for t in made})
    assert [t.sequence for t in made] == sorted({t.sequence for t in made})
    assert len({(t.exchange, t.id) for t in made}) == len(made)
    assert all(start <= t.time_ns / NS < start + 60 for t in made)
    minute = bars.bar(ticker, start, 60)
    counted = [t for t in made if _updates(t.conditions, "volume")]
    pricing = [t for t in made if _updates(t.conditions, "high_low")]
    ends = [t for t in made if _updates(t.conditions, "open_close")]
    assert len(counted) == minute.trades
    assert Decimal(sum(t.size for t in counted)) / 100 == minute.volume
    assert (ends[0].price, ends[-1].price) == (minute.open, minute.close)
    assert max(t.price for t in pricing) == minute.high
    assert min(t.price for t in pricing) == minute.low
    turnover = sum(t.price * t.size / 100 for t in counted)
    assert turnover / minute.volume == pytest.approx(minute.vwap, abs=1e-4)
    if kind == "stocks":
        assert made[0].price > minute.high, "an official opening price counts for nothing"
        assert counted[0].price != minute.open, "an odd lot gives no opening price"
        assert any(t.size % 100 for t in made), "fractions of shares"
    if kind in ("options", "futures"):
        assert not any(t.size % 100 for t in made), "contracts are whole"


@pytest.mark.parametrize(("ticker", "kind"), TICKERS)
def test_quotes_surround_the_trades_that_count(ticker: str, kind: Kind) -> None:
    bars = Intraday(7)
    for second in range(START, START + 30):
        bar = bars.bar(ticker, second, 1)
        said = list(quotes(bar, ticker, kind))
        assert [q.time_ns for q in said] == sorted({q.time_ns for q in said})
        for trade in trades(bar, ticker, kind):
            if not _updates(trade.conditions, "volume"):
                continue
            quote = [q for q in said if q.time_ns <= trade.time_ns][-1]
            assert quote.bid <= trade.price <= quote.ask


def test_trades_over_rest_have_the_fields_of_the_contract(get: Get, ticker: str) -> None:
    rows = get(f"/v3/trades/{ticker}?order=asc&timestamp.gte={START * NS}&limit=200").json()[
        "results"
    ]
    facts = fields("/v3/trades/{stockTicker}")
    for row in rows:
        assert row.keys() <= facts.keys()
        assert {name for name, fact in facts.items() if fact.required} <= row.keys()
        assert Decimal(row["decimal_size"]) == Decimal(str(row["size"]))
        assert row["participant_timestamp"] < row["sip_timestamp"]
        assert ("trf_id" in row) == ("trf_timestamp" in row) == (row["exchange"] == 4)
        assert isinstance(row["conditions"], list)
    assert {"trf_id", "tape", "sequence_number"} <= set().union(*rows)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("of", ["trades", "quotes"])
def test_pages_join_without_a_seam(get: Get, ticker: str, of: str, order: str) -> None:
    begin, end = START * NS, (START + 5) * NS
    query = f"timestamp.gte={begin}&timestamp.lt={end}&order={order}"
    whole = get(f"/v3/{of}/{ticker}?{query}&limit=50000").json()
    assert "next_url" not in whole
    content = get(f"/v3/{of}/{ticker}?{query}&limit=7").json()
    rows, pages = content["results"], 1
    while "next_url" in content:
        content = get(content["next_url"]).json()
        rows += content["results"]
        pages += 1
    assert pages > 2
    assert rows == whole["results"]
    times = [row["sip_timestamp"] for row in rows]
    assert times == sorted(times, reverse=order == "desc")
    assert begin <= min(times) < begin + NS
    assert end - NS <= max(times) < end


def test_the_newest_come_first_and_none_is_of_the_future(
    get: Get, world: World, ticker: str
) -> None:
    rows = get(f"/v3/trades/{ticker}").json()["results"]
    assert len(rows) == 1000
    assert rows[0]["sip_timestamp"] > rows[-1]["sip_timestamp"]
    assert 0 < world.now.timestamp() * NS - rows[0]["sip_timestamp"] < NS


def test_a_single_instant_can_be_asked_for(get: Get, ticker: str) -> None:
    (first,) = get(f"/v3/trades/{ticker}?limit=1").json()["results"]
    path = f"/v3/trades/{ticker}?timestamp={first['sip_timestamp']}"
    assert get(path).json()["results"] == [first]


def test_each_market_has_its_own_fields(get: Get) -> None:
    window = f"timestamp.gte={START * NS}&timestamp.lt={(START + 2) * NS}"
    cases = [
        ("/v3/trades/{optionsTicker}", "/v3/trades/O:AAPL270115C00200000"),
        ("/v3/quotes/{optionsTicker}", "/v3/quotes/O:AAPL270115C00200000"),
        ("/v3/trades/{cryptoTicker}", "/v3/trades/X:BTCUSD"),
        ("/v3/quotes/{fxTicker}", "/v3/quotes/C:EURUSD"),
        ("/futures/v1/trades/{ticker}", "/futures/v1/trades/ESZ6"),
        ("/futures/v1/quotes/{ticker}", "/futures/v1/quotes/ESZ6"),
    ]
    for contract, path in cases:
        rows = get(f"{path}?{window}").json()["results"]
        assert rows, path
        for row in rows:
            assert row.keys() <= fields(contract).keys(), path
    assert get(f"/v3/quotes/X:BTCUSD?{window}").json()["results"] == []


def test_what_is_unknown_or_not_in_the_plan(get: Get, sandbox: Sandbox, ticker: str) -> None:
    assert get("/v3/trades/NOTATICKER").json()["results"] == []
    assert get(f"/v3/trades/{ticker}?cursor=_").status_code == 400
    assert get(f"/v3/trades/{ticker}?limit=50001").status_code == 400
    sandbox.plan = Plan.unlimited(delayed=True)
    assert get(f"/v3/trades/{ticker}").json()["status"] == "DELAYED"
    sandbox.plan = Plan.free()
    assert get(f"/v3/trades/{ticker}").status_code == 403


@pytest.mark.parametrize(
    ("channel", "symbol", "market"),
    [("T", "AAPL", "stocks"), ("XT", "BTC-USD", "crypto"), ("T", "ESZ6", "futures/cme")],
)
def test_the_stream_tells_of_the_trades_that_rest_has(
    channel: str, symbol: str, market: str
) -> None:
    told = [json.loads(e) for e in ClockTape([symbol]).events(channel, symbol, START + 1, market)]
    assert [event["n"] for event in told] == list(range(1, len(told) + 1))
    ticker = {"XT": "X:BTCUSD"}.get(channel, symbol)
    kind: Kind = {"XT": "crypto", "ESZ6": "futures"}.get(
        channel if channel == "XT" else symbol, "stocks"
    )  # type: ignore[assignment]
    made = list(trades(Intraday(7).bar(ticker, START, 1), ticker, kind))
    rows = [trade_row(trade, kind) for trade in made]
    assert len(told) == len(rows)
    for event, trade, row in zip(told, made, rows, strict=True):
        assert event["t"] == trade.time_ns // 1_000_000
        assert event["p"] == row["price"]
        assert event.get("q") == row.get("sequence_number")
        assert event.get("x", 0) == row.get("exchange", 0)
        assert event.get("c", []) == row.get("conditions", [])
        assert str(event.get("i", "")) == row.get("id", "")
        assert Decimal(event.get("ds", str(event["s"]))) == Decimal(str(row["size"]))
        assert event.get("trfi") == row.get("trf_id")


def test_a_tape_without_a_clock_goes_through_the_same_trades() -> None:
    clock = ClockTape(["AAPL"])
    wanted = [e for n in (1, 2) for e in clock.events("T", "AAPL", START + n)]
    told = Tape(["AAPL"]).events("T", "AAPL", len(wanted), (START + 1) * 1000)
    assert told == wanted


def test_the_conditions_of_trades_are_on_their_list(get: Get) -> None:
    rows = get("/v3/reference/conditions?asset_class=stocks&data_type=trade&limit=1000").json()
    listed = {row["id"]: row for row in rows["results"]}
    for condition in CONDITIONS:
        row = listed[condition["id"]]
        assert row["update_rules"] == condition["update_rules"]
        assert row["name"] == condition["name"]


def _updates(conditions: tuple[int, ...], what: str) -> bool:
    rules = {c["id"]: c["update_rules"]["consolidated"] for c in CONDITIONS}
    return all(
        bool(rules.get(condition, {}).get(f"updates_{what}", True))
        for condition in conditions
        if condition != _EXTENDED
    )


def test_extended_hours_are_marked() -> None:
    def marked(second: int) -> set[bool]:
        bar: Any = Intraday(7).bar("AAPL", second, 1)
        return {_EXTENDED in trade.conditions for trade in trades(bar, "AAPL", "stocks")}

    assert marked(START + 1) == {False}
    assert marked(START - 1) == {True}, "before the opening"
    assert marked(START + 86_400 * 5 + 1) == {True}, "a Saturday"
