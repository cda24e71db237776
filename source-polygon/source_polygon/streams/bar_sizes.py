"""Sizes of bars: how long one lasts, and in windows of what length they are asked for."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

import pendulum

from source_polygon.errors import config_error

MOST_BASE_BARS: Final = 50_000
"""How many base bars the vendor reads for an answer: seconds, minutes under hours too, days."""

_SECOND: Final = 1_000
_MINUTE: Final = 60_000
_DAY: Final = 86_400_000
_LENGTHS: Final = {"second": _SECOND, "minute": _MINUTE, "hour": 60 * _MINUTE}

# What is asked for at once, in milliseconds. Each stays under the limit in a market that never
# rests, with the bar before the window and the one behind it.
_WINDOWS: Final = {"second": _DAY // 2, "minute": 30 * _DAY, "hour": 30 * _DAY}

_FORM: Final = re.compile(r"([1-9]\d*) (second|minute|hour|day|week|month|quarter|year)")

# By which a bar's length is added to a time of the calendar.
_CALENDAR: Final = {
    "day": ("days", 1),
    "week": ("weeks", 1),
    "month": ("months", 1),
    "quarter": ("months", 3),
    "year": ("years", 1),
}


@dataclass(frozen=True)
class BarSize:
    """A size such as `5 minute`.

    Attributes:
        count: 5.
        span: minute.
    """

    count: int
    span: str

    @classmethod
    def of(cls, text: str) -> "BarSize":
        """Return the size that the configuration names.

        Raises:
            AirbyteTracedException: it is not a size, or one that the vendor cannot make of its
                base bars (config_error).
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise config_error(f"bar_sizes: {text!r} is not a size. Give one such as 5 minute.")
        size = cls(int(found[1]), found[2])
        if size.length and size.length > _DAY:
            raise config_error(f"bar_sizes: {text} is longer than a day. Give it in days.")
        return size

    def __str__(self) -> str:
        """The size as the configuration and the records have it."""
        return f"{self.count} {self.span}"

    @property
    def length(self) -> int | None:
        """Milliseconds of a bar, or None where the calendar says how long it is."""
        unit = _LENGTHS.get(self.span)
        return unit and self.count * unit

    def window(self, days_at_once: int) -> int:
        """Return milliseconds to ask for at once, so that no answer is cut.

        Args:
            days_at_once: how many they are of bars that the calendar says the length of.
        """
        if self.length is None:
            return days_at_once * _DAY
        base = _SECOND if self.span == "second" else _MINUTE
        return min(_WINDOWS[self.span], MOST_BASE_BARS * base - 2 * self.length)

    @property
    def counted_from_the_start(self) -> bool:
        """Whether bars may be counted from where a request begins: unverified for several days.

        Then each sync asks from the same day on.
        """
        return self.length is None and self.count > 1

    @property
    def lead(self) -> bool:
        """Whether a request has to begin a bar earlier, lest its first bar be a part of one.

        It need not where each window begins where a bar does.
        """
        return self.count > 1 or self.span not in (*_LENGTHS, "day")

    def after(self, moment: int, zone: str, times: int = 1) -> int:
        """Return the moment so many bars after `moment`, or before it, in milliseconds.

        Args:
            moment: Unix time in milliseconds.
            zone: time zone by which the market counts its days.
            times: how many bars; below 0 for the time before.
        """
        if self.length is not None:
            return moment + times * self.length
        unit, each = _CALENDAR[self.span]
        local = pendulum.from_timestamp(moment / 1000, tz=zone)
        return _milliseconds(local.add(**{unit: times * each * self.count}))


def midnight(day: date, zone: str) -> int:
    """Return the beginning of a day in a time zone, in Unix milliseconds."""
    return _milliseconds(pendulum.datetime(day.year, day.month, day.day, tz=zone))


def local_day(moment: int, zone: str) -> date:
    """Return the date in a time zone at a Unix time in milliseconds."""
    return pendulum.from_timestamp(moment / 1000, tz=zone).date()


def _milliseconds(moment: pendulum.DateTime) -> int:
    return round(moment.timestamp() * 1000)
