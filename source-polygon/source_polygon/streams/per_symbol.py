"""Kind `per_symbol`: one answer a symbol, each asked for at each sync."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from airbyte_cdk.sources.types import Record, StreamSlice

from source_polygon.engine.lanes import LaneEnds
from source_polygon.engine.output import Leaving
from source_polygon.engine.retriever import PolygonRetriever
from source_polygon.errors import system_error
from source_polygon.rows import Row
from source_polygon.streams.symbols import LOGGER, SYMBOL, Refusals, address, slices
from source_polygon.vendor.paging import require_keys


@dataclass(kw_only=True)
class PerSymbolRetriever(PolygonRetriever):
    """Reads what one answer says about a symbol, a list of rows, each marked with the symbol.

    Attributes:
        path: of the answer; the part in braces stands for the symbol.
        primary_key: fields that each row must have.
        but: see `asked_about`.
    """

    unit: ClassVar[str] = "symbol"
    one_page: ClassVar[bool] = True
    single: ClassVar[bool] = False

    path: str
    primary_key: list[str]
    but: list[str]
    refusals: Refusals = field(init=False, default_factory=Refusals)

    def planned(self) -> Iterator[StreamSlice]:
        """Return the slices that the router will hand out."""
        yield from slices(self.config["symbols"], self.but, self.name)

    def read_records(
        self, records_schema: Mapping[str, Any], stream_slice: StreamSlice | None = None
    ) -> Iterable[Record]:
        """Return the rows of the symbol that the slice is about.

        Raises:
            AirbyteTracedException: no usable answer, refused, or a row without its key.
        """
        if stream_slice is None:
            raise TypeError(f"{self.name} is read symbol by symbol")
        symbol = stream_slice.partition[SYMBOL]
        if self.refusals.settled(self.name, symbol):
            return
        with suppress(LaneEnds):
            yield from self.output(self.name, self._answer(symbol), stream_slice)

    def _answer(self, symbol: str) -> Iterator[Leaving]:
        with self.refusals.watching(self.name, symbol):
            where = address(self.config["base_url"], self.path, symbol)
            # Of a symbol that it knows, the vendor always has the one row.
            complaint = f"{self.name}: the answer about {symbol} is empty" if self.single else ""
            answer = replace(self.vendor, single=self.single).ask(path=where, complaint=complaint)
            rows = list(self.rows(symbol, answer.rows))
            require_keys(rows, self.primary_key, where)
            if not rows:
                LOGGER.info("%s: the vendor has none of %s.", self.name, symbol)
            yield rows

    def rows(self, symbol: str, rows: Sequence[Row]) -> Iterable[Row]:
        """Return the records made of the rows of an answer."""
        return ({**row, "ticker": symbol} for row in rows)


@dataclass(kw_only=True)
class DetailsRetriever(PerSymbolRetriever):
    """Reads the one row that an answer is."""

    single: ClassVar[bool] = True

    def rows(self, symbol: str, rows: Sequence[Row]) -> Iterable[Row]:
        """Return the row as the vendor sends it."""
        return rows


@dataclass(kw_only=True)
class EventsRetriever(PerSymbolRetriever):
    """Reads the events that an answer has inside its one row."""

    single: ClassVar[bool] = True

    def rows(self, symbol: str, rows: Sequence[Row]) -> Iterator[Row]:
        """Return a row an event.

        The specification calls the kind of an event `event_type`, its example and what was seen
        call it `type`.
        """
        for row in rows:
            events = row.get("events") or []
            if not isinstance(events, list) or not all(isinstance(each, dict) for each in events):
                raise system_error(f"{self.name}: the events of {symbol} are not a list of events.")
            for event in events:
                change = event.get("ticker_change")
                yield {
                    **event,
                    "ticker": symbol,
                    "type": event.get("type") or event.get("event_type"),
                    "new_ticker": change.get("ticker", "") if isinstance(change, dict) else "",
                }


@dataclass(kw_only=True)
class RelatedRetriever(PerSymbolRetriever):
    """Reads the symbols that an answer lists."""

    def rows(self, symbol: str, rows: Sequence[Row]) -> Iterator[Row]:
        """Return a row a pair of symbols."""
        for row in rows:
            yield {**row, "ticker": symbol, "related_ticker": row.get("ticker")}
