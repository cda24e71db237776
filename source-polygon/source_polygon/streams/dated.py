"""Kinds `dated` and `dated_once`: rows by a date or time of their own, in windows of days.

A window is bounded on both sides, and each window begins where the one before it ends: a day stands
for its first moment, in a filter of times too, so that no row is lost between two windows or read
in both.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from source_polygon.engine.cursor import LaneCursor
from source_polygon.engine.lanes import Lane, LaneSlice, saved_day
from source_polygon.engine.retriever import LaneRetriever
from source_polygon.rows import Row
from source_polygon.sessions import new_york_today, sessions
from source_polygon.vendor.paging import ascending, pages

LOGGER = logging.getLogger("airbyte")

# Once more is enough: windows without rows are not rare, as days without bars are.
_PAUSE_IF_EMPTY: Final = (1,)


@dataclass(frozen=True)
class Window:
    """Days to ask for.

    Attributes:
        start: the first.
        end: the last.
        checkpoint: the day up to which all is read once the window is. It is the day of the sync at
            most: a row dated next month must not move the state there.
        due: whether there should be rows: no later sync reads all of it, and not all of it is a
            weekend or a holiday.
    """

    start: date
    end: date
    checkpoint: date
    due: bool


@dataclass
class DatedCursor(LaneCursor[Lane, Window]):
    """One lane, in windows of days.

    Attributes:
        window_days: days in a window; an interrupted first read loses at most one.
        lookback_days: days before the checkpoint to ask for again, since rows are entered late.
        ahead_days: days after that of the sync which are read too: for what is announced, and for
            times in UTC, of which New York's evening has tomorrow's date.
    """

    window_days: int
    lookback_days: int
    ahead_days: int

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return the one lane there is."""
        return [{}]

    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> Lane:
        """Return the lane, with its checkpoint checked."""
        saved_day(cursor, self.cursor_field)
        return Lane(partition, cursor, self.run_ahead)

    def slices(self, lane: Lane) -> Iterator[LaneSlice[Lane, Window]]:
        """Return windows from the start date, or the checkpoint less the lookback, to today."""
        saved, today = saved_day(lane.cursor, self.cursor_field), new_york_today()
        if saved and saved > today:
            LOGGER.warning(
                "%s: the saved state %s lies in the future; nothing is read.",
                *(self._stream_name, saved),
            )
            return
        for window in self._windows(saved, today):
            yield LaneSlice(lane, window, since=window.start.isoformat())

    def _windows(self, saved: date | None, today: date) -> Iterator[Window]:
        start = date.fromisoformat(self.config["start_date"])
        if saved:
            start = max(start, saved - timedelta(days=self.lookback_days))
        last = today + timedelta(days=self.ahead_days)
        if self.config.get("end_date"):
            last = min(last, date.fromisoformat(self.config["end_date"]))
        while start <= last:
            end = min(start + timedelta(days=self.window_days - 1), last)
            reached = min(end, today)
            due = start < today - timedelta(days=self.lookback_days)
            yield Window(
                start,
                end,
                checkpoint=max(reached, saved) if saved else reached,
                due=due and bool(sessions("stocks", start, end)),
            )
            start = end + timedelta(days=1)


@dataclass
class OnceCursor(DatedCursor):
    """One lane, of which each day is handed out once: rows have no key to tell a second reading by.

    Attributes:
        settling_days: days after which a day is taken to be complete.
    """

    lookback_days: int = -1
    ahead_days: int = 0
    settling_days: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ahead_days = -self.settling_days

    @property
    def run_ahead(self) -> int:
        """One slice at a time: what is under way at an interrupt comes twice."""
        return 1


@dataclass(kw_only=True)
class DatedRetriever(LaneRetriever[Lane, Window]):
    """Reads one window, page by page.

    Attributes:
        cursor_field: the date or time of the rows.
        primary_key: fields that every row must have.
        page_size: rows a page, the vendor's maximum.
        order: "asc" on the paths where that is a parameter of its own.
    """

    cursor_field: str
    primary_key: list[str]
    page_size: int
    order: str = ""

    # The newest window that was answered, and whether it had rows.
    _newest: tuple[date, bool] = field(init=False, default=(date.min, True))

    def rows(self, lane: Lane, task: Window) -> Iterator[Sequence[Row]]:
        """Return the rows of the window, a page at a time, as the vendor wrote them."""
        name, count = self.cursor_field, 0
        params = {
            f"{name}.gte": task.start.isoformat(),
            f"{name}.lt": (task.end + timedelta(days=1)).isoformat(),
            **ascending(name, self.order),
        }
        complaint = f"{self.name} has no rows from {task.start} to {task.end}"
        for rows, _ in pages(
            self.vendor_as_written,
            params,
            key=self.primary_key,
            page_size=self.page_size,
            complaint=complaint if self._doubts(task) else "",
            pauses=_PAUSE_IF_EMPTY,
        ):
            count += len(rows)
            yield rows
        if count or task.due:
            self._newest = max(self._newest, (task.start, count > 0))

    def _doubts(self, task: Window) -> bool:
        """Return whether an answer without rows for a window is to be doubted.

        Not after another without rows: before a dataset begins, each window would cost two
        requests.
        """
        start, with_rows = self._newest
        return task.due and (with_rows or task.start < start)

    def checkpoint(self, lane: Lane, task: Window) -> Mapping[str, Any]:
        """Return the day up to which all is read."""
        return {self.cursor_field: task.checkpoint.isoformat()}
