"""The rows of the REST API's answers: what of them can be used; anything else is a ValueError."""

from math import isfinite
from typing import Any, Final

# What an answer may go beyond the window asked for: a bar at each end.
_BAR_MS: Final = 60_000


def bar(row: Any, start_ms: int, end_ms: int) -> dict[str, Any]:
    """Return a bar that can be streamed.

    Raises:
        ValueError: it cannot.
    """
    if not isinstance(row, dict):
        raise ValueError("a bar is not an object")
    time_ms = row.get("t")
    if type(time_ms) is not int or not start_ms - _BAR_MS <= time_ms <= end_ms + _BAR_MS:
        raise ValueError(f"a bar's time is {time_ms!r}, from {start_ms} to {end_ms} was asked for")
    for name in ("o", "h", "l", "c"):
        if not _is_number(row.get(name)):
            raise ValueError(f"a bar's {name} is {row.get(name)!r}")
    for name in ("v", "vw"):
        if row.get(name) is not None and not _is_number(row[name]):
            raise ValueError(f"a bar's {name} is {row[name]!r}")
    return row


def condition(row: Any) -> dict[str, Any]:
    """Return a condition.

    Raises:
        ValueError: it is not one.
    """
    if not isinstance(row, dict) or type(row.get("id")) is not int or row["id"] < 0:
        raise ValueError(f"a condition is {row!r:.200}")
    return row


def ticker(row: Any) -> str:
    """Return a row's ticker.

    Raises:
        ValueError: it has none.
    """
    ticker = row.get("T") if isinstance(row, dict) else None
    if not isinstance(ticker, str) or not ticker:
        raise ValueError(f"a bar's ticker is {ticker!r}")
    return ticker


def _is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False
