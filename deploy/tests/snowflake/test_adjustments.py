"""Prices adjusted for splits and dividends, against the API's and against what the world paid."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from math import prod
from typing import Any

import pytest
from polygon_sandbox import Plan, Sandbox, World

from deploy.tests.snowflake.landing import Landing
from unit_tests.connector.syncing import Syncs

Row = dict[str, Any]
Key = tuple[str, str]

NOW = "2026-11-20T22:30:00Z"
START = date(2026, 8, 24)
PRICES = ("open", "high", "low", "close", "vwap")
# Half of the last of the six decimals that the vendor rounds a factor to.
ROUNDING = 0.5e-6 * 1.001


def by_key(rows: list[Row]) -> dict[Key, Row]:
    return {(str(row["date"]), row["ticker"]): row for row in rows}


@dataclass
class Market:
    """A world of the time until NOW, and the symbols to which something happened in it."""

    world: World
    forward: str
    reverse: str
    twice: str
    used_again: str
    paying: str
    late: str

    def factors_of_dividends(self, bars: dict[Key, Row]) -> dict[Key, float]:
        """What is left of the price of each bar, not rounded, by what was paid after it."""
        ends = defaultdict(list)
        for row in self.world.tickers("stocks", active=False):
            ends[row["ticker"]].append(row["delisted_utc"][:10])

        def company(ticker: str, day: str) -> tuple[str, int]:
            return ticker, sum(end <= day for end in ends[ticker])

        closes: dict[tuple[str, int], list[tuple[str, float]]] = defaultdict(list)
        for (day, ticker), bar in sorted(bars.items()):
            closes[company(ticker, day)].append((day, bar["close"]))
        kept: dict[tuple[str, int], list[tuple[str, float]]] = defaultdict(list)
        for paid in self.world.dividends():
            day = paid["ex_dividend_date"]
            of = company(paid["ticker"], day)
            before = [close for traded, close in closes[of] if traded < day]
            if before and day <= str(self.world.today):
                kept[of].append((day, 1 - paid["cash_amount"] / before[-1]))
        return {
            (day, ticker): prod(own for ex, own in kept[company(ticker, day)] if ex > day)
            for day, ticker in bars
        }


def market() -> Market:
    world = World(seed=3, stocks=70, delisted=60, now="2026-10-12T22:30:00Z")
    eventful = {row["ticker"] for row in [*world.splits(), *world.dividends()]}
    traded = {b["T"] for b in world.bars("stocks", world.sessions("stocks", START, date.max)[0])}
    calm = sorted(traded & {row["ticker"] for row in world.tickers("stocks")} - eventful)
    used_again, forward, reverse, twice, paying, late = calm[:6]
    world.add_dividend(forward, date(2026, 10, 15), 0.5)
    world.add_split(forward, date(2026, 10, 21), 1, 4)
    world.add_split(reverse, date(2026, 10, 28), 10, 1)
    world.add_split(twice, date(2026, 10, 23), 2, 3)
    world.add_dividend(twice, date(2026, 11, 2), 0.25)
    world.add_split(twice, date(2026, 11, 11), 1, 2)
    world.add_dividend(paying, date(2026, 10, 20), 0.3)
    world.add_dividend(paying, date(2026, 11, 20), 0.4)
    world.add_dividend(paying, date(2026, 11, 20), 0.1, "SC", 0)  # a special one on the same day
    world.add_dividend(used_again, date(2026, 10, 19), 0.2)
    world.advance("2026-10-22T22:30:00Z")
    world.delist(used_again)
    world.advance("2026-10-29T22:30:00Z")
    world.list_symbol(used_again, "Another Company")
    world.add_split(used_again, date(2026, 11, 9), 1, 5)
    world.add_dividend(used_again, date(2026, 11, 13), 0.15)
    world.advance(NOW)
    world.add_split(forward, date(2026, 12, 10), 1, 2)  # announced, as the next
    world.add_dividend(forward, date(2026, 11, 21), 0.5)
    return Market(world, forward, reverse, twice, used_again, paying, late)


def compare(landing: Landing, syncs: Syncs, market: Market, adjusted: list[Row]) -> dict[Key, Row]:
    """Hold both views against the truth, and return the bars of the total return."""
    for stream in ("grouped_daily", "tickers", "splits", "dividends"):
        landing.load(stream, list(syncs.tables[stream].values()))
    landing.run("views.sql", now=NOW)
    bars = by_key(list(syncs.tables["grouped_daily"].values()))
    truth = by_key(adjusted)
    found = by_key(landing.rows("SELECT * FROM MARKET.DAILY_BARS_ADJUSTED"))
    returned = by_key(landing.rows("SELECT * FROM MARKET.DAILY_BARS_TOTAL_RETURN"))
    assert found.keys() == returned.keys() == truth.keys() == bars.keys()
    kept = market.factors_of_dividends(bars)
    assert len({day for day, _ in truth}) == 64
    for key, bar in truth.items():
        of_splits, of_dividends = found[key]["split_factor"], returned[key]["dividend_factor"]
        assert of_dividends == pytest.approx(kept[key], abs=ROUNDING, rel=0), key
        for field in PRICES:
            if field in bar:
                # The API rounds prices to four decimals.
                off = 0.5e-4 * 1.001 + bars[key][field] * ROUNDING
                assert found[key][field] == pytest.approx(bar[field], abs=off, rel=0), (key, field)
                assert returned[key][field] == pytest.approx(
                    bars[key][field] * of_splits * of_dividends, rel=1e-12
                ), (key, field)
        volume = bar["volume"] * (1 + ROUNDING / of_splits) - bar["volume"]
        assert found[key]["volume"] == pytest.approx(bar["volume"], abs=volume + 1e-6, rel=0), key
        for field in ("volume", "transactions", "otc", "split_factor", "last_updated_utc"):
            assert returned[key][field] == found[key][field]
    return returned


def factors(bars: dict[Key, Row], ticker: str, event: str) -> list[float]:
    """Return the factors of a symbol in the order of days, once for as long as they stay."""
    days = (bar[f"{event}_factor"] for key, bar in sorted(bars.items()) if key[1] == ticker)
    return [factor for factor, _ in groupby(days)]


def test_they_equal_those_of_the_api_and_what_was_paid(
    landing: Landing, clock: Callable[[str], None]
) -> None:
    clock(NOW)
    of = market()
    with Sandbox(of.world, Plan.unlimited()) as sandbox:
        syncs = Syncs(sandbox)

        def read() -> dict[Key, Row]:
            adjusted = Syncs(sandbox)
            adjusted.read("grouped_daily", start_date=str(START), adjusted=True)
            syncs.read("grouped_daily", "tickers", "splits", "dividends", start_date=str(START))
            return compare(landing, syncs, of, list(adjusted.tables["grouped_daily"].values()))

        bars = read()
        assert factors(bars, of.forward, "split") == [0.25, 1]
        assert factors(bars, of.reverse, "split") == [10, 1]
        assert factors(bars, of.twice, "split") == [0.333333, 0.5, 1]
        assert factors(bars, of.late, "split") == [1]
        # The first company of the symbol, then the second one before and after its split.
        assert factors(bars, of.used_again, "split") == [1, 0.2, 1]
        runs = {"forward": 2, "twice": 2, "paying": 3, "used_again": 4, "late": 1}
        for name, number in runs.items():
            of_dividends = factors(bars, getattr(of, name), "dividend")
            assert len(of_dividends) == number, name
            assert of_dividends[-1] == 1
        assert factors(bars, of.used_again, "dividend")[1] == 1

        # What is entered after its day changes the factors of rows that were read before.
        of.world.add_split(of.twice, date(2026, 9, 30), 1, 2)
        of.world.add_split(of.late, date(2026, 10, 30), 1, 2)
        of.world.add_dividend(of.paying, date(2026, 11, 10), 0.2)
        before, bars = bars, read()
    assert factors(bars, of.twice, "split") == [0.166667, 0.333333, 0.5, 1]
    assert factors(bars, of.late, "split") == [0.5, 1]
    assert len(factors(bars, of.paying, "dividend")) == 4
    oldest = str(START), of.paying
    assert bars[oldest]["dividend_factor"] < before[oldest]["dividend_factor"]


def odd(field: str, events: Sequence[tuple[int, float | None]]) -> list[Row]:
    """Return events of A by day of November and factor, one without a day, one without a symbol."""
    rows = [
        {
            "id": str(n),
            "ticker": "A",
            field: f"2026-11-{day}",
            "historical_adjustment_factor": factor,
        }
        for n, (day, factor) in enumerate(events)
    ]
    undated = {"id": "undated", "ticker": "A", "historical_adjustment_factor": 0.1}
    unnamed = {"id": "unnamed", field: "2026-11-20", "historical_adjustment_factor": 0.1}
    return [*rows, undated, unnamed]


def test_odd_events(landing: Landing) -> None:
    """Of the vendor's factors, only those that count do, and an unknown one makes no price."""
    days = [f"2026-11-{day}" for day in (16, 17, 18, 19, 20)]
    price = {"open": 8.0, "high": 8.0, "low": 8.0, "close": 8.0, "vwap": 8.0, "volume": 100.0}
    landing.load(
        "grouped_daily",
        [
            {"market": market, "date": day, "ticker": "A", "adjusted": False, **price}
            for market in ("stocks", "crypto")
            for day in days
        ],
    )
    splits = [(17, None), (18, 0.0), (20, 0.5), (21, 0.25)]
    dividends = [(19, 0.75), (19, 0.5), (20, 0.875), (21, 0.125)]
    landing.load("splits", odd("execution_date", splits))
    landing.load("dividends", odd("ex_dividend_date", dividends))
    landing.run("views.sql", now=NOW)
    found = landing.rows(
        "SELECT market, split_factor, dividend_factor, close, volume "
        "FROM MARKET.DAILY_BARS_TOTAL_RETURN ORDER BY market DESC, date"
    )
    assert [tuple(row.values()) for row in found] == [
        ("stocks", None, 0.5, None, None),
        ("stocks", None, 0.5, None, None),
        ("stocks", 0.5, 0.5, 2, 200),
        ("stocks", 0.5, 0.875, 3.5, 200),
        ("stocks", 1, 1, 8, 100),
        *[("crypto", 1, 1, 8, 100)] * 5,
    ]
