"""Lanes of bars: one for each symbol and size, in windows of time."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any, Final

from source_polygon.clock import utc_now
from source_polygon.engine.cursor import LaneCursor
from source_polygon.engine.lanes import Lane, LaneSlice, UnreadableState
from source_polygon.sessions import FIRST_SESSION, SETTLING, sessions, trades
from source_polygon.stamps import from_milliseconds
from source_polygon.streams.bar_sizes import BarSize, local_day, midnight
from source_polygon.streams.history import History
from source_polygon.vendor.products import product_of_symbol

LOGGER = logging.getLogger("airbyte")

# The zones in which the vendor's bars of a day begin at midnight. A futures session's bar begins at
# midnight UTC of the day on which it ends (vendor example).
_NEW_YORK: Final = "America/New_York"
_ZONES: Final = {"crypto": "UTC", "fx": "UTC", "futures": "UTC"}

# Trading days to look back over when sessions of a market are counted: more than a closing lasts.
_LONGEST_REST: Final = 10

# Windows; more than are under way at once.
_FORGOTTEN_AFTER: Final = 100


@dataclass
class Window:
    """Bars that start in a span of time, which the plan's limits may turn out to make shorter.

    Attributes:
        start: the first start, in Unix milliseconds.
        end: the end of that span, excluded.
        number: its number in the lane, from 1.
        asked_again: whether the next sync asks for all of it once more.
    """

    start: int
    end: int
    number: int
    asked_again: bool


class BarLane(Lane):
    """The bars of one symbol and size that this sync reads, oldest first.

    Attributes:
        symbol: the symbol.
        size: the size of the bars.
        step: milliseconds that a window lasts, the last one at the most.
        market: the product of the vendor that the symbol belongs to.
        zone: time zone by which its days are counted.
        start: what is read begins here, in Unix milliseconds.
        end: and ends here, excluded.
        again: the next sync asks once more for all from here on.
        history: what the plan's history allows, the same for all symbols of a product.
        closed_from: the moment from which on the plan serves nothing yet, once that is known.
    """

    def __init__(
        self,
        partition: Mapping[str, Any],
        cursor: Mapping[str, Any],
        run_ahead: int,
        *,
        size: BarSize,
        step: int,
        market: str,
    ) -> None:
        super().__init__(partition, cursor, run_ahead)
        self.symbol = str(partition["symbol"])
        self.size = size
        self.step = step
        self.market = market
        self.zone = _ZONES.get(market, _NEW_YORK)
        self.start = self.end = self.again = 0
        self.history = History([])
        self.closed_from: int | None = None
        self._answers = Lock()
        self._with_bars: set[int] = set()
        self._blank: set[int] = set()

    def windows(self) -> Iterator[Window]:
        """Return what is read, each window as it is needed: of seconds there are thousands."""
        count = -(-(self.end - self.start) // self.step)
        return map(self._window, range(1, count + 1))

    def _window(self, number: int) -> Window:
        start = self.start + (number - 1) * self.step
        end = min(start + self.step, self.end)
        return Window(start, end, number, asked_again=start >= self.again)

    def doubts(self, window: Window) -> bool:
        """Return whether an answer without bars for a window is to be doubted.

        It is where a window beside it has bars, and in the first window, if no later sync asks for
        it. Years before a listing and after it are not.
        """
        if not _has_session(self.market, window, self.zone):
            return False
        with self._answers:
            beside = {window.number - 1, window.number + 1} & self._with_bars
        return bool(beside) or (window.number == 1 and not window.asked_again)

    def answered(self, window: Window, *, with_bars: bool, doubted: bool) -> list[Window]:
        """Note what came for a window; return those beside it whose silence is doubtful now."""
        neighbours = {window.number - 1, window.number + 1}
        with self._answers:
            for known in (self._with_bars, self._blank):
                known.discard(window.number - _FORGOTTEN_AFTER)
            if with_bars:
                self._with_bars.add(window.number)
                doubtful = neighbours & self._blank
                self._blank -= doubtful
            elif not doubted and neighbours & self._with_bars:
                doubtful = {window.number}
            else:
                self._blank |= set() if doubted else {window.number}
                doubtful = set()
        found = map(self._window, sorted(doubtful))
        return [each for each in found if _has_session(self.market, each, self.zone)]


@dataclass
class BarCursor(LaneCursor[BarLane, Window]):
    """One lane for each symbol and size of bar.

    The checkpoint is a moment: bars that start no later have been read.

    Attributes:
        days_at_once: how many are asked for at once, of bars of days and longer ones.
    """

    days_at_once: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self._histories: dict[str, History] = {}

    def symbols(self) -> Iterable[str]:
        """Return the symbols to read."""
        return dict.fromkeys(self.config["symbols"])

    def market(self, symbol: str) -> str:
        """Return the product of the vendor that a symbol belongs to."""
        return product_of_symbol(symbol)

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return symbol and size of each lane."""
        for symbol in self.symbols():
            for size in dict.fromkeys(str(BarSize.of(text)) for text in self.config["bar_sizes"]):
                yield {"symbol": symbol, "bar_size": size}

    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> BarLane:
        """Return the windows to read: the last sessions again, then all that is over since."""
        size = BarSize.of(partition["bar_size"])
        lane = BarLane(
            partition,
            cursor,
            self.run_ahead,
            size=size,
            step=size.window(self.days_at_once),
            market=self.market(partition["symbol"]),
        )
        self._mark_out(lane, self._saved(cursor))
        lane.history = self._histories.setdefault(lane.market, History(self._days()))
        return lane

    def slices(self, lane: BarLane) -> Iterator[LaneSlice[BarLane, Window]]:
        """Return a slice per window."""
        for window in lane.windows():
            yield LaneSlice(lane, window, since=from_milliseconds(window.start))

    def _mark_out(self, lane: BarLane, saved: int | None) -> None:
        """Say where a lane begins and ends; one of which nothing is to be read does neither."""
        size, zone = lane.size, lane.zone
        first = max(date.fromisoformat(self.config["start_date"]), FIRST_SESSION)
        start = midnight(first, zone)
        over = self._over(zone)
        if saved is not None:
            if saved > over:
                LOGGER.warning(
                    "%s %s: the saved state %s lies ahead of the market; nothing is read.",
                    *(lane.symbol, size, from_milliseconds(saved)),
                )
                return
            if not size.counted_from_the_start:
                start = max(start, self._looked_back(lane, saved))
        # The last bar that is over starts no later than one bar before.
        end = size.after(over, zone, -1) + 1
        if start < end:
            lane.start, lane.end, lane.again = start, end, self._looked_back(lane, end - 1)

    def _over(self, zone: str) -> int:
        """Return the moment up to which all is over, for every plan, in Unix milliseconds."""
        now = int((utc_now() - SETTLING).timestamp()) // 60 * 60_000
        if not self.config.get("end_date"):
            return now
        last = date.fromisoformat(self.config["end_date"])
        return min(now, midnight(last + timedelta(days=1), zone))

    def _looked_back(self, lane: BarLane, moment: int) -> int:
        """Return the beginning of the last finished sessions before a moment, of its day at least.

        That day's bars change until it ends.
        """
        day = local_day(moment, lane.zone)
        back = int(self.config["lookback_sessions"])
        if back:
            calendar = _calendar(lane.market)
            since = day - timedelta(days=2 * back + _LONGEST_REST)
            earlier = sessions(calendar, since, day - timedelta(days=1))
            day = earlier[-back] if len(earlier) >= back else since
        return midnight(day, lane.zone)

    def _days(self) -> list[date]:
        """Return the days that the plan's history may begin with, in order."""
        first = max(date.fromisoformat(self.config["start_date"]), FIRST_SESSION)
        last = local_day(self._over(_NEW_YORK), _NEW_YORK) - timedelta(days=1)
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def _saved(self, cursor: Mapping[str, Any]) -> int | None:
        if not cursor:
            return None
        try:
            moment = datetime.fromisoformat(cursor[self.cursor_field].replace("Z", "+00:00"))
            return round(moment.timestamp() * 1000)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnreadableState(repr(dict(cursor))) from error


def _calendar(market: str) -> str:
    return market if market in ("crypto", "fx") else "stocks"


def _has_session(market: str, window: Window, zone: str) -> bool:
    calendar = _calendar(market)
    days = local_day(window.start, zone), local_day(window.end - 1, zone)
    # Half a day holds hours of trade, even with an hour less of it: what is left of today may not.
    long = window.end - window.start >= 11 * 3_600_000
    return long and any(trades(calendar, day) for day in sessions(calendar, *days))
