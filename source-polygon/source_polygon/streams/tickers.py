"""Stream `tickers`: every symbol of a market, active and delisted, at a cost that follows change.

The vendor sorts by `last_updated_utc` but cannot filter on it. It stamps all active rows of stocks
and otc anew each night and never touches delisted ones. So the newest page of each list is asked
for first: if it reaches back to the last sync, it holds all that changed, in one answer, so no row
can move between two pages. Else the list is read in full by ticker, an order in which rows stay
where they are when they are stamped; the checkpoint is the newest stamp from before that reading,
so that what changes meanwhile is read by the next sync.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.sources.declarative.retrievers.retriever import Retriever
from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.clock import utc_now
from source_polygon.engine.checkpoints import Lane, LaneCursor, LaneSlice
from source_polygon.stamps import sortable
from source_polygon.streams.listings import Listings, Row, changed, newest_of_each, stamp
from source_polygon.streams.progress import Progress
from source_polygon.streams.ticker_list import TickerList, active_among


@dataclass
class TickersCursor(LaneCursor):
    """One lane and one slice per market: both lists of a market are one step."""

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return the chosen markets."""
        return [{"market": market} for market in self.config["markets"]]

    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> Lane:
        """Return the lane of a market, with its checkpoint checked."""
        Progress.load(cursor, self.cursor_field)
        return Lane(partition, cursor)

    def slices(self, lane: Lane) -> Iterator[LaneSlice]:
        """Return the one slice of a market."""
        yield lane.slice(cursor_field=self.cursor_field)


@dataclass
class TickersRetriever(Retriever):
    """Reads one market: the active list, then the delisted one."""

    config: Mapping[str, Any]
    requester: Requester
    name: str

    def read_records(
        self, records_schema: Mapping[str, Any], stream_slice: StreamSlice | None = None
    ) -> Iterable[Record]:
        """Return new and changed rows, and those whose `listing_end` changes."""
        if not isinstance(stream_slice, LaneSlice):
            raise TypeError("tickers is read by the slices of TickersCursor")
        market, cursor_field = stream_slice["market"], stream_slice["cursor_field"]
        progress = Progress.load(stream_slice.lane.cursor, cursor_field)
        rows = (_record(row, market, end) for row, end in self._market(market, progress))
        yield from stream_slice.records(self.name, rows)
        stream_slice.complete(progress.dump(cursor_field))

    def _market(self, market: str, progress: Progress) -> Iterator[tuple[Row, str]]:
        """Return rows with their `listing_end`, and move `progress` over what is read.

        Active before delisted: a symbol that ends in between is in both, and the later row counts.
        """
        listings = Listings(progress.horizon, progress.dated, progress.listed)
        yield from self._active(market, progress, listings)
        if self.config["include_delisted"]:
            yield from self._delisted(market, progress, listings)
        elif not progress.horizon:
            listings.set_horizon(progress.active or _now())
        progress.horizon = listings.horizon
        progress.listed = listings.listed_now()

    def _active(
        self, market: str, progress: Progress, listings: Listings
    ) -> Iterator[tuple[Row, str]]:
        tickers = self._list(market, active=True)
        since = progress.active if tickers.stamped else ""
        if self.config["include_delisted"] and not progress.recorded_after:
            # Delisted rows come for the first time: which symbols are active must be known of all.
            since = ""
        for row in newest_of_each(tickers.rows(since, progress.undated.get("active", 0))):
            listing_end = listings.see_active(row["ticker"])
            if changed(row, since):
                yield row, listing_end
        listings.whole = tickers.whole
        progress.active = max(progress.active, tickers.newest)
        progress.undated["active"] = tickers.undated

    def _delisted(
        self, market: str, progress: Progress, listings: Listings
    ) -> Iterator[tuple[Row, str]]:
        tickers = self._list(market, active=False)
        since = progress.delisted if tickers.stamped else ""
        if not progress.horizon:
            listings.set_horizon(tickers.newest or progress.active or _now())
        reach = min(since, progress.recorded_after)
        rows = tickers.rows(reach, progress.undated.get("delisted", 0))
        yield from listings.see_delisted(rows, since, _now(), partial(self._ask_active, market))
        # Delisted tickers may have been left out so far: all recorded since the first sync of the
        # active ones may be `open`.
        progress.recorded_after = progress.recorded_after or listings.horizon
        progress.delisted = max(progress.delisted, tickers.newest)
        progress.undated["delisted"] = tickers.undated

    def _ask_active(self, market: str, tickers: set[str]) -> set[str]:
        return active_among(self.requester, self.config["base_url"], market, tickers)

    def _list(self, market: str, *, active: bool) -> TickerList:
        return TickerList(self.requester, self.config["base_url"], market, active=active)


def _record(row: Row, market: str, listing_end: str) -> dict[str, Any]:
    stamped = stamp(row)
    record = {**row, "market": row.get("market", market), "listing_end": listing_end}
    return {**record, "last_updated_utc": stamped} if stamped else record


def _now() -> str:
    return sortable(utc_now().isoformat())
