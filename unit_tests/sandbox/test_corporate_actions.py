from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import requests
from polygon_sandbox import Plan, Sandbox, World

Get = Callable[..., requests.Response]
Pages = Callable[..., list[dict[str, Any]]]
Row = dict[str, Any]

SPLITS = "/stocks/v1/splits"
DIVIDENDS = "/stocks/v1/dividends"
# The vendor rounds factors to six decimals.
ROUNDED = 1e-6


def closes(
    world: World, ticker: str, days: int = 700, *, adjusted: bool = False
) -> dict[date, float]:
    sessions = world.sessions("stocks", world.today - timedelta(days=days), world.today)
    found = {}
    for day in sessions:
        for bar in world.bars("stocks", day, adjusted):
            if bar["T"] == ticker:
                found[day] = bar["c"]
    return found


def factor_after(rows: list[Row], ticker: str, day: date, field: str) -> float:
    """The vendor's recipe: the factor of the first event after the day."""
    later = [row for row in rows if row["ticker"] == ticker and row[field] > str(day)]
    if not later:
        return 1.0
    return float(min(later, key=lambda row: str(row[field]))["historical_adjustment_factor"])


@pytest.fixture
def settled() -> World:
    """A company without splits and dividends of its own, to which each test gives some."""
    return World(seed=7, stocks=12, delisted=0, otc=0, crypto=0, fx=0, now="2026-11-20T22:30:00Z")


def quiet(world: World) -> str:
    eventful = {row["ticker"] for row in [*world.splits(), *world.dividends()]}
    whole: list[str] = [
        row["ticker"] for row in world.tickers("stocks") if row["ticker"] not in eventful
    ]
    return min(ticker for ticker in whole if len(closes(world, ticker, 60)) > 35)


def test_split_factors_multiply_from_an_event_to_the_last(settled: World) -> None:
    ticker = quiet(settled)
    for day, old, new in ((date(2005, 2, 28), 1, 2), (date(2014, 6, 9), 1, 7)):
        settled.add_split(ticker, day, old, new)
    settled.add_split(ticker, date(2020, 8, 31), 1, 4)
    factors = {
        row["execution_date"]: (row["historical_adjustment_factor"], row["adjustment_type"])
        for row in settled.splits_with_factors()
        if row["ticker"] == ticker
    }
    # The values of the vendor's example and of its recorded answers about AAPL.
    assert factors == {
        "2005-02-28": (0.017857, "forward_split"),
        "2014-06-09": (0.035714, "forward_split"),
        "2020-08-31": (0.25, "forward_split"),
    }
    settled.add_split(ticker, date(2026, 11, 20), 10, 1)
    settled.add_split(ticker, date(2026, 12, 1), 1, 3)
    assert [
        (row["historical_adjustment_factor"], row["adjustment_type"])
        for row in settled.splits_with_factors()
        if row["ticker"] == ticker
    ] == [
        (0.178571, "forward_split"),
        (0.357143, "forward_split"),
        (2.5, "forward_split"),
        (10.0, "reverse_split"),
        (1.0, "forward_split"),  # announced
    ]


def test_closes_times_split_factors_are_the_adjusted_closes(settled: World) -> None:
    ticker = quiet(settled)
    settled.add_split(ticker, date(2025, 11, 17), 1, 3)  # entered late: prices never showed it
    settled.add_split(ticker, date(2026, 12, 1), 1, 4)
    settled.add_split(ticker, date(2026, 12, 15), 10, 1)
    settled.add_split(ticker, date(2027, 1, 12), 1, 2)  # announced
    settled.advance("2026-12-22T22:30:00Z")
    raw, adjusted = closes(settled, ticker), closes(settled, ticker, adjusted=True)
    rows = settled.splits_with_factors()
    assert len(raw) > 400
    met = set()
    for day, close in raw.items():
        factor = factor_after(rows, ticker, day, "execution_date")
        met.add(factor)
        # Half a unit of the factor's last decimal, and half of the price's.
        assert abs(close * factor - adjusted[day]) < close * 0.5e-6 + 0.5001e-4
    assert met == {0.833333, 2.5, 10.0, 1.0}


def test_the_factors_adjust_the_whole_market() -> None:
    world = World(seed=5, stocks=300, delisted=200, now="2026-11-20T22:30:00Z")
    splits: dict[str, list[Row]] = {}
    for row in world.splits_with_factors():
        splits.setdefault(row["ticker"], []).append(row)
    listed = [r["ticker"] for active in (True, False) for r in world.tickers("stocks", active)]
    # The recipe goes by symbol, and cannot tell two companies of one symbol apart.
    once = {ticker for ticker in listed if listed.count(ticker) == 1}
    adjusted_bars = 0
    for day in world.sessions("stocks", date(2019, 1, 1), date(2026, 11, 20))[::60]:
        adjusted = {bar["T"]: bar["c"] for bar in world.bars("stocks", day, adjusted=True)}
        for bar in world.bars("stocks", day):
            if bar["T"] not in once:
                continue
            factor = factor_after(splits.get(bar["T"], []), bar["T"], day, "execution_date")
            adjusted_bars += factor != 1
            assert abs(bar["c"] * factor - adjusted[bar["T"]]) < bar["c"] * 0.5e-6 + 0.5001e-4
    assert adjusted_bars > 300


def reinvested(world: World, ticker: str, cash: dict[date, float]) -> dict[date, float]:
    """The value of one share's worth whose dividends buy shares at the last close before."""
    series, shares, last = {}, 1.0, None
    for day, close in closes(world, ticker, adjusted=True).items():
        for ex_date in [ex for ex in cash if last is not None and last[0] < ex <= day]:
            assert last is not None
            shares /= 1 - cash[ex_date] / last[1]
        series[day] = shares * close
        last = day, close
    return series


def test_closes_times_both_factors_are_the_total_return(settled: World) -> None:
    ticker = quiet(settled)
    # In new shares a quarter of it: the split comes after the first two.
    settled.add_dividend(ticker, date(2025, 12, 8), 0.4)
    settled.add_dividend(ticker, date(2026, 3, 9), 0.6)
    settled.add_split(ticker, date(2026, 12, 1), 1, 4)
    settled.add_dividend(ticker, date(2026, 12, 7), 0.2, "SC", 0)
    settled.add_dividend(ticker, date(2027, 1, 11), 0.2)  # announced
    settled.advance("2026-12-22T22:30:00Z")
    truth = reinvested(
        settled,
        ticker,
        {date(2025, 12, 8): 0.1, date(2026, 3, 9): 0.15, date(2026, 12, 7): 0.2},
    )
    today = max(truth)
    splits, dividends = settled.splits_with_factors(), settled.dividends_with_factors()
    raw = closes(settled, ticker)
    for day, close in raw.items():
        adjusted = (
            close
            * factor_after(splits, ticker, day, "execution_date")
            * factor_after(dividends, ticker, day, "ex_dividend_date")
        )
        # Relative to today: adjusted closes are rounded to four decimals before they are divided.
        assert adjusted / raw[today] == pytest.approx(truth[day] / truth[today], rel=1e-4)
    own = {row["ex_dividend_date"]: row for row in dividends if row["ticker"] == ticker}
    before = raw[date(2026, 12, 4)]
    assert own["2026-12-07"]["historical_adjustment_factor"] == round(1 - 0.2 / before, 6)
    assert own["2027-01-11"]["historical_adjustment_factor"] == 1.0
    assert own["2026-03-09"]["split_adjusted_cash_amount"] == 0.15
    assert own["2026-03-09"]["cash_amount"] == 0.6
    assert own["2026-12-07"]["split_adjusted_cash_amount"] == 0.2
    assert [own[day]["distribution_type"] for day in sorted(own)] == [
        "recurring",
        "recurring",
        "special",
        "recurring",
    ]
    assert "dividend_type" not in own["2026-12-07"]


def test_an_event_changes_the_factors_of_all_older_rows(world: World, pages: Pages) -> None:
    counts: dict[str, int] = {}
    for row in world.dividends():
        counts[row["ticker"]] = counts.get(row["ticker"], 0) + 1
    ticker = max(counts, key=lambda name: counts[name])

    def factors() -> dict[str, float]:
        rows = pages(DIVIDENDS, ticker=ticker, limit=3)
        return {row["id"]: row["historical_adjustment_factor"] for row in rows}

    before = factors()
    announced = world.add_dividend(ticker, date(2026, 11, 25), 0.5)
    assert factors() == {**before, announced["id"]: 1.0}
    world.advance("2026-11-25T15:00:00Z")
    after = factors()
    ratio = after[announced["id"]]
    assert ratio < 1
    older = [r["id"] for r in world.dividends() if r["ticker"] == ticker]
    older = [i for i in older if before.get(i, 1.0) != 1.0]
    assert len(older) > 4
    for identity in older:
        assert after[identity] == pytest.approx(before[identity] * ratio, abs=2 * ROUNDED)


def test_another_company_with_the_symbol_keeps_its_prices(settled: World) -> None:
    ticker = quiet(settled)
    settled.add_split(ticker, date(2026, 11, 23), 1, 2)
    settled.advance("2026-11-24T22:30:00Z")
    settled.delist(ticker)
    settled.advance("2026-11-30T12:00:00Z")
    settled.list_symbol(ticker, "Another Company")
    settled.add_split(ticker, date(2026, 12, 2), 1, 5)
    settled.advance("2026-12-03T22:30:00Z")
    rows = [row for row in settled.splits_with_factors() if row["ticker"] == ticker]
    assert [row["historical_adjustment_factor"] for row in rows] == [0.5, 0.2]


def test_the_lists_page_through_the_truth(world: World, get: Get, pages: Pages) -> None:
    truth = world.splits_with_factors()
    rows = pages(SPLITS, limit=3)
    assert sorted(rows, key=str) == sorted(truth, key=str)
    days = [row["execution_date"] for row in rows]
    assert days == sorted(days, reverse=True)
    dividends = pages(DIVIDENDS, sort="ticker.asc,ex_dividend_date.desc", limit=7)
    assert sorted(dividends, key=str) == sorted(world.dividends_with_factors(), key=str)
    order = [(row["ticker"], row["ex_dividend_date"]) for row in dividends]
    newest_first = sorted(order, key=lambda pair: pair[1], reverse=True)
    assert order == sorted(newest_first, key=lambda pair: pair[0])
    content = get(SPLITS, params={"limit": 5000}).json()
    assert set(content) == {"results", "status", "request_id"}
    assert content["status"] == "OK"


def test_the_lists_filter_as_the_contract_says(world: World, get: Get, pages: Pages) -> None:
    truth = world.dividends_with_factors()
    two = sorted({row["ticker"] for row in truth})[:2]
    before = {"ticker.any_of": ",".join(two), "ex_dividend_date.lt": "2026-06-01"}
    found = pages(DIVIDENDS, **before)
    assert sorted(row["id"] for row in found) == sorted(
        row["id"]
        for row in truth
        if row["ticker"] in two and row["ex_dividend_date"] < "2026-06-01"
    )
    reverse = pages(SPLITS, adjustment_type="reverse_split", limit=5000)
    assert reverse
    assert {row["split_from"] > row["split_to"] for row in reverse} == {True}
    for wrong in (
        {"limit": "5001"},
        {"sort": "execution_date"},
        {"sort": "execution_date.desc,execution_date.asc"},
        {"sort": "price.asc"},
        {"order": "asc"},
        {"adjustment_type": "split"},
        {"adjustment_type.any_of": "reverse_split,split"},
        {"execution_date.gte": "2026-1-1"},
        {"ticker.like": "A"},
        {"reverse_split": "true"},
    ):
        assert get(SPLITS, params=wrong).status_code == 400, wrong


def test_a_large_market_comes_in_pages_of_five_thousand() -> None:
    big = World(stocks=2000, delisted=0, otc=0, crypto=0, fx=0, now="2026-11-20T22:30:00Z")
    with Sandbox(big) as sandbox:
        login = {"Authorization": f"Bearer {sandbox.key}"}
        url = f"{sandbox.url}{DIVIDENDS}?limit=5000"
        first = requests.get(url, headers=login, timeout=30).json()
        second = requests.get(first["next_url"], headers=login, timeout=30).json()
    assert len(first["results"]) == 5000
    assert "next_url" not in second
    rows = first["results"] + second["results"]
    assert sorted(rows, key=str) == sorted(big.dividends_with_factors(), key=str)
    assert all(0 < row["historical_adjustment_factor"] <= 1 for row in rows)


def test_the_plan_may_refuse_a_path(get: Get, sandbox: Sandbox) -> None:
    sandbox.plan = Plan.unlimited(refused=("/stocks/v1/div",))
    assert get(DIVIDENDS).status_code == 403
    assert get(DIVIDENDS).json()["status"] == "NOT_AUTHORIZED"
    assert get(SPLITS).status_code == 200
