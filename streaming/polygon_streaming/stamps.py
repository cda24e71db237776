"""Instants: milliseconds since 1970 UTC inside, `YYYY-MM-DD hh:mm:ss.mmm` in UTC outside; those of
trades and quotes are nanoseconds, with nine digits behind the point.

ClickHouse reads this form into DateTime64 in every version. A bare integer it takes for seconds
since 26.8 and for milliseconds before, so none leaves the package.
"""

import time
from datetime import datetime, timezone
from functools import lru_cache
from typing import Final

# 2100-01-01: within what every ClickHouse date type holds. A stamp in seconds or nanoseconds,
# taken for milliseconds, falls outside or into January 1970.
LATEST_MS: Final = 4_102_444_800_000
EARLIEST_MS: Final = 946_684_800_000
NS_PER_MS: Final = 1_000_000


def is_instant(ms: float) -> bool:
    """Tell whether a number can be an instant of market data in milliseconds since 1970."""
    return EARLIEST_MS <= ms <= LATEST_MS


def now_ms() -> int:
    """Return the current instant."""
    return time.time_ns() // 1_000_000


# Bars of all symbols share their few windows, and the events of a frame their receipt.
@lru_cache(maxsize=16_384)
def to_text(ms: int) -> str:
    """Return `2026-11-23 14:30:00.000` for an instant in milliseconds."""
    seconds, rest = divmod(ms, 1000)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{rest:03d}"


def as_ns(stamp: float) -> int | None:
    """Return an instant in nanoseconds, which the vendor sends in milliseconds or nanoseconds.

    The two are a million apart, so a number can be only one of them; None if it is neither.
    """
    if EARLIEST_MS <= stamp <= LATEST_MS:
        return int(stamp) * NS_PER_MS
    if EARLIEST_MS * NS_PER_MS <= stamp <= LATEST_MS * NS_PER_MS:
        return int(stamp)
    return None


def ns_to_text(ns: int) -> str:
    """Return `2026-11-23 14:30:00.000000000` for an instant in nanoseconds."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{to_text(1000 * seconds)[:-3]}{rest:09d}"


def from_text(text: str) -> int:
    """Return the milliseconds of what `to_text` wrote.

    Raises:
        ValueError: it is of another form.
    """
    moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)
