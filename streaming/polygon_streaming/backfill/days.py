"""Which days have a file, when it is published, and what part of the time is a file's day."""

from datetime import date, datetime, time, timedelta, timezone
from typing import Final

from polygon_streaming.trading import NEW_YORK, session

# "About 11:00 New York time of the next day", says the vendor; an hour is left to be late.
_PUBLISHED: Final = time(12)
NEW_YORK_DAYS: Final = ("stocks", "options", "indices")
"""The markets whose files are of the days of New York's stock exchange."""

# Between 17:00 and 18:00 in New York no exchange of CME Group trades: there its sessions change.
_BETWEEN_SESSIONS: Final = time(17, 30)


def today() -> date:
    """Return the day in New York."""
    return datetime.now(NEW_YORK).date()


def between(first: date, last: date) -> list[date]:
    """Return the days of a range, both ends included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def is_expected(market: str, day: date) -> bool:
    """Tell whether there should be a file of a day.

    On the safe side: currencies and futures have files of more days than are expected here.
    """
    if market == "crypto":
        return True
    if market == "forex":
        return day.weekday() < 5 and (day.month, day.day) not in ((1, 1), (12, 25))
    return session(datetime.combine(day, time(12), tzinfo=NEW_YORK)) != (0, 0)


def is_due(day: date, now: datetime) -> bool:
    """Tell whether the file of a day should be there at `now` (with a time zone)."""
    return now >= datetime.combine(day + timedelta(days=1), _PUBLISHED, tzinfo=NEW_YORK)


def bounds(market: str, day: date) -> tuple[datetime, datetime] | None:
    """Return the first instant of a file's day and the first after it, in UTC.

    None where the day is a session that begins the evening before, or the vendor does not say: of
    those the file itself says from when to when it goes.
    """
    return own(market, day) if market in NEW_YORK_DAYS else None


def own(market: str, day: date) -> tuple[datetime, datetime]:
    """Return between which instants, in UTC, no other day's file of a market has rows.

    A file may hold some from without: trades from before midnight that came behind it, for one.
    What the table has there of others is for their own files to judge.
    """
    midnight = datetime.combine(day, time(), tzinfo=timezone.utc)
    if market.startswith("futures"):
        evening = datetime.combine(day - timedelta(days=1), _BETWEEN_SESSIONS, tzinfo=NEW_YORK)
        return evening.astimezone(timezone.utc), midnight + timedelta(days=1)
    if market not in NEW_YORK_DAYS:
        return midnight, midnight + timedelta(days=1)
    first, after = (
        datetime.combine(each, time(), tzinfo=NEW_YORK).astimezone(timezone.utc)
        for each in (day, day + timedelta(days=1))
    )
    return first, after
