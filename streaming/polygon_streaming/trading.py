"""When a market can be expected to stream: outside of these hours silence is not a fault.

Narrower than when data may come. Stocks trade from 4:00 New York as well, but a list of a few
symbols may be silent then for good reasons.
"""

from datetime import datetime, time, timezone
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

NEW_YORK: Final = ZoneInfo("America/New_York")
_FX_TURN: Final = time(17)


def is_open(market: str, moment: datetime) -> bool:
    """Tell whether `market` is in its main session at `moment` (with a time zone)."""
    if market == "crypto":
        return True
    if market == "forex":
        return _week_is_on(moment, start_of_sunday=_FX_TURN, end_of_friday=_FX_TURN)
    if market.startswith("futures"):
        # CME's week, with its daily pause; holidays are left out on the safe side by the weekday.
        local = moment.astimezone(NEW_YORK)
        return _week_is_on(moment, time(18), time(17)) and local.time().hour != 17
    opening, closing = session(moment)
    return opening <= moment.timestamp() * 1000 < closing


def session(moment: datetime) -> tuple[int, int]:
    """Return opening and closing of the stock exchange on the New York day of `moment`.

    In milliseconds since 1970 UTC; (0, 0) on a day without a session.
    """
    return _hours(moment.astimezone(NEW_YORK).strftime("%Y-%m-%d"))


def in_session(ms: int) -> bool:
    """Tell whether the stock exchange is in its regular session at an instant."""
    opening, closing = session(datetime.fromtimestamp(ms / 1000, timezone.utc))
    return opening <= ms < closing


def _week_is_on(moment: datetime, start_of_sunday: time, end_of_friday: time) -> bool:
    local = moment.astimezone(NEW_YORK)
    day, clock = local.weekday(), local.time()
    if day == 6:
        return clock >= start_of_sunday
    if day == 4:
        return clock < end_of_friday
    return day < 4


@lru_cache(maxsize=16)
def _hours(day: str) -> tuple[int, int]:
    calendar = _xnys(int(day[:4]))
    if not calendar.is_session(day):
        return 0, 0
    opening, closing = calendar.session_open(day), calendar.session_close(day)
    return round(opening.timestamp() * 1000), round(closing.timestamp() * 1000)


@lru_cache(maxsize=4)
def _xnys(year: int) -> Any:
    # Imported here because it brings pandas, which --help should not wait for.
    import exchange_calendars

    return exchange_calendars.get_calendar(
        "XNYS", start=f"{year - 1}-12-01", end=f"{year + 1}-01-31"
    )
