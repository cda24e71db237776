from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone

import exchange_calendars
import pytest
from source_polygon.sessions import end_of_bar, last_finished, session_of, sessions

Clock = Callable[[str], None]


def test_stocks_have_no_session_on_weekends_and_holidays() -> None:
    assert sessions("stocks", date(2026, 11, 24), date(2026, 11, 30)) == [
        date(2026, 11, 24),
        date(2026, 11, 25),
        # 26 November is Thanksgiving.
        date(2026, 11, 27),
        date(2026, 11, 30),
    ]


def test_stocks_history_starts_with_the_vendors_first_day() -> None:
    assert sessions("stocks", date(1999, 1, 1), date(2003, 9, 11)) == [
        date(2003, 9, 10),
        date(2003, 9, 11),
    ]
    assert sessions("stocks", date(1999, 1, 1), date(2002, 1, 1)) == []


def test_every_session_and_every_close_is_that_of_another_calendar(clock: Clock) -> None:
    """exchange_calendars is kept by others, from other sources."""
    first, last = date(2003, 9, 10), date.today() + timedelta(days=300)  # noqa: DTZ011 - any day
    theirs = exchange_calendars.get_calendar("XNYS", start=first, end=last)
    days = [day.date() for day in theirs.sessions]
    assert len(days) > 5500
    assert sessions("stocks", first, last) == days
    for day in [*(day.date() for day in theirs.early_closes), *days[-250:]]:
        close = theirs.session_close(str(day)).to_pydatetime()
        clock((close + timedelta(minutes=15)).isoformat())
        assert last_finished("stocks") == day
        clock((close + timedelta(minutes=14, seconds=59)).isoformat())
        assert last_finished("stocks") < day


@pytest.mark.parametrize("market", ["crypto", "fx"])
def test_other_markets_have_every_utc_day(market: str) -> None:
    assert sessions(market, date(2026, 11, 21), date(2026, 11, 23)) == [
        date(2026, 11, 21),
        date(2026, 11, 22),
        date(2026, 11, 23),
    ]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # 16:14 and 16:15 New York in winter: the delayed plans see the closing auction at 16:15.
        ("2026-11-20T21:14:59Z", date(2026, 11, 19)),
        ("2026-11-20T21:15:00Z", date(2026, 11, 20)),
        # In summer the close is an hour earlier in UTC.
        ("2026-07-10T20:14:59Z", date(2026, 7, 9)),
        ("2026-07-10T20:15:00Z", date(2026, 7, 10)),
        # The first session after the clocks go forward, and after they go back.
        ("2026-03-09T20:15:00Z", date(2026, 3, 9)),
        ("2026-11-02T20:15:00Z", date(2026, 10, 30)),
        # A half-day closes at 13:00 New York.
        ("2026-11-27T18:14:59Z", date(2026, 11, 25)),
        ("2026-11-27T18:15:00Z", date(2026, 11, 27)),
        # Already tomorrow in UTC, still today's evening in New York.
        ("2026-11-21T01:00:00Z", date(2026, 11, 20)),
        # A Sunday.
        ("2026-11-22T12:00:00Z", date(2026, 11, 20)),
    ],
)
def test_a_stocks_session_is_finished_when_every_plan_sees_its_close(
    clock: Clock, now: str, expected: date
) -> None:
    clock(now)
    assert last_finished("stocks") == expected


def test_a_crypto_day_is_finished_after_midnight_utc(clock: Clock) -> None:
    clock("2026-11-20T00:14:59Z")
    assert last_finished("crypto") == date(2026, 11, 18)
    clock("2026-11-20T00:15:00Z")
    assert last_finished("crypto") == date(2026, 11, 19)


@pytest.mark.parametrize(
    ("market", "session", "end"),
    [
        ("stocks", date(2026, 11, 20), datetime(2026, 11, 20, 21, tzinfo=timezone.utc)),
        ("stocks", date(2026, 7, 10), datetime(2026, 7, 10, 20, tzinfo=timezone.utc)),
        ("crypto", date(2026, 7, 10), datetime(2026, 7, 10, 23, 59, 59, 999000, timezone.utc)),
    ],
)
def test_a_bar_ends_with_its_session_and_leads_back_to_it(
    market: str, session: date, end: datetime
) -> None:
    assert end_of_bar(market, session) == end
    assert session_of(market, end) == session
