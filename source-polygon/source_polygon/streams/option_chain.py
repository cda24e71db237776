"""Kind `option_chain`: the live contracts of an underlying and their prices, a reading a day."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from source_polygon.engine.lanes import Lane, LaneEnds
from source_polygon.engine.output import Leaving
from source_polygon.errors import system_error
from source_polygon.rows import Row
from source_polygon.streams.snapshot import SnapshotCursor, SnapshotRetriever
from source_polygon.streams.symbols import SYMBOL, Refusals, address, asked_about
from source_polygon.vendor.cut import Cut
from source_polygon.vendor.paging import ascending, pages


@dataclass
class ChainCursor(SnapshotCursor):
    """A lane an underlying, in each the reading of today in New York, unless it has been taken.

    Attributes:
        but: prefixes of symbols that have no options.
    """

    but: list[str]

    def partitions(self) -> Iterable[Mapping[str, Any]]:
        """Return a lane for each symbol that can have options."""
        symbols = asked_about(self.config["symbols"], self.but, self._stream_name)
        return [{SYMBOL: symbol} for symbol in symbols]


@dataclass(kw_only=True)
class ChainRetriever(SnapshotRetriever):
    """Takes the reading of one underlying, page by page.

    Attributes:
        path: of the chain; the part in braces stands for the underlying.
    """

    unit: ClassVar[str] = "symbol"

    path: str
    refusals: Refusals = field(init=False, default_factory=Refusals)

    def rows(self, lane: Lane, task: date) -> Iterator[Leaving]:
        """Return the contracts, a page at a time, each as the vendor wrote it.

        They are marked with the day and, for the key, with their own symbol.

        Raises:
            LaneEnds: there are none, even when asked again, or no use in asking. The next sync
                tries anew.
        """
        symbol, day, count = lane.partition[SYMBOL], task.isoformat(), 0
        if self.refusals.settled(self.name, symbol):
            raise LaneEnds
        with self.refusals.watching(self.name, symbol):
            for rows, _ in pages(
                self.vendor_as_written,
                ascending(self.sort, "asc"),
                key=["details"],
                of=dict,
                page_size=self.page_size,
                complaint=f"{symbol} has no option chain",
                path=address(self.config["base_url"], self.path, symbol),
            ):
                count += len(rows)
                tickers = [self._contract(symbol, row) for row in rows]
                if isinstance(rows, Cut):
                    yield rows.marked("ticker", tickers).marked(self.cursor_field, day)
                else:
                    marks = ({self.cursor_field: day, "ticker": ticker} for ticker in tickers)
                    yield [{**mark, **row} for mark, row in zip(marks, rows, strict=True)]
        if not count:
            raise LaneEnds

    def _contract(self, symbol: str, row: Row) -> str:
        details = row["details"]
        ticker = details.get("ticker") if isinstance(details, dict) else None
        if not isinstance(ticker, str):
            raise system_error(f"{self.name}: a contract of {symbol} has no ticker.")
        return ticker
