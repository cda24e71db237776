"""Trading sessions: which there are, when each is due, and the partitions made of them."""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import dagster as dg
import exchange_calendars
import pandas as pd

NEW_YORK = ZoneInfo("America/New_York")
# The vendor's first day of stocks history.
_FIRST = date(2003, 9, 10)
# The connector asks for a session from 15 minutes after its end on.
_SETTLING = timedelta(minutes=15)


def sessions(start: date, end: date) -> list[date]:
    """Return the sessions of New York from `start` to `end`, both included, oldest first."""
    # `sessions_in_range` refuses what is outside of the calendar's first and last session.
    known = _calendar(end.year).sessions
    found = known[(known >= pd.Timestamp(start)) & (known <= pd.Timestamp(end))]
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


def partitions(
    start: date, today: date, delay_minutes: int | None
) -> dg.TimeWindowPartitionsDefinition:
    """Return one partition a session from `start` on, offered from when it may be served.

    That is a half-day's close, 13:00 New York, and the delay of the plan; with None, a quarter past
    the midnight after it. Dagster has one hour for all days: from it on, a session that is not a
    half-day is offered while it still goes on.

    Args:
        start: the first day; sessions before that of the vendor's history are left out.
        today: holidays are known for ten years from then on.
        delay_minutes: of the plan, see `due`.
    """
    start = max(start, _FIRST)
    known = date(today.year + 10, 12, 31)
    trading = set(sessions(start, known))
    # Dagster offers a partition when its window ends, at the next tick, and names it by its start.
    minutes = 24 * 60 + 15 if delay_minutes is None else 13 * 60 + delay_minutes
    hour, minute = divmod(minutes % (24 * 60), 60)
    if minutes < 24 * 60:  # from the first minutes of the day; what begins at its end is none
        first, cron, none = 0, f"{minute} 0,{hour} * * 1-5", f"{minute} {hour} * * *"
    else:  # until the next day, on which a Friday's ends too
        first, cron, none = hour, f"{minute} {hour} * * 1-6", f"{minute} {hour} * * 6"
    holidays = [day for day in pd.bdate_range(start, known) if day.date() not in trading]
    return dg.TimeWindowPartitionsDefinition(
        start=start.isoformat(),
        fmt="%Y-%m-%d",
        cron_schedule=cron,
        timezone="America/New_York",
        exclusions=[none, *(datetime.combine(day, time(first, minute)) for day in holidays)],
    )


@lru_cache
def _calendar(until: int) -> exchange_calendars.ExchangeCalendar:
    return exchange_calendars.get_calendar("XNYS", start=str(_FIRST), end=f"{until}-12-31")
