"""Trading sessions: which there are, when each is due, and the partitions made of them."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import dagster as dg
import exchange_calendars
import pandas as pd

NEW_YORK = ZoneInfo("America/New_York")
# The connector asks for a session from 15 minutes after its end on.
_SETTLING = timedelta(minutes=15)


def sessions(start: date, end: date) -> list[date]:
    """Return the sessions of New York from `start` to `end`, both included, oldest first."""
    found = _calendar(end.year).sessions_in_range(pd.Timestamp(start), pd.Timestamp(end))
    return [session.date() for session in found]


def due(session: date, delay_minutes: int | None) -> datetime:
    """Return from when on a plan serves a session.

    Args:
        session: a trading day.
        delay_minutes: of the plan, counted from the close, which is early on half-days; None: the
            day must be over in New York.
    """
    if delay_minutes is None:
        midnight = datetime.combine(session + timedelta(days=1), time(), NEW_YORK)
        return midnight + _SETTLING
    return close(session) + timedelta(minutes=delay_minutes)


def opening(session: date) -> datetime:
    """Return the opening of a session, in UTC."""
    opens: datetime = _calendar(session.year).session_open(pd.Timestamp(session)).to_pydatetime()
    return opens


def close(session: date) -> datetime:
    """Return the close of a session, in UTC; half-days close at 13:00 New York."""
    closes: datetime = _calendar(session.year).session_close(pd.Timestamp(session)).to_pydatetime()
    return closes


def last_due(now: datetime, delay_minutes: int | None) -> date:
    """Return the latest session that a plan serves at `now` (aware)."""
    today = now.astimezone(NEW_YORK).date()
    recent = sessions(today - timedelta(days=10), today)
    return max(session for session in recent if due(session, delay_minutes) <= now)


def partitions(start: date, today: date) -> dg.TimeWindowPartitionsDefinition:
    """Return one partition a session from `start` on, today's included, holidays left out.

    The calendar is known until the end of the year after `today`.
    """
    known = date(today.year + 1, 12, 31)
    trading = set(sessions(start, known))
    weekdays = pd.bdate_range(start, known)
    holidays = [day.to_pydatetime() for day in weekdays if day.date() not in trading]
    return dg.TimeWindowPartitionsDefinition(
        start=start.isoformat(),
        fmt="%Y-%m-%d",
        cron_schedule="0 0 * * 1-5",
        timezone="America/New_York",
        end_offset=1,
        exclusions=[holiday.replace(tzinfo=NEW_YORK) for holiday in holidays],
    )


@lru_cache
def _calendar(until: int) -> exchange_calendars.ExchangeCalendar:
    return exchange_calendars.get_calendar("XNYS", start="2003-09-10", end=f"{until}-12-31")
