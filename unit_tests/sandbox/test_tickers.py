import re
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
import requests
from polygon_sandbox import World
from polygon_sandbox.contract import endpoint, parse
from polygon_sandbox.paging import Undated
from polygon_sandbox.stamps import parse_ns

Get = Callable[..., requests.Response]
Pages = Callable[..., list[dict[str, Any]]]

TICKERS = "/v3/reference/tickers"


def test_row_counts_are_those_asked_for(world: World) -> None:
    counts = [len(world.tickers(m)) for m in ("stocks", "otc", "crypto", "fx", "indices")]
    assert counts == [50, 10, 8, 8, 5]
    assert len(world.tickers("stocks", active=False)) == 80
    assert world.tickers("crypto", active=False) == []


def test_fields_depend_on_the_market(world: World) -> None:
    stock = next(row for row in world.tickers("stocks") if row["ticker"] == "A")
    assert stock["locale"] == "us"
    assert stock["currency_name"] == "usd"
    assert "delisted_utc" not in stock
    for market in ("crypto", "fx"):
        for row in world.tickers(market):
            assert row["last_updated_utc"] == "2017-01-01T00:00:00Z"
            assert row["locale"] == "global"
            assert {"base_currency_symbol", "base_currency_name", "currency_symbol"} <= set(row)
            assert not {"cik", "type", "primary_exchange"} & set(row)
    for row in world.tickers("indices"):
        assert row["ticker"].startswith("I:")
        assert row["source_feed"]
        assert not {"last_updated_utc", "type", "currency_name"} & set(row)


def test_old_rows_are_sparse_and_some_have_no_stamp() -> None:
    world = World(seed=3, stocks=400, delisted=800, now="2026-11-20T22:30:00Z")
    for active, most in ((True, 0.1), (False, 0.7)):
        rows = world.tickers("stocks", active)
        for name in ("cik", "composite_figi", "type", "primary_exchange"):
            assert 0 < sum(name not in row for row in rows) < most * len(rows)
        assert 0 < sum("last_updated_utc" not in row for row in rows) < 10
    styles = {row["delisted_utc"][10:] for row in world.tickers("stocks", active=False)}
    assert styles == {"T00:00:00Z", "T04:00:00Z", "T05:00:00Z"}
    stamps = [row.get("last_updated_utc", "") for row in world.tickers("stocks")]
    digits = Counter(len(re.sub(r".*[.:]|Z", "", stamp)) for stamp in stamps)
    assert {8, 9} <= set(digits)


def test_symbols_are_reused_and_rows_duplicated(world: World) -> None:
    active = Counter(row["ticker"] for row in world.tickers("stocks"))
    gone = defaultdict(list)
    for row in world.tickers("stocks", active=False):
        gone[row["ticker"]].append(row)
    assert set(active) & set(gone)
    generations = [rows for rows in gone.values() if len({r["delisted_utc"] for r in rows}) > 1]
    assert generations
    (twin,) = [ticker for ticker, count in active.items() if count > 1]
    first, second = (row for row in world.tickers("stocks") if row["ticker"] == twin)
    assert {name for name in first if first[name] != second[name]} == {"last_updated_utc"}


def test_pages_add_up_to_the_truth(world: World, pages: Pages) -> None:
    for active in (True, False):
        rows = pages(TICKERS, market="stocks", active=str(active).lower(), limit=7)
        assert rows == world.tickers("stocks", active)


def test_without_a_market_all_markets_come(world: World, pages: Pages) -> None:
    markets = Counter(row["market"] for row in pages(TICKERS, limit=1000))
    assert markets == {"stocks": 50, "otc": 10, "crypto": 8, "fx": 8, "indices": 5}


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    "sort", ["last_updated_utc", "delisted_utc", "name", "cik", "primary_exchange", "type"]
)
def test_every_sort_pages_through_all_rows_in_order(
    world: World, pages: Pages, sort: str, order: str
) -> None:
    rows = pages(TICKERS, market="stocks", active="false", sort=sort, order=order, limit=9)
    expected = world.tickers("stocks", active=False)
    assert sorted(map(str, rows)) == sorted(map(str, expected))
    present = [row[sort] for row in rows if sort in row]
    keys = [parse_ns(v) if sort.endswith("_utc") else v for v in present]
    assert keys == sorted(keys, reverse=order == "desc")
    missing = [sort not in row for row in rows]
    assert missing == sorted(missing, reverse=order == "asc")  # missing is the lowest value


@pytest.mark.parametrize(
    ("undated", "order", "at_start"),
    [
        ("lowest", "asc", True),
        ("lowest", "desc", False),
        ("first", "desc", True),
        ("first", "asc", True),
        ("last", "asc", False),
        ("last", "desc", False),
    ],
)
def test_where_rows_without_a_stamp_stand_is_an_option(
    undated: Undated, order: str, at_start: bool
) -> None:
    world = World(stocks=50, delisted=0, now="2026-11-20T22:30:00Z", undated=undated)
    asked = [("sort", "last_updated_utc"), ("order", order), ("market", "stocks")]
    rows, _ = world.page(TICKERS, parse(endpoint(TICKERS), asked), None)
    missing = ["last_updated_utc" not in row for row in rows]
    assert missing[0 if at_start else -1] is True
    assert missing == sorted(missing, reverse=at_start)


def test_filters(world: World, pages: Pages) -> None:
    everything = world.tickers("stocks")
    assert pages(TICKERS, ticker="BRK.B") == [r for r in everything if r["ticker"] == "BRK.B"]
    assert pages(TICKERS, ticker="brk.b") == []
    ranged = pages(TICKERS, market="stocks", **{"ticker.gt": "AAPL", "ticker.lte": "KIMpL"})
    assert ranged == [r for r in everything if "AAPL" < r["ticker"] <= "KIMpL"]
    etfs = pages(TICKERS, market="stocks", type="ETF", exchange="XNAS")
    assert etfs == [
        r for r in everything if (r.get("type"), r.get("primary_exchange")) == ("ETF", "XNAS")
    ]
    cik = everything[0]["cik"]
    assert pages(TICKERS, cik=cik) == [r for r in everything if r.get("cik") == cik]
    assert pages(TICKERS, cusip="037833100") == []
    words = pages(TICKERS, market="stocks", search="gold")
    assert words == [r for r in everything if "gold" in f"{r['ticker']} {r['name']}".lower()]


def test_a_date_gives_the_list_of_that_day(world: World, pages: Pages) -> None:
    world.delist("MSFT")
    world.advance("2026-11-23T22:30:00Z")
    (then,) = pages(TICKERS, ticker="MSFT", date="2026-11-19")
    assert then["active"] is True
    assert "delisted_utc" not in then
    assert pages(TICKERS, ticker="MSFT", date="2026-11-20") == []
    assert pages(TICKERS, ticker="MSFT", active="false", date="2026-11-19") == []
    (now,) = pages(TICKERS, ticker="MSFT", active="false")
    assert now["delisted_utc"] == "2026-11-20T00:00:00Z"


def test_an_exactly_full_last_page_ends_the_list(get: Get) -> None:
    content = get(TICKERS, params={"market": "stocks", "limit": 50}).json()
    assert (len(content["results"]), content["count"]) == (50, 50)
    assert "next_url" not in content
    content = get(TICKERS, params={"market": "stocks", "limit": 49}).json()
    last = get(content["next_url"]).json()
    assert (last["count"], "next_url" in last) == (1, False)


def test_default_page_size_is_100(get: Get) -> None:
    content = get(TICKERS, params={"active": "false"}).json()
    assert content["count"] == 82  # 80 stocks, 2 otc
    content = get(TICKERS, params={"limit": 1000}).json()
    assert content["count"] == 81


def test_the_nightly_batch_restamps_all_active_rows_in_ticker_order(world: World) -> None:
    before = {m: world.tickers(m) for m in ("stocks", "otc", "crypto")}
    gone = world.tickers("stocks", active=False)
    world.advance("2026-11-21T22:30:00Z")
    assert world.tickers("crypto") == before["crypto"]
    assert world.tickers("stocks", active=False) == gone
    stamps = []
    for market in ("stocks", "otc"):
        for old, new in zip(before[market], world.tickers(market), strict=True):
            assert ("last_updated_utc" in old) == ("last_updated_utc" in new)
            if "last_updated_utc" in new:
                assert new["last_updated_utc"].startswith("2026-11-21T07:06:")
                stamps.append((new["ticker"], parse_ns(new["last_updated_utc"])))
    stamps.sort(key=lambda pair: pair[1])
    assert [ticker for ticker, _ in stamps] == sorted(ticker for ticker, _ in stamps)
    assert all(590 <= b - a <= 620 for (_, a), (_, b) in pairwise(stamps))


def test_a_night_can_pass_without_the_batch(world: World) -> None:
    before = world.tickers("stocks")
    world.advance("2026-11-21T22:30:00Z", restamp=False)
    assert world.tickers("stocks") == before
    world.restamp()
    assert world.tickers("stocks") != before


def test_a_delisted_row_moves_and_freezes(world: World) -> None:
    (before,) = [r for r in world.tickers("stocks") if r["ticker"] == "AAPL"]
    world.delist("AAPL", on=date(2026, 11, 19), style="new-york-midnight", keep_identifiers=False)
    assert "AAPL" not in {r["ticker"] for r in world.tickers("stocks")}
    (after,) = [
        r
        for r in world.tickers("stocks", active=False)
        if r["ticker"] == "AAPL" and r["delisted_utc"] == "2026-11-19T05:00:00Z"
    ]
    assert after["active"] is False
    assert not {"cik", "composite_figi", "share_class_figi"} & set(after)
    assert parse_ns(after["last_updated_utc"]) > parse_ns(before["last_updated_utc"])
    world.advance("2026-11-25T12:00:00Z")
    assert after in world.tickers("stocks", active=False)


def test_a_symbol_can_be_reused(world: World) -> None:
    world.delist("AAPL")
    row = world.list_symbol("AAPL", "New Apple")
    assert row in world.tickers("stocks")
    assert "AAPL" in {r["ticker"] for r in world.tickers("stocks", active=False)}
    with pytest.raises(ValueError, match="already listed"):
        world.list_symbol("AAPL", "Third Apple")
    with pytest.raises(KeyError, match="NOPE"):
        world.delist("NOPE")


def test_edits_change_the_stamp_of_one_row(world: World) -> None:
    newest = max(
        parse_ns(r.get("last_updated_utc", "1970-01-01T00:00:00Z")) for r in world.tickers("stocks")
    )
    world.rename("AAPL", "Pear Inc.")
    (pear,) = [r for r in world.tickers("stocks") if r["name"] == "Pear Inc."]
    assert parse_ns(pear["last_updated_utc"]) > newest
    ticker = world.tickers("stocks", active=False)[0]["ticker"]
    world.edit_delisted(ticker, name="Old Pear")
    (old,) = [r for r in world.tickers("stocks", active=False) if r["name"] == "Old Pear"]
    assert parse_ns(old["last_updated_utc"]) > parse_ns(pear["last_updated_utc"])


def test_a_delisted_crypto_pair_vanishes(world: World) -> None:
    world.delist("X:BTCUSD")
    assert "X:BTCUSD" not in {r["ticker"] for r in world.tickers("crypto")}
    assert world.tickers("crypto", active=False) == []


def test_rows_of_a_real_time_world_were_stamped_last_night() -> None:
    world = World(stocks=20, delisted=0)
    age = timedelta(days=1, minutes=10)
    for row in world.tickers("stocks"):
        if "last_updated_utc" in row:
            assert parse_ns(row["last_updated_utc"]) / 1e9 > (world.now - age).timestamp()
