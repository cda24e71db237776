"""Likely gaps: the day's volume of a symbol grew by more than the bars that came in account for.

Only second bars (`A`) of stocks are watched, after the first one seen of each symbol. Volume that
never was in a bar would look the same, so such a gap is marked as not certain.

A symbol is followed for as long as the feed knows of nothing that is missing: within one
connection, and from one event that it lost to the next. What lies between is on record as a certain
gap: to find it once more, in each symbol, would be to heal it twice. Two feeds of one symbol are
followed side by side.
"""

from collections.abc import Hashable
from datetime import datetime, timezone
from typing import Final

from polygon_streaming.filter.bars import Bar
from polygon_streaming.gaps.gap import Gap
from polygon_streaming.trading import NEW_YORK

# A share: what rounding of the two numbers can add up to.
_ROUNDING: Final = 1.0
# More feeds than anyone runs side by side. The memory of a stretch that has ended stays until so
# many others have begun.
_STRETCHES: Final = 16

# By symbol: start and end of its last bar, and the day's volume with it.
_Seen = dict[str, tuple[float, float, float]]


class VolumeWatch:
    """Follows the accumulated volume of each symbol through one partition assignment."""

    def __init__(self) -> None:
        self._stretches: dict[Hashable, _Seen] = {}

    def reset(self) -> None:
        """Forget everything: what comes next does not follow what came last."""
        self._stretches.clear()

    def see(self, bar: Bar, stretch: Hashable) -> Gap | None:
        """Take in a second bar that `clean` accepts; return the gap before it if one is likely.

        Args:
            bar: the bar.
            stretch: what all bars have in common between which the feed knows of no loss.
        """
        accumulated = bar.av
        if accumulated is None or bar.v is None:
            return None
        seen = self._stretches.get(stretch)
        if seen is None:
            seen = self._begin(stretch)
        start, symbol = bar.s, bar.sym
        end = start + 1000 if bar.e is None else bar.e
        before = seen.get(symbol)
        if before is not None and start < before[0]:
            return None  # an earlier bar, sent again
        seen[symbol] = (start, end, accumulated)
        # The first bar, the same one corrected, the next one, or a new day.
        if before is None or start <= before[1] or accumulated < before[2]:
            return None
        if accumulated - bar.v - before[2] <= _ROUNDING or _day(before[1]) != _day(start):
            return None
        return Gap(
            market="stocks",
            start_ms=int(before[1]),
            end_ms=int(start),
            reason="volume_jump",
            subscriptions=[f"A.{symbol}"],
            feed="",
            certain=False,
        )

    def _begin(self, stretch: Hashable) -> _Seen:
        if len(self._stretches) >= _STRETCHES:
            del self._stretches[next(iter(self._stretches))]
        seen: _Seen = {}
        self._stretches[stretch] = seen
        return seen


def _day(ms: float) -> str:
    """Return the New York day of an instant: the accumulated volume is of one."""
    return f"{datetime.fromtimestamp(ms / 1000, timezone.utc).astimezone(NEW_YORK):%Y-%m-%d}"
