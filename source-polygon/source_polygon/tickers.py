"""Stream `tickers`: every symbol of a market, active and delisted, at a cost that follows change.

The vendor sorts by `last_updated_utc` but cannot filter on it. It stamps all active rows of stocks
and otc anew each night and never touches delisted ones. So the newest page of each list is asked
for first: if it reaches back to the last sync, it holds all that changed, in one answer, so no row
can move between two pages. Else the list is read in full by ticker, an order in which rows stay
where they are when they are stamped; the checkpoint is the newest stamp from before that reading,
so that what changes meanwhile is read by the next sync.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.sources.declarative.retrievers.retriever import Retriever
from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.checkpoint import Lane, LaneCursor, LaneSlice, UnreadableState
from source_polygon.clock import utc_now
from source_polygon.listings import Listings, Row, changed, newest_of_each, stamp
from source_polygon.stamps import sortable
from source_polygon.ticker_list import TickerList


@dataclass
class Progress:
    """What the state holds for one market. All times are sortable stamps, "" where none is known.

    Attributes:
        active: newest stamp among the active rows read so far.
        delisted: newest stamp among the delisted rows read so far.
        recorded_after: delisted rows stamped later than this may be `open`, see `listings`.
        horizon: see `listings.Listings`; "" before the first sync.
        dated: see `listings.Listings`.
        undated: number of rows without a stamp, by list ("active", "delisted").
    """

    active: str = ""
    delisted: str = ""
    recorded_after: str = ""
    horizon: str = ""
    dated: dict[str, str] = field(default_factory=dict)
    undated: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, cursor: Mapping[str, Any], cursor_field: str) -> "Progress":
        """Return the progress that a checkpoint holds.

        Raises:
            UnreadableState: it is not of the form that `dump` writes.
        """
        try:
            active = _stamp(cursor.get(cursor_field))
            # A state written by hand, with the cursor alone, holds for both lists.
            delisted = cursor.get("delisted", {cursor_field: active, "recorded_after": active})
            return cls(
                active=active,
                delisted=_stamp(delisted.get(cursor_field)),
                recorded_after=_stamp(delisted.get("recorded_after")),
                horizon=_stamp(cursor.get("horizon", active)),
                dated={str(ticker): _stamp(end) for ticker, end in cursor.get("dated", {}).items()},
                undated={str(which): int(n) for which, n in cursor.get("undated", {}).items()},
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise UnreadableState(repr(dict(cursor))[:300]) from error

    def dump(self, cursor_field: str) -> Mapping[str, Any]:
        """Return the checkpoint for the state."""
        return {
            cursor_field: self.active,
            "delisted": {cursor_field: self.delisted, "recorded_after": self.recorded_after},
            "horizon": self.horizon,
            "dated": self.dated,
            "undated": self.undated,
        }


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
        listings = Listings(progress.horizon, progress.dated)
        yield from self._active(market, progress, listings)
        if self.config["include_delisted"]:
            yield from self._delisted(market, progress, listings)
        elif not progress.horizon:
            listings.set_horizon(_near(progress.active))
        progress.horizon = listings.horizon

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
        progress.active = max(progress.active, tickers.newest)
        progress.undated["active"] = tickers.undated

    def _delisted(
        self, market: str, progress: Progress, listings: Listings
    ) -> Iterator[tuple[Row, str]]:
        tickers = self._list(market, active=False)
        since = progress.delisted if tickers.stamped else ""
        reach = min(since, progress.recorded_after)
        rows = tickers.rows(reach, progress.undated.get("delisted", 0))
        if progress.horizon:
            yield from listings.later_delisted(rows, since)
            # Delisted tickers may have been left out so far: then those recorded since the first
            # sync of the active ones may be `open`.
            progress.recorded_after = progress.recorded_after or progress.horizon
        else:
            newest = _near(tickers.newest or progress.active)
            yield from listings.first_delisted(rows, newest)
            progress.recorded_after = newest
        progress.delisted = max(progress.delisted, tickers.newest)
        progress.undated["delisted"] = tickers.undated

    def _list(self, market: str, *, active: bool) -> TickerList:
        return TickerList(self.requester, self.config["base_url"], market, active=active)


def _record(row: Row, market: str, listing_end: str) -> dict[str, Any]:
    stamped = stamp(row)
    record = {**row, "market": row.get("market", market), "listing_end": listing_end}
    return {**record, "last_updated_utc": stamped} if stamped else record


def _near(newest: str) -> str:
    return newest or sortable(utc_now().isoformat())


def _stamp(value: str | None) -> str:
    return sortable(value) if value else ""
