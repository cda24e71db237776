"""Kind `snapshot`: what the vendor has now and keeps no history of, read in full once a day."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar

from source_polygon.engine.cursor import LaneCursor
from source_polygon.engine.lanes import Lane, LaneEnds, LaneSlice, saved_day
from source_polygon.engine.output import Leaving
from source_polygon.engine.retriever import LaneRetriever
from source_polygon.sessions import new_york_today, sessions
from source_polygon.vendor.cut import Cut
from source_polygon.vendor.paging import ascending, pages

LOGGER = logging.getLogger("airbyte")


@dataclass
class SnapshotCursor(LaneCursor[Lane, date]):
    """A slice a lane: the reading of the day that it is in New York, unless it has been taken."""

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return the one lane there is."""
        return [{}]

    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> Lane:
        """Return the lane, with its checkpoint checked."""
        saved_day(cursor, self.cursor_field)
        return Lane(partition, cursor, self.run_ahead)

    def slices(self, lane: Lane) -> Iterator[LaneSlice[Lane, date]]:
        """Return today's reading; name the trading days that have none and never will."""
        saved, today = saved_day(lane.cursor, self.cursor_field), new_york_today()
        of = " ".join([self._stream_name, *map(str, lane.partition.values())])
        if saved and saved > today:
            LOGGER.warning("%s: the saved state %s lies in the future; no reading.", of, saved)
        if saved and saved >= today:
            return
        if saved:
            day = timedelta(days=1)
            _name_missed(of, sessions("stocks", saved + day, today - day))
        yield LaneSlice(lane, today, day=today.isoformat())


def _name_missed(of: str, days: list[date]) -> None:
    if not days:
        return
    named = ", ".join(map(str, days)) if len(days) <= 10 else f"{days[0]} to {days[-1]}"
    LOGGER.warning(
        "%s: no complete reading on %d trading days, %s. The vendor keeps no history of it, so "
        "they stay missing. Sync every day.",
        of,
        len(days),
        named,
    )


@dataclass(kw_only=True)
class SnapshotRetriever(LaneRetriever[Lane, date]):
    """Takes a reading, page by page.

    Attributes:
        cursor_field: gets the day of the reading.
        primary_key: that field, and those that every row must have.
        page_size: rows a page, the vendor's maximum.
        sort: the field in whose order they are read, one that does not change while they are.
    """

    unit: ClassVar[str] = "reading"
    cursor_field: str
    primary_key: list[str]
    page_size: int
    sort: str

    def rows(self, lane: Lane, task: date) -> Iterator[Leaving]:
        """Return the rows, a page at a time, each as the vendor wrote it and marked with the day.

        Raises:
            LaneEnds: there are none, even when asked again. The next sync tries anew.
        """
        day, count = task.isoformat(), 0
        key = [field for field in self.primary_key if field != self.cursor_field]
        complaint = f"{self.name} has no rows"
        params = ascending(self.sort, "")
        vendor = self.vendor_as_written
        for rows, _ in pages(
            vendor, params, key=key, page_size=self.page_size, complaint=complaint
        ):
            count += len(rows)
            if isinstance(rows, Cut):
                yield rows.marked(self.cursor_field, day)
            else:
                yield [{self.cursor_field: day, **row} for row in rows]
        if not count:
            raise LaneEnds

    def checkpoint(self, lane: Lane, task: date) -> Mapping[str, Any]:
        """Return the day of the reading."""
        return {self.cursor_field: task.isoformat()}
