"""Which sessions a market has, and which of them are finished.

Stocks trade on the days of the New York Stock Exchange (XNYS), computed in New York's time zone:
a UTC evening is still New York's afternoon. Crypto and fx bars cover UTC days, weekends included
(fx weekends are unverified; an empty answer costs one request and does no harm).
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import pendulum

from source_polygon.clock import utc_now

if TYPE_CHECKING:
    import exchange_calendars

BAR_MARKETS: Final = ("stocks", "crypto", "fx")
"""Markets for which the vendor serves the daily bars of all symbols in one response."""

# Plans with a 15-minute delay see the closing auction that much later; a bar read before then
# would carry the wrong close.
SETTLING: Final = timedelta(minutes=15)

# The vendor's first day of stocks history; that of crypto and fx is later.
_FIRST_SESSION: Final = date(2003, 9, 10)

_NEW_YORK: Final = "America/New_York"


def sessions(market: str, start: date, end: date) -> list[date]:
    """Return the sessions of `market` from `start` to `end`, both included, oldest first."""
    start = max(start, _FIRST_SESSION)
    if start > end:
        return []
    if market == "stocks":
        return [day.date() for day in _xnys().sessions_in_range(start, end)]
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def last_finished(market: str) -> date:
    """Return the latest session of `market` whose closing bar every plan can see by now."""
    now = utc_now() - SETTLING
    if market == "stocks":
        today = now.in_timezone(_NEW_YORK).date()
        recent = _xnys().sessions_in_range(today - timedelta(days=10), today)
        closed = [day for day in recent if _xnys().session_close(day) <= now]
        return date.fromisoformat(f"{closed[-1]:%Y-%m-%d}")
    return now.date() - timedelta(days=1)


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


@lru_cache(maxsize=1)
def _xnys() -> "exchange_calendars.ExchangeCalendar | Any":
    # Imported here because it brings pandas, which `spec` and `check` should not wait for.
    import exchange_calendars

    return exchange_calendars.get_calendar("XNYS", start=_FIRST_SESSION)
