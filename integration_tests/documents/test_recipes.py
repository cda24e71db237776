"""Each query of docs/recipes.md, on DuckDB and as Snowflake's, against what the sandbox knows."""

from collections.abc import Callable, Iterator
from datetime import date
from statistics import fmean
from typing import Any

import duckdb
import fakesnow
import pytest
import requests
import snowflake.connector
from polygon_sandbox import DatasetSize, OptionsSize, Plan, Sandbox, World

from deploy.tests.snowflake.landing import NO_OPERATION, Landing
from integration_tests.documents.blocks import blocks
from integration_tests.documents.landed import land
from unit_tests.connector.syncing import Syncs

DOCUMENT = "docs/recipes.md"
# Those over flat files are not over tables: test_flat_file_recipes.py.
RECIPES = {
    block.heading: block.text
    for block in blocks(DOCUMENT)
    if block.heading != "Recipes" and "DuckDB" not in block.heading
}
# From what the queries name as their day, to the day on which the sandbox's market stands.
FIRST, NOW = "2026-09-01", "2026-11-20T22:30:00Z"
# Company, end of the period, day of filing, total assets. On 2026-10-30 the first company's second
# quarter is restated already, its third is known; of the other's nothing newer than the second.
STATEMENTS = (
    ("0000000001", "2026-06-30", "2026-08-10", 110.0),
    ("0000000001", "2026-06-30", "2026-10-29", 120.0),
    ("0000000001", "2026-09-30", "2026-10-28", 130.0),
    ("0000000001", "2026-09-30", "2026-11-05", 140.0),
    ("0000000002", "2026-06-30", "2026-08-03", 210.0),
    ("0000000002", "2026-06-30", "2026-09-01", 220.0),
    ("0000000002", "2026-09-30", "2026-11-02", 230.0),
)
STREAMS = (
    "grouped_daily",
    "tickers",
    "splits",
    "dividends",
    "short_interest",
    "float",
    "balance_sheets",
    "option_chain",
    "option_contracts",
)

Row = dict[str, Any]
Query = Callable[[str], list[Row]]


@pytest.fixture
def world() -> World:
    """A market in which each recipe finds something."""
    size = DatasetSize(days=90, rows_a_day=2)
    options = OptionsSize(weeks=2, strikes=3)
    world = World(
        seed=7, stocks=60, delisted=20, now=FIRST + "T22:30:00Z", datasets=size, options=options
    )
    gone, renewed, split, *_ = [row["ticker"] for row in world.tickers("stocks")]
    world.delist(renewed)
    world.add_split(split, date(2026, 10, 20), split_from=1, split_to=4)
    world.advance("2026-10-13T22:30:00Z")
    world.delist(gone)
    world.list_symbol(renewed, "Another Company")
    world.advance(NOW)
    for number, bar in enumerate(world.bars("stocks", date(2026, 11, 19))[:6], 1):
        world.dataset("/stocks/v1/short-interest").insert(
            ticker=bar["T"], settlement_date="2026-11-13", short_interest=int(bar["v"] * number)
        )
        world.dataset("/stocks/vX/float").insert(ticker=bar["T"], free_float=int(bar["v"] * 12))
    for cik, period_end, filing_date, total_assets in STATEMENTS:
        world.dataset("/stocks/financials/v1/balance-sheets").insert(
            cik=cik, timeframe="quarterly", period_end=period_end, filing_date=filing_date,
            total_assets=total_assets,
        )  # fmt: skip
    return world


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world, Plan.unlimited()) as running:
        yield running


@pytest.fixture
def syncs(sandbox: Sandbox, clock: Callable[[str], None]) -> Syncs:
    """A connection to that market, and its tables."""
    clock(NOW)
    syncs = Syncs(sandbox)
    syncs.read(*STREAMS, start_date="2026-08-01", symbols=["AAPL"])
    return syncs


@pytest.fixture
def query(syncs: Syncs) -> Iterator[Query]:
    """Run a query on both engines, which must agree, and get its rows with lower-case names."""
    tables = {name: list(syncs.tables[name].values()) for name in STREAMS}
    nothing = [*NO_OPERATION, r"\s*ALTER SESSION\b"]
    with duckdb.connect() as local, fakesnow.patch(nop_regexes=nothing):
        local.execute("SET TimeZone = 'UTC'")
        with snowflake.connector.connect() as connected:
            landing = Landing(connected, *STREAMS)
            for name, rows in tables.items():
                land(local, name, rows)
                landing.load(name, rows)
            cursor = connected.cursor()
            cursor.execute("USE SCHEMA POLYGON.LANDING")

            def run(text: str) -> list[Row]:
                found = _rows(local.execute(_today(text)))
                assert _rows(cursor.execute(_today(text))) == found
                return found

            yield run


def _today(text: str) -> str:
    return text.replace("CURRENT_DATE", f"DATE '{NOW[:10]}'")


def _rows(cursor: Any) -> list[Row]:
    names = [column[0].lower() for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_the_recipes_are_these() -> None:
    assert list(RECIPES) == [
        "Prices in today's shares, and with dividends reinvested",
        "Who was listed on a day",
        "Candidates for a short squeeze",
        "Open interest of options, day by day",
        "Fundamentals as they were known on a day",
    ]


def test_prices_in_todays_shares(query: Query, sandbox: Sandbox, world: World) -> None:
    found = query(RECIPES["Prices in today's shares, and with dividends reinvested"])
    closes = {(row["date"], row["ticker"]): row for row in found}
    sessions = world.sessions("stocks", date(2026, 8, 1), date(2026, 11, 20))
    login = {"Authorization": f"Bearer {sandbox.key}"}
    compared, changed = 0, 0
    for day in sessions:
        path = f"{sandbox.url}/v2/aggs/grouped/locale/us/market/stocks/{day}?adjusted=true"
        for bar in requests.get(path, headers=login, timeout=10).json()["results"]:
            row = closes.pop((day, bar["T"]))
            assert row["adjusted_close"] == pytest.approx(bar["c"], abs=0.006, rel=1e-5)
            assert row["total_return_close"] <= row["adjusted_close"] + 1e-9
            compared += 1
            changed += row["adjusted_close"] != row["close"]
    assert closes == {}
    assert compared > 50 * 50
    assert changed >= 30


def test_who_was_listed(query: Query, sandbox: Sandbox, world: World) -> None:
    found = {(row["ticker"], row["name"]) for row in query(RECIPES["Who was listed on a day"])}
    login = {"Authorization": f"Bearer {sandbox.key}"}
    path = "/v3/reference/tickers?market=stocks&active=true&limit=1000&date=2026-10-06"
    answer = requests.get(sandbox.url + path, headers=login, timeout=10).json()
    assert found == {(row["ticker"], row["name"]) for row in answer["results"]}
    gone = {row["ticker"] for row in world.tickers("stocks", active=False)}
    assert dict(found).keys() & gone, "companies that have gone since are in it"
    assert "Another Company" not in dict(found).values()


def test_candidates_for_a_squeeze(query: Query, syncs: Syncs) -> None:
    found = query(RECIPES["Candidates for a short squeeze"])

    def latest(stream: str, field: str) -> dict[str, Row]:
        rows = sorted(syncs.tables[stream].values(), key=lambda row: str(row[field]))
        return {row["ticker"]: row for row in rows}

    shares = latest("float", "snapshot_date")
    expected = {}
    for ticker, row in latest("short_interest", "settlement_date").items():
        bars = [b for b in syncs.tables["grouped_daily"].values() if b["ticker"] == ticker]
        volumes = [b["volume"] for b in sorted(bars, key=lambda bar: str(bar["date"]))[-20:]]
        free = shares.get(ticker, {}).get("free_float")
        if not volumes or not free or row.get("short_interest") is None:
            continue
        share, days = 100 * row["short_interest"] / free, row["short_interest"] / fmean(volumes)
        if share >= 10 and days >= 2:
            expected[ticker] = (pytest.approx(share), pytest.approx(days))
    assert {r["ticker"]: (r["percent_of_float"], r["days_to_cover"]) for r in found} == expected
    assert len(expected) >= 2
    assert len(found) == len(expected) < len(shares)


def test_open_interest(query: Query, world: World) -> None:
    chain = world.option_chain("AAPL")

    def held(kind: str) -> float:
        rows = (row for row in chain if row["details"]["contract_type"] == kind)
        return sum(float(row["open_interest"]) for row in rows)

    assert query(RECIPES["Open interest of options, day by day"]) == [
        {
            "snapshot_date": date(2026, 11, 20),
            "underlying_ticker": "AAPL",
            "calls": held("call"),
            "puts": held("put"),
        }
    ]
    assert held("call") > 0 < held("put")


def test_fundamentals_as_known(query: Query) -> None:
    found = query(RECIPES["Fundamentals as they were known on a day"])
    assert [(r["cik"], str(r["period_end"]), r["total_assets"]) for r in found] == [
        ("0000000001", "2026-09-30", 130.0),
        ("0000000002", "2026-06-30", 220.0),
    ]
