"""Which sessions a market has, and which of them are finished.

Stocks trade on the days of the New York Stock Exchange (XNYS), computed in New York's time zone:
a UTC evening is still New York's afternoon. Crypto and fx bars cover UTC days, weekends included
(fx weekends are unverified; an empty answer costs one request and does no harm, see `trades`).
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

import pendulum

from source_polygon.clock import utc_now

BAR_MARKETS: Final = ("stocks", "crypto", "fx")
"""Markets for which the vendor serves the daily bars of all symbols in one response."""

# Plans with a 15-minute delay see the closing auction that much later; a bar read before then
# would carry the wrong close.
SETTLING: Final = timedelta(minutes=15)

# The vendor's first day of stocks history; that of crypto and fx is later.
FIRST_SESSION: Final = date(2003, 9, 10)

LAST_YEAR: Final = 2100
"""The last year of which the calendar knows the holidays; a test holds it to the package's word."""

_NEW_YORK: Final = "America/New_York"
_OPEN: Final = time(9, 30)
_CLOSE: Final = time(16)
_HALF_DAY_CLOSE: Final = time(13)
_WEEKEND: Final = (5, 6)


def sessions(market: str, start: date, end: date) -> list[date]:
    """Return the sessions of `market` from `start` to `end`, both included, oldest first."""
    start = max(start, FIRST_SESSION)
    if start > end:
        return []
    days = (start + timedelta(days=n) for n in range((end - start).days + 1))
    if market == "stocks":
        closed = _closed_days("public", end.year)
        return [day for day in days if day.weekday() not in _WEEKEND and day not in closed]
    return list(days)


def trades(market: str, session: date) -> bool:
    """Return whether `market` is known to trade on one of its sessions, so that bars must exist.

    Stocks do on every session, crypto on every day. Fx rests from Friday's to Sunday's evening in
    New York, which leaves Saturday without trade in UTC.
    """
    return market != "fx" or session.weekday() != _WEEKEND[0]


def last_finished(market: str) -> date:
    """Return the latest session of `market` whose closing bar every plan can see by now."""
    now = utc_now() - SETTLING
    if market == "stocks":
        new_york = now.in_timezone(_NEW_YORK)
        today = new_york.date()
        *earlier, latest = sessions("stocks", today - timedelta(days=10), today)
        open_still = new_york.time() < (_HALF_DAY_CLOSE if is_half_day(latest) else _CLOSE)
        return earlier[-1] if latest == today and open_still else latest
    return now.date() - timedelta(days=1)


def is_half_day(session: date) -> bool:
    """Return whether New York closes at 13:00 on one of its sessions."""
    return session in _closed_days("half_day", session.year)


def hours(session: date) -> tuple[datetime, datetime]:
    """Return when New York opens and closes on one of its sessions, in UTC."""
    closes = _HALF_DAY_CLOSE if is_half_day(session) else _CLOSE
    day = pendulum.datetime(session.year, session.month, session.day, tz=_NEW_YORK)
    opens_at, closes_at = (day.at(at.hour, at.minute) for at in (_OPEN, closes))
    return opens_at.in_timezone("UTC"), closes_at.in_timezone("UTC")


def end_of_bar(market: str, session: date) -> datetime:
    """Return the end of the bar of `session` as the vendor stamps it, in UTC.

    16:00 New York for stocks, the last millisecond of the UTC day for crypto and fx. (On half-days
    the vendor's stamp is unverified; nothing here depends on it, see `session_of`.)
    """
    if market == "stocks":
        close = pendulum.datetime(session.year, session.month, session.day, 16, tz=_NEW_YORK)
        return close.in_timezone("UTC")
    return pendulum.datetime(session.year, session.month, session.day, 23, 59, 59, 999_000)


def session_of(market: str, moment: datetime) -> date:
    """Return the session to which the end of a bar belongs."""
    zone = _NEW_YORK if market == "stocks" else "UTC"
    return pendulum.instance(moment).in_timezone(zone).date()


def new_york_today() -> date:
    """Return the current date in New York."""
    return utc_now().in_timezone(_NEW_YORK).date()


@lru_cache
def _closed_days(category: str, until: int) -> frozenset[date]:
    """Return the days from the first session on until a year on which New York is closed, or half.

    Weekends are not among them.
    """
    # Imported here, since `spec` and `discover` need no calendar. The test compares it, day by day,
    # with that of exchange_calendars, which brings pandas and takes twice the memory of a sync.
    from holidays import financial_holidays

    years = range(FIRST_SESSION.year, until + 1)
    return frozenset(financial_holidays("XNYS", years=years, categories=category))
