from collections.abc import Callable
from datetime import date
from operator import itemgetter
from typing import Any

import requests
from polygon_sandbox import World

Get = Callable[..., requests.Response]
Pages = Callable[..., list[dict[str, Any]]]

SPLITS = "/v3/reference/splits"
DIVIDENDS = "/v3/reference/dividends"


def test_splits_page_through_the_truth_newest_first(world: World, pages: Pages) -> None:
    rows = pages(SPLITS, limit=3)
    assert sorted(rows, key=itemgetter("id")) == sorted(world.splits(), key=itemgetter("id"))
    days = [row["execution_date"] for row in rows]
    assert days == sorted(days, reverse=True)
    assert days[0] > "2026-11-20"
    assert len({row["id"] for row in rows}) == len(rows)


def test_splits_filter(world: World, pages: Pages) -> None:
    truth = world.splits()
    day = sorted(row["execution_date"] for row in truth)[len(truth) // 2]
    since = pages(SPLITS, **{"execution_date.gte": day}, order="asc")
    assert [row["execution_date"] for row in since] == sorted(
        row["execution_date"] for row in truth if row["execution_date"] >= day
    )
    reverse = pages(SPLITS, reverse_split="true", limit=1000)
    assert {r["id"] for r in reverse} == {r["id"] for r in truth if r["split_from"] > r["split_to"]}


def test_dividends_page_through_the_truth(world: World, pages: Pages) -> None:
    rows = pages(DIVIDENDS, sort="cash_amount", order="asc", limit=11)
    truth = world.dividends()
    assert sorted(rows, key=str) == sorted(truth, key=str)
    amounts = [row["cash_amount"] for row in rows]
    assert amounts == sorted(amounts)
    assert any(row["ex_dividend_date"] > "2026-11-20" for row in rows)
    big = pages(DIVIDENDS, **{"cash_amount.gt": "1.0"}, limit=1000)
    assert len(big) == sum(row["cash_amount"] > 1.0 for row in truth)


def test_dividends_without_a_pay_date_are_not_lost(world: World, pages: Pages) -> None:
    world.add_dividend("AAPL", date(2026, 12, 1), 0.25)
    rows = pages(DIVIDENDS, sort="pay_date", order="asc", limit=11)
    assert len(rows) == len(world.dividends())


def test_events_may_come_late_and_twice(world: World, pages: Pages) -> None:
    first = world.add_split("AAPL", date(2026, 11, 2), 1, 4)
    second = world.add_split("AAPL", date(2026, 11, 2), 1, 4)
    found = pages(SPLITS, ticker="AAPL", execution_date="2026-11-02")
    assert sorted(r["id"] for r in found) == sorted([first["id"], second["id"]])
    late = world.add_dividend("MSFT", date(2020, 1, 2), 0.5, "SC", 0)
    assert late in pages(DIVIDENDS, ticker="MSFT", ex_dividend_date="2020-01-02")


def test_exchanges_and_types_filter(world: World, get: Get) -> None:
    content = get("/v3/reference/exchanges", params={"asset_class": "stocks"}).json()
    assert content["results"] == world.exchanges("stocks")
    assert content["count"] == len(content["results"]) == 12
    assert {"mic", "participant_id"} <= set(content["results"][0])
    content = get("/v3/reference/tickers/types", params={"asset_class": "indices"}).json()
    assert [row["code"] for row in content["results"]] == ["INDEX"]
    assert len(world.ticker_types(locale="us")) == 23
    assert world.exchanges("crypto", "us") == []


def test_upcoming_holidays_are_a_plain_array(world: World, get: Get) -> None:
    rows = get("/v1/marketstatus/upcoming").json()
    assert rows == world.holidays()
    assert rows[0] == {
        "date": "2026-11-26",
        "name": "Thanksgiving",
        "exchange": "NYSE",
        "status": "closed",
    }
    early = [row for row in rows if row["date"] == "2026-11-27"]
    assert {(row["exchange"], row["status"]) for row in early} == {
        ("NYSE", "early-close"),
        ("NASDAQ", "early-close"),
    }
    assert early[0]["open"] == "2026-11-27T14:30:00.000Z"
    assert early[0]["close"] == "2026-11-27T18:00:00.000Z"


def test_market_status_follows_the_clock(world: World, get: Get) -> None:
    content = get("/v1/marketstatus/now").json()
    assert content["market"] == "extended-hours"
    assert content["afterHours"] is True
    assert content["serverTime"] == "2026-11-20T17:30:00-05:00"
    world.advance("2026-11-21T15:00:00Z")
    assert get("/v1/marketstatus/now").json()["market"] == "closed"
    assert get("/v1/marketstatus/now").json()["currencies"] == {"crypto": "open", "fx": "closed"}
    world.advance("2026-11-23T15:00:00Z")
    assert get("/v1/marketstatus/now").json()["market"] == "open"
