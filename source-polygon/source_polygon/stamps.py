"""The vendor's time stamps: RFC 3339 with none to nine fractional digits, trailing zeros cut."""

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

_STAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})"
)


@lru_cache(2**12)  # a row's stamps are asked for several times, page by page
def sortable(stamp: str) -> str:
    """Return `stamp` in UTC with exactly nine fractional digits, so that text order is time order.

    Nothing is rounded: Python's datetime would cut the last three of the vendor's nine digits.

    Raises:
        ValueError: `stamp` is not an RFC 3339 time, or no day or hour there is.
    """
    match = _STAMP.fullmatch(stamp)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {stamp!r}")
    day, time, fraction, zone = match.groups()
    moment = datetime.fromisoformat(f"{day}T{time}")
    if zone not in ("Z", "z"):
        moment = datetime.fromisoformat(f"{day}T{time}{zone}").astimezone(timezone.utc)
    return f"{moment.isoformat()[:19]}.{fraction or '':0<9}Z"


def from_milliseconds(milliseconds: int) -> str:
    """Return a Unix time in milliseconds as a UTC time with three fractional digits."""
    seconds, rest = divmod(milliseconds, 1000)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def days_before(stamp: str, days: int) -> str:
    """Return the sortable stamp that lies `days` days before a sortable `stamp`."""
    moment = datetime.fromisoformat(stamp[:19]) - timedelta(days=days)
    return f"{moment:%Y-%m-%dT%H:%M:%S}{stamp[19:]}"
