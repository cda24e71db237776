"""The calendar of the exchange, held against that of another package."""

from collections.abc import Callable
from datetime import date

import exchange_calendars
import pytest
from holidays import financial_holidays
from source_polygon.sessions import LAST_YEAR

from unit_tests.connector.syncing import Syncs

FIELDS = {"exchange", "date", "open_utc", "close_utc", "half_day"}


@pytest.mark.usefixtures("both_ways")
def test_sessions_are_those_of_another_calendar_and_nothing_is_asked(syncs: Syncs) -> None:
    output = syncs.read("trading_sessions", start_date="2003-01-01")
    rows = output.records("trading_sessions")
    theirs = exchange_calendars.get_calendar("XNYS", start="2003-09-10", end="2026-12-31")
    early = {day.date().isoformat() for day in theirs.early_closes}
    expected = [
        (
            day.date().isoformat(),
            f"{opens:%Y-%m-%dT%H:%M:%S}.000Z",
            f"{closes:%Y-%m-%dT%H:%M:%S}.000Z",
            day.date().isoformat() in early,
        )
        for day, opens, closes in zip(
            theirs.sessions, theirs.opens.array, theirs.closes.array, strict=True
        )
    ]
    found = [(r["date"], r["open_utc"], r["close_utc"], r["half_day"]) for r in rows]
    assert found[: len(expected)] == expected
    assert len(expected) > 5800
    assert {frozenset(row) for row in rows} == {frozenset(FIELDS)}
    assert {row["exchange"] for row in rows} == {"XNYS"}
    assert syncs.sandbox.requests == []


def test_it_knows_the_coming_sessions_and_half_days(syncs: Syncs) -> None:
    syncs.read("trading_sessions")
    table = syncs.tables["trading_sessions"]
    assert table["XNYS", "2026-11-27"] == {
        "exchange": "XNYS",
        "date": "2026-11-27",
        "open_utc": "2026-11-27T14:30:00.000Z",
        "close_utc": "2026-11-27T18:00:00.000Z",
        "half_day": True,
    }
    assert table["XNYS", "2027-07-01"]["close_utc"] == "2027-07-01T20:00:00.000Z"
    assert min(table) == ("XNYS", "2026-11-02")
    assert max(table) == ("XNYS", "2027-12-31")


@pytest.mark.parametrize("year", [2028, 2040, 2062, 2099, 2100])
def test_it_works_in_any_year(syncs: Syncs, clock: Callable[[str], None], year: int) -> None:
    clock(f"{year}-02-28T12:00:00Z")
    output = syncs.read("trading_sessions", start_date=f"{year}-01-01")
    days = [date.fromisoformat(row["date"]) for row in output.records("trading_sessions")]
    # 2100 is the last year that the calendar knows.
    years = {year, min(year + 1, 2100)}
    assert {day.year for day in days} == years
    assert 249 * len(years) <= len(days) <= 253 * len(years)
    assert all(day.weekday() < 5 for day in days)
    assert financial_holidays("XNYS", years=LAST_YEAR)
    assert not financial_holidays("XNYS", years=LAST_YEAR + 1)


def test_an_end_date_bounds_them(syncs: Syncs) -> None:
    syncs.read("trading_sessions", start_date="2026-07-01", end_date="2026-07-06")
    # 3 July is the holiday in the place of Saturday the 4th.
    assert [day for _, day in syncs.tables["trading_sessions"]] == [
        "2026-07-01",
        "2026-07-02",
        "2026-07-06",
    ]
