"""Kind `option_contracts`: the live contracts of an underlying, and the expired ones by their date.

The vendor keeps them in two lists, and at its expiration a contract moves from one to the other. At
each sync the live list is read in full, since a contract can be listed at any strike and date; and
the expired list from where the last sync ended. That is yesterday in New York at most, and the next
sync goes back further still, so a contract that moves between the two readings is not lost.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from source_polygon.engine.cursor import LaneCursor
from source_polygon.engine.lanes import Lane, LaneEnds, LaneSlice, saved_day
from source_polygon.engine.output import Leaving
from source_polygon.engine.retriever import LaneRetriever
from source_polygon.sessions import new_york_today
from source_polygon.streams.symbols import SYMBOL, Refusals, asked_about
from source_polygon.vendor.paging import pages

LOGGER = logging.getLogger("airbyte")

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Listed:
    """Contracts to ask for.

    Attributes:
        expired: which of the two lists.
        start: the first expiration date.
        end: the last; None for all that are later.
        due: whether there should be some: then an answer without rows is not believed at once. What
            the next sync asks for again may be empty.
        checkpoint: the date up to which all expired contracts are read once these are.
    """

    expired: bool
    start: date
    end: date | None
    due: bool = False
    checkpoint: date | None = None


@dataclass
class ContractsCursor(LaneCursor[Lane, Listed]):
    """A lane an underlying: its live contracts, then the expired ones in windows of their date.

    Attributes:
        but: prefixes of symbols that no contract is about.
        window_days: days in a window; an interrupted first read loses at most one.
        lookback_days: days before the checkpoint to ask for again: when on its last day a contract
            moves to the list of the expired ones is unverified.
    """

    but: list[str]
    window_days: int
    lookback_days: int

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return a lane for each symbol that can have contracts."""
        symbols = asked_about(self.config["symbols"], self.but, self._stream_name)
        return [{SYMBOL: symbol} for symbol in symbols]

    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> Lane:
        """Return the lane, with its checkpoint checked."""
        saved_day(cursor, self.cursor_field)
        return Lane(partition, cursor, self.run_ahead)

    def slices(self, lane: Lane) -> Iterator[LaneSlice[Lane, Listed]]:
        """Return the live contracts, and windows of expired ones up to today in New York."""
        saved, today = saved_day(lane.cursor, self.cursor_field), new_york_today()
        start = date.fromisoformat(self.config["start_date"])
        last = date.fromisoformat(self.config["end_date"]) if self.config.get("end_date") else None
        yield LaneSlice(lane, Listed(False, start, last), expirations="to come")
        if saved and saved >= today:
            LOGGER.warning(
                "%s %s: the saved state %s lies in the future; nothing expired is read.",
                *(self._stream_name, lane.partition[SYMBOL], saved),
            )
            return
        if saved:
            start = max(start, saved - timedelta(days=self.lookback_days))
        last = min(last or today, today)
        while start < today and start <= last:
            end = min(start + timedelta(days=self.window_days - 1), last)
            reached = min(end, today - _DAY)
            reached = max(reached, saved) if saved else reached
            listed = Listed(True, start, end, saved is None, reached)
            yield LaneSlice(lane, listed, expirations=str(start))
            start = end + _DAY


@dataclass(kw_only=True)
class ContractsRetriever(LaneRetriever[Lane, Listed]):
    """Reads contracts of one underlying, page by page, as the vendor wrote them.

    Attributes:
        cursor_field: the date on which they expire.
        primary_key: fields that every row must have.
        page_size: rows a page, the vendor's maximum.
    """

    cursor_field: str
    primary_key: list[str]
    page_size: int
    refusals: Refusals = field(init=False, default_factory=Refusals)

    def rows(self, lane: Lane, task: Listed) -> Iterator[Leaving]:
        """Return the contracts, in the order of their tickers.

        Raises:
            LaneEnds: there is no use in asking about the symbol.
        """
        symbol, field, count = lane.partition[SYMBOL], self.cursor_field, 0
        if self.refusals.settled(self.name, symbol):
            raise LaneEnds
        complaint = f"{symbol} has no contracts that expired from {task.start} to {task.end}"
        params = {
            # The contracts of an index are listed under its name alone (third-party code).
            "underlying_ticker": symbol.removeprefix("I:"),
            "expired": "true" if task.expired else "false",
            f"{field}.gte": task.start.isoformat(),
            "sort": "ticker",
            "order": "asc",
        }
        if task.end:
            params[f"{field}.lte"] = task.end.isoformat()
        with self.refusals.watching(self.name, symbol):
            for rows, _ in pages(
                self.vendor_as_written,
                params,
                key=self.primary_key,
                page_size=self.page_size,
                complaint=complaint if task.due else "",
            ):
                count += len(rows)
                yield rows
            if not count and not task.expired:
                LOGGER.info("%s: the vendor has no live contracts of %s.", self.name, symbol)

    def checkpoint(self, lane: Lane, task: Listed) -> Mapping[str, Any] | None:
        """Return the date up to which all expired contracts are read."""
        return {self.cursor_field: task.checkpoint.isoformat()} if task.checkpoint else None
