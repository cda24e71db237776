"""Kind `option_chain`: the live contracts of an underlying and their prices, a reading a day."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from source_polygon.engine.lanes import Lane, LaneEnds
from source_polygon.errors import system_error
from source_polygon.rows import Row
from source_polygon.streams.snapshot import SnapshotCursor, SnapshotRetriever
from source_polygon.streams.symbols import SYMBOL, Refusals, address, asked_about
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

    def rows(self, lane: Lane, task: date) -> Iterator[Row]:
        """Return the contracts, each marked with the day and, for the key, with its own symbol.

        Raises:
            LaneEnds: there are none, even when asked again, or no use in asking. The next sync
                tries anew.
        """
        symbol, day, count = lane.partition[SYMBOL], task.isoformat(), 0
        if self.refusals.settled(self.name, symbol):
            raise LaneEnds
        with self.refusals.watching(self.name, symbol):
            for rows, _ in pages(
                self.vendor,
                ascending(self.sort, "asc"),
                key=["details"],
                of=dict,
                page_size=self.page_size,
                complaint=f"{symbol} has no option chain",
                path=address(self.config["base_url"], self.path, symbol),
            ):
                count += len(rows)
                for row in rows:
                    yield {self.cursor_field: day, "ticker": self._contract(symbol, row), **row}
        if not count:
            raise LaneEnds

    def _contract(self, symbol: str, row: Row) -> str:
        ticker = row["details"].get("ticker")
        if not isinstance(ticker, str):
            raise system_error(f"{self.name}: a contract of {symbol} has no ticker.")
        return ticker
