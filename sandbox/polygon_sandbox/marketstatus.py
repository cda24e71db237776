"""The market status endpoints: coming holidays, and what is open now."""

from datetime import datetime, time, timedelta

from polygon_sandbox.clock import NEW_YORK
from polygon_sandbox.listings import Row
from polygon_sandbox.sessions import Calendar

# The vendor only looks forward (observed); how far is unverified.
_HORIZON = timedelta(days=365)
_EXTENDED_HOURS = (time(4), time(20))


def upcoming(calendar: Calendar, now: datetime) -> list[Row]:
    """Holidays from today on, a row per exchange; early closes carry their hours in UTC."""
    today = now.astimezone(NEW_YORK).date()
    rows: list[Row] = []
    for holiday in calendar.holidays(today, today + _HORIZON):
        named = {"date": holiday.day.isoformat(), "name": holiday.name}
        if holiday.hours is None:
            rows += [
                {**named, "exchange": exchange, "status": "closed"}
                for exchange in ("NYSE", "NASDAQ", "OTC")
            ]
            continue
        opens, closes = (f"{hour:%Y-%m-%dT%H:%M:%S}.000Z" for hour in holiday.hours)
        # The spec's example has no early close for OTC.
        rows += [
            {**named, "exchange": exchange, "status": "early-close", "open": opens, "close": closes}
            for exchange in ("NYSE", "NASDAQ")
        ]
    return rows


def current(calendar: Calendar, now: datetime) -> Row:
    """Whether the markets are open; `serverTime` is New York time with its offset."""
    local = now.astimezone(NEW_YORK)
    day = local.date()
    state, early, late = "closed", False, False
    if calendar.has_bars("stocks", day):
        opens, closes = calendar.hours("stocks", day)
        if opens <= now < closes:
            state = "open"
        elif _EXTENDED_HOURS[0] <= local.time() < _EXTENDED_HOURS[1]:
            state, early, late = "extended-hours", now < opens, now >= closes
    fx = "open" if calendar.has_bars("fx", now.date()) else "closed"
    return {
        "afterHours": late,
        "earlyHours": early,
        "currencies": {"crypto": "open", "fx": fx},
        "exchanges": {"nasdaq": state, "nyse": state, "otc": state},
        "market": state,
        "serverTime": local.isoformat(timespec="seconds"),
    }
