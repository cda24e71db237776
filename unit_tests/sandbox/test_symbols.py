"""What the API says about one symbol: profiles, option contracts and chains."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import requests
from polygon_sandbox import OptionsSize, Plan, Sandbox, World
from polygon_sandbox.contract import endpoint
from polygon_sandbox.lists import CHAIN, CONTRACTS
from polygon_sandbox.profiles import DETAILS, RATINGS

Get = Callable[..., requests.Response]
Pages = Callable[..., list[dict[str, Any]]]

DETAILS_OF = "/v3/reference/tickers/"
CHAIN_OF = "/v3/snapshot/options/"
WEEKLY = date(2026, 11, 27)  # a Friday, half a session


@pytest.fixture
def world() -> World:
    size = OptionsSize(weeks=3, strikes=4)
    return World(seed=7, stocks=50, delisted=80, now="2026-11-20T22:30:00Z", options=size)


def _close(world: World, ticker: str, day: date) -> float:
    return next(float(bar["c"]) for bar in world.bars("stocks", day) if bar["T"] == ticker)


def test_details_are_the_ticker_row_and_more(get: Get, world: World) -> None:
    row = next(row for row in world.tickers("stocks") if row["ticker"] == "BRK.B")
    details = get(f"{DETAILS_OF}BRK.B").json()["results"]
    assert details == world.ticker_details("BRK.B")
    assert {name: details[name] for name in row if name in details} == {
        name: value for name, value in row.items() if name != "last_updated_utc"
    }
    assert set(details) <= set(endpoint(DETAILS).row)
    assert (details["ticker_root"], details["ticker_suffix"]) == ("BRK", "B")
    shares, close = (
        details["weighted_shares_outstanding"],
        _close(world, "BRK.B", date(2026, 11, 19)),
    )
    assert details["market_cap"] == round(shares * close, 4)
    world.rename("BRK.B", "Another Name Inc.")
    assert get(f"{DETAILS_OF}BRK.B").json()["results"] == {**details, "name": "Another Name Inc."}
    coin = get(f"{DETAILS_OF}X:BTCUSD").json()["results"]
    assert (coin["market"], coin["currency_name"]) == ("crypto", "usd")


def test_details_of_what_is_not_listed_are_not_found(get: Get, world: World) -> None:
    answer = get(f"{DETAILS_OF}NOTATICKER")
    assert (answer.status_code, answer.json()["status"]) == (404, "NOT_FOUND")
    assert answer.json()["message"] == "Ticker not found."
    world.delist("AAPL", on=date(2026, 11, 20))
    assert get(f"{DETAILS_OF}AAPL").status_code == 404
    past = get(f"{DETAILS_OF}AAPL", params={"date": "2026-11-19"}).json()["results"]
    assert (past["ticker"], past["active"], "delisted_utc" in past) == ("AAPL", True, False)


def test_events_related_and_ratings(get: Get, world: World) -> None:
    answer = get("/vX/reference/tickers/MSFT/events").json()["results"]
    details = world.ticker_details("MSFT") or {}
    newest = {"ticker_change": {"ticker": "MSFT"}, "type": "ticker_change"}
    assert answer["events"][0] == {**newest, "date": details["list_date"]}
    stocks = [row["ticker"] for row in world.tickers("stocks")]
    histories = [(world.ticker_events(ticker) or {})["events"] for ticker in stocks]
    assert {len(history) for history in histories} == {1, 2}
    assert all(len(h) == 1 or h[0]["date"] > h[1]["date"] for h in histories)
    assert get("/vX/reference/tickers/NOTATICKER/events").status_code == 404
    related = get("/v1/related-companies/MSFT").json()
    assert related["stock_symbol"] == "MSFT"
    assert len({row["ticker"] for row in related["results"]} - {"MSFT"}) == 10
    assert get("/v1/related-companies/NOTATICKER").json()["results"] == []
    (ratings,) = get("/benzinga/v1/consensus-ratings/MSFT").json()["results"]
    assert ratings["ticker"] == "MSFT"
    assert set(ratings) <= set(endpoint(RATINGS).row)


def test_live_and_expired_contracts_are_two_lists(pages: Pages, world: World) -> None:
    lists = {
        gone: pages(CONTRACTS, underlying_ticker="AAPL", expired=str(gone).lower(), limit=7)
        for gone in (False, True)
    }
    assert lists == {gone: world.option_contracts("AAPL", gone) for gone in (False, True)}
    live, expired = ([row["expiration_date"] for row in lists[gone]] for gone in (False, True))
    # 4 strikes, a call and a put; this Friday's and eight more weeks, three weeks before.
    assert (len(live), len(expired)) == (9 * 8, 3 * 8)
    assert min(live) == "2026-11-20"  # live until its day is over
    assert max(expired) == "2026-11-13"
    known = endpoint(CONTRACTS).row
    assert all(set(row) <= set(known) for row in lists[False])
    assert lists[False][0]["ticker"].startswith("O:AAPL261120C")
    close = _close(world, "AAPL", date(2026, 10, 1))
    strikes = [row["strike_price"] for row in live_on(lists[False], WEEKLY)]
    assert min(strikes) <= close <= max(strikes)


def live_on(rows: list[dict[str, Any]], expiration: date) -> list[dict[str, Any]]:
    return [row for row in rows if row["expiration_date"] == expiration.isoformat()]


def test_a_contract_expires_and_the_past_stays(pages: Pages, world: World) -> None:
    before = world.option_contracts("AAPL")
    added = world.add_option("AAPL", WEEKLY, 1.5)
    late = world.add_option("AAPL", date(2026, 11, 13), 2.5, "put")
    world.advance("2026-11-23T15:00:00Z")
    live = pages(CONTRACTS, underlying_ticker="AAPL")
    assert added in live
    assert live_on(live, date(2026, 11, 20)) == []
    gone = pages(CONTRACTS, underlying_ticker="AAPL", expired="true", limit=1000)
    assert late in gone
    assert all(row in gone for row in live_on(before, date(2026, 11, 20)))
    as_of = pages(CONTRACTS, underlying_ticker="AAPL", as_of="2026-11-20", limit=1000)
    assert sorted(map(str, as_of)) == sorted(map(str, [*before, added]))
    as_of = pages(CONTRACTS, underlying_ticker="AAPL", as_of="2026-11-19", limit=1000)
    assert len(as_of) == len(before) - 8  # the last series was listed on the 20th
    window = {"expiration_date.gte": "2026-11-13", "expiration_date.lte": "2026-11-13"}
    rows = pages(CONTRACTS, underlying_ticker="AAPL", expired="true", **window)
    assert rows == live_on(gone, date(2026, 11, 13))
    assert pages(CONTRACTS, underlying_ticker="NOTATICKER") == []


def test_a_chain_shows_the_live_contracts_and_their_worth(pages: Pages, world: World) -> None:
    rows = pages(f"{CHAIN_OF}AAPL", limit=50)
    assert rows == world.option_chain("AAPL")
    live = {row["ticker"]: row for row in world.option_contracts("AAPL")}
    assert [row["details"]["ticker"] for row in rows] == list(live)
    close = _close(world, "AAPL", date(2026, 11, 19))
    for row in rows:
        contract, premium = live[row["details"]["ticker"]], row["last_quote"]["midpoint"]
        assert row["details"]["strike_price"] == contract["strike_price"]
        assert row["underlying_asset"] == {
            **row["underlying_asset"],
            "ticker": "AAPL",
            "price": close,
        }
        sign = 1 if contract["contract_type"] == "call" else -1
        assert premium > sign * (close - contract["strike_price"]) - 0.01
        assert row["break_even_price"] == round(contract["strike_price"] + sign * premium, 4)
    assert set().union(*rows) <= set(endpoint(CHAIN).row)
    assert any("greeks" in row for row in rows)
    assert any(row["day"] == {} for row in rows)
    world.advance("2026-11-23T22:30:00Z")
    assert pages(f"{CHAIN_OF}AAPL") != rows
    assert pages(f"{CHAIN_OF}NOTATICKER") == []


def test_some_stocks_have_options_and_pages_have_the_vendors_sizes(get: Get, world: World) -> None:
    having = [r["ticker"] for r in world.tickers("stocks") if world.option_chain(r["ticker"])]
    assert {"A", "AAPL", "MSFT"} < set(having)
    assert len(having) < 40
    assert get(f"{CHAIN_OF}AAPL", params={"limit": 251}).status_code == 400
    assert get(CONTRACTS, params={"limit": 1001}).status_code == 400
    with pytest.raises(KeyError, match="no options"):
        world.add_option(next(r for r in _stocks(world) if r not in having), WEEKLY, 1.0)
    world.add_option("AAPL", WEEKLY, 1.0)
    with pytest.raises(ValueError, match="already"):
        world.add_option("AAPL", WEEKLY, 1.0)


def _stocks(world: World) -> list[str]:
    return [str(row["ticker"]) for row in world.tickers("stocks")]


def test_a_plan_may_not_have_them(get: Get, sandbox: Sandbox) -> None:
    sandbox.plan = Plan.unlimited(refused=("/v3/snapshot/options",))
    assert get(f"{CHAIN_OF}AAPL").status_code == 403
    assert get(f"{DETAILS_OF}AAPL").status_code == 200
    sandbox.plan = Plan.free()
    assert get(f"{DETAILS_OF}AAPL", params={"date": "2020-01-02"}).status_code == 403
