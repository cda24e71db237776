"""The views over what the connector read from a sandbox, against what the API itself answers."""

from collections.abc import Callable
from datetime import date, timezone
from typing import Any

import requests
from polygon_sandbox import Plan, Sandbox, World

from deploy.tests.snowflake.landing import Landing
from unit_tests.connector.syncing import Syncs

Row = dict[str, Any]


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
