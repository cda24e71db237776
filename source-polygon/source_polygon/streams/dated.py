"""Streams `splits` and `dividends`: rows by a date of their own, future ones included."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.sources.declarative.retrievers.retriever import Retriever
from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.engine.checkpoints import Lane, LaneCursor, LaneSlice, UnreadableState
from source_polygon.sessions import new_york_today
from source_polygon.vendor.paging import pages

LOGGER = logging.getLogger("airbyte")


@dataclass
class DatedEventsCursor(LaneCursor):
    """One lane, in windows of days. The last window is open, so that announced events come too.

    The checkpoint is the day of the sync at most: a row dated next month must not move it there.

    Attributes:
        window_days: days in a slice; an interrupted first read loses at most one.
        lookback_days: days before the checkpoint to ask for again, since events are entered late.
    """

    window_days: int
    lookback_days: int

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return the one lane there is."""
        return [{}]

    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> Lane:
        """Return the lane, with its checkpoint checked."""
        if cursor:
            try:
                date.fromisoformat(cursor[self.cursor_field])
            except (KeyError, TypeError, ValueError) as error:
                raise UnreadableState(repr(dict(cursor))) from error
        return Lane(partition, cursor, self.run_ahead)

    def slices(self, lane: Lane) -> Iterator[LaneSlice]:
        """Return windows from the start date, or the checkpoint less the lookback, to today."""
        today = new_york_today()
        start = date.fromisoformat(self.config["start_date"])
        end = date.fromisoformat(self.config["end_date"]) if self.config.get("end_date") else None
        saved = lane.cursor.get(self.cursor_field, "")
        if saved:
            if saved > today.isoformat():
                LOGGER.warning("The saved state %s lies in the future; nothing is read.", saved)
                return
            start = max(start, date.fromisoformat(saved) - timedelta(days=self.lookback_days))
        last = min(today, end or today)
        while start <= last:
            until = start + timedelta(days=self.window_days - 1)
            window = {f"{self.cursor_field}.gte": start.isoformat()}
            if until < last:
                window[f"{self.cursor_field}.lte"] = until.isoformat()
            elif end:
                window[f"{self.cursor_field}.lte"] = end.isoformat()
            reached = max(min(until, last).isoformat(), saved)
            yield lane.slice(window=window, field=self.cursor_field, reached=reached)
            start = until + timedelta(days=1)


@dataclass
class DatedEventsRetriever(Retriever):
    """Reads one window, page by page."""

    config: Mapping[str, Any]
    requester: Requester
    name: str

    def read_records(
        self, records_schema: Mapping[str, Any], stream_slice: StreamSlice | None = None
    ) -> Iterable[Record]:
        """Return the rows of the window of `stream_slice`, as the vendor sends them."""
        if not isinstance(stream_slice, LaneSlice):
            raise TypeError(f"{self.name} is read by the slices of DatedEventsCursor")
        if not stream_slice.enter():
            return
        field = stream_slice["field"]
        params = {**stream_slice["window"], "sort": field, "order": "asc"}
        try:
            for rows, _ in pages(self.requester, params, self.config["base_url"], key="id"):
                yield from stream_slice.records(self.name, rows)
        except Exception:
            stream_slice.lane.stop()
            raise
        stream_slice.complete({field: stream_slice["reached"]})
