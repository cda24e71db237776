"""A file with far fewer rows than those of the days around it may be short, though it is whole.

The vendor gives no count to hold a file against. What is said here is a suspicion: a file that was
cut at the end of a member of gzip reads to its end as any other.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from statistics import median
from typing import Final

from polygon_streaming.backfill import days
from polygon_streaming.trading import NEW_YORK, session

# Judgement: that a quiet day has more than half of the rows of a usual one. Unverified on the
# vendor's files.
_FEW: Final = 0.5
_AROUND: Final = 5
_LEAST: Final = 3
_FULL_SESSION: Final = 6.5 * 3600 * 1000


def few(market: str, rows: Mapping[date, int], day: date) -> str:
    """Return for people that a day's file has few rows; empty if not, or if it cannot be told.

    Args:
        market: of the file.
        rows: of the files of some days, that day's among them.
        day: of the file.
    """
    if day not in rows or not days.is_expected(market, day):
        return ""
    known = sorted(each for each in rows if days.is_expected(market, each))
    before = [each for each in known if each < day][-_AROUND:]
    after = [each for each in known if each > day][:_AROUND]
    around = [rows[each] / _length(market, each) for each in before + after]
    if len(around) < _LEAST:
        return ""
    usual = median(around) * _length(market, day)
    if rows[day] >= _FEW * usual:
        return ""
    return (
        f"{rows[day]:,} rows are few: of the {len(around)} files around it one would expect "
        f"{usual:,.0f}. The file may be short"
    )


def _length(market: str, day: date) -> float:
    """Return how long the session of a day is, as a share of a full one."""
    if market not in days.NEW_YORK_DAYS:
        return 1.0
    opening, closing = session(datetime.combine(day, time(12), tzinfo=NEW_YORK))
    return (closing - opening) / _FULL_SESSION
