"""The views over what the connector read from a sandbox, against what the API itself answers."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import fakesnow
import pytest
import requests
import snowflake.connector
from polygon_sandbox import Plan, Sandbox, World
from syncing import Syncs

from deploy.tests.snowflake.landing import NO_OPERATION, Landing

Row = dict[str, Any]


@pytest.fixture
def landing() -> Iterator[Landing]:
    with fakesnow.patch(nop_regexes=NO_OPERATION):
        connection = snowflake.connector.connect()
        yield Landing(connection)
        connection.close()


NOW = "2026-11-20T22:30:00Z"


def land(landing: Landing, syncs: Syncs) -> None:
    """Land the tables of a connection, and create the views."""
    for stream in ("grouped_daily", "tickers", "splits"):
        landing.load(stream, list(syncs.tables[stream].values()))
    landing.run("views.sql", now=NOW)


def listed(sandbox: Sandbox, day: date) -> set[tuple[str, str]]:
    """Return ticker and name of the companies that the API lists as of a day."""
    found: set[tuple[str, str]] = set()
    login = {"Authorization": f"Bearer {sandbox.key}"}
    for market in ("stocks", "otc"):
        query = f"market={market}&active=true&limit=1000&date={day}"
        url: str | None = f"{sandbox.url}/v3/reference/tickers?{query}"
        while url:
            answer = requests.get(url, headers=login, timeout=10).json()
            found |= {(row["ticker"], row["name"]) for row in answer["results"]}
            url = answer.get("next_url")
    return found


def test_adjusted_bars_equal_those_of_the_api(
    landing: Landing, clock: Callable[[str], None]
) -> None:
    clock(NOW)
    now = datetime(2026, 11, 20, 22, 30, tzinfo=timezone.utc)
    world = World(seed=3, stocks=70, delisted=60, now=now - timedelta(days=40))
    start = world.today - timedelta(days=80)
    splitting = {split["ticker"] for split in world.splits()}
    traded = {
        bar["T"] for bar in world.bars("stocks", world.sessions("stocks", start, now.date())[0])
    }
    listed_now = {row["ticker"] for row in world.tickers("stocks")}
    used_again, forward, reverse, twice, late, *_ = sorted(traded & listed_now - splitting)
    day = world.today
    world.add_split(forward, day + timedelta(days=9), 1, 4)
    world.add_split(reverse, day + timedelta(days=16), 10, 1)
    world.add_split(twice, day + timedelta(days=12), 2, 3)
    world.add_split(twice, day + timedelta(days=30), 1, 2)
    world.advance(now - timedelta(days=30))
    world.delist(used_again)
    world.advance(now - timedelta(days=23))
    world.list_symbol(used_again, "Another Company")
    world.add_split(used_again, world.today + timedelta(days=10), 1, 5)
    world.advance(now)
    world.add_split(late, world.today - timedelta(days=60), 1, 2)  # entered after its day
    world.add_split(forward, world.today + timedelta(days=20), 1, 2)  # announced

    with Sandbox(world, Plan.unlimited()) as sandbox:
        syncs, adjusted = Syncs(sandbox), Syncs(sandbox)
        syncs.read("grouped_daily", "tickers", "splits", start_date=str(start))
        adjusted.read("grouped_daily", start_date=str(start), adjusted=True)
    land(landing, syncs)

    truth = {(bar["date"], bar["ticker"]): bar for bar in adjusted.tables["grouped_daily"].values()}
    found = {
        (str(bar["date"]), bar["ticker"]): bar
        for bar in landing.rows("SELECT * FROM MARKET.DAILY_BARS_ADJUSTED")
    }
    assert found.keys() == truth.keys()
    assert len({day for day, _ in truth}) > 75
    # The API rounds: prices to four decimals, volumes to six.
    decimals = {"open": 4, "high": 4, "low": 4, "close": 4, "vwap": 4, "volume": 6}
    for key, bar in truth.items():
        for field, places in decimals.items():
            if field in bar:
                rounding = 0.5 * 10**-places
                assert found[key][field] == pytest.approx(
                    bar[field], rel=1e-9, abs=rounding * 1.001
                ), (
                    key,
                    field,
                )
        assert found[key]["transactions"] == bar.get("transactions")

    # What was put there was met: each of these symbols has bars in old and in new shares.
    factors: dict[str, set[float]] = {}
    for _, ticker in found:
        factors.setdefault(ticker, set())
    for (_, ticker), bar in found.items():
        factors[ticker].add(round(bar["split_factor"], 9))
    assert factors[forward] == {0.25, 1}
    assert factors[reverse] == {10, 1}
    assert factors[twice] == {round(1 / 3, 9), 0.5, 1}
    assert factors[late] == {0.5, 1}
    assert factors[used_again] == {0.2, 1}
    first_company = [
        bar
        for (day, ticker), bar in found.items()
        if ticker == used_again and day < str(now.date() - timedelta(days=31))
    ]
    assert {bar["split_factor"] for bar in first_company} == {1}


def test_the_universe_of_each_session_is_the_list_of_the_api_for_that_day(
    landing: Landing, clock: Callable[[str], None]
) -> None:
    world = World(seed=7, stocks=60, delisted=90, now="2026-09-25T22:30:00Z")
    gone, used_again, moved = [row["ticker"] for row in world.tickers("stocks")][:3]
    with Sandbox(world, Plan.unlimited()) as sandbox:
        syncs = Syncs(sandbox)

        def sync(moment: str) -> None:
            clock(moment)
            syncs.read(
                "grouped_daily",
                "tickers",
                "splits",
                start_date="2026-06-01",
                markets=["stocks", "otc"],
                include_otc=True,
            )

        sync("2026-09-25T22:30:00Z")
        world.advance("2026-10-07T22:30:00Z")
        world.delist(gone)
        world.delist(used_again, style="new-york-midnight")
        world.list_symbol("NEWCO", "New Company")
        world.advance("2026-10-21T22:30:00Z")
        world.list_symbol(used_again, "Another Company")
        sync("2026-11-02T22:30:00Z")
        world.advance("2026-11-11T22:30:00Z")
        world.delist(moved)
        world.advance(NOW)
        sync(NOW)
        land(landing, syncs)

        sessions = world.sessions("stocks", date(2026, 6, 1), date(2026, 11, 20))
        assert len(sessions) == 122
        universe: dict[date, set[tuple[str, str]]] = {day: set() for day in sessions}
        for row in landing.rows("SELECT date, ticker, name FROM MARKET.ACTIVE_UNIVERSE"):
            universe[row["date"]].add((row["ticker"], row["name"]))
        # A company is known from its first bar on, and one in a hundred has none on a given day.
        first, *others = sessions
        unknown = listed(sandbox, first) - universe[first]
        assert universe[first] < listed(sandbox, first)
        assert (
            dict(unknown)
            .keys()
            .isdisjoint(bar["T"] for bar in world.bars("stocks", first, include_otc=True))
        )
        for day in others:
            assert universe[day] == listed(sandbox, day), day

    name = dict(universe[date(2026, 10, 6)])
    assert (used_again, name[used_again]) not in universe[date(2026, 10, 7)]
    assert (used_again, "Another Company") in universe[date(2026, 10, 21)]
    assert gone not in dict(universe[date(2026, 10, 7)])
    assert "NEWCO" in dict(universe[date(2026, 10, 7)])


def test_latest_tickers_have_one_row_a_symbol_the_active_one_if_there_is_one(
    landing: Landing, clock: Callable[[str], None]
) -> None:
    clock(NOW)
    world = World(seed=7, stocks=60, delisted=90, crypto=8, now=NOW)
    with Sandbox(world, Plan.unlimited()) as sandbox:
        syncs = Syncs(sandbox)
        markets = ["stocks", "crypto"]
        syncs.read("grouped_daily", "tickers", "splits", start_date="2026-11-16", markets=markets)
    land(landing, syncs)

    latest = landing.rows("SELECT * FROM MARKET.LATEST_TICKERS")
    keys = [(row["market"], row["ticker"]) for row in latest]
    assert len(keys) == len(set(keys))
    active = {
        (row["market"], row["ticker"], row["name"])
        for market in markets
        for row in world.tickers(market)
    }
    assert {(r["market"], r["ticker"], r["name"]) for r in latest if r["active"]} == active
    ended: dict[str, str] = {}
    for row in world.tickers("stocks", active=False):
        ended[row["ticker"]] = max(row["delisted_utc"], ended.get(row["ticker"], ""))
    expected = {t: end for t, end in ended.items() if ("stocks", t) not in {k[:2] for k in active}}
    found = {
        row["ticker"]: row["delisted_utc"].astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        for row in latest
        if not row["active"]
    }
    assert found == expected


def test_unadjusted_bars_are_those_that_were_landed(
    landing: Landing, clock: Callable[[str], None]
) -> None:
    clock(NOW)
    world = World(seed=7, stocks=60, delisted=90, now=NOW)
    with Sandbox(world, Plan.unlimited()) as sandbox:
        syncs = Syncs(sandbox)
        syncs.read("grouped_daily", "tickers", "splits", start_date="2026-11-16")
    land(landing, syncs)
    landed = {(row["date"], row["ticker"]): row for row in syncs.tables["grouped_daily"].values()}
    bars = landing.rows("SELECT * FROM MARKET.DAILY_BARS")
    assert len(bars) == len(landed) > 200
    for bar in bars:
        row = landed[str(bar["date"]), bar["ticker"]]
        for field in ("open", "high", "low", "close", "volume", "vwap", "transactions", "otc"):
            assert bar[field] == row.get(field)
