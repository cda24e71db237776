"""Instants: milliseconds since 1970 UTC inside, `YYYY-MM-DD hh:mm:ss.mmm` in UTC outside.

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


def from_text(text: str) -> int:
    """Return the milliseconds of what `to_text` wrote.

    Raises:
        ValueError: it is of another form.
    """
    moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)
