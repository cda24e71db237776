"""Which days have bars, when they open and close, and which holidays lie ahead."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache

import exchange_calendars

from polygon_sandbox.clock import NEW_YORK, UTC

# Daily bars of stocks go back to this day (vendor knowledge base).
FIRST_DAY = date(2003, 9, 10)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day on which the New York exchanges close or close early (`hours` in UTC)."""

    day: date
    name: str
    hours: tuple[datetime, datetime] | None


class Calendar:
    """Trading days of every market, from 2003-09-10 to the end of `last_year`."""

    def __init__(self, last_year: int) -> None:
        end = f"{last_year}-12-31"
        self._xnys = exchange_calendars.get_calendar("XNYS", FIRST_DAY.isoformat(), end)
        self._stock_days = frozenset(stamp.date() for stamp in self._xnys.sessions)

    def has_bars(self, market: str, day: date) -> bool:
        """Whether the market has a session on that date."""
        if market == "stocks":
            return day in self._stock_days
        # Unverified: fx weekends. The sandbox has bars on Sunday and none on Saturday.
        return market == "crypto" or day.weekday() != _SATURDAY

    def sessions(self, market: str, start: date, end: date) -> list[date]:
        """Dates with bars from `start` to `end`, both included: XNYS sessions or UTC days."""
        days = (start + timedelta(days=n) for n in range((end - start).days + 1))
        return [day for day in days if self.has_bars(market, day)]

    def hours(self, market: str, day: date) -> tuple[datetime, datetime]:
        """Opening and closing instant (UTC) of a session; crypto and fx trade the whole UTC day."""
        if market != "stocks":
            midnight = datetime.combine(day, time(), tzinfo=UTC)
            return midnight, midnight + timedelta(days=1)
        stamp = day.isoformat()
        opens, closes = self._xnys.session_open(stamp), self._xnys.session_close(stamp)
        return opens.to_pydatetime(), closes.to_pydatetime()

    def holidays(self, start: date, end: date) -> list[Holiday]:
        """Weekdays from `start` to `end` on which New York is closed or closes early."""
        named = self._names(start, end)
        early = {stamp.date() for stamp in self._xnys.early_closes}
        days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
        found = []
        for day in days:
            if day in early:
                found.append(Holiday(day, _nearby(named, day), self.hours("stocks", day)))
            elif day.weekday() < _SATURDAY and day not in self._stock_days:
                found.append(Holiday(day, _nearby(named, day), None))
        return found

    def _names(self, start: date, end: date) -> dict[date, str]:
        margin = timedelta(days=3)
        series = self._xnys.regular_holidays.holidays(
            (start - margin).isoformat(), (end + margin).isoformat(), return_name=True
        )
        return {stamp.date(): str(name) for stamp, name in series.items()}


# Building one takes about half a second.
@cache
def calendar_until(last_year: int) -> Calendar:
    """The calendar up to the end of a year, shared by all worlds."""
    return Calendar(last_year)


def _nearby(named: dict[date, str], day: date) -> str:
    """The holiday on that day, or the neighbour it belongs to (the Friday after Thanksgiving)."""
    for distance in (0, -1, 1, 2):
        name = named.get(day + timedelta(days=distance))
        if name:
            return name
    return "Market Holiday"


def end_of_window_ms(market: str, day: date) -> int:
    """The `t` of a grouped bar, Unix ms: the end of its window.

    Stocks: 16:00 New York in both halves of the year (observed); on half-days too (unverified).
    Fx: 23:59:59.999 UTC (vendor spec). Crypto: the same (unverified for the grouped endpoint).
    """
    if market == "stocks":
        close = datetime.combine(day, time(16), tzinfo=NEW_YORK)
        return round(close.timestamp() * 1000)
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)
    return round(midnight.timestamp() * 1000) - 1
