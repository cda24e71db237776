"""A million trades and a million quotes, and the few of a sandbox's market by value."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from polygon_sandbox import Sandbox, World
from polygon_sandbox.intraday import Intraday
from polygon_sandbox.tick_forms import quote_event, trade_event
from polygon_sandbox.ticks import CONDITIONS, quotes, trades
from polygon_streaming.filter.events import read
from polygon_streaming.filter.quotes import clean_quote
from polygon_streaming.filter.trades import TradeEvent, clean_trade
from polygon_streaming.gaps.rest import Rest

from deploy.clickhouse import conditions
from deploy.clickhouse.migrate import migrate
from deploy.clickhouse.statements import migrations
from deploy.tests.clickhouse.conftest import own_database

MILLION = 1_000_000
SYMBOLS = 100
START = 1795444200  # 2026-11-23 14:30 UTC
EACH = MILLION // SYMBOLS

# Ten a second of each symbol, for 1,000 seconds; in the order of the table, which saves sorting.
NUMBERS = f"""
    SELECT 'SYM' || toString(intDiv(number, {EACH})) AS symbol, number % {EACH} AS n,
        fromUnixTimestamp64Milli(toInt64({START}000 + 100 * n), 'UTC') AS at
    FROM numbers({MILLION})
"""
TRADES = f"""
INSERT INTO trades (event_type, market, symbol, timestamp, sequence_number, trade_id, price, size,
    conditions, exchange, tape, received_at, healed)
SELECT 'T', 'stocks', symbol, at, n + 1, toString(n), 100 + n % 7, 100, [14], 4, 3, at, false
FROM ({NUMBERS})
"""
QUOTES = f"""
INSERT INTO quotes (event_type, market, symbol, timestamp, sequence_number, bid_price, bid_size,
    bid_exchange, ask_price, ask_size, ask_exchange, conditions, indicators, tape, received_at,
    healed)
SELECT 'Q', 'stocks', symbol, at, n + 1, 100 + n, 100, 4, 101 + n, 200, 8, [1], [], 3, at, false
FROM ({NUMBERS})
"""


@pytest.fixture(scope="module")
def filled(engine: Callable[..., Any]) -> Iterator[Any]:
    """A client with a database that has a million of each; for reading only."""
    for client in own_database(engine):
        migrate(client, migrations(), None, lambda _: None)
        for generate in (TRADES, QUOTES):
            client.command(generate)
        yield client


def share(client: Any, query: str) -> float:
    """Return the share of the granules of trades or quotes that a query reads."""
    (answer,) = client.query(f"EXPLAIN json = 1, indexes = 1 {query}").result_rows
    plans = [
        indexes
        for indexes in _indexes(json.loads(answer[0]))
        if indexes[0]["Initial Granules"] > 100
    ]
    assert plans
    return max(float(i[-1]["Selected Granules"] / i[0]["Initial Granules"]) for i in plans)


def _indexes(plan: Any) -> Iterator[list[dict[str, Any]]]:
    if isinstance(plan, dict):
        if "Indexes" in plan:
            yield plan["Indexes"]
        for value in plan.values():
            yield from _indexes(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from _indexes(value)


@pytest.mark.parametrize("table", ["trades", "quotes"])
def test_one_symbol_and_a_time_read_a_granule_or_two_of_a_million(filled: Any, table: str) -> None:
    query = f"""
        SELECT count(), min(sequence_number), max(sequence_number) FROM {table} FINAL
        WHERE symbol = 'SYM7' AND timestamp >= '2026-11-23 14:40:00'
            AND timestamp < '2026-11-23 14:41:00'
    """
    assert filled.query(query).result_rows == [(600, 6001, 6600)]
    assert filled.query(f"SELECT count(), uniq(symbol) FROM {table}").result_rows == [
        (MILLION, SYMBOLS)
    ]
    assert share(filled, query) < 0.03


def test_the_best_bid_and_ask_at_an_instant(filled: Any) -> None:
    query = "SELECT {} FROM nbbo_at(symbol = 'SYM7', time = '2026-11-23 14:40:00.250')"
    columns = "toString(timestamp), bid_price, bid_size, ask_price, ask_size, sequence_number"
    ((at, *figures),) = filled.query(query.format(columns)).result_rows
    assert at == "2026-11-23 14:40:00.200000000"
    assert figures == [6102.0, Decimal(100), 6103.0, Decimal(200), 6003]
    assert share(filled, query.format("*")) < 0.03
    # None before the first.
    query = "SELECT * FROM nbbo_at(symbol = 'SYM7', time = '2026-11-23 14:29:59')"
    assert filled.query(query).result_rows == []


def test_the_latest_quote(filled: Any) -> None:
    columns = "bid_price, ask_size, toString(timestamp)"
    rows = filled.query(f"SELECT {columns} FROM latest_quote WHERE symbol = 'SYM7'").result_rows
    assert rows == [(10_099.0, Decimal(200), "2026-11-23 14:46:39.900000000")]


def test_bars_from_trades_read_as_little(filled: Any) -> None:
    query = """
        SELECT open, high, low, close, volume, trades FROM ohlc_from_trades(interval = 60)
        WHERE symbol = 'SYM7' AND start = '2026-11-23 14:40:00'
    """
    assert share(filled, query) < 0.03
    (figures,) = filled.query(query).result_rows
    wanted = [100 + n % 7 for n in range(6_000, 6_600)]
    assert figures == (wanted[0], 106, 100, wanted[-1], Decimal(60_000), 600)


# A market by value: what the sandbox streams, through the filter's records, into the tables.

SYMBOL = "AAPL"
SECONDS = 120


@pytest.fixture
def market(migrated: Any) -> Any:
    """A client with two minutes of a sandbox's trades and quotes, as the stream tells them."""
    bars = [Intraday(7).bar(SYMBOL, START + n, 1) for n in range(SECONDS)]
    made = [t for bar in bars for t in trades(bar, SYMBOL, "stocks")]
    said = [q for bar in bars for q in quotes(bar, SYMBOL, "stocks")]
    insert(migrated, "trades", [trade_event(t, "stocks", SYMBOL) for t in made])
    insert(migrated, "quotes", [quote_event(q, "stocks", SYMBOL) for q in said])
    with Sandbox(World(stocks=5, delisted=5)) as rest:
        assert conditions.load(migrated, Rest(rest.url, rest.key, 60_000)) > len(CONDITIONS)
    return migrated


def insert(
    client: Any, table: str, events: list[dict[str, Any]], market: str = "stocks", **more: Any
) -> None:
    """Insert what the filter makes of events."""
    lines = []
    for event in events:
        found = read(json.dumps({**event, **more}).encode())
        received = int(event["t"]) if event["t"] < 10**15 else event["t"] // 10**6
        clean: Any = clean_trade if isinstance(found, TradeEvent) else clean_quote
        lines.append(msgspec.json.encode(clean(found, market, received, healed=bool(more))))
    client.raw_insert(table, insert_block=b"\n".join(lines), fmt="JSONEachRow")


def test_what_the_conditions_say_is_loaded(market: Any) -> None:
    ids = [condition["id"] for condition in CONDITIONS]
    rows = market.query(
        "SELECT id, updates_open_close, updates_high_low, updates_volume FROM trade_conditions"
        f" FINAL WHERE market = 'stocks' AND id IN {tuple(ids)} ORDER BY id"
    ).result_rows
    rules = {c["id"]: c["update_rules"]["consolidated"] for c in CONDITIONS}
    what = ("updates_open_close", "updates_high_low", "updates_volume")
    assert rows == [(number, *(rules[number][w] for w in what)) for number in sorted(ids)]


def test_the_command_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["conditions", "--clickhouse", "http://127.0.0.1:1/x"])
    monkeypatch.delenv("POLYGON_API_KEY", raising=False)
    assert conditions.main() == 2
    assert "Set POLYGON_API_KEY" in capsys.readouterr().err
    monkeypatch.setenv("POLYGON_API_KEY", "k-9f2c")
    assert conditions.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("clickhouse: ")
    assert "k-9f2c" not in said


def test_the_trades_build_the_bars_of_the_market(market: Any) -> None:
    for interval in (1, 60):
        rows = market.query(
            "SELECT toUnixTimestamp(start), open, high, low, close, volume, trades, vwap"
            f" FROM ohlc_from_trades(interval = {interval}) ORDER BY start"
        ).result_rows
        wanted = [
            Intraday(7).bar(SYMBOL, start, interval)
            for start in range(START, START + SECONDS, interval)
        ]
        assert [row[:7] for row in rows] == [
            (b.start, b.open, b.high, b.low, b.close, Decimal(b.volume), b.trades) for b in wanted
        ]
        assert [row[7] for row in rows] == [pytest.approx(b.vwap, abs=1e-4) for b in wanted]


def test_an_event_that_comes_again_is_counted_once(market: Any) -> None:
    """Re-sent by the stream, or healed: then with REST's nanoseconds."""
    counts = "SELECT (SELECT count() FROM trades FINAL), (SELECT count() FROM quotes FINAL)"
    ((all_trades, all_quotes),) = market.query(counts).result_rows
    bar = Intraday(7).bar(SYMBOL, START, 1)
    made, said = list(trades(bar, SYMBOL, "stocks")), list(quotes(bar, SYMBOL, "stocks"))
    volume = market.command("SELECT sum(size) FROM trades FINAL")
    insert(market, "trades", [trade_event(t, "stocks", SYMBOL) for t in made])
    insert(market, "quotes", [quote_event(q, "stocks", SYMBOL) for q in said])
    for tick in made:
        event = {**trade_event(tick, "stocks", SYMBOL), "t": tick.time_ns}
        insert(market, "trades", [event], participant_timestamp=tick.participant_ns)
    for quote in said:
        event = {**quote_event(quote, "stocks", SYMBOL), "t": quote.time_ns}
        insert(market, "quotes", [event], participant_timestamp=quote.participant_ns)
    assert market.query(counts).result_rows == [(all_trades, all_quotes)]
    assert market.command("SELECT sum(size) FROM trades FINAL") == volume
    first = market.query(
        "SELECT toUnixTimestamp64Nano(timestamp), toUnixTimestamp64Nano(participant_timestamp),"
        " price, toString(size), conditions FROM trades FINAL ORDER BY timestamp LIMIT 2"
    ).result_rows
    assert first == [
        (t.time_ns, t.participant_ns, t.price, t.decimal_size.removesuffix(".0"), [*t.conditions])
        for t in made[:2]
    ]


def test_crypto_forex_and_futures_have_identities_too(migrated: Any) -> None:
    bar = Intraday(7).bar("X:BTCUSD", START, 1)
    made = list(trades(bar, "X:BTCUSD", "crypto"))
    for _ in range(2):
        insert(migrated, "trades", [trade_event(t, "crypto", "BTC-USD") for t in made], "crypto")
    assert migrated.command("SELECT count() FROM trades FINAL") == len(made)
    kinds: list[tuple[Any, str]] = [
        ("crypto", "BTC-USD"),
        ("forex", "EUR/USD"),
        ("futures", "ESZ6"),
    ]
    for kind, symbol in kinds:
        said = list(quotes(bar, symbol, kind))
        for _ in range(2):
            insert(migrated, "quotes", [quote_event(q, kind, symbol) for q in said], kind)
    rows = migrated.query(
        "SELECT market, count() FROM quotes FINAL GROUP BY market ORDER BY market"
    )
    assert rows.result_rows == [("crypto", 4), ("forex", 4), ("futures", 4)]


def test_quotes_surround_the_trades_that_count(market: Any) -> None:
    rows = market.query(
        "SELECT toString(timestamp), price FROM trades FINAL WHERE NOT has(conditions, 16)"
        " ORDER BY timestamp LIMIT 40"
    ).result_rows
    assert len(rows) == 40
    for at, price in rows:
        ((bid, ask),) = market.query(
            f"SELECT bid_price, ask_price FROM nbbo_at(symbol = '{SYMBOL}', time = '{at}')"
        ).result_rows
        assert bid <= price <= ask
