from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import requests
from polygon_sandbox import Plan, Sandbox, World

Get = Callable[..., requests.Response]

STOCKS = "/v2/aggs/grouped/locale/us/market/stocks/"
CRYPTO = "/v2/aggs/grouped/locale/global/market/crypto/"
FX = "/v2/aggs/grouped/locale/global/market/fx/"
THURSDAY = date(2026, 11, 19)


def by_ticker(bars: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {bar["T"]: bar for bar in bars}


def test_the_answer_is_the_truth_of_the_world(world: World, get: Get) -> None:
    content = get(STOCKS + "2026-11-19", params={"adjusted": "false"}).json()
    assert content["results"] == world.bars("stocks", THURSDAY)
    assert content["status"] == "OK"
    assert content["adjusted"] is False
    assert content["queryCount"] == content["resultsCount"] == len(content["results"]) > 40
    assert len(content["request_id"]) == 32


def test_the_same_seed_gives_the_same_bars(world: World) -> None:
    twin = World(seed=7, stocks=50, delisted=80, now="2026-11-20T22:30:00Z")
    other = World(seed=8, stocks=50, delisted=80, now="2026-11-20T22:30:00Z")
    assert twin.bars("stocks", THURSDAY) == world.bars("stocks", THURSDAY)
    assert other.bars("stocks", THURSDAY) != world.bars("stocks", THURSDAY)


@pytest.mark.parametrize(("market", "path"), [("crypto", CRYPTO), ("fx", FX)])
def test_crypto_and_fx_have_utc_days(world: World, get: Get, market: str, path: str) -> None:
    content = get(path + "2026-11-19").json()
    assert content["adjusted"] is True
    assert content["results"] == world.bars(market, THURSDAY, adjusted=True)
    assert {bar["t"] for bar in content["results"]} == {1795132799999}
    prefix = {"crypto": "X:", "fx": "C:"}[market]
    assert all(bar["T"].startswith(prefix) for bar in content["results"])


def test_prices_are_consistent_and_optional_fields_are_sometimes_missing() -> None:
    world = World(seed=1, stocks=400, delisted=0, now="2026-11-20T22:30:00Z")
    bars = world.bars("stocks", THURSDAY)
    for bar in bars:
        assert 0 < bar["l"] <= min(bar["o"], bar["c"])
        assert max(bar["o"], bar["c"]) <= bar["h"]
        assert bar["l"] <= bar.get("vw", bar["l"]) <= bar["h"]
        assert ("n" in bar) == ("vw" in bar)
        assert "otc" not in bar
        assert bar["t"] == 1795122000000
    assert 0 < sum("n" not in bar for bar in bars) < 40


def test_volumes_are_fractional_from_february_2026(world: World) -> None:
    def whole(day: date) -> list[bool]:
        return [isinstance(bar["v"], int) for bar in world.bars("stocks", day)]

    assert all(whole(date(2026, 2, 20)))
    assert 0 < sum(whole(date(2026, 2, 23))) < 25


def test_an_empty_day_has_no_results_at_all(get: Get) -> None:
    content = get(STOCKS + "2026-11-15").json()
    del content["request_id"]
    assert content == {"queryCount": 0, "resultsCount": 0, "adjusted": True, "status": "OK"}


def test_otc_rows_come_only_on_demand(world: World, get: Get) -> None:
    content = get(STOCKS + "2026-11-19", params={"include_otc": "true"}).json()
    otc = {bar["T"] for bar in content["results"] if bar.get("otc")}
    assert otc
    assert otc <= {row["ticker"] for row in world.tickers("otc")}
    assert otc.isdisjoint(by_ticker(get(STOCKS + "2026-11-19").json()["results"]))


def test_a_company_trades_from_its_listing_to_the_day_before_its_delisting(world: World) -> None:
    world.delist("MSFT", on=THURSDAY)
    assert "MSFT" in by_ticker(world.bars("stocks", date(2026, 11, 18)))
    assert "MSFT" not in by_ticker(world.bars("stocks", THURSDAY))
    world.list_symbol("MSFT", "Another Company")
    assert "MSFT" not in by_ticker(world.bars("stocks", THURSDAY))
    assert "MSFT" in by_ticker(world.bars("stocks", date(2026, 11, 20)))


def test_no_symbol_has_two_bars_though_rows_are_duplicated(world: World) -> None:
    for year in range(2004, 2027):
        tickers = [bar["T"] for bar in world.bars("stocks", date(year, 3, 10), include_otc=True)]
        assert len(tickers) == len(set(tickers))


def test_a_split_divides_the_adjusted_past_and_the_raw_future(world: World) -> None:
    monday = date(2026, 11, 23)
    before = by_ticker(world.bars("stocks", THURSDAY))["AAPL"]
    world.add_split("AAPL", monday, split_from=1, split_to=4)
    assert by_ticker(world.bars("stocks", THURSDAY, adjusted=True))["AAPL"]["c"] == before["c"]

    world.advance("2026-11-23T22:30:00Z")
    raw = by_ticker(world.bars("stocks", THURSDAY))["AAPL"]
    adjusted = by_ticker(world.bars("stocks", THURSDAY, adjusted=True))["AAPL"]
    assert raw == before
    assert adjusted["c"] == round(before["c"] / 4, 4)
    assert adjusted["v"] == pytest.approx(before["v"] * 4)
    after = by_ticker(world.bars("stocks", monday))["AAPL"]
    assert after["c"] == pytest.approx(adjusted["c"], rel=0.1)


def test_a_split_recorded_late_changes_adjusted_bars_only(world: World) -> None:
    days = (date(2026, 11, 10), THURSDAY)
    raw = [world.bars("stocks", day) for day in days]
    before = by_ticker(world.bars("stocks", days[0], adjusted=True))["AAPL"]
    world.add_split("AAPL", date(2026, 11, 12), split_from=1, split_to=2)
    assert [world.bars("stocks", day) for day in days] == raw
    after = by_ticker(world.bars("stocks", days[0], adjusted=True))["AAPL"]
    assert after["c"] == round(before["c"] / 2, 4)


def test_answers_are_kept_until_something_changes(world: World, get: Get) -> None:
    path = STOCKS + "2026-11-19?adjusted=false"
    first = by_ticker(get(path).json()["results"])
    assert by_ticker(get(path).json()["results"]) == first
    bar = next(bar for bar in first.values() if "n" in bar)
    world.correct("stocks", THURSDAY, bar["T"])
    second = by_ticker(get(path).json()["results"])
    changed = {name for name in bar if second[bar["T"]][name] != bar[name]}
    assert changed == {"v", "vw", "n"}
    assert second[bar["T"]]["v"] < bar["v"]
    assert {t: b for t, b in second.items() if t != bar["T"]} == {
        t: b for t, b in first.items() if t != bar["T"]
    }


def test_each_correction_changes_the_bar_again(world: World) -> None:
    seen = [by_ticker(world.bars("fx", THURSDAY))["C:EURUSD"]]
    for _ in range(3):
        world.correct("fx", THURSDAY, "C:EURUSD")
        seen.append(by_ticker(world.bars("fx", THURSDAY))["C:EURUSD"])
    assert len({(bar["v"], bar["vw"], bar["n"]) for bar in seen}) == 4


def test_bars_can_be_dropped_and_duplicated(world: World) -> None:
    world.drop_bar("stocks", THURSDAY, "AAPL")
    world.duplicate_bar("stocks", THURSDAY, "MSFT")
    tickers = [bar["T"] for bar in world.bars("stocks", THURSDAY)]
    assert (tickers.count("AAPL"), tickers.count("MSFT")) == (0, 2)
    with pytest.raises(KeyError, match="NOPE"):
        world.correct("stocks", THURSDAY, "NOPE")


def test_an_open_session_is_partial_and_is_not_kept(world: World, get: Get) -> None:
    whole = {"C:EURUSD": world.bars("fx", date(2026, 11, 20))[0]}
    assert whole
    path = STOCKS + "2026-11-23?adjusted=false"
    world.advance("2026-11-23T14:00:00Z")
    assert get(path).json()["resultsCount"] == 0
    world.advance("2026-11-23T17:45:00Z")
    half = by_ticker(get(path).json()["results"])["AAPL"]
    world.advance("2026-11-23T21:00:00Z")
    full = by_ticker(get(path).json()["results"])["AAPL"]
    assert half["o"] == full["o"]
    assert half["v"] == pytest.approx(full["v"] / 2, rel=0.01)
    assert half["h"] <= full["h"]
    assert full == by_ticker(world.bars("stocks", date(2026, 11, 23)))["AAPL"]


@pytest.mark.parametrize("day", ["2026-13-01", "20261119", "1795132799999", "yesterday"])
def test_a_bad_date_is_a_bad_request(get: Get, day: str) -> None:
    answer = get(STOCKS + day)
    assert answer.status_code == 400
    assert answer.json()["status"] == "ERROR"
    assert "Could not parse the time parameter" in answer.json()["error"]


def test_a_delayed_plan_says_so(sandbox: Sandbox, get: Get) -> None:
    sandbox.plan = Plan.unlimited(delayed=True)
    assert get(STOCKS + "2026-11-19").json()["status"] == "DELAYED"
