"""Likely gaps: the day's volume of a symbol grew by more than the bars that came in account for.

Only second bars (`A`) of stocks are watched, after the first one seen of each symbol. Volume that
never was in a bar would look the same, so such a gap is marked as not certain.
"""

from __future__ import annotations

from typing import Final

from polygon_streaming.clean import Bar
from polygon_streaming.gaps import Gap

# A share: what rounding of the two numbers can add up to.
_ROUNDING: Final = 1.0


class VolumeWatch:
    """Follows the accumulated volume of each symbol through one partition assignment."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int, float]] = {}

    def reset(self) -> None:
        """Forget everything: what comes next does not follow what came last."""
        self._last.clear()

    def see(self, bar: Bar) -> Gap | None:
        """Take in a second bar; return the gap before it if one is likely."""
        if bar.av is None or bar.v is None:
            return None
        start, end = int(bar.s), int(bar.e if bar.e is not None else bar.s + 1000)
        before = self._last.get(bar.sym)
        if before is not None and start < before[0]:
            return None  # an earlier bar, sent again
        self._last[bar.sym] = (start, end, bar.av)
        # The first bar, the same one corrected, the next one, or a new day.
        if before is None or start <= before[1] or bar.av < before[2]:
            return None
        if bar.av - bar.v - before[2] <= _ROUNDING:
            return None
        return Gap(
            market="stocks",
            start_ms=before[1],
            end_ms=start,
            reason="volume_jump",
            subscriptions=[f"A.{bar.sym}"],
            feed="",
            certain=False,
        )
