"""The Cloud edition's lookback: days of the calendar that hold as many sessions as asked for."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import exchange_calendars
import pytest
from airbyte_cdk.sources.declarative.interpolation.interpolated_string import InterpolatedString
from polygon_sandbox import Plan, Sandbox, World
from source_polygon.sessions import sessions

from unit_tests.connector.cloud_syncing import CLOUD, CloudSyncs

FIRST, LAST = date(2019, 1, 1), date(2035, 12, 31)
# Back far enough for the longest lookback of the first day.
OURS = sessions("stocks", FIRST - timedelta(days=400), LAST)
DAILY: dict[str, Any] = next(s for s in CLOUD["streams"] if s["name"] == "grouped_daily")


def days_back(lookback: int) -> int:
    """Return the days that the manifest asks the CDK to go back."""
    expression = InterpolatedString.create(
        DAILY["incremental_sync"]["lookback_window"], parameters={}
    )
    window = expression.eval({"lookback_sessions": lookback})
    assert window == f"P{window[1:-1]}D"
    return int(window[1:-1])


def test_our_sessions_are_those_of_another_calendar() -> None:
    # It refuses an end after the last session of the last year it is made for: this is one.
    theirs = exchange_calendars.get_calendar("XNYS", start=OURS[0], end=LAST)
    assert [day.date() for day in theirs.sessions] == OURS


@pytest.mark.parametrize("lookback", range(1, 61))
def test_the_days_hold_the_sessions_on_every_day(lookback: int) -> None:
    back = days_back(lookback)
    starts = [n for n, day in enumerate(OURS) if day >= FIRST]
    assert len(starts) > 4000
    needed = [(OURS[n] - OURS[n - lookback + 1]).days for n in starts]
    assert max(needed) <= back
    # Each further day costs a request per market and sync.
    assert back <= max(needed) + 2


def test_the_longest_lookback_holds_too() -> None:
    for lookback in range(61, 251):
        needed = ((OURS[n] - OURS[n - lookback + 1]).days for n in range(lookback, len(OURS)))
        assert max(needed) <= days_back(lookback)


def test_the_default_and_none() -> None:
    default = InterpolatedString.create(
        DAILY["incremental_sync"]["lookback_window"], parameters={}
    ).eval({})
    assert default == f"P{days_back(5)}D" == "P7D"
    assert days_back(0) == days_back(1) == 0


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    world = World(
        seed=5, stocks=5, delisted=0, otc=0, crypto=0, fx=0, indices=0, now="2025-02-03T22:30:00Z"
    )
    with Sandbox(world, Plan.unlimited()) as running:
        yield running


@pytest.mark.parametrize(
    ("last", "lookback"),
    [
        ("2024-04-01", 2),  # Monday after Good Friday
        ("2024-12-26", 3),
        ("2024-09-03", 3),  # Tuesday after Labor Day
        ("2025-01-10", 5),  # the day before was a day of mourning
        ("2025-01-10", 20),
        ("2024-07-05", 1),
    ],
)
def test_the_cdk_asks_again_for_the_sessions(sandbox: Sandbox, last: str, lookback: int) -> None:
    end = date.fromisoformat(last)
    cloud = CloudSyncs(sandbox)
    config: dict[str, Any] = {
        "start_date": str(end - timedelta(days=60)),
        "end_date": last,
        "markets": ["stocks"],
        "lookback_sessions": lookback,
    }
    cloud.read("grouped_daily", **config)
    sandbox.clear_requests()
    cloud.read("grouped_daily", **config)
    asked = sorted(request.path[-10:] for request in sandbox.requests)
    again = [str(day) for day in sessions("stocks", end - timedelta(days=120), end)[-lookback:]]
    assert set(again) <= set(asked)
    assert asked[0] == str(end - timedelta(days=days_back(lookback)))
    assert asked[-1] == last
