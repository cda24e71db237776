"""Kind `tickers`: every symbol of a market, active and delisted, at a cost that follows change.

The vendor sorts by `last_updated_utc` but cannot filter on it. It stamps all active rows of stocks
and otc anew each night and never touches delisted ones. So the newest page of each list is asked
for first: if it reaches back to the last sync, it holds all that changed, in one answer, so no row
can move between two pages. Else the list is read in full by ticker, an order in which rows stay
where they are when they are stamped; the checkpoint is the newest stamp from before that reading,
so that what changes meanwhile is read by the next sync.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from source_polygon.clock import utc_now
from source_polygon.engine.cursor import LaneCursor
from source_polygon.engine.lanes import Lane, LaneSlice
from source_polygon.engine.retriever import LaneRetriever
from source_polygon.rows import Row
from source_polygon.stamps import sortable
from source_polygon.streams.listings import (
    OPEN,
    Memory,
    Seen,
    active_again,
    begun,
    changed,
    classify,
    newest_of_each,
    sift,
    stamp,
)
from source_polygon.streams.market_state import MarketState
from source_polygon.streams.ticker_list import TickerList, active_among


class MarketLane(Lane):
    """The one step in which both lists of a market are read.

    Attributes:
        market: the market.
        state: how far its lists are read.
    """

    def __init__(
        self, partition: Mapping[str, Any], cursor: Mapping[str, Any], cursor_field: str
    ) -> None:
        super().__init__(partition, cursor)
        self.market = str(partition["market"])
        self.state = MarketState.load(cursor, cursor_field)


@dataclass
class TickersCursor(LaneCursor[MarketLane, None]):
    """One lane and one slice per market: both lists of a market are one step."""

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return the chosen markets."""
        return [{"market": market} for market in self.config["markets"]]

    def lane(self, partition: Mapping[str, Any], cursor: Mapping[str, Any]) -> MarketLane:
        """Return the lane of a market, with its checkpoint checked."""
        return MarketLane(partition, cursor, self.cursor_field)

    def slices(self, lane: MarketLane) -> Iterator[LaneSlice[MarketLane, None]]:
        """Return the one slice of a market."""
        yield LaneSlice(lane, None)


@dataclass(kw_only=True)
class TickersRetriever(LaneRetriever[MarketLane, None]):
    """Reads one market: the active list, then the delisted one.

    In this order, since a symbol that ends in between is in both, and the later row counts.
    """

    unit: ClassVar[str] = "market"

    cursor_field: str

    @property
    def least_requests(self) -> int:
        """One for each of the market's lists."""
        return 2 if self.config["include_delisted"] else 1

    def rows(self, lane: MarketLane, task: None) -> Iterator[Row]:
        """Return new and changed rows, and those whose `listing_end` changes."""
        state, seen = yield from self._active(lane.market, lane.state)
        if self.config["include_delisted"]:
            state = yield from self._delisted(lane.market, state, seen)
        else:
            memory = begun(state.memory, state.active or seen.now)
            _, memory = classify({}, frozenset(), memory, seen)
            state = replace(state, memory=memory)
        lane.state = state

    def checkpoint(self, lane: MarketLane, task: None) -> Mapping[str, Any]:
        """Return how far the market is read."""
        return lane.state.dump(self.cursor_field)

    def _active(
        self, market: str, state: MarketState
    ) -> Generator[Row, None, tuple[MarketState, Seen]]:
        """Return what to emit of the active list; then the state after it and what was seen."""
        tickers = self._list(market, active=True)
        since = state.active if tickers.stamped else ""
        if self.config["include_delisted"] and not state.recorded_after:
            # Delisted rows come for the first time: which symbols are active must be known of all.
            since = ""
        reading = tickers.read(since, state.undated.get("active", 0))
        undated, active = Undated(), set()
        for row in newest_of_each(undated.counted(reading.rows)):
            active.add(row["ticker"])
            if changed(row, since):
                yield _record(row, market, OPEN)
        state = replace(
            state,
            active=max(state.active, reading.newest),
            undated={**state.undated, "active": undated.number},
        )
        return state, Seen(
            active=frozenset(active),
            whole=reading.whole,
            since=state.delisted if tickers.stamped else "",
            now=sortable(utc_now().isoformat()),
        )

    def _delisted(
        self, market: str, state: MarketState, seen: Seen
    ) -> Generator[Row, None, MarketState]:
        """Return what to emit of the delisted list; then the state after it."""
        tickers = self._list(market, active=False)
        reach = min(seen.since, state.recorded_after)
        reading = tickers.read(reach, state.undated.get("delisted", 0))
        memory = begun(state.memory, reading.newest or state.active or seen.now)
        undated = Undated()
        recent: dict[str, dict[str, Row]] = {}
        for row, listing_end in sift(undated.counted(reading.rows), memory, seen, recent):
            yield _record(row, market, listing_end)
        anew = self._listed_anew(market, recent, memory, seen)
        emitted, memory = classify(recent, anew, memory, seen)
        for row, listing_end in emitted:
            yield _record(row, market, listing_end)
        return replace(
            state,
            delisted=max(state.delisted, reading.newest),
            # Delisted tickers may have been left out so far: all recorded since the first sync of
            # the active ones may be `open`.
            recorded_after=state.recorded_after or memory.horizon,
            memory=memory,
            undated={**state.undated, "delisted": undated.number},
        )

    def _listed_anew(
        self, market: str, recent: Mapping[str, Mapping[str, Row]], memory: Memory, seen: Seen
    ) -> frozenset[str]:
        """Return the symbols of `recent` that are active again; asks the vendor where needed."""
        known = {
            ticker: active_again(ticker, ends, memory, seen) for ticker, ends in recent.items()
        }
        certain = frozenset(ticker for ticker, again in known.items() if again)
        doubtful = {ticker for ticker, again in known.items() if again is None}
        if not doubtful:
            return certain
        return certain | active_among(self.vendor, market, doubtful)

    def _list(self, market: str, *, active: bool) -> TickerList:
        return TickerList(self.vendor, market, active)


class Undated:
    """Counts the rows without a stamp that pass.

    Attributes:
        number: how many there were so far.
    """

    def __init__(self) -> None:
        self.number = 0

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Return `rows`."""
        for row in rows:
            self.number += stamp(row) is None
            yield row


def _record(row: Row, market: str, listing_end: str) -> Row:
    stamped = stamp(row)
    record = {**row, "market": row.get("market", market), "listing_end": listing_end}
    return {**record, "last_updated_utc": stamped} if stamped else record
