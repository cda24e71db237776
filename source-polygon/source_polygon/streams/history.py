"""What the history of a plan allows, found out from refusals."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import date
from enum import Enum
from threading import Lock


class Contradiction(Exception):
    """The vendor refuses a day as outside the history, although it served an earlier one.

    Attributes:
        refused: the day.
        served: the earlier one.
    """

    def __init__(self, refused: date, served: date) -> None:
        super().__init__(f"{refused} is refused, {served} was served")
        self.refused = refused
        self.served = served


class Outside(Enum):
    """On which side of the plan's history a refused day lies."""

    BEFORE = "it is before the history; later days are in it"
    AFTER = "no later day is served either"


class History:
    """The part of some days that the plan covers.

    The vendor says "timeframe" for days before the plan's history and for future days alike. Only a
    later day that is served tells the two apart.

    Attributes:
        start: the first day of the history, once a refusal has made it worth finding out.
        earliest_served: the earliest day that the vendor has served.
    """

    def __init__(self, days: Sequence[date]) -> None:
        """Know nothing yet about `days`, which are in order."""
        self.start: date | None = None
        self.earliest_served: date | None = None
        self._last_refused: date | None = None
        self._days = days
        self._lock = Lock()

    def excludes(self, day: date) -> bool:
        """Return whether `day` is known to be before the history."""
        return self.start is not None and day < self.start

    def served(self, day: date) -> None:
        """Note that the vendor has served `day`.

        Raises:
            Contradiction: it refused a later one meanwhile; days are asked for at the same time.
        """
        with self._lock:
            self.earliest_served = min(day, self.earliest_served or day)
            if self._last_refused is not None and day < self._last_refused:
                raise Contradiction(self._last_refused, day)

    def place(self, day: date, refused: Callable[[date], bool]) -> Outside:
        """Return on which side of the history a refused `day` lies.

        Args:
            day: one of the days, which the vendor refused as outside the history.
            refused: asks the vendor whether it refuses another of the days likewise; some ten
                questions find the start among thousands of days.

        Raises:
            Contradiction: see the class.
        """
        with self._lock:
            if self.excludes(day):
                return Outside.BEFORE
            later = self._days[bisect_right(self._days, day) :]
            if not later or refused(later[-1]):
                return Outside.AFTER
            if self.earliest_served is not None and self.earliest_served < day:
                raise Contradiction(day, self.earliest_served)
            first = bisect_left(later, True, key=lambda other: not refused(other))
            self.start = later[first]
            self._last_refused = later[first - 1] if first else day
            return Outside.BEFORE
